"""Compressed files are known by their first bytes, whatever they are called."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._svmlight import SvmlightFile
from tests.linear_model.files.reading import columns_of, written


def zstd(content: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    return packed.getvalue().to_pybytes()


PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}
NAMES = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
every = pytest.mark.parametrize("ending", PACKED)
# More than a block, and than what is unpacked at a time.
ROWS = 300_000
TEXT = b"a,b\n" + b"one,2\n" * ROWS


@every
def test_text(ending: str, tmp_path: Path) -> None:
    path = written(tmp_path, PACKED[ending](TEXT), f"data.csv{ending}")
    assert columns_of(path) == {"a": ["one"] * ROWS, "b": ["2"] * ROWS}
    assert FileBatches(path).found == {}


@every
def test_members_one_after_another(ending: str, tmp_path: Path) -> None:
    """Files that `cat` has joined."""
    content = PACKED[ending](b"a,b\n1,2\n") + PACKED[ending](b"3,4\n")
    assert columns_of(written(tmp_path, content, f"data.csv{ending}")) == {"a": ["1", "3"], "b": ["2", "4"]}


@every
@pytest.mark.parametrize("name", ["data.csv", "data.csv.other"])
def test_a_wrong_name(name: str, ending: str, tmp_path: Path) -> None:
    other = ".gz" if ending == ".bz2" else ".bz2"
    path = written(tmp_path, PACKED[ending](b"a,b\n1,2\n"), name.replace(".other", other))
    assert columns_of(path) == {"a": ["1"], "b": ["2"]}
    assert FileBatches(path).found == {"compression": NAMES[ending]}


def test_a_name_of_a_compressed_file_for_one_that_is_not(tmp_path: Path) -> None:
    path = written(tmp_path, b"BZh9,b\n1,2\n", "data.csv.gz")
    assert columns_of(path) == {"BZh9": ["1"], "b": ["2"]}
    assert FileBatches(path).found == {"compression": "none"}


@every
def test_a_file_that_is_cut_short(ending: str, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal(20_000).tolist()
    content = PACKED[ending]("\n".join(["a,b", *(f"{x},1" for x in rows)]).encode())
    path = written(tmp_path, content[: len(content) // 2], f"data.csv{ending}")
    with pytest.raises(ValueError, match=rf"cannot read .*data\.csv\{ending}: the {NAMES[ending]} data are damaged"):
        columns_of(path)


@every
@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_files_that_are_unpacked_first(form: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    table = pa.table({"a": [1.5, 2.5], "b": ["x", "y"]})
    plain = tmp_path / f"data.{form}"
    write = {"parquet": pyarrow.parquet.write_table, "feather": pyarrow.feather.write_feather}[form]
    write(table, str(plain))
    batches = FileBatches(written(tmp_path, PACKED[ending](plain.read_bytes()), f"data.{form}{ending}"))
    assert pa.Table.from_batches(list(batches)).to_pydict() == table.to_pydict()
    assert len(list(folder.iterdir())) == 1
    del batches
    assert list(folder.iterdir()) == []


@every
def test_svmlight(ending: str, tmp_path: Path) -> None:
    path = written(tmp_path, PACKED[ending](b"1 1:0.5 3:2\n0 2:1\n"), f"data.svm{ending}")
    file = SvmlightFile(path)
    ((X, y),) = file
    np.testing.assert_array_equal(X.toarray(), [[0.5, 0, 2], [0, 1, 0]])
    np.testing.assert_array_equal(y, [1, 0])
    assert file.found == {}
    assert SvmlightFile(path.rename(tmp_path / "data.svm")).found == {"compression": NAMES[ending]}
