"""The solvers that softgrad races with, each a fit of so many iterations.

Four are scikit-learn's. scikit-learn-intelex is taken by the import that its documentation names; its lbfgs has code of
its own for dense rows alone. torch's LBFGS is what a deep-learning user writes: `nn.Linear` with the weights it begins
with, the mean of `cross_entropy` plus the penalty, every row in each evaluation, on X as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks._peers import installed
from benchmarks._regression_problems import C, Problem


class Fitted(NamedTuple):
    """A row of coefficients for each class, or for two classes one in all; the iterations that were taken."""

    coef: NDArray[Any]
    intercept: NDArray[Any]
    iterations: int


Fitter = Callable[[int], Fitted]


@dataclass(frozen=True)
class Solver:
    """How a fit is made ready for a problem, untimed."""

    package: str
    ready: Callable[[Problem], Fitter]
    takes_sparse: bool = True

    @property
    def installed(self) -> bool:
        return installed([self.package])

    def takes(self, problem: Problem) -> bool:
        return self.takes_sparse or not sparse.issparse(problem.X)


def _logistic_regression(estimator: Any, solver: str, problem: Problem) -> Fitter:
    # For two classes it has one vector, and half the penalty of two.
    strength = 2 * C if problem.n_classes == 2 else C

    def fit(iterations: int) -> Fitted:
        model = estimator(C=strength, solver=solver, tol=0.0, max_iter=iterations).fit(problem.X, problem.y)
        return Fitted(model.coef_, model.intercept_, int(model.n_iter_.max()))

    return fit


def _scikit_learn(solver: str, problem: Problem) -> Fitter:
    from sklearn.linear_model import LogisticRegression

    return _logistic_regression(LogisticRegression, solver, problem)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _intelex(problem: Problem) -> Fitter:
    from sklearnex.linear_model import LogisticRegression

    logger, heard = logging.getLogger("sklearnex"), _Heard()
    logger.setLevel(logging.INFO)
    logger.handlers = [heard]
    own = _logistic_regression(LogisticRegression, "lbfgs", problem)

    def fit(iterations: int) -> Fitted:
        heard.messages.clear()
        fitted = own(iterations)
        # What it has no code for it gives to scikit-learn, and only its log tells.
        others = [words for words in heard.messages if not words.endswith(": running accelerated version on CPU")]
        if others or not heard.messages:
            raise RuntimeError(f"scikit-learn-intelex did not say that it ran code of its own; its log: {others}")
        return fitted

    return fit


def _torch(problem: Problem) -> Fitter:
    import torch
    from torch.nn.functional import cross_entropy

    rows, features = problem.X.shape
    if sparse.issparse(problem.X):
        own = problem.X.sorted_indices()
        parts = [torch.from_numpy(part) for part in (own.indptr, own.indices, own.data)]
        X = torch.sparse_csr_tensor(*parts, (rows, features), check_invariants=True)
    else:
        X = torch.from_numpy(problem.X)
    y = torch.from_numpy(problem.y)

    def fit(iterations: int) -> Fitted:
        # A fit of more iterations goes the same way further.
        torch.manual_seed(0)
        model = torch.nn.Linear(features, problem.n_classes, dtype=torch.float64)
        optimizer = torch.optim.LBFGS(
            model.parameters(),
            max_iter=iterations,
            # More than its line searches take, which would else end it before its last iteration.
            max_eval=100 * iterations,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def objective() -> torch.Tensor:
            optimizer.zero_grad()
            value = cross_entropy(model(X), y) + model.weight.square().sum() / (2 * C * rows)
            value.backward()
            return value

        optimizer.step(objective)
        taken = optimizer.state[model.weight]["n_iter"]
        return Fitted(model.weight.detach().numpy(), model.bias.detach().numpy(), taken)

    return fit


# In the order in which they race: a solver is left sooner where one before it was fast, as the first is on dense rows
# and the second on sparse ones.
SOLVERS = {
    "intelex lbfgs": Solver("sklearnex", _intelex, takes_sparse=False),
    "saga": Solver("sklearn", partial(_scikit_learn, "saga")),
    "newton-cg": Solver("sklearn", partial(_scikit_learn, "newton-cg")),
    "newton-cholesky": Solver("sklearn", partial(_scikit_learn, "newton-cholesky")),
    "lbfgs": Solver("sklearn", partial(_scikit_learn, "lbfgs")),
    "torch LBFGS": Solver("torch", _torch),
}


def of_all_classes(fitted: Fitted) -> tuple[NDArray[Any], NDArray[Any]]:
    """Coefficients and intercepts of each class."""
    coef, intercept = fitted.coef, fitted.intercept
    if len(coef) > 1:
        return coef, intercept
    return np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
