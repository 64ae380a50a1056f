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

OF_MISSING = "--missing says what takes its place"
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


@pytest.mark.parametrize("name", ["nothing.csv", "digit", "nothing/there.parquet.gz", "nothing.svm"])
def test_a_missing_file(name: str, trained: tuple[Path, Path]) -> None:
    expected = f"no such file: {name} (and no built-in data set: digits, iris, wine)"
    for command in (("train",), ("describe",), ("predict", trained[0]), ("evaluate", trained[0])):
        assert fails(*command, name) == expected


def test_a_folder_of_anything() -> None:
    for number in range(9):
        Path(f"{number}.txt").touch()
    Path("a.csv").touch()
    assert fails("train", ".", "--target", "y").startswith(
        ". has files of an unknown format: ./0.txt, ./1.txt, ./2.txt, ./3.txt, ./4.txt, ...; .csv, .tsv, "
    )


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
    helps = "--missing drop of train leaves such rows out" if column == "kind" else OF_MISSING
    expected = f"data{ending}, column '{column}', row {row}: the value is missing; {helps}"
    assert refused(table, "data" + ending) == expected


@pytest.mark.parametrize("cell", ["", "  ", "NA", "nan", "NaN", "null", "n/a", '""'])
def test_ways_to_write_a_missing_number(cell: str) -> None:
    text = "x,kind\n" + "".join(f"{x},{'ab'[x % 2]}\n" for x in range(20)) + f"{cell},a\n"
    word = f" ({cell!r})" if cell.strip(' "') else ""
    assert refused(text) == f"data.csv, column 'x', row 21: the value is missing{word}; {OF_MISSING}"


def test_words_for_missing_are_text_in_a_text_column(in_folder: Path) -> None:
    (in_folder / "data.csv").write_text("country,kind\n" + "NA,a\nDE,b\nNA,a\nDE,b\n")
    assert succeeds("train", "data.csv", "--target", "kind", "--test-fraction", 0).value("features") == "2"


def test_a_nan_in_a_typed_column_is_missing() -> None:
    error = refused(set_cell(animals(), "weight", 4, float("nan")), "data.parquet")
    assert error == f"data.parquet, column 'weight', row 4: the value is missing (nan); {OF_MISSING}"


def test_a_column_of_nothing() -> None:
    table = animals()
    nothing = table.append_column("empty", pa.nulls(table.num_rows))
    for name in ("data.parquet", "data.csv"):
        said = f"{name}: column 'empty' holds no value in any row; --drop empty leaves it out"
        assert refused(nothing, name) == said
        assert refused(nothing, name, target="empty") == f"{name}: target 'empty' holds no value in any row"


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["data.csv", "data.feather"])
def test_an_infinite_value(value: float, name: str) -> None:
    error = refused(set_cell(animals(), "weight", 33, value), name)
    cell = repr(str(value)) if name == "data.csv" else value
    assert error == f"{name}, column 'weight', row 33: {cell} is infinite; it must be finite"


def test_a_single_class() -> None:
    table = animals()
    error = refused(with_column(table, "kind", ["cat"] * table.num_rows))
    assert error == "data.csv: target 'kind' has a single class, 'cat'; two are needed"


DAY = datetime.date(2024, 5, 17)


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([b"a", b"b"], "binary"),
        ([["u"], ["v"]], "list<element: string>"),
        ([[[1.0]], [[2.0]]], "list<element: list<element: double>>"),
        ([{"a": 1}, {"a": 2}], "struct<a: int64>"),
    ],
)
def test_a_column_that_is_neither_number_nor_text(values: list[Any], holds: str) -> None:
    table = animals()
    odd = table.append_column("odd", pa.array(values * (table.num_rows // 2)))
    said = f"data.parquet: column 'odd' holds what is neither number nor text ({holds}); --drop odd leaves it out"
    assert refused(odd, "data.parquet") == said
    said = f"data.parquet: target 'odd' holds what is neither text nor whole numbers ({holds})"
    assert refused(odd, "data.parquet", target="odd") == said


def test_a_decimal_that_arrow_cannot_cast() -> None:
    table = animals()
    odd = table.append_column("odd", pa.nulls(table.num_rows, pa.decimal64(18, 19)))
    for target in ("kind", "odd"):
        assert "(decimal64(18, 19))" in refused(odd, "data.feather", target)


DATES = "which are neither numbers nor categories: --text day takes each as a text; --drop day leaves it out"


@pytest.mark.parametrize("value", [DAY, datetime.datetime(2024, 1, 1, 12), datetime.timedelta(1)], ids=repr)
def test_dates(value: object) -> None:
    table = animals().append_column("day", pa.array([value] * animals().num_rows))
    dates = f"dates ({table.column('day').type})"
    assert refused(table, "data.parquet") == f"data.parquet: column 'day' holds {dates}, {DATES}"
    said = f"data.parquet: target 'day' holds {dates}, which --label-as text takes as text"
    assert refused(table, "data.parquet", target="day") == said


@pytest.mark.parametrize("day", ["2024-05-17", "2024-05-17 10:30:00", "2024-05-17T10:30:00.25", "17/5/2024", "17.5.24"])
def test_dates_in_a_text_file(day: str) -> None:
    text = f"day,kind\n{day},a\n{day},b\n"
    assert refused(text) == f"data.csv: column 'day' holds dates, the first {day!r} in row 1, {DATES}"
    columns = succeeds("train", "data.csv", "--target", "kind", "--test-fraction", 0, "--text", "day", "--json").json
    assert [(column["kind"], column["example"]) for column in columns["columns"]] == [("text", day)]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_target_of_fractions(name: str) -> None:
    table = with_column(animals(), "weight", [1.0, 2.5] * 150)
    cell = "'2.5'" if name == "data.csv" else "2.5"
    assert refused(table, name, target="weight") == (
        f"{name}, column 'weight', row 2: {cell} is not whole; regression targets are not supported, and --label-as "
        f"text takes each number as a class"
    )
    labelled = succeeds("train", name, "--target", "weight", "--label-as", "text", "--json").json
    assert labelled["classes"] == ["1", "2.5"]


def test_too_many_classes() -> None:
    table = pa.table({"x": np.arange(1001) % 7, "y": np.arange(1001)})
    assert refused(table, target="y") == (
        "data.csv: target 'y' has more than 1000 different values; so many classes cannot be told apart, and "
        "regression targets are not supported"
    )


def test_too_many_texts() -> None:
    kinds = ["a", "b"] * 501
    texts = [f"text {i}" for i in range(1002)]
    error = refused(pa.table({"id": texts, "kind": kinds}))
    assert error == (
        "data.csv: column 'id' holds more than 1000 different texts, at most so many can be encoded; --drop id leaves "
        "it out"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv is empty"),
        ("x,kind\n", "data.csv has no rows"),
        ("x,x,kind\n1,2,a\n1,2,b\n", "data.csv has two columns named 'x'"),
        ("x,kind\n1,a\n2\n3,b\n", "data.csv, row 2: 1 cell, 2 are expected: '2'"),
        (b"x,kind\n1,\xff\xfe\n2,b\n", "data.csv, row 1, column 'kind': byte 0xff is not utf-8; "),
        ("kind\na\nb\n", "data.csv has no column besides the target 'kind'"),
    ],
)
def test_text_files_that_cannot_be_read(content: str | bytes, message: str) -> None:
    assert refused(content).startswith(message)


@pytest.mark.parametrize("name", ["data.parquet", "data.feather", "data.parquet.gz"])
def test_files_of_another_kind(name: str) -> None:
    assert refused(b"x,kind\n1,a\n2,b\n" * 50, name).startswith(f"cannot read {name}: ")


@pytest.mark.parametrize(("name", "compressed"), [("data.csv.gz", False), ("data.tsv.bz2", False), ("data.csv", True)])
def test_a_compression_that_the_name_does_not_say(name: str, compressed: bool) -> None:
    plain = b"x,kind\n" + b"1,a\n2,b\n" * 50
    Path(name).write_bytes(gzip.compress(plain) if compressed else plain)
    outcome = succeeds("train", name, "--target", "kind", "--json")
    (note,) = (note for note in outcome.json["notes"] if "compression" in note)
    assert note == f"compression {'gzip' if compressed else 'none'}, as its first bytes show"
    assert f"note: {note}" in outcome.stderr


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet", ".feather", ".parquet.gz"])
def test_truncated_files(ending: str, in_folder: Path) -> None:
    whole = write(animals(), in_folder / f"data{ending}").read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        # The first byte alone may be one of a text file.
        whole_text = {0: "data.csv.gz is empty", 1: "data.csv.gz has no rows"} if ending == ".csv.gz" else {}
        expected = whole_text.get(size, f"cannot read data{ending}: ")
        assert refused(whole[:size], f"data{ending}").startswith(expected), size


@pytest.mark.parametrize("name", ["data", "data.txt", "data.gz", "data.xlsx", "data.csv.zip"])
def test_an_unknown_format(name: str) -> None:
    assert refused("x,kind\n1,a\n2,b\n", name) == (
        f"{name}: unknown format; .csv, .tsv, .parquet, .feather, .arrow, .svmlight, .libsvm, .svm can be read, each "
        f"also with .gz, .bz2, .xz, .zst, and others with the option format (--format)"
    )
    if name != "data.gz":
        succeeds("train", name, "--target", "kind", "--format", "csv", "--test-fraction", 0)


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
        (("--seed", -1), "--seed is -1; it must be from 0 to 4294967295"),
        (("-C", 0), "-C is 0.0; it must be positive, or inf for no penalty"),
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


@pytest.mark.parametrize(("fraction", "said"), [(0.01, "3 of 3"), (0.9, None), (0.999, None)])
def test_fractions_that_are_small_or_large(fraction: float, said: str | None, in_folder: Path) -> None:
    """Each class has a row for the training, and where one has none for the test, that is told."""
    write(pa.table({"x": range(62), "kind": ["a"] * 30 + ["b"] * 30 + ["c"] * 2}), in_folder / "data.csv")
    for seed in range(6):
        arguments = ("train", "data.csv", "--target", "kind", "--test-fraction", fraction, "--seed", seed)
        outcome = succeeds(*arguments, "--json")
        assert outcome.json["classes"] == ["a", "b", "c"]
        untested = [warning for warning in outcome.json["warnings"] if "in the test" in warning]
        assert outcome.json["test_rows"] >= (fraction - 0.1) * 62
        if outcome.json["test_rows"] == 0:
            assert untested == ["3 of 3 classes have no row in the test: a, b, c"]
            assert outcome.json["confusion_rows"] == "training"
        assert all(f"warning: {warning}" in outcome.stderr for warning in untested)
        assert bool(untested) == (said is not None)


def test_what_typer_refuses_has_status_two_as_well() -> None:
    for arguments in ((), ("nothing",), ("train",), ("train", "iris", "--no-such"), ("train", "iris", "-C", "x")):
        outcome = run(*arguments)
        assert outcome.status == 2
        assert "Traceback" not in outcome.stdout + outcome.stderr
