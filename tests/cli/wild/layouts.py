"""How the cells of text files are separated, quoted, ended and named."""

from __future__ import annotations

from tests.cli.wild.case import COLOUR, NAMES, PLAIN, Case, X, changed, table

PALE = tuple("pale, " + colour for colour in COLOUR)
QUOTED = tuple(f'"{colour}"' for colour in PALE)
# None of these has a delimiter, which a clean file would quote.
NAMED = {"pale, red": "r", "pale, blue": "b", "pale, green": "g"}


def _same(name: str, content: str, *arguments: str, **expected: object) -> Case:
    """A file of the same cells as the plain one."""
    return Case(name, content, arguments, kinds=PLAIN, like=table(), **expected)


ROW_NAMES = "\n".join(
    f"{prefix}{line}"
    for prefix, line in zip(["", *map(str, range(1, 13))], ["," + line for line in table().splitlines()], strict=True)
)
WIDE = "\n".join(
    [",".join([*(f"column {n}" for n in range(400)), "kind"])]
    + [",".join([*(str((n * row) % 7) for n in range(400)), label]) for row, label in enumerate("abababababab")]
)

CASES = [
    _same("plain", table()),
    _same("blanks around cells", table(x=[f"  {cell}\t" for cell in X], colour=[f" {cell}  " for cell in COLOUR])),
    _same("blanks around names", table(names=(" x", "colour ", "\tkind"))),
    _same("no-break spaces around cells", table(colour=[f"\u00a0{cell}\u00a0" for cell in COLOUR])),
    _same("CRLF", table(end="\r\n")),
    _same("CR alone", table(end="\r")),
    _same("no newline at the end", table().rstrip("\n")),
    _same("blank lines", table().replace("\n", "\n\n") + "\n\n"),
    _same("blank lines before the header", "\n\n" + table()),
    _same("all quoted", table(x=[f'"{cell}"' for cell in X], names=[f'"{name}"' for name in NAMES])),
    _same("semicolons", table(delimiter=";"), says=[("semicolon",)]),
    _same("tabs", table(delimiter="\t"), says=[("tab",)]),
    _same("pipes", table(delimiter="|"), says=[("pipe",)]),
    _same("tildes", table(delimiter="~"), "--delimiter", "~"),
    _same("tabs that are said", table(delimiter="\t"), "--delimiter", "tab"),
    Case("tabs in .tsv", table(delimiter="\t"), file="data.tsv", kinds=PLAIN, like=table()),
    Case("another ending", table(), ("--format", "csv"), file="data.txt", kinds=PLAIN, like=table()),
    Case("an unknown ending", table(), file="data.txt", error=("unknown format", "--format")),
    Case("no ending", table(), ("--format", "csv"), file="data", kinds=PLAIN, like=table()),
    Case("stdin", table(), ("--format", "csv"), file="-", stdin=True, kinds=PLAIN, like=table()),
    Case("stdin of no format", table(), file="-", stdin=True, error=("--format",)),
    Case("delimiters in quotes", table(colour=QUOTED), kinds=PLAIN, like=table(colour=[NAMED[name] for name in PALE])),
    Case(
        "newlines in quotes",
        table(colour=['"u\nv"', '"u\r\nv"', "u"] * 4),
        kinds=PLAIN,
        like=table(colour=["b", "c", "a"] * 4),
    ),
    Case("doubled quotes", table(colour=['"the ""red"""', "blue", '""""'] * 4), kinds=PLAIN),
    Case(
        "a quote in a cell",
        table(colour=changed(COLOUR, 5, '5" pipe')),
        kinds=PLAIN,
        like=table(colour=changed(COLOUR, 5, "5 inch")),
    ),
    Case(
        "a quote that is never closed",
        table(colour=changed(COLOUR, 5, '"blue')),
        error=("row 5", "'colour'", "quote", "blue"),
    ),
    Case("a quote in the header that is never closed", '"' + table(), error=("header", "quote")),
    Case("a row too long", table(x=changed(X, 5, "5,5")), error=("row 5", "4 cells", "3", "5,5,blue,a")),
    Case("a row too short", table().replace("5,blue,a", "5,a"), error=("row 5", "2 cells", "3", "5,a")),
    Case("a delimiter behind each row", table(end=",\n"), error=("column ''", "no value", "--drop ''")),
    Case("a comment above the header", "# a survey\n" + table(), error=("row 1", "3 cells", "1", "x,colour,kind")),
    Case("an empty file", "", error=("empty",)),
    Case("a file of blank lines", "\n\r\n", error=("empty",)),
    Case("a header only", "x,colour,kind\n", error=("no rows",)),
    Case("one column", "kind\na\nb\n", error=("no column besides", "'kind'")),
    Case("two rows", "x,kind\n1,a\n2,b\n", rows=2, kinds={"x": "integer"}, says=[("'x'", "counts the rows")]),
    Case(
        "no header",
        table(names=None),
        ("--no-header",),
        target="c3",
        kinds={"c1": "number", "c2": "text"},
    ),
    Case("a name twice", table(names=("x", "x", "kind")), error=("two columns", "'x'")),
    Case("a name twice but for blanks", table(names=("x", "x ", "kind")), error=("two columns", "'x'")),
    Case("no name twice", table(names=("", "", "kind")), error=("two columns", "''")),
    Case("no name", table(names=("x", "", "kind")), kinds={"x": "number", "": "text"}),
    Case(
        "a name with a newline", table(names=("x", '"of\npaint"', "kind")), kinds={"x": "number", "of\npaint": "text"}
    ),
    _same("row names of R", ROW_NAMES, says=[("first column", "counts the rows", "--number ''")]),
    Case(
        "row names that are kept",
        ROW_NAMES,
        ("--number", ""),
        kinds={"": "number", **PLAIN},
        says=[("''", "counts the rows", "--drop ''")],
    ),
    Case(
        "a file of many columns",
        WIDE,
        kinds={f"column {n}": "integer" for n in range(400)},
        says=[("column 0", "constant"), *[(f"column {n}", "constant") for n in range(7, 400, 7)]],
    ),
]
