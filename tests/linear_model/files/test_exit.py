"""A process that has read a text file ends as it should, whatever Arrow's threads still hold then."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from softgrad.linear_model._data._files import FileBatches
from tests.linear_model.files.reading import written

TEXT = "x,y\n" + "1.5,a\n-2.25,b\n" * 200_000


def test_what_is_parsed_is_in_memory_of_arrows_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that lets go of a bytes object after the interpreter has ended aborts the process."""
    read = pyarrow.csv.read_csv
    held = []

    def spy(source: pa.BufferReader, **options: Any) -> Any:
        held.append((pa.total_allocated_bytes() - before, source.size()))
        return read(source, **options)

    path = written(tmp_path, TEXT)
    monkeypatch.setattr(pyarrow.csv, "read_csv", spy)
    before = pa.total_allocated_bytes()
    assert sum(batch.num_rows for batch in FileBatches(path)) == 400_000
    assert max(size for _, size in held) > 1_000_000
    assert all(allocated >= size for allocated, size in held)


@pytest.mark.slow
def test_no_run_is_aborted_on_a_busy_machine(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    program = "import sys; from softgrad.linear_model._data._files import FileBatches; list(FileBatches(sys.argv[1]))"
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        ends = Counter(
            subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode for _ in range(15)
        )
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert ends == {0: 15}
