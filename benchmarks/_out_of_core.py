"""Trains a file larger than memory, and compares with its rows in memory: `python -m benchmarks._out_of_core`.

    python -m benchmarks._out_of_core --folder DIR               # 8 GB trained in 2 GB; then in memory, in 14 GB
    python -m benchmarks._out_of_core train --folder DIR         # one of the three steps alone

Three steps, each in a process of its own. `make` writes a Parquet file of random float64 features, which nothing
compresses, and of labels drawn from a softmax model of them. `train` fits a `SoftmaxRegression` to the file, in a
process whose address space, and so whose memory, the system limits. `check` fits another to all rows in memory, and
works out the objective at both ends with NumPy and SciPy alone. The file stays; the folder is the caller's to remove.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._machine import keep_to_two_cores

STEPS = ("make", "train", "check")
FEATURES, CLASSES, C = 50, 3, 1.0
TOL = 1e-10
# Of the two objectives, relative: both fits are nearer to the optimum than this.
MOST_DIFFERENCE = 10 * TOL
GIGABYTE = 10**9
_GROUP_ROWS = 100_000


def make(data: Path, *, gigabytes: float) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    rows = math.ceil(gigabytes * GIGABYTE / (8 * FEATURES))
    rng = np.random.default_rng(0)
    truth = 0.3 * rng.standard_normal((CLASSES, FEATURES))
    names = [f"x{i}" for i in range(FEATURES)]
    schema = pa.schema([*((name, pa.float64()) for name in names), ("label", pa.int8())])
    with pa.parquet.ParquetWriter(data, schema, use_dictionary=False, compression="none") as writer:
        for start in range(0, rows, _GROUP_ROWS):
            X = rng.standard_normal((FEATURES, min(_GROUP_ROWS, rows - start)))
            y = (truth @ X + rng.gumbel(size=(CLASSES, X.shape[1]))).argmax(axis=0)
            writer.write_table(pa.table([*X, pa.array(y, pa.int8())], schema=schema))
    print(f"file: {data.stat().st_size / GIGABYTE:.3f} GB, {rows} rows, {FEATURES} float64 features, {CLASSES} classes")


def kibibytes(figure: str, process: int | str = "self") -> int:
    """A figure of a process, from the system."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split(f"{figure}:")[1].split()[0])


def train(data: Path, result: Path, *, limit: float) -> None:
    size = int(limit * GIGABYTE)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    # Arrow's own pools reserve a GiB of addresses beforehand, of which little is used.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    import numpy as np

    from softgrad.linear_model import SoftmaxRegression

    def told(report: Any) -> None:
        print(f"iteration {report.iteration}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    start = time.perf_counter()
    model = SoftmaxRegression(C=C, tol=TOL, callback=told).fit_stream(data, "label")
    seconds = time.perf_counter() - start
    counts = Path("/proc/self/io").read_text(encoding="ascii").split()
    read = int(counts[counts.index("rchar:") + 1])
    passes = read / data.stat().st_size
    np.savez(result, coef=model.coef_, intercept=model.intercept_)
    print(
        f"trained: {seconds:.0f} s, {model.solver_}, {model.n_iter_} iterations, {passes:.1f} passes over the file at "
        f"{read / seconds / 1e6:.0f} MB/s, estimated gap {model.relative_gap_:.1e}\n"
        f"memory: limit {limit:g} GB of addresses, {kibibytes('VmPeak') * 1024 / GIGABYTE:.2f} GB taken, at most "
        f"{kibibytes('VmHWM') * 1024 / GIGABYTE:.2f} GB resident"
    )


def check(data: Path, result: Path) -> None:
    import numpy as np
    import pyarrow.parquet
    from scipy.special import log_softmax

    from softgrad.linear_model import SoftmaxRegression

    file = pyarrow.parquet.ParquetFile(data)
    X, y = np.empty((file.metadata.num_rows, FEATURES)), np.empty(file.metadata.num_rows, np.int64)
    end = 0
    for number in range(file.num_row_groups):
        group = file.read_row_group(number)
        begin, end = end, end + group.num_rows
        for feature in range(FEATURES):
            X[begin:end, feature] = group.column(feature)
        y[begin:end] = group.column("label")
    start = time.perf_counter()
    model = SoftmaxRegression(C=C, tol=TOL).fit(X, y)
    seconds = time.perf_counter() - start

    def objective(coef: Any, intercept: Any) -> tuple[float, float]:
        """What scikit-learn's LogisticRegression minimises, over C and the number of rows; the norm of its gradient."""
        losses, by_coef, by_intercept = [], coef / C, np.zeros(CLASSES)
        for begin in range(0, len(y), _GROUP_ROWS):
            block, labels = X[begin : begin + _GROUP_ROWS], y[begin : begin + _GROUP_ROWS]
            rows = np.arange(len(labels))
            logs = log_softmax(block @ coef.T + intercept, axis=1)
            losses.append(-logs[rows, labels].sum())
            residuals = np.exp(logs)
            residuals[rows, labels] -= 1.0
            by_coef = by_coef + residuals.T @ block
            by_intercept += residuals.sum(axis=0)
        penalty = float(np.sum(coef**2)) / (2 * C)
        norm = math.hypot(float(np.linalg.norm(by_coef)), float(np.linalg.norm(by_intercept)))
        return (math.fsum(losses) + penalty) / len(y), norm / len(y)

    with np.load(result) as streamed:
        coef, intercept = streamed["coef"], streamed["intercept"]
    found, norm = objective(coef, intercept)
    expected, norm_in_memory = objective(model.coef_, model.intercept_)
    print(
        f"in memory: {seconds:.0f} s, {model.n_iter_} iterations, at most "
        f"{kibibytes('VmHWM') * 1024 / GIGABYTE:.1f} GB resident\n"
        f"objective: {found:.15g} from the file, {expected:.15g} in memory, relative difference "
        f"{abs(found - expected) / expected:.1e}\n"
        f"norm of the gradient: {norm:.1e} and {norm_in_memory:.1e}\n"
        f"coefficients: up to {np.abs(expected_coef := model.coef_).max():.3g}, largest difference "
        f"{np.abs(coef - expected_coef).max():.1e}"
    )
    if abs(found - expected) > MOST_DIFFERENCE * expected:
        raise SystemExit(f"the two differ by more than {MOST_DIFFERENCE:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks._out_of_core",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"all without it; {', '.join(STEPS)}")
    parser.add_argument("--folder", type=Path, required=True, help="where the file is, and what was trained")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="of the file, in 10^9 bytes")
    parser.add_argument("--limit", type=float, default=2.0, help="of the memory, in 10^9 bytes")
    arguments = parser.parse_args()
    steps = arguments.steps or STEPS
    for step in steps:
        if step not in STEPS:
            parser.error(f"no step {step!r}; there are {', '.join(STEPS)}")
    data, result = arguments.folder / "rows.parquet", arguments.folder / "streamed.npz"
    keep_to_two_cores()
    if len(steps) > 1:
        for step in steps:
            options = ["--folder", arguments.folder, "--gigabytes", arguments.gigabytes, "--limit", arguments.limit]
            command = [sys.executable, "-m", "benchmarks._out_of_core", step, *map(str, options)]
            subprocess.run(command, check=True)
    elif steps[0] == "make":
        make(data, gigabytes=arguments.gigabytes)
    elif steps[0] == "train":
        train(data, result, limit=arguments.limit)
    else:
        check(data, result)


if __name__ == "__main__":
    main()
