"""What `softgrad train` is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from softgrad.cli import tables
from softgrad.cli.errors import UserError
from softgrad.cli.files import check_files
from softgrad.cli.options import check_plot, check_seed
from softgrad.linear_model._solvers._checkpoint import checkpoint_place


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments and options of the command line."""

    data: str
    target: str | None
    test_fraction: float
    seed: int
    inverse_penalty: float | None
    select_C: bool
    max_iter: int
    model: Path | None
    plot: Path | None
    report: Path | None
    stream: bool
    checkpoint: Path | None
    resume: bool

    @property
    def C(self) -> float:
        return 1.0 if self.inverse_penalty is None else self.inverse_penalty

    def check(self) -> None:
        """Refuse what cannot end well before any work is done."""
        check_files(
            inputs={"DATA": tables.file_of(self.data)},
            outputs={
                "--model": self.model,
                "--plot": self.plot,
                "--report": self.report,
                "--checkpoint": self.checkpoint,
            },
        )
        if not 0.0 <= self.test_fraction < 1.0:
            raise UserError(f"--test-fraction is {self.test_fraction}; it must be at least 0 and below 1")
        check_seed(self.seed)
        if self.inverse_penalty is not None:
            if not (self.inverse_penalty > 0.0 and math.isfinite(self.inverse_penalty)):
                raise UserError(f"-C is {self.inverse_penalty}; it must be positive and finite")
            if self.select_C:
                raise UserError(f"-C {self.inverse_penalty} and --select-C: which of the two?")
        if self.select_C and self.stream:
            raise UserError("--select-C: the folds need all rows in memory, which --stream avoids")
        if self.max_iter < 1:
            raise UserError(f"--max-iter is {self.max_iter}; it must be at least 1")
        if self.plot is not None:
            check_plot(self.plot)
        if self.report is not None and self.report.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--report {self.report}: the report is HTML, its name must end in .html")
        if self.stream and self.report is not None:
            raise UserError(f"--report {self.report}: the report needs all rows in memory, which --stream avoids")
        if self.checkpoint is not None and not self.stream:
            raise UserError(f"--checkpoint {self.checkpoint}: only a training with --stream has one")
        if self.resume and self.checkpoint is None:
            raise UserError("--resume: from where? Say --checkpoint")
        try:
            checkpoint_place(self.checkpoint, resume=self.resume, source=tables.file_of(self.data))
        except OSError as error:
            raise UserError(str(error)) from None
