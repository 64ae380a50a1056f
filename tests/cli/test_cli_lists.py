"""Columns of lists of numbers are taken as a column for each element, by every command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from softgrad.cli.lists import Lists
from softgrad.cli.origin import Origin
from tests.cli.conftest import animals, fails, succeeds, write

FIXED, VARIABLE, LARGE = pa.list_(pa.float32(), 2), pa.list_(pa.float64()), pa.large_list(pa.float64())


def numbers() -> list[list[float | None]]:
    """Pairs that say something of the kind, some of an element missing."""
    table = animals()
    pairs = zip(table["weight"].to_pylist(), table["legs"].to_pylist(), strict=True)
    return [[float(round(weight)), float(legs) if row % 50 else None] for row, (weight, legs) in enumerate(pairs)]


def plain() -> pa.Table:
    first, second = zip(*numbers(), strict=True)
    return pa.table({"e[0]": first, "e[1]": second, "colour": animals()["colour"], "kind": animals()["kind"]})


def with_lists(kind: pa.DataType) -> pa.Table:
    cells = pa.array(numbers(), kind)
    return pa.table({"e": cells, "colour": animals()["colour"], "kind": animals()["kind"]})


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
@pytest.mark.parametrize("kind", [FIXED, VARIABLE, LARGE], ids=str)
def test_the_model_is_that_of_plain_columns(kind: pa.DataType, ending: str, in_folder: Path) -> None:
    write(plain(), in_folder / "plain.parquet")
    write(with_lists(kind), in_folder / f"lists{ending}")
    options = ("--target", "kind", "--missing", "mean", "--json", "--model")
    expected = succeeds("train", "plain.parquet", *options, "plain.model").json
    assert expected["features"] == 5
    assert expected["columns"][1]["missing"] == 6
    for number, more in enumerate([(), ("--stream",), ("--stream", "--cache")]):
        result = succeeds("train", f"lists{ending}", *options, f"{number}.model", *more).json
        for name in ("columns", "features", "loss_curve", "confusion_matrix"):
            assert result[name] == expected[name], name
        assert (in_folder / f"{number}.model").read_bytes() == (in_folder / "plain.model").read_bytes()
    predictions = succeeds("predict", "plain.model", f"lists{ending}").stdout
    assert predictions == succeeds("predict", "plain.model", "plain.parquet").stdout
    shown = [succeeds("describe", name).stdout.splitlines()[1:] for name in ("plain.parquet", f"lists{ending}")]
    assert shown[0] == shown[1]


def test_columns_are_chosen_whole(in_folder: Path) -> None:
    write(with_lists(FIXED), in_folder / "lists.parquet")
    for option, features in [(("--columns", "e"), 2), (("--drop", "e"), 3)]:
        arguments = ("lists.parquet", "--target", "kind", "--missing", "mean", *option)
        assert succeeds("train", *arguments).value("features") == str(features)


def test_a_row_without_a_list_lacks_all_of_it(in_folder: Path) -> None:
    cells: list[Any] = [None, *numbers()[1:]]
    for kind in (FIXED, VARIABLE):
        write(pa.table({"e": pa.array(cells, kind), "kind": animals()["kind"]}), in_folder / "lists.feather")
        error = fails("train", "lists.feather", "--target", "kind")
        assert error == "lists.feather, column 'e[0]', row 1: the value is missing; --missing says what takes its place"
        result = succeeds("train", "lists.feather", "--target", "kind", "--missing", "mean", "--json").json
        assert [column["missing"] for column in result["columns"]] == [1, 6]


def test_lists_of_several_lengths(in_folder: Path) -> None:
    cells: list[Any] = [None, *numbers()[1:]]
    cells[260] = [1.0, 2.0, 3.0]
    write(pa.table({"e": pa.array(cells, VARIABLE), "kind": animals()["kind"]}), in_folder / "lists.parquet")
    said = "lists.parquet, column 'e', row 261: a list of 3, that of row 2 is one of 2; all must have the same length, "
    for command in (("train", "lists.parquet", "--target", "kind"), ("describe", "lists.parquet")):
        assert fails(*command) == said + "--drop e leaves them out"
    assert succeeds("describe", "lists.parquet", "--drop", "e").stdout


def test_lists_of_several_files(in_folder: Path) -> None:
    """The first file has only rows without a list, so the second tells their length."""
    cells: list[Any] = [None] * 100 + numbers()[100:]
    table = pa.table({"e": pa.array(cells, VARIABLE), "kind": animals()["kind"]})
    write(table, in_folder / "whole.parquet")
    for folder, third in (("good", cells[200:]), ("bad", [*cells[200:210], [1.0], *cells[211:]])):
        (in_folder / folder).mkdir()
        for name, part in zip("abc", (cells[:100], cells[100:200], third), strict=True):
            start = {"a": 0, "b": 100, "c": 200}[name]
            kinds = animals()["kind"][start : start + len(part)]
            write(pa.table({"e": pa.array(part, VARIABLE), "kind": kinds}), in_folder / folder / f"{name}.parquet")
    options = ("--target", "kind", "--missing", "mean", "--json")
    expected = succeeds("train", "whole.parquet", *options).json
    for more in ((), ("--stream",), ("--stream", "--cache")):
        found = succeeds("train", "good", *options, *more).json
        assert found["columns"] == expected["columns"]
        assert found["columns"][0]["missing"] == 100
        assert fails("train", "bad", *options, *more) == (
            "bad/c.parquet, column 'e', row 11: a list of 1, that of row 1 of bad/b.parquet is one of 2; all must have "
            "the same length, --drop e leaves them out"
        )


def test_an_element_with_the_name_of_a_column(in_folder: Path) -> None:
    table = with_lists(FIXED).append_column("e[1]", animals()["legs"])
    write(table, in_folder / "lists.parquet")
    said = "lists.parquet has a column 'e[1]', and lists with an element of this name"
    assert fails("train", "lists.parquet", "--target", "kind") == said


def test_the_first_list_may_be_anywhere() -> None:
    for kind in (VARIABLE, pa.list_view(pa.float64()), FIXED):
        batches = [
            pa.record_batch({"e": pa.array(cells, kind), "a": [1] * len(cells)})
            for cells in ([None], [None, [1.0, 2.0], None], [[None, 3.0]])
        ]
        lists = Lists.of(Origin("data"), batches)
        assert lists.names == ["e[0]", "e[1]", "a"]
        apart = pa.Table.from_batches(lists.apart(batches, Origin("data"), 0)).to_pydict()
        assert apart == {"e[0]": [None, None, 1.0, None, None], "e[1]": [None, None, 2.0, None, 3.0], "a": [1] * 5}
        assert lists.types == [kind.value_type, kind.value_type, pa.int64()]
