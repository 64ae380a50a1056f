"""A process that has read a file ends with the status of the command, whatever Arrow's threads still hold then."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from softgrad.cli import tables
from tests.cli.conftest import animals, command, succeeds, write
from tests.oracles.inputs import fresh_rng

READERS = {
    ".csv": (pyarrow.csv, "read_csv"),
    ".parquet": (pyarrow.parquet, "read_table"),
    ".feather": (pyarrow.feather, "read_table"),
}


@pytest.mark.parametrize("compression", ["", ".gz"])
@pytest.mark.parametrize("ending", READERS)
def test_what_is_read_is_in_memory_of_arrows_own(
    ending: str, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that lets go of a bytes object after the interpreter has ended aborts the process."""
    # More than what unpacking takes, and nothing that compresses.
    numbers = fresh_rng().standard_normal(100_000)
    source = write(pa.table({"x": numbers, "y": np.roll(numbers, 1)}), Path(f"data{ending}"))
    content = source.read_bytes()
    if compression:
        source = Path(f"data{ending}.gz")
        source.write_bytes(gzip.compress(content, compresslevel=1))
    module, name = READERS[ending]
    read = getattr(module, name)
    held = []

    def spy(*arguments: Any, **options: Any) -> Any:
        held.append(pa.total_allocated_bytes() - before)
        return read(*arguments, **options)

    monkeypatch.setattr(module, name, spy)
    before = pa.total_allocated_bytes()
    assert tables.load(str(source)).rows == len(numbers)
    assert len(held) == 1
    assert held[0] >= len(content)


@pytest.mark.slow
def test_no_run_is_aborted_on_a_busy_machine() -> None:
    for ending in (".csv", ".parquet"):
        write(animals(2000), Path(f"animals{ending}"))
    succeeds("train", "animals.csv", "--target", "kind", "--model", "model")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    ends: Counter[tuple[str, int]] = Counter()
    try:
        for _ in range(15):
            for ending in (".csv", ".parquet"):
                arguments = command("predict", "model", f"animals{ending}", "--output", "out.csv")
                ends[ending, subprocess.run(arguments, check=False).returncode] += 1
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert ends == {(".csv", 0): 15, (".parquet", 0): 15}
