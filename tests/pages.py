"""Pages whose blocks of Python and of commands are executed; `python -m tests.pages` writes anew what differs."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from softgrad.cli.app import app
from softgrad.linear_model import SoftmaxRegression

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / "guide" / "tables.md", DOCS / "guide" / "tutorial-tables.md"]
LANDING = DOCS / "index.md"
TUTORIALS = sorted({*DOCS.glob("tutorials/*.md")} - {DOCS / "tutorials" / "index.md"})
WIDEST = 120

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# It goes on after a backslash at the end of a line.
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
# Differ from run to run, and with the instruction set.
_VARYING = re.compile(r"^(time |iterations |gradient check: worst relative error )\S+", re.MULTILINE)
_FRACTION = re.compile(r"(?<![\w.])(\d+\.\d+)(?![\w.])")


def output_of(line: str) -> str:
    """What a command of softgrad shows, without its progress; the last lines where it ends in `| tail -n COUNT`."""
    line, _, tail = line.replace("\\\n", "").partition(" | tail -n ")
    program, *arguments = shlex.split(line)
    assert program == "softgrad", line
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    shown = (result.stdout if tail else result.output).splitlines()
    shown = [each for each in shown if not each.startswith("iteration ")]
    return "".join(f"{each}\n" for each in (shown[-int(tail) :] if tail else shown))


class _Listening(doctest.OutputChecker):
    """Keeps what each example gives instead of comparing it."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def check_output(self, _want: str, got: str, _optionflags: int) -> bool:
        self.given.append(got)
        return True


def _examples(text: str, names: dict[str, object], page: Path, line: int) -> Iterator[tuple[str, str, str]]:
    """Execute what stands behind `>>>`: each example, what the page shows, and what it gives."""
    test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), line)
    listening = _Listening()
    try:
        doctest.DebugRunner(checker=listening, verbose=False).run(test, clear_globs=False)
    except doctest.UnexpectedException as unexpected:
        raise unexpected.exc_info[1] from unexpected
    names.update(test.globs)
    lines = text.splitlines()
    for example, given in zip(test.examples, listening.given, strict=True):
        source = lines[example.lineno : example.lineno + example.source.count("\n")]
        yield "\n".join(source), example.want, given


def shown_and_found(page: Path) -> Iterator[tuple[str, str, str]]:
    """Execute the blocks of a page in the current folder: each line asked, what the page shows, and what it gives."""
    names: dict[str, object] = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(2))
        if block[2].startswith(">>> "):
            yield from _examples(block[2], names, page, line)
        elif block[1] == "python":
            # A traceback then shows the lines of the page.
            exec(compile("\n" * line + block[2], str(page), "exec"), names)
        else:
            for command in _COMMAND.finditer(block[2]):
                yield f"$ {command[1]}", command[2], output_of(command[1])


def agree(shown: str, found: str) -> bool:
    """Whether words are the same wherever lines break, and fractions to a unit in the last place, or train's `tol`."""
    texts = [_FRACTION.split(" ".join(_VARYING.sub(r"\1", text).split())) for text in (shown, found)]
    if texts[0][::2] != texts[1][::2]:
        return False
    for one, other in zip(texts[0][1::2], texts[1][1::2], strict=True):
        unit = 10.0 ** -len(one.partition(".")[2])
        if abs(float(one) - float(other)) > max(unit, SoftmaxRegression().tol * float(one)):
            return False
    return True


def main() -> None:
    for page in [*PAGES, LANDING, *TUTORIALS]:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for asked, shown, found in shown_and_found(page):
                if agree(shown, found):
                    continue
                fitting = [
                    part
                    for line in found.splitlines()
                    for part in ([line] if len(line) <= WIDEST else textwrap.wrap(line, WIDEST, subsequent_indent="  "))
                ]
                before = f"{asked}\n{shown}"
                assert text.count(before) == 1, asked
                text = text.replace(before, "\n".join([asked, *fitting, ""]))
            os.chdir(DOCS)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
