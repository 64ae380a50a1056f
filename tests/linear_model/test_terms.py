"""Sums over the rows can be made wherever the rows are: each of them, in another process, with the same bits."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from softgrad.linear_model._data._prepared import OfPrepared
from softgrad.linear_model._data._rows import ArrayRows, IteratedRows, Rows
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model import _hessian, _objective
from softgrad.linear_model._model._objective import SoftmaxObjective
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng

SUMS_ELSEWHERE = """
import pickle, sys
from softgrad.linear_model._data._workers import Workers
with Workers(2) as workers:
    totals = [
        [source.total(term, workers, length) for term, length in asked]
        for source, asked in pickle.load(sys.stdin.buffer)
    ]
pickle.dump(totals, sys.stdout.buffer)
"""


class NotedRows(IteratedRows):
    """Rows in pieces that do not stay in memory; it notes the sums that are asked for, and what they are."""

    resident = False

    def __init__(self, rows: ArrayRows) -> None:
        self.dtype, self.is_sparse, self.total_weight = rows.dtype, rows.is_sparse, rows.total_weight
        self.n_rows, self.n_features = rows.n_rows, rows.n_features
        self.rows = rows
        self.asked: list[tuple[Term[Rows, Any], int]] = []
        self.totals: list[Any] = []

    def __iter__(self) -> Iterator[Rows]:
        return iter(self.rows)

    def total(self, term: Term[Rows, Any], workers: Workers, length: int) -> Any:
        total = super().total(term, workers, length)
        self.asked.append((term, length))
        # Whoever asked may go on in the memory of the total.
        self.totals.append(copy.deepcopy(total))
        return total


def kinds(kind: type) -> set[type]:
    """The classes derived from one that leave nothing abstract."""
    derived = {deeper for child in kind.__subclasses__() for deeper in kinds(child)}
    return derived if inspect.isabstract(kind) else derived | {kind}


def arrays_of(total: Any) -> list[np.ndarray]:
    if total is None:
        return []
    return [array for part in total for array in arrays_of(part)] if isinstance(total, tuple) else [np.asarray(total)]


def asked_for(
    rng: np.random.Generator, patched: pytest.MonkeyPatch, dtype: type, *, is_sparse: bool, fit_intercept: bool
) -> NotedRows:
    """The sums that the objective, its derivatives and a fit without a penalty are made of."""
    data = data_sets.random(rng, rows=700, features=6, classes=4)
    X = data.X.astype(dtype)
    X[rng.random(X.shape) < 0.5] = 0.0
    weights = rng.uniform(0.1, 2.0, 700)
    source = NotedRows(ArrayRows(scipy.sparse.csr_array(X) if is_sparse else X, data.y, weights))
    with Workers(1) as workers:
        objective = SoftmaxObjective(
            source, n_classes=4, C=1.0, fit_intercept=fit_intercept, label_smoothing=0.1, workers=workers
        )
        theta, direction = rng.standard_normal((2, *objective.shape))
        assert objective.class_shares.sum() == pytest.approx(1.0, rel=64 * np.finfo(np.float64).eps, abs=0)
        objective.value_and_gradient(theta)
        objective.gram()
        hessian = objective.hessian(theta)
        hessian.product(direction)
        hessian.class_covariance()
        hessian.diagonal()
        hessian.matrix(1)
        with patched.context() as patch:
            patch.setattr(_hessian, "_FEW_UNKNOWNS", 0)
            hessian.matrix(1)
        objective.dual_step(theta, direction)
        objective.is_separated_by(direction)
        objective.hessian_of_the_likely(theta, 1e-4).matrix(1)
    return source


def test_every_sum_has_the_same_bits_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_objective, "_LEAST_ROWS", 200)
    monkeypatch.setattr(_objective, "_BLOCK_BYTES", 1)
    rng = fresh_rng()
    sources = [
        asked_for(rng, monkeypatch, dtype, is_sparse=is_sparse, fit_intercept=fit_intercept)
        for dtype in (np.float32, np.float64)
        for is_sparse in (False, True)
        for fit_intercept in (False, True)
    ]
    for source in sources:
        sums = [term.term if isinstance(term, OfPrepared) else term for term, _ in source.asked]
        assert {type(term) for term in sums} | {OfPrepared} == kinds(Term)
        assert {len(list(source.rows.rows.blocks(length))) for _, length in source.asked} == {1, 4}
    asked = pickle.dumps([(source.rows, source.asked) for source in sources])
    done = subprocess.run([sys.executable, "-c", SUMS_ELSEWHERE], input=asked, capture_output=True, check=True)
    for source, totals in zip(sources, pickle.loads(done.stdout), strict=True):
        for (term, _), here, there in zip(source.asked, source.totals, totals, strict=True):
            for expected, found in zip(arrays_of(here), arrays_of(there), strict=True):
                assert np.any(expected), term
                assert found.tobytes() == expected.tobytes(), term
