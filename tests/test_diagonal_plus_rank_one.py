"""The Hessian as a diagonal plus a rank-one part: against its dense form, and 50 digits where that cancels."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import softgrad as sg
from tests.oracles.inputs import fresh_rng

EPS = np.finfo(np.float64).eps


@pytest.fixture(params=[{}, {"softcap": 20.0, "z_loss": 0.01}, {"label_smoothing": 0.3, "temperature": 2.0}], ids=str)
def hessian(request):
    rng = fresh_rng()
    x = 2.0 * rng.standard_normal((5, 3, 8))
    return sg.cross_entropy.hessian(x, rng.integers(0, 8, (5, 3)), reduction="sum", **request.param)


def test_the_parts_agree_with_the_dense_form(hessian):
    rng = fresh_rng()
    dense = hessian.toarray()
    assert dense.shape == hessian.shape == (5, 3, 8, 8)
    np.testing.assert_array_equal(np.diagonal(dense, axis1=-2, axis2=-1), hessian.diagonal())
    v = rng.standard_normal((5, 3, 8))
    columns = rng.standard_normal((5, 3, 8, 2))
    scale = 16 * EPS * np.max(np.abs(dense) @ np.ones(8))
    np.testing.assert_allclose(hessian @ v, (dense @ v[..., None])[..., 0], rtol=0, atol=scale * np.max(np.abs(v)))
    np.testing.assert_allclose(hessian @ columns, dense @ columns, rtol=0, atol=scale * np.max(np.abs(columns)))


@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_solve_against_numpy(hessian, damping):
    rng = fresh_rng()
    damped = hessian.toarray() + damping * np.eye(8)
    condition = np.max(np.linalg.cond(damped))
    for right in (rng.standard_normal((5, 3, 8)), rng.standard_normal((5, 3, 8, 2))):
        expected = np.linalg.solve(damped, right[..., None] if right.ndim == 3 else right).reshape(right.shape)
        actual = hessian.solve(right, damping=damping)
        assert actual.shape == right.shape
        np.testing.assert_allclose(actual, expected, rtol=0, atol=16 * EPS * condition * np.max(np.abs(expected)))


def test_solve_in_a_confident_row_with_little_damping():
    """The denominator of Sherman and Morrison is 1e-12 there: 1 minus a sum has lost it."""
    x, damping, right = [0.0, 30.0, 1.0], 1e-12, [1.0, -1.0, 0.5]
    with mpmath.workdps(60):
        e = [mpmath.exp(mpmath.mpf(each) - 30) for each in x]
        p = [each / mpmath.fsum(e) for each in e]
        matrix = mpmath.matrix(3, 3)
        for i in range(3):
            for j in range(3):
                matrix[i, j] = (p[i] if i == j else 0) - p[i] * p[j] + (mpmath.mpf(damping) if i == j else 0)
        exact = [float(each) for each in mpmath.lu_solve(matrix, mpmath.matrix(right))]
    solution = sg.cross_entropy.hessian(x, 1).solve(right, damping=damping)
    np.testing.assert_allclose(solution, exact, rtol=64 * EPS)


def test_a_singular_matrix_is_named():
    hessian = sg.cross_entropy.hessian([[0.0, 0.0], [0.0, 1.0]], [0, 1])
    with pytest.raises(np.linalg.LinAlgError, match=r"row \[0\] is singular at damping 0\.0"):
        hessian.solve(np.ones((2, 2)))
    with pytest.raises(np.linalg.LinAlgError, match=r"row \[1\] is singular"):
        sg.cross_entropy.hessian([[0.0, 0.0], [0.0, -2000.0]], [0, 1], z_loss=0.1).solve(np.ones((2, 2)))


def test_errors_name_the_shapes():
    hessian = sg.cross_entropy.hessian(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ValueError, match=r"has shape \(2, 4\); matrices of shape \(2, 3, 3\) take \(2, 3\)"):
        hessian @ np.zeros((2, 4))
    with pytest.raises(ValueError, match="damping is -1"):
        hessian.solve(np.zeros((2, 3)), damping=-1.0)
    with pytest.raises(ValueError, match="damping is nan"):
        hessian.solve(np.zeros((2, 3)), damping=float("nan"))


def test_float32_is_rounded_once():
    rng = fresh_rng()
    x = rng.standard_normal((4, 9)).astype(np.float32)
    v = rng.standard_normal((4, 9))
    narrow, wide = (sg.cross_entropy.hessian(each, [0, 1, 2, 3]) for each in (x, x.astype(np.float64)))
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow @ v, (wide @ v).astype(np.float32))
    np.testing.assert_array_equal(narrow.toarray(), wide.toarray().astype(np.float32))
    assert "(4, 9, 9)" in repr(narrow)
