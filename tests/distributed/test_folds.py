"""Folds as tasks, in threads, processes and clusters: the bits, the warnings and the errors of one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import distributed
import numpy as np
import pytest
import ray
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from ray.util.joblib.ray_backend import RayBackend
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold

from softgrad.distributed import _dask, _ray, register_ray
from softgrad.linear_model import SoftmaxRegressionCV
from softgrad.linear_model._fold import FoldRows
from tests.oracles.inputs import fresh_rng

# Of the engines themselves, at their start.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

# A new context of the backend.
Backend = Callable[[], AbstractContextManager[Any]]


def threads(_: ExitStack) -> Backend:
    return lambda: parallel_config("threading", n_jobs=2)


def loky(stack: ExitStack) -> Backend:
    stack.callback(lambda: get_reusable_executor().shutdown(wait=True))
    return lambda: parallel_config("loky", n_jobs=2)


def on_ray(stack: ExitStack) -> Backend:
    stack.enter_context(_ray._own_cluster(2))
    register_ray()
    return lambda: parallel_config("ray")


def on_dask(stack: ExitStack) -> Backend:
    client = stack.enter_context(_dask._own_cluster(2))
    return lambda: parallel_config("dask", client=client)


BACKENDS = [threads, loky, on_dask, pytest.param(on_ray, marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda start: start.__name__)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with ExitStack() as stack:
        yield request.param(stack)


def weighted_accuracy(offset: float) -> Callable[..., float]:
    # What is defined inside goes to a process as it is, and not by the name of a module that it may not have.
    return lambda model, X, y, sample_weight: offset + model.score(X, y, sample_weight)


class Case:
    """Text labels, weights and groups; and too few iterations, but for the smaller C."""

    def __init__(self, *, is_sparse: bool = False, scoring: Any = None) -> None:
        rng = fresh_rng()
        X = rng.standard_normal((240, 6)) * (rng.random((240, 6)) < 0.5)
        y = np.array(["low", "mid", "top"])[(X @ rng.standard_normal((6, 3)) + rng.gumbel(size=(240, 3))).argmax(1)]
        self.X = sparse.csr_array(X) if is_sparse else X
        self.y, self.weights, self.groups = y, rng.uniform(0.5, 2.0, 240), np.arange(240) % 4
        self.options = {"Cs": [1e-6, 10.0], "cv": GroupKFold(4), "max_iter": 2, "scoring": scoring}

    def fitted(self, **options: Any) -> tuple[SoftmaxRegressionCV, list[str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ConvergenceWarning)
            model = SoftmaxRegressionCV(**self.options, **options).fit(self.X, self.y, self.weights, self.groups)
        assert {warning.filename for warning in caught} <= {__file__}
        return model, [str(warning.message) for warning in caught]


def assert_as_alone(case: Case, backend: Backend, **options: Any) -> None:
    alone, warned = case.fitted()
    with backend():
        model, also = case.fitted(**options)
    for name in ("scores_", "C_", "coef_", "intercept_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(alone, name), strict=True)
    assert len(np.unique(alone.scores_)) > 2
    assert also == warned
    fits = [*(f"fold {fold} of cv" for fold in range(4)), "all rows"]
    assert [text.partition(": SoftmaxRegression stopped")[0] for text in warned] == [f"{fit}, C=10" for fit in fits]


def test_the_bits_and_the_warnings(backend: Backend) -> None:
    assert_as_alone(Case(), backend)


@pytest.mark.slow
@pytest.mark.parametrize(("scoring", "n_jobs"), [(None, -1), ("accuracy", 1), (weighted_accuracy(0.5), 2)])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_every_kind_of_fold(backend: Backend, n_jobs: int, scoring: Any, is_sparse: bool) -> None:
    assert_as_alone(Case(is_sparse=is_sparse, scoring=scoring), backend, n_jobs=n_jobs)


# Not threads: those that go on after an error change the filters of warnings when they end, as scikit-learn has it.
@pytest.mark.slow
@pytest.mark.parametrize("backend", [loky, on_dask, on_ray], indirect=True)
def test_an_error_names_its_fold(backend: Backend) -> None:
    def scoring(model: Any, X: Any, y: Any, sample_weight: Any) -> float:  # noqa: ARG001
        if model.C == 10.0 and len(y) == 60:
            raise LookupError("no such score")
        return 0.0

    case = Case(scoring=scoring)
    with backend(), pytest.raises(LookupError, match="no such score") as caught:
        case.fitted()
    (note,) = caught.value.__notes__
    assert note in [f"in fold {fold} of cv, with C=10" for fold in range(4)]
    case.options["cv"] = [(np.flatnonzero(case.y != "mid"), np.arange(240))]
    with backend(), pytest.raises(ValueError, match="fold 0 of cv scores rows of class mid and fits to none"):
        case.fitted()


@pytest.mark.slow
@pytest.mark.parametrize("backend", [on_ray], indirect=True)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_ray_has_the_rows_once(backend: Backend, is_sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    put, submit = ray.put, RayBackend.submit
    stored: list[object] = []
    sent: list[int] = []

    def counted_put(value: object) -> Any:
        stored.append(value)
        return put(value)

    def counted_submit(self: Any, func: Any, callback: Any = None) -> Any:
        sent.append(len(ray.cloudpickle.dumps(func.items)))
        return submit(self, func, callback)

    case = Case(is_sparse=is_sparse)
    repeated = np.tile(np.arange(240), 40)
    case.X, case.y, case.weights, case.groups = (rows[repeated] for rows in (case.X, case.y, case.weights, case.groups))
    with backend():
        monkeypatch.setattr(ray, "put", counted_put)
        monkeypatch.setattr(RayBackend, "submit", counted_submit)
        case.fitted()
    assert [type(value) for value in stored] == [FoldRows]
    # What a task has of its own are the numbers of its rows.
    assert len(sent) == 4
    assert max(sent) < 2 * 8 * len(repeated)


@pytest.mark.parametrize("backend", [on_dask], indirect=True)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_dask_has_the_rows_once(backend: Backend, is_sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scatter = distributed.Client.scatter
    stored = []

    def counted(self: Any, data: Any, *arguments: Any, **options: Any) -> Any:
        stored.append(data)
        return scatter(self, data, *arguments, **options)

    monkeypatch.setattr(distributed.Client, "scatter", counted)
    with backend():
        Case(is_sparse=is_sparse).fitted()
    assert [type(value) for value in stored] == [FoldRows]


def test_no_more_processes_than_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    configure = RayBackend.configure

    def counted(self: Any, n_jobs: int, *arguments: Any, **options: Any) -> Any:
        started.append(n_jobs)
        return configure(self, 1, *arguments, **options)

    monkeypatch.setattr(RayBackend, "configure", counted)
    monkeypatch.setattr(RayBackend, "effective_n_jobs", lambda _, n_jobs: 64 if n_jobs == -1 else n_jobs)
    register_ray()
    with parallel_config("ray"):
        Case().fitted()
    assert started == [4]
