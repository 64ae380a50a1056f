"""What can be read only once is read from a temporary file, which does not stay."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.reading import columns_of

TEXT = b"x,y\n" + b"1.5,a\n-2,b\n" * 50
EXPECTED = {"x": ["1.5", "-2"] * 50, "y": ["a", "b"] * 50}
unix = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and signals are of Unix")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_standard_input(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT)))
    assert columns_of("-", format="csv") == EXPECTED
    assert list(temporary.iterdir()) == []


@unix
def test_a_pipe(temporary: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT,))
    writer.start()
    batches = FileBatches(pipe)
    writer.join()
    assert [batch.num_rows for _ in range(3) for batch in batches] == [100, 100, 100]
    assert len(list(temporary.iterdir())) == 1
    del batches
    assert list(temporary.iterdir()) == []


@unix
def test_a_fit_to_a_pipe(temporary: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT,))
    writer.start()
    model = SoftmaxRegression().fit_stream(pipe, "y")
    writer.join()
    path = tmp_path / "file.csv"
    path.write_bytes(TEXT)
    assert model.coef_.tobytes() == SoftmaxRegression().fit_stream(path, "y").coef_.tobytes()
    assert list(temporary.iterdir()) == []


@unix
@pytest.mark.slow
def test_standard_input_by_its_path(tmp_path: Path) -> None:
    program = (
        "from softgrad.linear_model._data._files import FileBatches\n"
        "from softgrad.linear_model._data._read_options import ReadOptions\n"
        "batches = FileBatches('/dev/stdin', ReadOptions(format='csv'))\n"
        "print(*[batch.num_rows for _ in range(2) for batch in batches])"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], input=TEXT, capture_output=True, check=True, env=environment
    )
    assert ended.stdout.split() == [b"100", b"100"]
    assert list(tmp_path.iterdir()) == []


@unix
def test_nothing_stays_when_the_user_ends_it(tmp_path: Path) -> None:
    program = (
        "from softgrad.linear_model._data._files import FileBatches\n"
        "from softgrad.linear_model._data._read_options import ReadOptions\n"
        "kept = [FileBatches('-', ReadOptions(format='csv'))]\n"
        "import time; print('read', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(TEXT)
        process.stdin.flush()
        # In the middle of the copying.
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_that_breaks_is_named(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the copy of it."""

    def broken(_: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=broken)))
    with pytest.raises(OSError, match=r"^cannot read -: \[Errno 5\] Input/output error$"):
        FileBatches("-", ReadOptions(format="csv"))
    assert list(temporary.iterdir()) == []


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file: .*none\.csv"):
        FileBatches(tmp_path / "none.csv")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    for options in (ReadOptions(), ReadOptions(format="parquet")):
        with pytest.raises(IsADirectoryError, match=r"folder\.csv is a directory, not a file"):
            FileBatches(folder, options)
    (tmp_path / "data.txt").write_bytes(TEXT)
    with pytest.raises(ValueError, match=r"data\.txt: unknown format; .*--format"):
        FileBatches(tmp_path / "data.txt")
    assert columns_of(tmp_path / "data.txt", format="csv") == EXPECTED
