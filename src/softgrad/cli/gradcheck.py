"""`softgrad gradcheck`: every derivative of the registry against differences of its function."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import softgrad
from softgrad.cli.errors import UserError, listing
from softgrad.cli.files import check_files
from softgrad.cli.options import check_plot, check_seed
from softgrad.cli.report import Output

DTYPES = ("float64", "float32", "float16", "bfloat16")
BY_DEFAULT = ("float64", "float32")
NOT_PASSED = 1


@dataclass(frozen=True)
class Request:
    """What the command line asked for; no name means all of the registry."""

    name: str | None
    dtypes: Sequence[str]
    seed: int
    plot: Path | None

    def check(self) -> None:
        """Refuse what cannot end well before any work is done."""
        check_files(inputs={}, outputs={"--plot": self.plot})
        if self.name is not None and self.name not in softgrad.registry():
            raise UserError(f"no such function: {self.name} (there are {listing(softgrad.registry())})")
        check_seed(self.seed)
        if self.plot is not None:
            if self.name is None:
                raise UserError(f"--plot {self.plot}: of which function? There are {listing(softgrad.registry())}")
            check_plot(self.plot)


def gradcheck(request: Request, output: Output) -> None:
    """Run the command.

    Raises
    ------
    SystemExit
        With status 1, if any check did not pass.
    """
    request.check()
    dtypes = [_dtype(name) for name in request.dtypes or BY_DEFAULT]
    members = softgrad.registry() if request.name is None else {request.name: softgrad.registry()[request.name]}
    width = max(len("function"), *map(len, members))
    output.line(f"{'function':<{width}}  {'derivative':<21}  {'dtype':<8}  worst relative error  verdict")
    checks, notes = [], []
    for name, member in members.items():
        for dtype in dtypes:
            arguments, options = member.sample_arguments(np.random.default_rng(request.seed), dtype)
            for derivative, report in softgrad.check_derivatives(member, *arguments, **options).items():
                row = f"{name:<{width}}  {derivative:<21}  {dtype.name:<8}"
                output.line(f"{row}  {report.worst_error:20.1e}  {report.verdict}")
                checks.append(_as_json(name, derivative, report))
                if not report.passed or report.wrote_into:
                    notes += [f"{name} {derivative} {dtype.name}:", *report.table().splitlines()]
    for note in notes:
        output.line(note)
    passed = sum(check["verdict"] == "pass" for check in checks)
    output.line(f"{passed} of {len(checks)} passed (seed {request.seed})")
    if request.plot is not None:
        _plot(request, request.plot)
        output.line(f"plot written to {request.plot}")
    plot = None if request.plot is None else str(request.plot)
    output.result({"seed": request.seed, "passed": passed == len(checks), "checks": checks, "plot": plot})
    if passed < len(checks):
        sys.exit(NOT_PASSED)


def _dtype(name: str) -> np.dtype[Any]:
    if name not in DTYPES:
        raise UserError(f"--dtype is {name}; it may be {listing(DTYPES)}")
    if name == "bfloat16":
        try:
            # NumPy knows the name once the package has been imported.
            importlib.import_module("ml_dtypes")
        except ModuleNotFoundError:
            raise UserError("--dtype bfloat16 needs ml_dtypes: pip install ml_dtypes") from None
    return np.dtype(name)


def _plot(request: Request, path: Path) -> None:
    # matplotlib takes as long to import as a few checks take.
    from softgrad.cli.gradcheck_plot import draw_step_errors

    assert request.name is not None
    member = softgrad.registry()[request.name]
    arguments, options = member.sample_arguments(np.random.default_rng(request.seed), np.dtype(np.float64))
    errors = softgrad.gradcheck.step_errors(member, *arguments, **options)
    draw_step_errors(path, f"{request.name}: error of its derivative by differences, against their step", errors)


def _as_json(name: str, derivative: str, report: softgrad.GradientReport) -> dict[str, object]:
    return {
        "function": name,
        "derivative": derivative,
        "dtype": report.dtype,
        "verdict": report.verdict,
        "reason": report.reason,
        "method": report.method,
        "worst_error": _number(report.worst_error),
        "index": report.worst_index,
        "analytic": _number(report.analytic),
        "numeric": _number(report.numeric),
        "error_estimate": _number(report.error_estimate),
        "wrote_into": report.wrote_into,
    }


def _number(value: float) -> float | str:
    """JSON has no inf and no nan: these are texts."""
    return value if math.isfinite(value) else str(value)
