"""The products of sparse rows with a dense matrix, in every length of its rows, against sums in extended precision."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import softgrad as sg
from softgrad import _native
from softgrad.linear_model._data._rows import Rows
from softgrad.linear_model._model._standardisation import Standardisation
from tests.oracles.inputs import fresh_rng
from tests.test_instruction_sets import AVAILABLE, WITH_FMA

ROOT = Path(__file__).parents[2]
# Around the widths of the vectors, and around as many of them as are in registers at a time.
COLUMNS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 33, 60, 64, 65, 70, 128, 130, 257]
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def matrix(rng: np.random.Generator, dtype: type, index: type = np.int32) -> sparse.csr_array:
    """(40, 30); some rows and some columns of it have no entries."""
    dense = rng.standard_normal((40, 30)) * (rng.random((40, 30)) < 0.2)
    dense[rng.random(40) < 0.2] = 0.0
    dense[:, rng.random(30) < 0.2] = 0.0
    X = sparse.csr_array(dense.astype(dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


def rows_of(X: sparse.csr_array) -> Rows:
    return Rows(X, np.zeros(X.shape[0], np.int64), np.ones(X.shape[0]))


def assert_sums(found: np.ndarray, left: np.ndarray, right: np.ndarray, origin: np.ndarray | float = 0.0) -> None:
    """`found` is left @ right + origin, to what adding one product after the other may round."""
    left, right = left.astype(np.longdouble), right.astype(np.longdouble)
    eps = float(np.finfo(found.dtype).eps)
    size = np.abs(left) @ np.abs(right) + np.abs(origin)
    bound = eps * (np.count_nonzero(left, axis=1)[:, None] + 1) * size
    assert np.all(np.abs(found - (left @ right + origin)) <= bound)


@dtypes
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("columns", COLUMNS)
def test_products_are_sums_of_their_entries(dtype: type, index: type, columns: int) -> None:
    rng = fresh_rng()
    X = matrix(rng, dtype, index)
    assert X.indices.dtype == index
    dense = X.toarray()
    weight = rng.standard_normal((columns, 30)).astype(dtype)
    bias = rng.standard_normal(columns).astype(dtype)
    factors = rng.standard_normal((40, columns)).astype(dtype)
    assert_sums(rows_of(X).logits(weight, None), dense, weight.T)
    assert_sums(rows_of(X).logits(np.asfortranarray(weight), bias), dense, weight.T, bias)
    assert_sums(rows_of(X).gather(factors).T, dense.T, factors)


@dtypes
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_squares_are_those_of_standardised_features(dtype: type, fit_intercept: bool) -> None:
    """The sums on the diagonal of a Hessian, in what it takes of the rows: their entries alone."""
    rng = fresh_rng()
    X = matrix(rng, dtype)
    centre = rng.standard_normal(30) if fit_intercept else np.zeros(30)
    scale = rng.uniform(0.5, 2.0, 30)
    factors = rng.random((40, 5)).astype(dtype)
    found = Standardisation(centre, scale, fit_intercept=fit_intercept).squares(X, factors)
    dense, wide = X.toarray().astype(np.longdouble), factors.astype(np.longdouble)
    expected = wide.T @ ((dense - centre) / scale) ** 2
    size = wide.T @ ((np.abs(dense) + np.abs(centre)) / scale) ** 2
    assert found.dtype == np.float64
    assert np.all(np.abs(found - expected) <= 50 * float(np.finfo(dtype).eps) * size)


def test_a_sum_goes_on_from_what_is_there() -> None:
    rng = fresh_rng()
    X = matrix(rng, np.float64)
    factors, before = rng.standard_normal((40, 13)), rng.standard_normal((30, 13))
    total = before.copy()
    _native.sparse_transposed_product(X.data, X.indices, X.indptr, factors, total)
    assert_sums(total, X.toarray().T, factors, before)


def test_blocks_of_rows_share_their_entries() -> None:
    X = sparse.csr_array(sparse.vstack([matrix(fresh_rng(), np.float64)] * 20))
    rows = rows_of(X)
    blocks = list(rows.blocks(300))
    assert len(blocks) == 3
    assert all(np.shares_memory(block.X.data, rows.X.data) for block in blocks)
    np.testing.assert_array_equal(np.vstack([block.X.toarray() for block in blocks]), rows.X.toarray())


def test_what_is_no_entry_is_not_multiplied() -> None:
    X = sparse.csr_array(np.array([[1.0, 0.0], [0.0, 2.0]]))
    weight = np.array([[np.nan, 3.0]])
    np.testing.assert_array_equal(rows_of(X).logits(weight, None), [[np.nan], [6.0]])


@pytest.mark.parametrize("places", [[0, 30], [-1, 3], [29, 2**31 - 1]])
def test_an_entry_outside_the_matrix_is_refused(places: list[int]) -> None:
    data, indices, indptr = np.ones(2), np.array(places, np.int32), np.array([0, 1, 2], np.int32)
    out = np.zeros((2, 4))
    with pytest.raises(IndexError, match="an entry outside the matrix"):
        _native.sparse_product(data, indices, indptr, np.ones((30, 4)), None, out)
    with pytest.raises(IndexError, match="an entry outside the matrix"):
        _native.sparse_transposed_product(data, indices, indptr, np.ones((2, 4)), np.zeros((30, 4)))
    assert not out.any()


@pytest.mark.parametrize("starts", [[0, 2, 1], [0, 1, 3], [1, 1, 2]])
def test_rows_that_are_not_within_the_entries_are_refused(starts: list[int]) -> None:
    with pytest.raises(IndexError, match="an entry outside the matrix"):
        _native.sparse_product(
            np.ones(2), np.zeros(2, np.int32), np.array(starts, np.int32), np.ones((3, 4)), None, np.zeros((2, 4))
        )


def test_other_shapes_and_dtypes_are_refused() -> None:
    X = matrix(fresh_rng(), np.float64)
    parts = X.data, X.indices, X.indptr
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.sparse_product(*parts, np.ones((30, 4)), None, np.zeros((39, 4)))
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.sparse_product(*parts, np.ones((30, 4)), np.ones(3), np.zeros((40, 4)))
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.sparse_transposed_product(*parts, np.ones((40, 4)), np.zeros((30, 5)))
    with pytest.raises(TypeError, match="wrong buffer"):
        _native.sparse_product(*parts, np.ones((30, 4), np.float32), None, np.zeros((40, 4)))
    with pytest.raises(TypeError, match="wrong buffer"):
        _native.sparse_product(X.data, X.indices.astype(np.int64), X.indptr, np.ones((30, 4)), None, np.zeros((40, 4)))


def digest() -> str:
    rng = np.random.default_rng(20261122)
    found = hashlib.sha256()
    for dtype in (np.float32, np.float64):
        X = matrix(rng, dtype)
        for columns in COLUMNS:
            found.update(rows_of(X).logits(rng.standard_normal((columns, 30)).astype(dtype), None).tobytes())
            found.update(rows_of(X).gather(rng.standard_normal((40, columns)).astype(dtype)).tobytes())
    return found.hexdigest()


def on(level: str, *command: str) -> str:
    environment = {**os.environ, "SOFTGRAD_ISA": level}
    finished = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.parametrize("level", [level for level in AVAILABLE if level != sg.show_config()["instruction_set"]])
def test_the_sums_hold_on_every_instruction_set(level: str) -> None:
    here = str(Path(__file__).relative_to(ROOT))
    said = on(level, "-m", "pytest", "-q", "-p", "no:cacheprovider", here, "-k", "sums_of_their_entries or goes_on")
    assert f"{2 * 2 * len(COLUMNS) + 1} passed" in said


@pytest.mark.parametrize("level", WITH_FMA)
def test_instruction_sets_with_fma_give_the_same_bits(level: str) -> None:
    program = "from tests.linear_model.test_sparse_products import digest; print(digest())"
    assert on(level, "-c", program).strip() == digest()
