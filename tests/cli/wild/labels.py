"""What the target holds."""

from __future__ import annotations

from tests.cli.wild.case import KIND, Case, changed, table

DIGITS = ["1", "2", "3"] * 4
CODES = ["01", "1", "2"] * 4


def _case(name: str, kind: list[str], *arguments: str, **expected: object) -> Case:
    return Case(name, table(kind=kind), arguments, kinds={"x": "number", "colour": "text"}, **expected)


CASES = [
    _case("labels are whole numbers", DIGITS, classes=(1, 2, 3)),
    _case("labels are numbers as text", DIGITS, "--label-as", "text", classes=("1", "2", "3")),
    _case("labels with leading zeros", CODES, classes=("01", "1", "2"), says=[("'kind'", "leading zeros", "--number")]),
    _case("labels with leading zeros that count", CODES, "--number", "kind", classes=(1, 2)),
    _case("labels of agents", ["007", "008", "009"] * 4, classes=("007", "008", "009"), says=[("'kind'", "zeros")]),
    _case("labels with points", ["1.0", "2.0", "2.0"] * 4, classes=(1, 2)),
    _case("labels with signs", ["+1", "-1", "-1"] * 4, classes=(-1, 1)),
    _case(
        "labels beyond 2**53",
        ["9007199254740993", "9007199254740992"] * 6,
        classes=(9007199254740992, 9007199254740993),
    ),
    _case("labels are true and false", ["TRUE", "False"] * 6, classes=(False, True)),
    _case("labels are yes and no", ["yes", "no", "yes "] * 4, classes=("no", "yes")),
    _case("labels with blanks", ["a ", " b", "a"] * 4, classes=("a", "b")),
    _case("labels of countries", ["NA", "DE", "null"] * 4, classes=("DE", "NA", "null")),
    _case("labels of digits and a word", ["1", "2", "x"] * 4, classes=("1", "2", "x")),
    _case("labels of other scripts", ["è", "日本", "e"] * 4, classes=("e", "è", "日本")),
    _case("a label is missing", changed(KIND, 5, ""), error=("column 'kind'", "row 5", "missing", "--missing drop")),
    _case(
        "a label that is no number is missing",
        changed(DIGITS, 5, "NA"),
        error=("column 'kind'", "row 5", "missing", "--missing drop"),
    ),
    _case(
        "a label cannot be filled",
        changed(KIND, 5, ""),
        "--missing",
        "mean",
        error=("column 'kind'", "row 5", "missing", "--missing drop"),
    ),
    _case(
        "a row without a label is left out",
        changed(KIND, 12, ""),
        "--missing",
        "drop",
        rows=11,
        says=[("left out: 1",)],
        like="\n".join(table().splitlines()[:12]),
    ),
    _case(
        "labels with fractions",
        changed(DIGITS, 5, "1.5"),
        error=("'kind'", "row 5", "'1.5'", "not whole", "--label-as text"),
    ),
    _case("a single class", ["a"] * 12, error=("'kind'", "single class", "'a'")),
    _case(
        "labels are dates",
        ["2024-03-10", "2024-03-11"] * 6,
        error=("'kind'", "dates", "'2024-03-10'", "--label-as text"),
    ),
    _case(
        "labels are dates as text",
        ["2024-03-10", "2024-03-11"] * 6,
        "--label-as",
        "text",
        classes=("2024-03-10", "2024-03-11"),
    ),
    _case("no label at all", [""] * 12, error=("'kind'", "no value")),
    Case("no column of this name", table(), target="Kind", error=("'Kind'", "x, colour, kind")),
    Case("a wrong delimiter", table(), ("--delimiter", ";"), error=("'kind'", "x,colour,kind", "--delimiter")),
]
