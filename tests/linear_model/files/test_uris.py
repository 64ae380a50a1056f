"""Files that a URI leads to, by fsspec's file system in memory and pyarrow's of this machine."""

from __future__ import annotations

import gzip
import pickle
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._file_systems import LOCAL, file_system_of
from softgrad.linear_model._data._locations import locations_of
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.tables import assert_same_bits, fitted, of_shards, tables, write


@pytest.fixture
def bucket() -> Iterator[str]:
    """The URI of an empty folder in memory."""
    name = f"bucket-{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    files.mkdir(f"/{name}")
    yield f"memory://{name}"
    files.rm(f"/{name}", recursive=True)


def put(path: Path, uri: str) -> None:
    fsspec.filesystem("memory").pipe(uri.removeprefix("memory:/"), path.read_bytes())


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "feather", "csv.gz", "parquet.gz"])
def test_the_bits_are_those_of_local_files(ending: str, bucket: str, tmp_path: Path) -> None:
    parts = tables(3)
    plain, packed = ending.removesuffix(".gz"), ending.endswith(".gz")
    for name, table in zip("abc", parts, strict=True):
        path = write(table, tmp_path / f"k=1/{name}.{plain}")
        if packed:
            path.with_name(f"{name}.{ending}").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        put(path.with_name(f"{name}.{ending}"), f"{bucket}/k=1/{name}.{ending}")
    expected = fitted(tmp_path)
    assert expected.feature_names_in_.tolist() == ["a", "b", "k"]
    for source in (bucket, f"{bucket}/", f"{bucket}/*/?.{ending}"):
        assert_same_bits(fitted(source), expected)
    one = f"{bucket}/k=1/b.{ending}"
    assert_same_bits(fitted(one), of_shards(parts[1:2]))
    assert_same_bits(fitted([f"{bucket}/k=1/a.{ending}", tmp_path / "k=1" / f"b.{ending}"]), of_shards(parts[:2]))


def test_svmlight_in_memory(bucket: str, tmp_path: Path) -> None:
    X, y = np.eye(12)[:, :7] + 0.5, np.arange(12) % 2
    dump_svmlight_file(X, y, str(tmp_path / "a.svm"), zero_based=False)
    put(tmp_path / "a.svm", f"{bucket}/a.svm")
    assert_same_bits(fitted(f"{bucket}/a.svm", None), fitted(tmp_path / "a.svm", None))


def test_errors_name_the_file_by_its_uri(bucket: str, tmp_path: Path) -> None:
    (table,) = tables(1)
    put(write(table, tmp_path / "a.csv"), f"{bucket}/a.csv")
    put(write(table.set_column(0, "a", pa.nulls(len(table))), tmp_path / "b.csv"), f"{bucket}/b.csv")
    with pytest.raises(ValueError, match=rf"^{bucket}/b\.csv, column 'a', row 1 has no value"):
        fitted(bucket)
    with pytest.raises(FileNotFoundError, match=rf"^no such file: {bucket}/none\.csv"):
        fitted(f"{bucket}/none.csv")
    with pytest.raises(FileNotFoundError, match=rf"^no file matches {bucket}/\*\.parquet"):
        fitted(f"{bucket}/*.parquet")
    put(tmp_path / "a.csv", f"{bucket}/a.md")
    with pytest.raises(ValueError, match=rf"{bucket} has files of an unknown format: {bucket}/a\.md"):
        fitted(bucket)
    for name in ("a.parquet", "a.feather"):
        put(tmp_path / "a.csv", f"{bucket}/{name}")
        with pytest.raises((ValueError, OSError), match=rf"cannot read {bucket}/{name}"):
            fitted(f"{bucket}/{name}")


def test_a_change_is_seen(bucket: str, tmp_path: Path) -> None:
    (table,) = tables(1)
    path = write(table, tmp_path / "a.csv")
    put(path, f"{bucket}/a.csv")
    (shard,) = file_shards(f"{bucket}/a.csv", "y", None, ReadOptions())
    opened = shard.open()
    for _ in range(2):
        assert sum(len(batch.codes) for batch in opened) == 60
    assert pickle.loads(pickle.dumps(shard)) == shard
    # Of the same size.
    put(path, f"{bucket}/a.csv")
    for read in (shard.open, opened.__iter__().__next__):
        with pytest.raises(ValueError, match=rf"{bucket}/a\.csv has changed since the first pass"):
            read()
    fsspec.filesystem("memory").rm(f"{bucket}/a.csv")
    with pytest.raises(FileNotFoundError, match=rf"no such file: {bucket}/a\.csv"):
        shard.open()


def test_what_a_file_system_says_is_told_with_the_name(bucket: str, tmp_path: Path, monkeypatch) -> None:
    put(write(tables(1)[0], tmp_path / "a.csv"), f"{bucket}/a.csv")

    def denied(*_: object, **__: object) -> None:
        raise OSError("access denied")

    for name in ("open", "_open", "info"):
        with monkeypatch.context() as patched:
            patched.setattr(type(fsspec.filesystem("memory")), name, denied)
            with pytest.raises(OSError, match=rf"^cannot read {bucket}/a\.csv: access denied"):
                fitted(f"{bucket}/a.csv")


def test_a_uri_of_this_machine_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "with a blank" / "a.csv"
    (table,) = tables(1)
    write(table, path)
    (location,) = locations_of(path.as_uri(), ReadOptions())
    assert (location.files, location.path, location.name) == (LOCAL, str(path), str(path))
    assert_same_bits(fitted(path.as_uri()), fitted(path))


@pytest.mark.parametrize(("uri", "name"), [
    ("s3://key:secret@bucket/a/b.csv?region=us-east-1&endpoint_override=localhost:1", "s3://bucket/a/b.csv"),
    ("s3://bucket/a/?region=us-east-1", "s3://bucket/a"),
    ("gs://anonymous@bucket/b.csv", "gs://bucket/b.csv"),
    ("memory://bucket/b.csv", "memory://bucket/b.csv"),
    ("memory:///bucket/b.csv", "memory:///bucket/b.csv"),
    ("fsspec+memory:///bucket/b.csv", "fsspec+memory:///bucket/b.csv"),
])  # fmt: skip
def test_names_are_those_of_the_user_without_secrets(uri: str, name: str) -> None:
    files, path = file_system_of(uri)
    assert files.shown(path) == name


def test_uris_that_nothing_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"cannot read nothing://b/a\.csv: Protocol not known: nothing"):
        fitted("nothing://key:secret@b/a.csv")
    with pytest.raises(ValueError, match=r"^cannot read s3://b/a b\.csv: Cannot parse URI: 's3://b/a b\.csv'"):
        fitted("s3://key:secret@b/a b.csv?secret_key=secret")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r'memory://b/a.csv is read with fsspec, .*pip install "softgrad\[fsspec\]"'):
        SoftmaxRegression().fit_stream("memory://b/a.csv", "y")
