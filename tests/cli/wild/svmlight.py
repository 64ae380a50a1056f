"""Rows of svmlight files."""

from __future__ import annotations

from tests.cli.wild.case import Case

LINES = "".join(f"{label} 1:{n} {n % 3 + 2}:1\n" for n, label in enumerate([1, 1, 2, 2, 1, 2, 1, 1, 2, 2, 1, 2]))


def _case(name: str, content: str, *arguments: str, **expected: object) -> Case:
    return Case(name, content, arguments, file="data.svmlight", target="", classes=(1, 2), **expected)


CASES = [
    _case("svmlight", LINES),
    _case("comments", "# a survey\n" + LINES.replace("\n", " # row\n"), like=LINES),
    _case("CRLF in svmlight", LINES.replace("\n", "\r\n"), like=LINES),
    _case("svmlight, no newline at the end", LINES.rstrip("\n"), like=LINES),
    _case("a NaN in svmlight", LINES.replace("1:7", "1:nan"), error=("row 8", "feature 1", "nan")),
    _case("a word in svmlight", LINES.replace("1:7", "1:seven"), error=("line 8", "seven")),
    _case("no colon", LINES.replace("1:7", "7"), error=("line 8",)),
    _case("an empty svmlight file", "", error=("no rows",)),
    _case("columns of svmlight", LINES, "--drop", "x", error=("option drop", "svmlight")),
    _case("missing in svmlight", LINES, "--missing", "mean", error=("--missing", "svmlight"), of_options=True),
]
