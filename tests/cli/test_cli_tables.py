"""Every file format, and every way in which a table can be unfit: one line on stderr, exit status 2."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.cli.conftest import animals, fails, run, set_cell, succeeds, with_column, write

FORMATS = [name + gz for name in (".csv", ".tsv", ".parquet", ".feather") for gz in ("", ".gz")]


def refused(table: pa.Table | str | bytes, name: str = "data.csv", target: str = "kind") -> str:
    """What is said of a table, in the current folder."""
    if isinstance(table, pa.Table):
        write(table, Path(name))
    else:
        Path(name).write_bytes(table.encode() if isinstance(table, str) else table)
    return fails("train", name, "--target", target, "--model", "never")


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_model_and_predictions(ending: str, in_folder: Path) -> None:
    write(animals(), in_folder / "reference.parquet")
    arguments = ("--target", "kind", "--test-fraction", 0, "--json", "--model")
    expected = succeeds("train", "reference.parquet", *arguments, "reference.model").json
    data = write(animals(), in_folder / f"data{ending}")
    result = succeeds("train", data, *arguments, "model").json
    # The digits of a .csv are those of the float64 itself, so nothing differs, not even in the last bit.
    for name in ("training_loss", "training_accuracy", "features", "iterations", "confusion_matrix", "classes"):
        assert result[name] == expected[name]
    predictions = succeeds("predict", "model", data).stdout
    assert predictions == succeeds("predict", "reference.model", "reference.parquet").stdout
    assert predictions.count("\n") == animals().num_rows + 1
    assert succeeds("evaluate", "model", data, "--json").json["accuracy"] == result["training_accuracy"]


def test_endings_in_capitals(in_folder: Path) -> None:
    (in_folder / "DATA.CSV.GZ").write_bytes(gzip.compress(b"x,y\n1,a\n2,b\n1,a\n2,b\n"))
    assert succeeds("train", "DATA.CSV.GZ", "--target", "y", "--test-fraction", 0).value("rows").startswith("4 ")


def test_text_files_as_they_come(in_folder: Path) -> None:
    """A byte-order mark, spaces around numbers, quotes, a line break in a cell, CRLF, no final newline."""
    text = '\ufeffx,"long ""name""",y\r\n 1 ,"u\nv",a\r\n2.5,"w, w",b\r\n -3e0,"w, w",a\r\n4,"u\nv",b'
    (in_folder / "data.csv").write_text(text, encoding="utf-8", newline="")
    write(
        pa.table({"x": [1, 2.5, -3, 4], 'long "name"': ["u\nv", "w, w", "w, w", "u\nv"], "y": list("abab")}),
        in_folder / "data.parquet",
    )
    results = [
        succeeds("train", name, "--target", "y", "--test-fraction", 0, "--json").json
        for name in ("data.csv", "data.parquet")
    ]
    assert results[0]["features"] == 3
    assert results[0]["loss_curve"] == results[1]["loss_curve"]


def test_a_column_is_judged_by_all_of_its_cells(in_folder: Path) -> None:
    """Megabytes of whole numbers, and then one that is not, in the features; a word, in the target."""
    rows = 200_000
    number = np.random.default_rng(1).integers(0, 10**9, rows)
    lines = [f"{n},{int(n > 5e8)}" for n in number.tolist()]
    lines += ["0.5,0", "0.5,last", "0.5,last"]
    (in_folder / "data.csv").write_text("number,kind\n" + "\n".join(lines) + "\n")
    assert (in_folder / "data.csv").stat().st_size > 2 << 20
    result = succeeds("train", "data.csv", "--target", "kind", "--test-fraction", 0.5, "--json").json
    assert result["features"] == 1
    assert result["classes"] == ["0", "1", "last"]


@pytest.mark.parametrize("name", ["nothing.csv", "digit", "/", "nothing/there.parquet.gz"])
def test_a_missing_file(name: str) -> None:
    error = fails("train", name, "--target", "y")
    assert error == f"no such file: {name} (and no built-in data set: digits, iris, wine)"


def test_an_unknown_target_lists_the_columns() -> None:
    assert refused(animals(), target="nope") == (
        "data.csv has no column 'nope'; its columns are weight, legs, wild, colour, kind"
    )
    assert "its columns are sepal length (cm)" in fails("train", "iris", "--target", "nope")


def test_no_target_lists_the_columns(in_folder: Path) -> None:
    write(animals(), in_folder / "data.tsv")
    assert fails("train", "data.tsv") == (
        "which column is the target? Say --target; the columns are weight, legs, wild, colour, kind"
    )


def test_many_columns_are_listed_in_part(in_folder: Path) -> None:
    write(pa.table({f"c{i}": [0, 1] for i in range(500)}), in_folder / "wide.parquet")
    error = fails("train", "wide.parquet", "--target", "y")
    assert error.endswith("c18, c19, ... (500 in all)")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather.gz"])
@pytest.mark.parametrize(("column", "row"), [("weight", 1), ("legs", 17), ("colour", 300), ("wild", 5), ("kind", 2)])
def test_a_missing_value(column: str, row: int, ending: str) -> None:
    table = set_cell(animals(), column, row, None)
    if row < 300:
        table = set_cell(table, column, row + 1, None)
    expected = f"column '{column}' has a missing value, first in row {row}"
    assert refused(table, "data" + ending) == expected


@pytest.mark.parametrize("cell", ["", "  ", "NA", "nan", "NaN", "null", "n/a", '""'])
def test_ways_to_write_a_missing_number(cell: str) -> None:
    text = "x,kind\n" + "".join(f"{x},{'ab'[x % 2]}\n" for x in range(20)) + f"{cell},a\n"
    assert refused(text) == "column 'x' has a missing value, first in row 21"


def test_words_for_missing_are_text_in_a_text_column(in_folder: Path) -> None:
    (in_folder / "data.csv").write_text("country,kind\n" + "NA,a\nDE,b\nNA,a\nDE,b\n")
    assert succeeds("train", "data.csv", "--target", "kind", "--test-fraction", 0).value("features") == "2"


def test_a_nan_in_a_typed_column_is_missing() -> None:
    error = refused(set_cell(animals(), "weight", 4, float("nan")), "data.parquet")
    assert error == "column 'weight' has a missing value, first in row 4"


def test_a_column_of_nothing() -> None:
    table = animals()
    nothing = table.append_column("empty", pa.nulls(table.num_rows))
    assert refused(nothing, "data.parquet") == "column 'empty' has a missing value, first in row 1"
    assert refused(nothing, "data.csv") == "column 'empty' has a missing value, first in row 1"


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["data.csv", "data.feather"])
def test_an_infinite_value(value: float, name: str) -> None:
    error = refused(set_cell(animals(), "weight", 33, value), name)
    assert error == "column 'weight' has an infinite value, first in row 33"


def test_a_single_class() -> None:
    table = animals()
    error = refused(with_column(table, "kind", ["cat"] * table.num_rows))
    assert error == "target 'kind' has a single class, 'cat'; two are needed"


DAY = datetime.date(2024, 5, 17)


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([DAY, DAY], "date32[day]"),
        ([datetime.datetime(2024, 1, 1, 12)] * 2, "timestamp[us]"),
        ([datetime.timedelta(1)] * 2, "duration[us]"),
        ([b"a", b"b"], "binary"),
        ([[1.0], [2.0]], "list<element: double>"),
        ([{"a": 1}, {"a": 2}], "struct<a: int64>"),
    ],
)
def test_a_column_that_is_neither_number_nor_text(values: list[Any], holds: str) -> None:
    table = animals()
    odd = table.append_column("odd", pa.array(values * (table.num_rows // 2)))
    assert refused(odd, "data.parquet") == f"column 'odd' is neither number nor text: it holds {holds}"
    expected = f"target 'odd' is neither text nor whole numbers: it holds {holds}"
    assert refused(odd, "data.parquet", target="odd") == expected


@pytest.mark.parametrize("day", ["2024-05-17", "2024-05-17 10:30:00", "2024-05-17T10:30:00.25"])
def test_dates_in_a_text_file(day: str) -> None:
    error = refused(f"day,kind\n{day},a\n{day},b\n")
    assert error == "column 'day' is neither number nor text: it holds timestamp[ns]"


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_target_of_fractions(name: str) -> None:
    assert refused(animals(), name, target="weight") == (
        "target 'weight' holds numbers that are not whole; regression targets are not supported"
    )


def test_too_many_classes() -> None:
    table = pa.table({"x": np.arange(1001) % 7, "y": np.arange(1001)})
    assert "target 'y' has 1001 different values; at most 1000" in refused(table, target="y")


def test_too_many_texts() -> None:
    kinds = ["a", "b"] * 501
    texts = [f"text {i}" for i in range(1002)]
    error = refused(pa.table({"id": texts, "kind": kinds}))
    assert error == "column 'id' holds 1002 different texts; at most 1000 can be encoded"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot read data.csv: Empty CSV file"),
        ("x,kind\n", "data.csv has no rows"),
        ("x,x,kind\n1,2,a\n1,2,b\n", "data.csv has two columns named 'x'"),
        ("x,kind\n1,a\n2\n3,b\n", "cannot read data.csv: CSV parse error: "),
        (b"x,kind\n1,\xff\xfe\n2,b\n", "cannot read data.csv: "),
        ("kind\na\nb\n", "data.csv has no column besides the target 'kind'"),
    ],
)
def test_text_files_that_cannot_be_read(content: str | bytes, message: str) -> None:
    assert refused(content).startswith(message)


@pytest.mark.parametrize("name", ["data.parquet", "data.feather", "data.csv.gz", "data.parquet.gz", "data.tsv.gz"])
def test_files_of_another_kind(name: str) -> None:
    assert refused(b"x,kind\n1,a\n2,b\n" * 50, name).startswith(f"cannot read {name}: ")


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet", ".feather", ".parquet.gz"])
def test_truncated_files(ending: str, in_folder: Path) -> None:
    whole = write(animals(), in_folder / f"data{ending}").read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        assert refused(whole[:size], f"data{ending}").startswith(f"cannot read data{ending}: "), size


@pytest.mark.parametrize("name", ["data", "data.txt", "data.gz", "data.xlsx", "data.csv.bz2", "data.csv.zip"])
def test_an_unknown_format(name: str) -> None:
    assert refused("x,kind\n1,a\n2,b\n", name) == (
        f"{name}: unknown format; .csv, .tsv, .parquet, .feather can be read, each also with .gz"
    )


def test_names_with_line_breaks_stay_on_one_line() -> None:
    error = refused(pa.table({"a\nb\x1b[31m": [1, 2], "kind": ["a", None]}), "data.parquet", target="a")
    assert error == "data.parquet has no column 'a'; its columns are a\\nb\\x1b[31m, kind"


def test_number_types(in_folder: Path) -> None:
    """Every numeric type of Arrow gives the model that float64 gives."""
    generator = np.random.default_rng(2)
    values = generator.integers(0, 100, 60)
    kinds = np.where(values + generator.normal(0, 20, 60) > 50, "a", "b").tolist()
    losses = set()
    types = [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.int32()]
    columns = [pa.array(values.tolist(), type=t) for t in types if t != pa.float16()]
    columns.append(pa.array(values.astype(np.float16)))
    columns.append(pa.array(values).dictionary_encode())
    for number, column in enumerate(columns):
        write(pa.table({"x": column, "kind": kinds}), in_folder / f"{number}.parquet")
        losses.add(succeeds("train", f"{number}.parquet", "--target", "kind", "--json").json["training_loss"])
    assert len(losses) == 1


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_text_types(kind: pa.DataType, in_folder: Path) -> None:
    table = animals()
    for name in ("colour", "kind"):
        table = with_column(table, name, pa.array(table.column(name).to_pylist()).cast(kind))
    write(animals(), in_folder / "plain.parquet")
    write(table, in_folder / "data.feather")
    results = [succeeds("train", name, "--target", "kind", "--json").json for name in ("plain.parquet", "data.feather")]
    assert results[0]["training_loss"] == results[1]["training_loss"]
    assert results[0]["classes"] == results[1]["classes"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--test-fraction", 1), "--test-fraction is 1.0; it must be at least 0 and below 1"),
        (("--test-fraction", -0.1), "--test-fraction is -0.1;"),
        (("--test-fraction", "nan"), "--test-fraction is nan;"),
        (("--test-fraction", 0.01), "cannot split 150 rows with --test-fraction 0.01: "),
        (("--test-fraction", 0.999), "cannot split 150 rows with --test-fraction 0.999: "),
        (("--seed", -1), "--seed is -1; it must be from 0 to 4294967295"),
        (("-C", 0), "-C is 0.0; it must be positive and finite"),
        (("-C", "inf"), "-C is inf;"),
        (("-C", "nan"), "-C is nan;"),
        (("--max-iter", 0), "--max-iter is 0; it must be at least 1"),
        (("--plot", "plot.pdf"), "--plot plot.pdf: the picture is a PNG, its name must end in .png"),
        (("--plot", "no/plot.png"), "cannot write no/plot.png: the folder "),
        (("--model", "no/model"), "cannot write no/model: the folder "),
        (("--model", "/dev/null"), "cannot write /dev/null: it is there already and is not a plain file"),
        (("--model", "."), "cannot write .: it is there already and is not a plain file"),
    ],
)
def test_options_out_of_range(options: tuple[object, ...], message: str, in_folder: Path) -> None:
    assert fails("train", "iris", *options).startswith(message)
    assert list(in_folder.iterdir()) == []


def test_a_class_without_a_training_row(in_folder: Path) -> None:
    kinds = ["a"] * 30 + ["b"] * 30 + ["c"] * 2
    write(pa.table({"x": range(62), "kind": kinds}), in_folder / "data.csv")
    messages = set()
    for seed in range(6):
        outcome = run("train", "data.csv", "--target", "kind", "--test-fraction", 0.9, "--seed", seed)
        assert outcome.status in (0, 2)
        messages.add(outcome.stderr if outcome.status else "")
    assert "softgrad: --test-fraction 0.9 leaves no row to train on for the classes 'c'\n" in messages


def test_what_typer_refuses_has_status_two_as_well() -> None:
    for arguments in ((), ("nothing",), ("train",), ("train", "iris", "--no-such"), ("train", "iris", "-C", "x")):
        outcome = run(*arguments)
        assert outcome.status == 2
        assert "Traceback" not in outcome.stdout + outcome.stderr
