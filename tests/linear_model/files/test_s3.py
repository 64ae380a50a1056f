"""A tree of files in a bucket of a server that speaks S3 on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs
import pytest

from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.tables import assert_same_bits, fitted, tables, write

pytestmark = pytest.mark.slow
KEY, SECRET, REGION = "key", "a-secret", "us-east-1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # Of the packages of the tests it takes the longest to import.
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    started = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"{host}:{port}"
    started.stop()


@pytest.mark.parametrize("ending", ["parquet", "csv", "feather"])
def test_a_tree_in_a_bucket(ending: str, server: str, tmp_path: Path) -> None:
    bucket = pyarrow.fs.S3FileSystem(
        access_key=KEY,
        secret_key=SECRET,
        region=REGION,
        scheme="http",
        endpoint_override=server,
        allow_bucket_creation=True,
    )
    bucket.create_dir(f"{ending}-bucket")
    paths = [tmp_path / "k=1" / f"a.{ending}", tmp_path / "k=2" / f"b.{ending}"]
    names = [f"{ending}-bucket/data/{path.relative_to(tmp_path)}" for path in paths]
    for path, name, table in zip(paths, names, tables(2), strict=True):
        write(table, path)
        with bucket.open_output_stream(name) as file:
            file.write(path.read_bytes())
    options = f"region={REGION}&scheme=http&endpoint_override={server}"
    for pattern in ("data", "data/", "*/k=*", "**"):
        uri = f"s3://{KEY}:{SECRET}@{ending}-bucket/{pattern}?{options}"
        assert_same_bits(fitted(uri), fitted(tmp_path))
    content = paths[1].read_bytes()
    other = bytes([*content[:-30], content[-30] ^ 1, *content[-29:]])

    def put(content: bytes) -> int:
        with bucket.open_output_stream(names[1]) as file:
            file.write(content)
        return bucket.get_file_info(names[1]).mtime_ns

    # Of the same size and the same second.
    for _ in range(20):
        time = put(content)
        shards = file_shards(uri, "y", None, ReadOptions())
        if put(other) == time:
            break
    else:
        raise AssertionError("no two writings within a second")
    list(shards[0].open())
    with pytest.raises(ValueError, match=rf"^s3://{re.escape(names[1])} has changed since the first pass"):
        list(shards[1].open())
    put(content)
    shards = [shard.open() for shard in file_shards(uri, "y", None, ReadOptions())]
    bucket.delete_file(names[1])
    with pytest.raises(FileNotFoundError, match=rf"^no such file: s3://{re.escape(names[1])}$"):
        list(shards[1])
