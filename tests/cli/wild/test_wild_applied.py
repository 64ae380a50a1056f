"""A model applied to a file that is written otherwise than the one it was trained on."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from tests.cli.wild.case import COLOUR, NAMES, X, as_bytes, changed, table
from tests.cli.wild.running import run
from tests.cli.wild.types import arrow, columns, parquet

GREEK = tuple({"red": "κόκκινο", "blue": "μπλε", "green": "πράσινο"}[colour] for colour in COLOUR)
TRUTHS = ["True", "FALSE", "true"] * 4


def reversed_columns(content: str) -> str:
    return "\n".join(",".join(reversed(line.split(","))) for line in content.splitlines())


@dataclass(frozen=True)
class Case:
    """A file that a model of another is applied to.

    Parameters
    ----------
    name : str
    content : str or bytes
    arguments : sequence of str
        Of predict.
    file : str
    trained : str or bytes
    trained_arguments : sequence of str
        Of train.
    trained_file : str
    like : str or bytes, optional
        The file that the same arguments give the same predictions for; by default that of the training, without them.
    says : sequence of sequence of str
        The words of each note; there are no others.
    error : sequence of str
        The words of the one line that refuses the file, besides its name.
    """

    name: str
    content: str | bytes
    arguments: Sequence[str] = ()
    file: str = "data.csv"
    trained: str | bytes = table()
    trained_arguments: Sequence[str] = ()
    trained_file: str = "trained.csv"
    like: str | bytes | None = None
    says: Sequence[Sequence[str]] = ()
    error: Sequence[str] = ()


UNSEEN = table(colour=["red", "violet", "violet", "blue"] * 3)
OTHERS = table(colour=["red", "pink", "mauve", "blue"] * 3)
FILLED = ("--missing", "most-frequent")

CASES = [
    Case("other blanks", table(x=[f"{x}  " for x in X], colour=[f" {colour}" for colour in COLOUR])),
    Case(
        "blanks in the training alone",
        table(),
        trained=table(colour=[f"  {colour} " for colour in COLOUR], names=[f" {name}" for name in NAMES]),
    ),
    Case("another order of the columns", reversed_columns(table())),
    Case("more columns", table(kind=[f"{kind},2024-03-10" for kind in "ab" * 6], names=(*NAMES, "day"))),
    Case("no target", "\n".join(line.rpartition(",")[0] for line in table().splitlines())),
    Case("semicolons", table(delimiter=";"), says=[("semicolon",)]),
    Case("commas after semicolons", table(), trained=table(delimiter=";")),
    Case("UTF-16", table(colour=GREEK).encode("utf-16"), trained=table(colour=GREEK), says=[("utf-16",)]),
    Case(
        "the encoding of the training",
        table(colour=GREEK).encode("cp1253"),
        trained=table(colour=GREEK).encode("cp1253"),
        trained_arguments=("--encoding", "cp1253"),
    ),
    Case(
        "another encoding than the training had",
        table(colour=GREEK).encode(),
        ("--encoding", "utf-8"),
        trained=table(colour=GREEK).encode("cp1253"),
        trained_arguments=("--encoding", "cp1253"),
    ),
    Case("gzip", gzip.compress(table().encode()), file="data.csv.gz"),
    Case("Parquet", parquet(columns()), file="data.parquet"),
    Case("Arrow", arrow(columns(), 5), file="data.arrow"),
    Case("text after Parquet", table(), trained=parquet(columns()), trained_file="trained.parquet"),
    Case(
        "truth values as text after Parquet",
        table(x=TRUTHS),
        trained=parquet(columns(x=[True, False, True] * 4)),
        trained_file="trained.parquet",
    ),
    Case(
        "truth values of Parquet after text",
        parquet(columns(x=[True, False, True] * 4)),
        file="data.parquet",
        trained=table(x=TRUTHS),
    ),
    Case(
        "Parquet after decimal commas",
        parquet(columns()),
        file="data.parquet",
        trained=table(x=[x.replace(".", ",") for x in X], delimiter=";"),
        trained_arguments=("--decimal", ","),
    ),
    Case(
        "decimal commas as in the training",
        table(x=[x.replace(".", ",") for x in X], delimiter=";"),
        trained=table(x=[x.replace(".", ",") for x in X], delimiter=";"),
        trained_arguments=("--decimal", ",", "--delimiter", ";"),
    ),
    Case(
        "decimal points after commas",
        table(),
        ("--decimal", "."),
        trained=table(x=[x.replace(".", ",") for x in X], delimiter=";"),
        trained_arguments=("--decimal", ","),
    ),
    Case(
        "no header as in the training",
        table(names=None),
        trained=table(names=None),
        trained_arguments=("--no-header", "--target", "c3"),
    ),
    Case(
        "words for a missing number as in the training",
        table(x=changed(X, 4, "?")),
        trained=table(x=changed(X, 4, "?")),
        trained_arguments=("--na", "?", *FILLED),
    ),
    Case(
        "another word for a missing number",
        table(x=changed(X, 4, "-9")),
        ("--na", "-9"),
        trained=table(x=changed(X, 4, "")),
        trained_arguments=FILLED,
    ),
    Case("unseen texts", UNSEEN, like=OTHERS, says=[("6 cells", "'colour'", "'violet'")]),
    Case("unseen texts are refused", UNSEEN, ("--unseen", "error"), error=("'colour'", "row 2", "'violet'", "'red'")),
    Case(
        "unseen texts are refused as the training says",
        UNSEEN,
        trained_arguments=("--unseen", "error"),
        error=("'colour'", "row 2", "'violet'", "--unseen zero"),
    ),
    Case(
        "unseen texts after all",
        UNSEEN,
        ("--unseen", "zero"),
        trained_arguments=("--unseen", "error"),
        like=OTHERS,
        says=[("6 cells", "'colour'", "'violet'")],
    ),
    Case("a number is missing", table(x=changed(X, 4, "NA")), error=("'x'", "row 4", "missing", "'NA'", "--missing")),
    Case("a text is missing", table(colour=changed(COLOUR, 4, "")), error=("'colour'", "row 4", "missing")),
    Case("a number that is none", table(x=changed(X, 4, "?")), error=("'x'", "row 4", "'?'", "number", "--na")),
    Case("a number without a decimal point", table(x=changed(X, 4, "1,5"), delimiter=";"), error=("'x'", "'1,5'")),
    Case("an infinite number", table(x=changed(X, 4, "inf")), error=("'x'", "row 4", "'inf'", "infinite")),
    Case(
        "a truth value that is none",
        table(x=changed(TRUTHS, 4, "yes")),
        trained=table(x=TRUTHS),
        error=("'x'", "row 4", "'yes'", "true or false"),
    ),
    Case("a column is lacking", table(names=("x", "color", "kind")), error=("'colour'", "x, color, kind")),
    Case("columns are called otherwise", table(names=None), error=("'x', 'colour'", "1.5, red, a")),
    Case(
        "numbers where texts were",
        table(colour=["1", "2", "3"] * 4),
        like=table(colour=["u"] * 12),
        says=[("12 cells", "'colour'", "'1'")],
    ),
    Case("dates where numbers were", table(x=["2024-03-10"] * 12), error=("'x'", "row 1", "'2024-03-10'", "number")),
    Case(
        "typed dates where numbers were",
        parquet(columns(x=pa.array([0] * 12, pa.date32()))),
        file="data.parquet",
        error=("'x'", "number", "date32"),
    ),
    Case("svmlight", "1 1:2\n", file="data.svmlight", error=("svmlight", "x, colour")),
    Case("no rows", "x,colour,kind\n", error=("no rows",)),
    Case(
        "too large",
        table(x=changed(X, 4, "1e308")),
        trained=table(x=[f"{x}e-5" for x in X]),
        error=("'x'", "row 4", "too large"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_model_applied(case: Case) -> None:
    Path(case.trained_file).write_bytes(as_bytes(case.trained))
    target = () if "--target" in case.trained_arguments else ("--target", "kind")
    trained = run(
        "train", case.trained_file, *target, "--test-fraction", 0, *case.trained_arguments, "--model", "model"
    )
    assert trained.status == 0, trained
    Path(case.file).write_bytes(as_bytes(case.content))
    outcome = run("predict", "model", case.file, *case.arguments)
    if case.error:
        assert (outcome.status, outcome.stdout, outcome.stderr.count("\n")) == (2, "", 1), outcome
        for word in (case.file, *case.error):
            assert word in outcome.stderr
        return
    assert outcome.status == 0, outcome
    notes = outcome.stderr.splitlines()
    assert len(notes) == len(case.says), notes
    for line, words in zip(notes, case.says, strict=True):
        for word in words:
            assert word in line
    if case.like is None:
        expected = run("predict", "model", case.trained_file)
    else:
        Path("like.csv").write_bytes(as_bytes(case.like))
        expected = run("predict", "model", "like.csv", *case.arguments)
    assert expected.status == 0, expected
    assert outcome.stdout == expected.stdout
    assert outcome.stdout.count("\n") == 13


def test_rows_that_cannot_be_used_have_empty_predictions() -> None:
    Path("data.csv").write_text(table(x=changed(X, 4, "NA")))
    arguments = ("--target", "kind", "--test-fraction", 0, "--missing", "drop", "--model", "model")
    assert run("train", "data.csv", *arguments).status == 0
    outcome = run("predict", "model", "data.csv")
    lines = outcome.stdout.splitlines()
    assert [number for number, line in enumerate(lines) if line == ",,"] == [4]
    assert len(lines) == 13
    assert outcome.stderr == "note: rows with a missing value, which are not used, as in the training: 1\n"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_row_that_is_too_far_is_called_by_its_number_in_the_file(command: str) -> None:
    Path("trained.csv").write_text(table(x=["-1", "1", "-3", "3"] * 3, kind=list("abab") * 3))
    arguments = ("--target", "kind", "--test-fraction", 0, "-C", 1e9, "--drop", "colour", "--missing", "drop")
    assert run("train", "trained.csv", *arguments, "--model", "model").status == 0
    # A row before it is not used, and in the file it is in the second batch.
    far = columns(x=[1.0, None, *[1.0] * 7, 1.7e308, 1.0, 1.0])
    Path("data.arrow").write_bytes(arrow(far, 6))
    outcome = run(command, "model", "data.arrow")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr == "softgrad: data.arrow, row 10: too far from the training data to be scored\n"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("aabbabaabbaz", ("row 12", "'kind'", "'z'", "a, b")),
        (["a"] * 11 + [""], ("row 12", "'kind'", "missing")),
    ],
)
def test_labels_that_the_model_does_not_know(labels: Sequence[str], words: Sequence[str]) -> None:
    Path("trained.csv").write_text(table())
    assert run("train", "trained.csv", "--target", "kind", "--test-fraction", 0, "--model", "model").status == 0
    Path("data.csv").write_text(table(kind=list(labels)))
    outcome = run("evaluate", "model", "data.csv")
    assert (outcome.status, outcome.stdout) == (2, "")
    for word in ("data.csv", *words):
        assert word in outcome.stderr
