"""A process that has read a file ends with the status of the command, whatever Arrow's threads still hold then."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from softgrad.cli.data import Data
from softgrad.cli.sources import open_source
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import animals, command, succeeds, write
from tests.oracles.inputs import fresh_rng


@pytest.mark.parametrize("compression", ["", ".gz"])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather"])
def test_what_is_read_is_in_memory_of_arrows_own(ending: str, compression: str) -> None:
    """A thread that lets go of a bytes object after the interpreter has ended aborts the process."""
    numbers = fresh_rng().standard_normal(100_000)
    name = f"data{ending}{compression}"
    write(pa.table({"x": numbers, "y": np.roll(numbers, 1)}), Path(name))
    before = pa.total_allocated_bytes()
    batches = list(open_source(Data([name]), ReadOptions(), "memory"))
    held = pa.total_allocated_bytes() - before
    cells = [column.nbytes for batch in batches for column in batch.columns]
    assert held >= sum(cells) >= 2 * numbers.nbytes


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
