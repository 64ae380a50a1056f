"""A fit to files that the workers of a Ray cluster share: every bit as on one machine.

Eight Parquet files are read by `fit_stream` alone, then by one worker and by two on a cluster of this machine. The
files alone decide in which order numbers are added, so the coefficients do not depend on who reads which of them. The
workers share the cores of this machine with each other: they show that the bits are the same, and what a cluster costs,
not how fast many machines are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from matplotlib.figure import Figure

from softgrad.distributed import ray_rows
from softgrad.examples._experiment import Array, Table, main
from softgrad.linear_model import SoftmaxRegression

FILES, ROWS, FEATURES, CLASSES, SEED = 8, 25_000, 20, 4, 0
WORKERS = (1, 2)
ALONE = "fit_stream alone"


@dataclass(frozen=True)
class Fit:
    """The coefficients, how many seconds they took, and how far from the optimum they are said to be."""

    coef: Array
    seconds: float
    gap: float


@dataclass(frozen=True)
class Cluster:
    """The fits by who read the rows."""

    fits: dict[str, Fit]

    def tables(self) -> list[Table]:
        alone = self.fits[ALONE]
        return [
            Table(
                f"{FILES} files of {ROWS} rows, {FEATURES} features, {CLASSES} classes",
                {"": "", "bits": "", "seconds": ".2f", "relative gap": ".1e"},
                [
                    (name, "equal" if np.array_equal(fit.coef, alone.coef) else "others", fit.seconds, fit.gap)
                    for name, fit in self.fits.items()
                ],
            )
        ]

    def draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        colours = ("tab:blue", "tab:orange", "tab:green")
        bars = left.bar(list(self.fits), [fit.seconds for fit in self.fits.values()], color=colours)
        left.bar_label(bars, fmt="{:.2f}")
        left.set_title("Seconds of a fit, on the cores of one machine")
        left.set_ylabel("seconds")
        left.margins(y=0.15)

        # Those that lie below stay in sight.
        for (name, fit), marker, size in zip(self.fits.items(), ("o", "x", "+"), (12, 8, 8), strict=True):
            across = self.fits[ALONE].coef.ravel()
            right.plot(across, fit.coef.ravel(), marker, label=name, markersize=size, fillstyle="none")
        right.set_title("The same coefficients, to the last bit")
        right.set_xlabel(f"coefficient by {ALONE}")
        right.set_ylabel("coefficient")
        right.legend()
        right.grid(alpha=0.3)


def write(folder: Path) -> None:
    """Rows that are drawn from a softmax of their features."""
    rng = np.random.default_rng(SEED)
    truth = rng.standard_normal((CLASSES, FEATURES)) / np.sqrt(FEATURES)
    for number in range(FILES):
        X = rng.standard_normal((FEATURES, ROWS))
        y = (truth @ X + rng.gumbel(size=(CLASSES, ROWS))).argmax(axis=0)
        columns = {f"x{i}": column for i, column in enumerate(X)}
        pyarrow.parquet.write_table(pa.table(columns | {"y": y}), folder / f"{number}.parquet")


def fitted(source: object, target: str | None = None) -> Fit:
    start = time.perf_counter()
    model = SoftmaxRegression().fit_stream(source, target)
    return Fit(model.coef_, time.perf_counter() - start, model.relative_gap_)


def run() -> Cluster:
    """Write the files, and fit."""
    with TemporaryDirectory() as name:
        write(Path(name))
        fits = {ALONE: fitted(name, "y")}
        for workers in WORKERS:
            with ray_rows(name, "y", workers=workers) as rows:
                fits[f"{workers} Ray worker{'s' if workers > 1 else ''}"] = fitted(rows)
    return Cluster(fits)


if __name__ == "__main__":
    main(__file__, __doc__, run)
