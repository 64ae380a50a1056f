"""Columns of numbers that are written in all the ways that there are, and what is no number among them."""

from __future__ import annotations

from tests.cli.wild.case import PLAIN, Case, X, changed, table

AS_TEXT = {"x": "text", "colour": "text"}
WHOLE = tuple(str(n) for n in range(12, 24))
EACH_ROW_ANOTHER = ("'x'", "each row", "--drop x")


def _stray(cell: str) -> Case:
    """One cell that is no number makes a text of the column, but not without a word."""
    return Case(
        f"numbers but for {cell}",
        table(x=changed(X, 4, cell)),
        kinds=AS_TEXT,
        says=[("'x'", "1 of 12", repr(cell), "row 4", "--na", "--number x", "--text x")],
    )


def _missing(cell: str) -> Case:
    return Case(
        f"missing number {cell}",
        table(x=changed(X, 4, cell)),
        error=("column 'x'", "row 4", "missing", "--missing"),
    )


def _like_numbers(name: str, *cells: str) -> Case:
    """No cell is a number, but most look like one."""
    return Case(
        f"numbers as {name}",
        table(x=cells * (12 // len(cells))),
        kinds=AS_TEXT,
        says=[("'x'", "text", repr(cells[0].strip('"')), "row 1", "--decimal", "--thousands", "--text x")],
    )


CASES = [
    *(_stray(cell) for cell in ("?", ".", "-", "--", "#DIV/0!", "unknown", "\u22125")),
    *(_missing(cell) for cell in ("", "NA", "N/A", "#N/A", "<NA>", "nan", "NULL", "None", "\\N")),
    Case(
        "a word that is said to be missing",
        table(x=changed(X, 4, "?")),
        ("--na", "?", "--missing", "mean"),
        kinds=PLAIN,
        missing={"x": 1},
        like=table(x=changed(X, 4, "")),
        like_arguments=("--missing", "mean"),
    ),
    Case(
        "two words that are said to be missing",
        table(x=changed(changed(X, 4, "?"), 7, "-9")),
        ("--na", "?", "--na", "-9", "--missing", "median"),
        kinds=PLAIN,
        missing={"x": 2},
        like=table(x=changed(changed(X, 4, ""), 7, "")),
        like_arguments=("--missing", "median"),
    ),
    Case(
        "a word is missing in text too",
        table(colour=("?", "blue", "green") * 4),
        ("--na", "?"),
        error=("column 'colour'", "row 1", "missing", "--missing"),
    ),
    Case(
        "a row that lacks a number is left out",
        table(x=changed(X, 12, "NA")),
        ("--missing", "drop"),
        kinds=PLAIN,
        rows=11,
        says=[("left out: 1",)],
        like="\n".join(table().splitlines()[:12]),
    ),
    Case(
        "the most frequent number",
        table(x=changed(X, 4, "")),
        ("--missing", "most-frequent"),
        kinds=PLAIN,
        missing={"x": 1},
    ),
    Case(
        "numbers are asked for",
        table(x=changed(X, 4, "?")),
        ("--number", "x"),
        error=("column 'x'", "row 4", "'?'", "number", "--na"),
    ),
    _like_numbers("decimal commas", '"0,5"', '"1,25"', '"7,0"'),
    Case(
        "a decimal comma that is said",
        table(x=[cell.replace(".", ",") for cell in X], delimiter=";"),
        ("--decimal", ","),
        kinds=PLAIN,
        says=[("semicolon",)],
        like=table(),
    ),
    _like_numbers("thousands", '"1,234.50"', '"2,000.75"', '"12,345.00"'),
    Case(
        "thousands that are said",
        table(x=[f'"1,{n}0.5"' for n in WHOLE]),
        ("--thousands", ","),
        kinds=PLAIN,
        like=table(x=[f"1{n}0.5" for n in WHOLE]),
    ),
    Case(
        "decimal comma and points between thousands",
        table(x=[f'"1.{n}0,5"' for n in WHOLE]),
        ("--thousands", ".", "--decimal", ","),
        kinds=PLAIN,
        like=table(x=[f"1{n}0.5" for n in WHOLE]),
    ),
    Case(
        "thousands by groups of two",
        table(x=changed([f'"1,{n}0"' for n in WHOLE], 3, '"1,23"')),
        ("--thousands", ",", "--number", "x"),
        error=("column 'x'", "row 3", "'1,23'", "number"),
    ),
    Case(
        "numbers and thousands",
        table(x=changed(X, 4, '"1,234.5"')),
        kinds=AS_TEXT,
        says=[("'x'", "look like numbers", "'1,234.5'", "row 4", "--thousands", "--text x")],
    ),
    _like_numbers("percents", "12 %", "7%", "99.5 %"),
    _like_numbers("units", "3.2 kg", "4 kg", "5.25 kg"),
    _like_numbers("currency", "$3.20", "$4", "$1200"),
    _like_numbers("currency behind", "3.20 €", "4 €", "1200 €"),
    Case(
        "numbers in every notation",
        table(x=["1e0", "+2", "3.", ".5", "-0.5", "-0", "1E+2", "2.5e-1", "07.5", "8", "  9", "10  "]),
        kinds=PLAIN,
        says=[("'x'", "leading zeros", "'07.5'", "row 9", "--text x")],
        like=table(x=["1", "2", "3", "0.5", "-0.5", "0", "100", "0.25", "7.5", "8", "9", "10"]),
    ),
    Case(
        "large integers beside decimals",
        table(x=changed(X, 4, "12345678901234567890123")),
        kinds=PLAIN,
        like=table(x=changed(X, 4, "12345678901234567890123.0")),
    ),
    Case("infinite", table(x=changed(X, 4, "-inf")), error=("column 'x'", "row 4", "infinite")),
    Case("beyond float64", table(x=changed(X, 4, "1e999")), error=("column 'x'", "row 4", "infinite")),
    Case(
        "no value at all",
        table(x=[""] * 12),
        error=("column 'x'", "no value", "--drop x"),
    ),
    Case(
        "leading zeros in a feature",
        table(x=[f"0{n}" for n in (*WHOLE[:6], *WHOLE[:6])]),
        kinds={"x": "integer", "colour": "text"},
        says=[("'x'", "leading zero", "'012'", "row 1", "--text x")],
    ),
    Case(
        "leading zeros in a feature that is text",
        table(x=["012", "12", "7"] * 4),
        ("--text", "x"),
        kinds=AS_TEXT,
        like=table(x=["u", "v", "w"] * 4),
    ),
    Case("truth values", table(x=["True", "FALSE", "true"] * 4), kinds={"x": "truth value", "colour": "text"}),
    Case("yes and no", table(x=["yes", "no", "no"] * 4), kinds=AS_TEXT, like=table(x=["yes ", " no", "no"] * 4)),
    Case(
        "a truth value that is missing",
        table(x=changed(["True", "False", "True"] * 4, 5, "")),
        ("--missing", "most-frequent"),
        kinds={"x": "truth value", "colour": "text"},
        missing={"x": 1},
    ),
]
