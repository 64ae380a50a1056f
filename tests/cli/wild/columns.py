"""What columns are for, and what is odd about them."""

from __future__ import annotations

from tests.cli.wild.case import KIND, NAMES, PLAIN, Case, X, changed, table

# Enough rows for a column to tell the class not by chance.
MANY = 36


def _with(values: list[str], name: str = "more", rows: str | None = None) -> str:
    """The plain table with a column more, in front."""
    lines = (table() if rows is None else rows).splitlines()
    return "\n".join(f"{value},{line}" for value, line in zip([name, *values], lines, strict=True))


def _many(values: list[str]) -> str:
    """Three times as many rows, with a column more."""
    header, *lines = table().splitlines()
    return _with(values, rows="\n".join([header, *lines, *lines, *lines]))


MORE = {"more": "integer", **PLAIN}
LABELS = KIND * 3

CASES = [
    Case("a constant number", _with(["7"] * 12), kinds=MORE, says=[("'more'", "constant", "--drop more")]),
    Case(
        "a constant text",
        _with(["u"] * 12),
        kinds={**MORE, "more": "text"},
        says=[("'more'", "constant", "--drop more")],
    ),
    Case(
        "numbers of the rows",
        _with([str(n) for n in range(100, 112)]),
        kinds=MORE,
        says=[("'more'", "counts the rows", "--drop more")],
    ),
    Case(
        "names of the rows",
        _with([f"no. {n}" for n in range(12)]),
        kinds={**MORE, "more": "text"},
        says=[("'more'", "each row", "--drop more")],
    ),
    Case(
        "a number that tells the class",
        _many([str(ord(label)) for label in LABELS]),
        kinds=MORE,
        rows=MANY,
        says=[("'more'", "tells the class", "--drop more")],
    ),
    Case(
        "a text that tells the class",
        _many([f"{label}{n % 3}" for n, label in enumerate(LABELS)]),
        kinds={**MORE, "more": "text"},
        rows=MANY,
        says=[("'more'", "tells the class", "--drop more")],
    ),
    Case(
        "too many texts",
        "id,x,kind\n" + "".join(f"text {n},{n % 7},{'ab'[n % 2]}\n" for n in range(1002)),
        error=("'id'", "more than 1000", "--drop id"),
    ),
    Case(
        "too many classes",
        "x,kind\n" + "".join(f"{n % 7},{n}\n" for n in range(1002)),
        error=("'kind'", "more than 1000"),
    ),
    Case("some columns", _with(["7"] * 12), ("--columns", "x, colour"), kinds=PLAIN, like=table()),
    Case("a column left out", _with(["7"] * 12), ("--drop", "more"), kinds=PLAIN, like=table()),
    Case("no column to leave out", table(), ("--drop", "y"), error=("option drop", "'y'", "'x', 'colour', 'kind'")),
    Case("no column of those", table(), ("--columns", "x,y"), error=("option columns", "'y'", "'x', 'colour', 'kind'")),
    Case("no column of numbers", table(), ("--number", "y"), error=("--number y", "x, colour, kind")),
    Case(
        "both kept and left out",
        table(),
        ("--columns", "x", "--drop", "x"),
        error=("'x'", "columns", "drop"),
        of_options=True,
    ),
    Case("the target left out", table(), ("--drop", "kind"), error=("--drop kind", "target")),
    Case(
        "both number and text",
        table(),
        ("--number", "x", "--text", "x"),
        error=("--number x", "--text x"),
        of_options=True,
    ),
    Case("a number as text", table(x=["1", "2", "3"] * 4), ("--text", "x"), kinds={"x": "text", "colour": "text"}),
    Case("a text as number", table(), ("--number", "colour"), error=("'colour'", "row 1", "'red'", "number")),
    Case("weights", _with(["2", "0", "1.5"] * 4), ("--sample-weight", "more"), kinds=PLAIN),
    Case("weights of one", _with(["1"] * 12), ("--sample-weight", "more"), kinds=PLAIN, like=table()),
    Case(
        "a negative weight",
        _with(changed(["1"] * 12, 5, "-0.5")),
        ("--sample-weight", "more"),
        error=("'more'", "row 5", "-0.5", "negative"),
    ),
    Case(
        "a weight is missing",
        _with(changed(["1"] * 12, 5, "")),
        ("--sample-weight", "more"),
        error=("'more'", "row 5", "missing"),
    ),
    Case(
        "a weight that is no number",
        _with(changed(["1"] * 12, 5, "heavy")),
        ("--sample-weight", "more"),
        error=("'more'", "row 5", "'heavy'", "number"),
    ),
    Case("no column of weights", table(), ("--sample-weight", "y"), error=("'y'", "x, colour, kind")),
    Case("the target as weight", table(), ("--sample-weight", "kind"), error=("--sample-weight", "kind", "target")),
    Case(
        "weights of one class",
        _with(["1" if kind == "b" else "0" for kind in KIND]),
        ("--sample-weight", "more"),
        error=("'more'", "class 'b'", "above 0", "two classes"),
    ),
    Case(
        "no weight", _with(["0"] * 12), ("--sample-weight", "more"), error=("'more'", "none", "above 0", "two classes")
    ),
    Case("class weights", table(), ("--class-weight", "balanced"), kinds=PLAIN),
    Case("label smoothing", table(), ("--label-smoothing", "0.1"), kinds=PLAIN),
    Case(
        "words for nothing are text among texts",
        table(x=["NA", "DE", "FR"] * 4, names=("country", *NAMES[1:])),
        kinds={"country": "text", "colour": "text"},
        says=[("'country'", "'NA'", "--na NA", "--text country")],
    ),
    Case(
        "a question mark among texts",
        table(colour=["?", "red", "?"] * 4),
        kinds=PLAIN,
        says=[("'colour'", "'?'", "--na '?'", "--text colour")],
    ),
    Case(
        "words for nothing that are texts",
        table(x=["NA", "none", "null"] * 4),
        ("--text", "x"),
        kinds={"x": "text", "colour": "text"},
        like=table(x=["a", "b", "c"] * 4),
    ),
    Case(
        "words for nothing alone",
        table(x=["NA", "none", "null"] * 4),
        kinds={"x": "text", "colour": "text"},
        says=[("'x'", "'NA', 'none', 'null'", "--na NA --na none --na null", "--text x")],
        like=table(x=["a", "b", "c"] * 4),
    ),
    Case(
        "truth values and a word for nothing",
        table(x=changed(["TRUE", "FALSE", "TRUE"] * 4, 4, "NA")),
        error=("column 'x'", "row 4", "'NA'", "missing", "--missing"),
    ),
    Case("a text is missing", table(x=changed(X, 4, "")), ("--text", "x"), error=("'x'", "row 4", "--missing")),
    Case(
        "a text is filled",
        table(colour=changed(["red", "red", "blue"] * 4, 4, "")),
        ("--missing", "most-frequent"),
        kinds=PLAIN,
        missing={"colour": 1},
        like=table(colour=["red", "red", "blue"] * 4),
    ),
]
