"""What a build of softgrad is timed with, in a process of its own.

Nothing is imported from softgrad until the process knows which build it is for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path

import numpy as np

from benchmarks._contender import Contender
from benchmarks._harness import Bench, Case
from benchmarks._questions import module
from benchmarks._regression_problems import C, problems
from benchmarks._worker_process import TurnTaker

# Smaller than in the questions themselves, since each start needs them anew.
_LINEAR_HEAD, _QUICK_LINEAR_HEAD = (1024, 512, 16000), (64, 16, 50)
_FITS = (
    "digits, raw",
    "skewed 6000 x 30 x 6",
    "dependent 16000 x 240 x 8",
    "sparse 9000 x 24000 x 12, short rows",
)
_QUICK_FITS = ("wine, scaled",)
_TOL, _TOL_OF_CHECK = 1e-6, 1e-9


class BuildWork(TurnTaker):
    """The cases of a question, one after the other, with softgrad from the folder `package`."""

    def __init__(self, package: Path, question: str, seed: int, quick: bool) -> None:
        super().__init__()
        # The import hook of an editable installation would find another softgrad.
        sys.meta_path[:] = [
            finder for finder in sys.meta_path if finder in (BuiltinImporter, FrozenImporter, PathFinder)
        ]
        sys.path.insert(0, str(package))
        import softgrad

        assert softgrad.__file__ is not None
        assert Path(softgrad.__file__).is_relative_to(package), f"{softgrad.__file__} is not the build in {package}"
        self._cases = _cases(question, seed, quick=quick)

    def next_work(self) -> str | None:
        """Make the next case ready, check what it gives, and say what it is; None if there is none."""
        self.clear()
        case = next(self._cases, None)
        if case is None:
            return None
        case.check(case.softgrad.result())
        self.ready(case.softgrad)
        return case.work


class _Untimed(Bench):
    """What a question is given to have its cases instead of their rows."""

    def timed(self, cases: Iterable[Case]) -> Iterator[Case]:  # type: ignore[override]
        return iter(cases)


def _cases(question: str, seed: int, *, quick: bool) -> Iterator[Case]:
    bench = _Untimed(quick, {}, np.random.default_rng(seed))
    if question == "linear_head":
        size = _QUICK_LINEAR_HEAD if quick else _LINEAR_HEAD
        return iter([module(question).case(bench, *size)])
    if question == "regression":
        return map(partial(_fit, bench), _QUICK_FITS if quick else _FITS)
    found: Iterator[Case] = module(question).rows(bench)
    return found


def _fit(bench: Bench, name: str) -> Case:
    from softgrad import SoftmaxRegression

    problem = problems()[name](bench.rng)

    def objective(tol: float) -> float:
        model = SoftmaxRegression(C=C, tol=tol).fit(problem.X, problem.y)
        return problem.objective(model.coef_, model.intercept_)

    best = objective(_TOL_OF_CHECK)

    def check(found: float) -> None:
        assert found <= (1.0 + 2.0 * _TOL) * best, f"the objective is {found}; {best} is possible"

    call = partial(SoftmaxRegression(C=C, tol=_TOL).fit, problem.X, problem.y)
    contender = Contender([call], read=lambda model: problem.objective(model.coef_, model.intercept_))
    return Case(f"SoftmaxRegression.fit {name}, to {_TOL:g}", contender, check)
