"""Time and memory of `softgrad train` on a large table: `python -m benchmarks._train_command --megabytes 1000`.

The table has twelve columns of numbers, one of 300 texts, and a label of three classes; it is written as CSV of about
that size and as Parquet. softgrad trains with the rows in memory, with --stream, and with --stream --cache; pandas and
polars read it for scikit-learn's StandardScaler, OneHotEncoder and LogisticRegression. Each runs once, in a process of
its own, without a test part; the memory is the most that was resident.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

_ROWS_AT_ONCE = 100_000
# Of a row as CSV.
_ROW_BYTES = 102

_PEER = """
import sys
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
import {library}
table = {library}.read_{format}(sys.argv[1])
texts, numbers = ["city"], [f"x{{i}}" for i in range(12)]
encoder = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), texts))
make_pipeline(encoder, LogisticRegression(tol=1e-6, max_iter=1000)).fit(table, table["kind"])
"""


def _write(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    cities, kinds = np.array([f"city {i}" for i in range(300)]), np.array(["ant", "bee", "cat"])
    csv = parquet = None
    for start in range(0, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - start)
        X, city = rng.standard_normal((count, 12)).round(4), rng.integers(300, size=count)
        labels = kinds[(X[:, :3] + rng.gumbel(size=(count, 3))).argmax(axis=1)]
        columns = {f"x{i}": column for i, column in enumerate(X.T)}
        batch = pa.record_batch({**columns, "city": cities[city].tolist(), "kind": labels.tolist()})
        if csv is None:
            csv = pyarrow.csv.CSVWriter(folder / "table.csv", batch.schema)
            parquet = pyarrow.parquet.ParquetWriter(folder / "table.parquet", batch.schema)
        csv.write_batch(batch)
        parquet.write_batch(batch)
    csv.close()
    parquet.close()


def _measured(command: list[str]) -> tuple[float, float]:
    """The seconds that a command takes, and the MiB that it holds at most."""
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command[:4])} ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, used.ru_maxrss / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks._train_command",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--megabytes", type=int, default=1000, help="of the CSV file")
    megabytes = parser.parse_args().megabytes
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, megabytes * 1_000_000 // _ROW_BYTES)
        for form in ("csv", "parquet"):
            path = folder / f"table.{form}"
            print(f"{form}, {path.stat().st_size / 1e6:.0f} MB", flush=True)
            train = [sys.executable, "-m", "softgrad.cli", "train", str(path), "--target", "kind"]
            train += ["--test-fraction", "0", "--json"]
            runs = {
                "softgrad train": train,
                "softgrad train --stream": [*train, "--stream"],
                "softgrad train --stream --cache": [*train, "--stream", "--cache"],
            }
            for library in ("pandas", "polars"):
                program = _PEER.format(library=library, format=form)
                runs[f"{library} and scikit-learn"] = [sys.executable, "-c", program, str(path)]
            for what, command in runs.items():
                seconds, mebibytes = _measured(command)
                print(f"  {what:<32} {seconds:7.1f} s {mebibytes:7.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
