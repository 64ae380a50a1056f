"""scikit-learn's callbacks, where it has them (since 1.9): one task for the fit, one for each of its iterations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from numpy.typing import NDArray

__all__ = ["CallbackSupport", "FitTask", "with_callbacks"]

P = ParamSpec("P")
R = TypeVar("R")

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing: this version of scikit-learn has no callbacks."""

    def _with_callbacks(method: Callable[P, R]) -> Callable[P, R]:
        # One more frame on the stack, as with callbacks, for the place that warnings name.
        @wraps(method)
        def called(*arguments: P.args, **options: P.kwargs) -> R:
            return method(*arguments, **options)

        return called


def with_callbacks(method: Callable[P, R]) -> Callable[P, R]:
    """scikit-learn's decorator of a `fit` that has callbacks, with the types it leaves out."""
    called: Callable[P, R] = _with_callbacks(method)
    return called


class FitTask:
    """The task of one fit.

    Parameters
    ----------
    estimator : the estimator that is fitted
    X, y, sample_weight : what it is fitted to
    max_iter : int
    """

    def __init__(self, estimator: Any, X: object, y: object, sample_weight: object, max_iter: int) -> None:
        self._hooks = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._context: Any = None
        # Else nobody is told of the tasks, and to make them takes as long as a step of a small fit.
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            self._context = estimator._init_callback_context(max_subtasks=max_iter)
            self._context.call_on_fit_task_begin(**self._hooks)

    def begin_iteration(self) -> None:
        if self._context is not None:
            self._iteration = self._context.subcontext(task_name="iteration")
            self._iteration.call_on_fit_task_begin(**self._hooks)

    def end_iteration(self, attributes: Callable[[], dict[str, NDArray[Any]]]) -> bool:
        """Whether a callback asks for the end of the fit; `attributes` makes what predictions are made from."""
        if self._context is None:
            return False
        return bool(self._iteration.call_on_fit_task_end(**self._hooks, reconstruction_attributes=attributes))

    def end(self) -> None:
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._hooks, reconstruction_attributes={})
