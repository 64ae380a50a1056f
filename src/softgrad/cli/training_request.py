"""What `softgrad train` is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from softgrad.cli.cluster import Cluster
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError, asked
from softgrad.cli.files import check_files
from softgrad.cli.options import check_plot, check_seed
from softgrad.cli.reading import Reading
from softgrad.cli.sources import Kept
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._solvers._checkpoint import checkpoint_place


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments and options of the command line."""

    data: Data
    reading: Reading
    targets: Sequence[str]
    label_as: str | None
    sample_weight: str | None
    class_weight: Literal["balanced"] | None
    label_smoothing: float
    test_fraction: float
    seed: int
    inverse_penalty: float | None
    select_C: bool
    max_iter: int
    model: Path | None
    plot: Path | None
    report: Path | None
    stream: bool
    cache: bool
    checkpoint: Path | None
    resume: bool
    cluster: Cluster | None

    @property
    def C(self) -> float:
        return 1.0 if self.inverse_penalty is None else self.inverse_penalty

    @property
    def part_by_part(self) -> str | None:
        """The option that asks not to have the rows in memory."""
        return "--ray" if self.cluster is not None else "--stream" if self.stream else None

    @property
    def kept(self) -> Kept:
        """Where the rows are between two passes."""
        return "memory" if self.part_by_part is None else "cache" if self.cache else "file"

    def check(self) -> None:
        """Refuse what cannot end well before any work is done."""
        files = self.data.local_files(ReadOptions.of(self.reading.file))
        check_files(
            inputs={"DATA": files},
            outputs={
                "--model": self.model,
                "--plot": self.plot,
                "--report": self.report,
                "--checkpoint": self.checkpoint,
            },
        )
        if self.cluster is not None:
            self.cluster.check(self.data, self.reading.options(self.data))
        for target in self.targets:
            if self.targets.count(target) > 1:
                raise UserError(f"{asked('--target', target)} is said twice")
        if self.label_as not in (None, "text"):
            raise UserError(f"--label-as is {self.label_as}; it must be text")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise UserError(f"--label-smoothing is {self.label_smoothing}; it must be at least 0 and below 1")
        if not 0.0 <= self.test_fraction < 1.0:
            raise UserError(f"--test-fraction is {self.test_fraction}; it must be at least 0 and below 1")
        check_seed(self.seed)
        if self.inverse_penalty is not None:
            if not self.inverse_penalty > 0.0:
                raise UserError(f"-C is {self.inverse_penalty}; it must be positive, or inf for no penalty")
            if self.select_C:
                raise UserError(f"-C {self.inverse_penalty} and --select-C: which of the two?")
        if self.select_C and self.part_by_part is not None:
            raise UserError(f"--select-C: the folds need all rows in memory, which {self.part_by_part} avoids")
        if self.max_iter < 1:
            raise UserError(f"--max-iter is {self.max_iter}; it must be at least 1")
        if self.plot is not None:
            check_plot(self.plot)
        if self.report is not None and self.report.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--report {self.report}: the report is HTML, its name must end in .html")
        if self.report is not None and self.part_by_part is not None:
            raise UserError(
                f"--report {self.report}: the report needs all rows in memory, which {self.part_by_part} avoids"
            )
        if self.cache and self.cluster is not None:
            raise UserError("--cache keeps on disk what this process reads; with --ray others read the files")
        if self.cache and not self.stream:
            raise UserError("--cache keeps on disk what --stream reads; without --stream the rows are in memory")
        if self.cache and self.data.built_in is not None:
            raise UserError(f"--cache keeps what was parsed of a file; {self.data} is none")
        if self.checkpoint is not None and self.part_by_part is None:
            raise UserError(f"--checkpoint {self.checkpoint}: only a training with --stream or --ray has one")
        if self.resume and self.checkpoint is None:
            raise UserError("--resume: from where? Say --checkpoint")
        try:
            checkpoint_place(self.checkpoint, resume=self.resume, files=files)
        except OSError as error:
            raise UserError(str(error)) from None
