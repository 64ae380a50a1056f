"""Everything that takes sparse rows takes SciPy's matrices and arrays in every format, with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV
from softgrad.linear_model._data._rows import canonical
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng

KINDS = [
    sparse.csr_matrix,
    sparse.csc_matrix,
    sparse.coo_matrix,
    sparse.csc_array,
    sparse.coo_array,
    sparse.bsr_matrix,
    sparse.dia_matrix,
    sparse.dok_array,
    sparse.lil_matrix,
]
CLASSES = 3


def square(rng: np.random.Generator, dtype: type = np.float64) -> data_sets.DataSet:
    """Data with as many rows as features, so that a product of X with itself has the shape of X."""
    X = rng.standard_normal((48, 48)) * (rng.random((48, 48)) < 0.3)
    y = np.argmax(X @ rng.standard_normal((48, CLASSES)) + rng.gumbel(size=(48, CLASSES)), axis=1)
    y[: 6 * CLASSES] = np.arange(6 * CLASSES) % CLASSES
    return data_sets.DataSet(X.astype(dtype), y)


def backwards(X: NDArray) -> sparse.csr_matrix:
    """The entries of each row from the last to the first."""
    rows = sparse.csr_array(X)
    order = np.concatenate([np.arange(end - 1, start - 1, -1) for start, end in pairwise(rows.indptr)])
    return sparse.csr_matrix((rows.data[order], rows.indices[order], rows.indptr), shape=X.shape)


def in_halves(X: NDArray) -> sparse.csr_matrix:
    """Each entry twice, as its halves."""
    rows = sparse.csr_array(X)
    parts = np.repeat(rows.data / 2, 2), np.repeat(rows.indices, 2), 2 * rows.indptr
    return sparse.csr_matrix(parts, shape=X.shape)


def wide_indices(X: NDArray) -> sparse.csr_array:
    rows = sparse.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


def unlike_indices(X: NDArray) -> sparse.csr_matrix:
    rows = sparse.csr_matrix(X)
    rows.indptr = rows.indptr.astype(np.int64)
    return rows


def read_only(X: NDArray) -> sparse.csr_matrix:
    rows = in_halves(X)
    for part in (rows.data, rows.indices, rows.indptr):
        part.flags.writeable = False
    return rows


def fit(X: Any, y: NDArray, tmp_path: Path, **options: Any) -> SoftmaxRegression:  # noqa: ARG001
    return SoftmaxRegression(**options).fit(X, y)


def fit_weighted(X: Any, y: NDArray, tmp_path: Path, **options: Any) -> SoftmaxRegression:  # noqa: ARG001
    return SoftmaxRegression(class_weight="balanced", **options).fit(X, y, np.arange(len(y)) % 4)


def fit_stream(X: Any, y: NDArray, tmp_path: Path, **options: Any) -> SoftmaxRegression:  # noqa: ARG001
    return SoftmaxRegression(**options).fit_stream([(X, y, np.arange(len(y)) % 4)])


def resume(X: Any, y: NDArray, tmp_path: Path, **options: Any) -> SoftmaxRegression:
    """From what a fit to a `csr_array` has left after two iterations."""
    place = tmp_path / "checkpoint"
    rows = sparse.csr_array(X.toarray())
    with pytest.warns(UserWarning, match="max_iter=2 iterations were not enough"):
        SoftmaxRegression(max_iter=2, **options).fit_stream([(rows, y)], checkpoint=place)
    return SoftmaxRegression(**options).fit_stream([(X, y)], checkpoint=place, resume=True)


def cross_validate(X: Any, y: NDArray, tmp_path: Path, **options: Any) -> SoftmaxRegressionCV:  # noqa: ARG001
    return SoftmaxRegressionCV(Cs=[0.01, 1.0], cv=3, scoring="accuracy", **options).fit(X, y, np.arange(len(y)) % 4 + 1)


def partial_fit(X: Any, y: NDArray, tmp_path: Path) -> SoftmaxRegression:  # noqa: ARG001
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, classes=range(CLASSES))
    return model.partial_fit(X, y, sample_weight=np.arange(len(y)) % 4)


USES: dict[str, tuple[Callable[..., Any], dict[str, Any], type]] = {
    "fit": (fit, {}, np.float64),
    "newton-blocks": (fit, {"solver": "newton-blocks"}, np.float64),
    "lbfgs-blocks": (fit, {"solver": "lbfgs-blocks"}, np.float64),
    "newton-diagonal": (fit, {"solver": "newton-diagonal"}, np.float64),
    "lbfgs-gram": (fit, {"solver": "lbfgs-gram"}, np.float64),
    "elastic net": (fit, {"l1_ratio": 0.5}, np.float64),
    "float32": (fit, {}, np.float32),
    "polish": (fit, {"polish": True, "tol": 1e-10}, np.float32),
    "weights": (fit_weighted, {}, np.float64),
    "stream": (fit_stream, {}, np.float64),
    "checkpoint": (resume, {}, np.float64),
    "cross-validation": (cross_validate, {}, np.float64),
    "partial_fit": (partial_fit, {}, np.float64),
}
each_use = pytest.mark.parametrize("use", USES)


def results(use: str, X: Any, y: NDArray, tmp_path: Path) -> dict[str, NDArray]:
    """All that a fit to X, and the fitted with X again, give as numbers."""
    tmp_path.mkdir()
    function, options, _ = USES[use]
    model = function(X, y, tmp_path, **options)
    attributes = ("coef_", "intercept_", "loss_curve_", "scores_")
    methods = ("decision_function", "predict", "predict_proba", "predict_log_proba")
    return (
        {name: np.asarray(getattr(model, name)) for name in attributes if hasattr(model, name)}
        | {name: getattr(model, name)(X) for name in methods}
        | {"score": np.asarray(model.score(X, y))}
    )


@each_use
@pytest.mark.parametrize("form", [*KINDS, backwards, in_halves, wide_indices, unlike_indices, read_only])
def test_every_form_of_the_rows_gives_the_same_bits(form: Callable[[NDArray], Any], use: str, tmp_path: Path) -> None:
    X, y = square(fresh_rng(), USES[use][2])
    expected = results(use, sparse.csr_array(X), y, tmp_path / "expected")
    given = form(X)
    before = given.copy()
    found = results(use, given, y, tmp_path / "found")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert expected["coef_"].std() > 0.0
    # The caller's rows are as they were, entry by entry.
    for name in vars(before):
        if isinstance(getattr(before, name), np.ndarray):
            np.testing.assert_array_equal(getattr(given, name), getattr(before, name))


@pytest.mark.parametrize("form", [sparse.csr_matrix, in_halves])
@pytest.mark.parametrize("use", [use for use in USES if use != "partial_fit"])
def test_fits_to_sparse_rows_are_those_to_dense_rows(form: Callable[[NDArray], Any], use: str, tmp_path: Path) -> None:
    function, options, dtype = USES[use]
    X, y = square(fresh_rng(), dtype)
    options = {"tol": 1e-12 if dtype == np.float64 else bounds.TOL, **options}
    expected = (fit if use == "checkpoint" else function)(X, y, tmp_path, **options)
    model = function(form(X), y, tmp_path, **options)
    as_fitted = SoftmaxRegression(C=getattr(expected, "C_", 1.0), **options)
    as_fitted.loss_curve_ = expected.loss_curve_
    # The weights add up to at most three times the number of the rows.
    distance = bounds.of_coefficients(as_fitted, 3.0 * len(y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)
    assert distance < 100.0 * np.sqrt(options["tol"]) * np.abs(expected.coef_).max()
    np.testing.assert_allclose(model.loss_curve_[-1], expected.loss_curve_[-1], rtol=2.0 * options["tol"])


@pytest.mark.parametrize("form", [sparse.csr_matrix, in_halves])
def test_steps_along_sparse_rows_are_those_along_dense_rows(form: Callable[[NDArray], Any], tmp_path: Path) -> None:
    X, y = square(fresh_rng())
    expected, model = (partial_fit(rows, y, tmp_path) for rows in (X, form(X)))
    rounding = 4096 * bounds.EPS
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=rounding * np.abs(expected.coef_).max())
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=rounding)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", [sparse.csr_matrix, in_halves])
def test_scores_of_sparse_rows_are_those_of_dense_rows(form: Callable[[NDArray], Any], dtype: type) -> None:
    X, y = square(fresh_rng(), dtype)
    model = SoftmaxRegression().fit(X, y)
    size = np.abs(X) @ np.abs(model.coef_).T + np.abs(model.intercept_)
    rounding = X.shape[1] * np.finfo(dtype).eps * size.max()
    logits = model.decision_function(form(X))
    assert logits.dtype == dtype
    np.testing.assert_allclose(logits, model.decision_function(X), rtol=0, atol=rounding)


def test_zeros_that_are_stored_are_zeros() -> None:
    X, y = square(fresh_rng())
    stored = sparse.csr_matrix(np.where(X == 0.0, 1.0, X))
    stored.data[stored.data == 1.0] = 0.0
    assert stored.nnz == X.size
    model = SoftmaxRegression(random_state=0).partial_fit(stored, y, classes=range(CLASSES))
    dense = SoftmaxRegression(random_state=0).partial_fit(X, y, classes=range(CLASSES))
    rounding = 4096 * bounds.EPS * np.abs(dense.coef_).max()
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=0, atol=rounding)


@pytest.mark.parametrize("form", [*KINDS, backwards, in_halves, wide_indices, unlike_indices])
def test_canonical_rows(form: Callable[[NDArray], Any]) -> None:
    X, _ = square(fresh_rng())
    rows = canonical(form(X))
    assert isinstance(rows, sparse.csr_array)
    expected = sparse.csr_array(X)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(expected, name))
    assert rows.indices.dtype == rows.indptr.dtype == np.int32


def test_rows_that_are_canonical_are_shared() -> None:
    for kind in (sparse.csr_array, sparse.csr_matrix):
        given = kind(square(fresh_rng()).X)
        assert np.shares_memory(canonical(given).data, given.data)
        assert np.shares_memory(canonical(given).indices, given.indices)


def test_entries_whose_sum_overflows_are_not_finite() -> None:
    X, y = square(fresh_rng())
    rows = in_halves(X)
    rows.data[:2] = 1e308
    model = SoftmaxRegression().fit(X, y)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="infinity"):
            method(rows, y)
    with pytest.raises(ValueError, match=r"X, row 1, feature \d+ is inf; it must be finite"):
        SoftmaxRegression().fit_stream([(rows, y)])


def test_one_row_without_a_second_axis_is_refused() -> None:
    X, y = square(fresh_rng())
    model = SoftmaxRegression().fit(X, y)
    for kind in (sparse.csr_array, sparse.coo_array):
        row = kind(X[0])
        assert row.ndim == 1
        for method in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=r"Expected 2D input, got input with shape \(48,\)"):
                method(row, y)
        with pytest.raises(ValueError, match=r"Expected 2D input, got input with shape \(48,\)"):
            model.predict(row)
        with pytest.raises(ValueError, match=r"X of batch 0 has shape \(48,\); it must have rows and columns"):
            SoftmaxRegression().fit_stream([(row, y)])
