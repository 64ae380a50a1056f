"""Lists of numbers, probabilities and lists of indices in several files, and in the row groups of one."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _row_groups
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._streams import LocalStream
from tests.linear_model.files.tables import PARAMETERS, assert_same_bits, fitted, write
from tests.oracles.inputs import fresh_rng

TENSOR = pa.fixed_shape_tensor(pa.float32(), [2, 2])

# The columns that a fit reads, besides the weights, and what it is told.
USES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "lists": (["a", "lists", "y"], {"target": "y"}),
    "tensors": (["tensors", "y"], {"target": "y"}),
    "probabilities in columns": (["a", "lists", "no", "yes"], {"target": ["yes", "no"]}),
    "probabilities in lists": (["a", "both"], {"target": "both"}),
    "indices": (["tags", "y"], {"target": "y", "indices": "tags"}),
    "probabilities of indices": (["tags", "no", "yes"], {"target": ["yes", "no"], "indices": "tags"}),
}


def tables(rng: np.random.Generator, *lengths: int) -> list[pa.Table]:
    """The largest tag is in one table alone, and none is in the first."""
    made = []
    for number, rows in enumerate(lengths):
        a = rng.standard_normal(rows)
        yes = 1.0 / (1.0 + np.exp(-2.0 * a - rng.standard_normal(rows)))
        tags = [[] if number == 0 else rng.integers(0, 5 + number, rng.integers(0, 4)).tolist() for _ in range(rows)]
        columns = {
            "a": a,
            "lists": pa.array((a[:, None] + rng.standard_normal((rows, 3))).tolist(), pa.list_(pa.float64())),
            "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(rng.standard_normal((rows, 2, 2), np.float32)).cast(
                TENSOR
            ),
            "y": np.where(a + rng.logistic(size=rows) > 0.0, "yes", "no").tolist(),
            "no": 1.0 - yes,
            "yes": yes,
            "nested": [[[1.0, 0.0]]] * rows,
            "both": np.stack([1.0 - yes, yes], axis=1).tolist(),
            "tags": pa.array(tags, pa.list_(pa.int64())),
            "w": rng.integers(1, 4, rows).astype(float),
        }
        made.append(pa.table(columns))
    return made


@pytest.mark.parametrize("use", USES)
def test_the_bits_are_those_of_the_shards(use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, names = USES[use]
    parts = [table.select([*columns, "w"]) for table in tables(fresh_rng(), 60, 1, 90)]
    target = names["target"] if isinstance(names["target"], str) else tuple(names["target"])
    options = {"text": None, "ahead": False, "indices": names.get("indices")}
    expected = SoftmaxRegression(**PARAMETERS).fit_stream(
        LocalStream([ArrowBatches([part], target, "w", **options) for part in parts])
    )
    for ending in ("parquet", "feather"):
        folder = tmp_path / ending
        paths = [write(part, folder / f"{number}.{ending}") for number, part in enumerate(parts)]
        sources = [folder, paths, f"{folder}/*.{ending}", folder.as_uri(), ds.dataset(folder, format=ending)]
        for source in sources:
            assert_same_bits(fitted(source, **names, sample_weight="w"), expected)
    monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)
    with pyarrow.parquet.ParquetWriter(tmp_path / "one.parquet", parts[0].schema) as writer:
        for part in parts:
            writer.write_table(part)
    assert_same_bits(fitted(tmp_path / "one.parquet", **names, sample_weight="w"), expected)
    shards = file_shards(tmp_path / "one.parquet", names["target"], "w", ReadOptions(), names.get("indices"))
    copies = pickle.loads(pickle.dumps(shards))
    assert [sum(len(batch.codes) for batch in shard.open()) for shard in copies] == [60, 1, 90]
    assert len({*shards, *copies}) == 3


def changed(table: pa.Table, column: str, row: int, cell: object) -> pa.Table:
    cells = table[column].to_pylist()
    cells[row] = cell
    return table.set_column(table.column_names.index(column), column, pa.array(cells, table[column].type))


@pytest.mark.parametrize(("use", "column", "cell", "message"), [
    ("lists", "lists", None, "column 'lists', row 42 has no value"),
    ("lists", "lists", [1.0, None, 2.0], "column 'lists[1]', row 42 has no value"),
    ("lists", "lists", [1.0, 2.0, np.inf], "column 'lists[2]', row 42 is inf; it must be finite"),
    ("lists", "lists", [1.0], "column 'lists', row 42 is a list of 1; that of row ROW is one of 3, and all"),
    ("lists", "w", -1.0, "column 'w', row 42 is -1.0; weights must be finite and not negative"),
    ("lists", "y", None, "column 'y', row 42 has no value"),
    ("probabilities in columns", "no", None, "column 'no', row 42 has no value"),
    ("probabilities in columns", "no", -0.5, "column 'no', row 42 is -0.5; a probability is at least 0"),
    ("probabilities in columns", "no", 3.0, "target, row 42 adds up to"),
    ("probabilities in lists", "both", [-1.0, 2.0], "column 'both[0]', row 42 is -1; a probability is at least 0"),
    ("probabilities in lists", "both", [0.5, 1.0], "column 'both', row 42 adds up to 1.5"),
    ("indices", "tags", None, "column 'tags', row 42 has no value"),
    ("indices", "tags", [1, -1], "column 'tags', row 42, element 1 is -1; an index must be from 0"),
])  # fmt: skip
def test_a_bad_cell_is_named_with_its_file(
    use: str, column: str, cell: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, names = USES[use]
    good, bad = (table.select([*columns, "w"]) for table in tables(fresh_rng(), 60, 60))
    bad = changed(bad, column, 41, cell)
    paths = [write(good, tmp_path / "a.parquet"), write(bad, tmp_path / "b.parquet")]
    with pytest.raises(ValueError, match=re.escape(f"b.parquet, {message}".replace("ROW", "1"))):
        fitted(paths, **names, sample_weight="w")
    # The first row of the part that it is in tells the length of the lists.
    monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)
    pyarrow.parquet.write_table(bad, tmp_path / "c.parquet", row_group_size=20)
    with pytest.raises(ValueError, match=re.escape(f"c.parquet, {message}".replace("ROW", "41"))):
        fitted(tmp_path / "c.parquet", **names, sample_weight="w")


@pytest.mark.parametrize(("columns", "names", "message"), [
    (["y", "lists"], {"target": "lists", "indices": "y"}, "column 'y' holds string; indices must be lists of integers"),
    (["a", "tags", "y"], {"target": "y", "indices": "tags"}, "column 'a' is beside 'tags', which has all features of"),
    (["lists", "a", "y"], {"target": ["a", "y"]}, "column 'y' holds string; features, weights and probabilities must"),
    (["y", "a"], {"target": "a", "sample_weight": "y"}, "column 'y' holds string; features, weights and probabilities"),
    (["a", "lists"], {"target": ["a", "lists"]}, "column 'lists' holds list<element: double>; features, weights and"),
    (["a", "nested"], {"target": "nested"}, "column 'nested' holds lists of shape (1, 2); a list of probabilities"),
])  # fmt: skip
def test_a_bad_type_is_named_with_its_file(
    columns: list[str], names: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (table,) = tables(fresh_rng(), 20)
    write(table.select(columns), tmp_path / "a.parquet")
    with pytest.raises((ValueError, TypeError), match=re.escape(f"a.parquet, {message}")):
        fitted(tmp_path / "a.parquet", **names)


@pytest.mark.parametrize("parted", [False, True])
@pytest.mark.parametrize(("lengths", "names", "message"), [
    ((2, 3), {"target": "y"}, "the rows of OTHER have 5 features; those of FIRST have 4"),
    ((3, 1), {"target": "y"}, "the rows of OTHER have the feature 'p[2]' where those of FIRST have 'q[0]'"),
    ((3, 2), {"target": "p"}, "the rows of OTHER have 3 class probabilities; those of FIRST have 2"),
])  # fmt: skip
def test_lists_of_files_have_one_length(
    parted: bool,
    lengths: tuple[int, int],
    names: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which is of two and of two in the first."""
    parts = [
        pa.table({"p": [[1.0 / p] * p] * 4, "q": [[1.0] * q] * 4, "y": [0, 1, 0, 1]}) for p, q in ((2, 2), lengths)
    ]
    parts = [part if names["target"] == "y" else part.drop("y") for part in parts]
    if names["target"] == "p":
        parts = [part.drop("q").append_column("a", pa.array([1.0, 2.0, 3.0, 4.0])) for part in parts]
    first, other = (write(part, tmp_path / f"{name}.parquet") for name, part in zip("ab", parts, strict=True))
    source, place = [first, other], str(other)
    if parted:
        monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)
        pyarrow.parquet.write_table(pa.concat_tables(parts), first, row_group_size=4)
        source, place = [first], f"{first}, from row 5 on,"
    with pytest.raises(ValueError, match=re.escape(message.replace("OTHER", place).replace("FIRST", str(first)))):
        fitted(source, **names)


def test_files_without_any_index(tmp_path: Path) -> None:
    table = pa.table({"tags": pa.array([[], []], pa.list_(pa.int64())), "y": [0, 1]})
    paths = [write(table, tmp_path / name) for name in ("a.parquet", "b.parquet")]
    with pytest.raises(ValueError, match=r"a\.parquet has no features"):
        fitted(paths, indices="tags")


def test_a_file_with_other_rows_in_a_later_pass() -> None:
    (table,) = tables(fresh_rng(), 30)
    table = table.select(["a", "y"])

    class Fickle:
        passes = 0

        def __iter__(self) -> Iterator[pa.Table]:
            self.passes += 1
            return iter([table if self.passes == 1 else table[:20]])

    batches = ArrowBatches(Fickle(), "y", None, text=None, ahead=False, file="a.parquet")
    with pytest.raises(ValueError, match=r"^a\.parquet has changed since the first pass: it gives 20 rows, not the 30"):
        SoftmaxRegression(**PARAMETERS).fit_stream(LocalStream([batches]))
