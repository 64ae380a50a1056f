"""A tree of files in a bucket of servers on this machine that speak as S3 and as Google's storage do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow.fs
import pytest

from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.tables import assert_same_bits, fitted, tables, write

pytestmark = pytest.mark.slow
KEY, SECRET, REGION = "key", "a-secret", "us-east-1"


class Store(NamedTuple):
    """An object store with the bucket "bucket", and what its URIs begin and end with.

    seconds : that is all that its times tell.
    """

    files: pyarrow.fs.FileSystem
    scheme: str
    user: str
    options: str
    seconds: bool


@contextmanager
def s3() -> Iterator[Store]:
    # Of the packages of the tests it takes the longest to import.
    from moto.server import ThreadedMotoServer

    started = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    files = pyarrow.fs.S3FileSystem(
        access_key=KEY,
        secret_key=SECRET,
        region=REGION,
        scheme="http",
        endpoint_override=f"{host}:{port}",
        allow_bucket_creation=True,
    )
    files.create_dir("bucket")
    options = f"region={REGION}&scheme=http&endpoint_override={host}:{port}"
    yield Store(files, "s3://", f"{KEY}:{SECRET}@", options, seconds=True)
    # The next server of this process would have them, too.
    files.delete_dir_contents("bucket")
    started.stop()


# A process of its own: where pyarrow waits for an answer it may hold the lock that a thread here would need.
GCS_SERVER = """
from functools import partial
from http.server import ThreadingHTTPServer
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

storage = Storage(use_memory_fs=True)
storage.create_bucket("bucket", {"id": "bucket"})
server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RequestHandler, storage))
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def gcs() -> Iterator[Store]:
    command = [sys.executable, "-c", GCS_SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        server = f"127.0.0.1:{int(process.stdout.readline())}"
        limit = timedelta(seconds=30)
        files = pyarrow.fs.GcsFileSystem(
            anonymous=True, scheme="http", endpoint_override=server, retry_time_limit=limit
        )
        options = f"scheme=http&endpoint_override={server}&retry_limit_seconds={limit.seconds}"
        yield Store(files, "gs://", "anonymous@", options, seconds=False)
        process.kill()


@pytest.fixture(params=[s3, gcs])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with request.param() as store:
        yield store


@pytest.mark.parametrize("ending", ["parquet", "csv", "feather"])
def test_a_tree_in_a_bucket(ending: str, store: Store, tmp_path: Path) -> None:
    paths = [tmp_path / "k=1" / f"a.{ending}", tmp_path / "k=2" / f"b.{ending}"]
    names = [f"bucket/data/{path.relative_to(tmp_path)}" for path in paths]
    # Of the folders one is an object of its own, the other is there by its file alone.
    store.files.create_dir("bucket/data/k=1")
    for path, name, table in zip(paths, names, tables(2), strict=True):
        write(table, path)
        with store.files.open_output_stream(name) as file:
            file.write(path.read_bytes())
    for pattern in ("data", "data/", "*/k=*", "**"):
        uri = f"{store.scheme}{store.user}bucket/{pattern}?{store.options}"
        assert_same_bits(fitted(uri), fitted(tmp_path))
    content = paths[1].read_bytes()
    other = bytes([*content[:-30], content[-30] ^ 1, *content[-29:]])

    def put(content: bytes) -> int:
        with store.files.open_output_stream(names[1]) as file:
            file.write(content)
        return store.files.get_file_info(names[1]).mtime_ns

    # Of the same size, and the same second if there are no parts of it.
    for _ in range(20):
        time = put(content)
        shards = file_shards(uri, "y", None, ReadOptions())
        if put(other) == time or not store.seconds:
            break
    else:
        raise AssertionError("no two writings within a second")
    list(shards[0].open())
    with pytest.raises(ValueError, match=rf"^{store.scheme}{re.escape(names[1])} has changed since the first pass"):
        list(shards[1].open())
    put(content)
    shards = [shard.open() for shard in file_shards(uri, "y", None, ReadOptions())]
    store.files.delete_file(names[1])
    with pytest.raises(FileNotFoundError, match=rf"^no such file: {store.scheme}{re.escape(names[1])}$"):
        list(shards[1])
