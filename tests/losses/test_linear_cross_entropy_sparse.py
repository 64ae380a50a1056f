"""linear_cross_entropy takes both of SciPy's kinds of sparse rows, as CSR, and refuses the other formats."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import softgrad as sg
from softgrad.losses._linear_cross_entropy._operands import Operands
from tests.oracles.inputs import fresh_rng

WRT = ("weight", "bias")


def problem(rng):
    """Square: as many rows as features, so that a product of hidden with itself has the shape of hidden."""
    hidden = rng.standard_normal((20, 20)) * (rng.random((20, 20)) < 0.4)
    return hidden, rng.standard_normal((5, 20)), rng.integers(5, size=20), rng.standard_normal(5)


def derivatives(hidden, weight, labels, bias, tangents):
    loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, wrt=WRT)
    slope = sg.linear_cross_entropy.jvp(hidden, weight, labels, bias, tangents)
    products = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, tangents, wrt=WRT)
    return [loss, gradients.weight, gradients.bias, slope, products.weight, products.bias]


def in_halves(rows):
    """Each entry twice, as its halves."""
    parts = np.repeat(rows.data / 2, 2), np.repeat(rows.indices, 2), 2 * rows.indptr
    return scipy.sparse.csr_matrix(parts, shape=rows.shape)


def test_both_kinds_are_the_dense_rows_with_the_same_bits():
    rng = fresh_rng()
    hidden, weight, labels, bias = problem(rng)
    tangents = (None, rng.standard_normal(weight.shape), rng.standard_normal(bias.shape))
    array, matrix = scipy.sparse.csr_array(hidden), scipy.sparse.csr_matrix(hidden)
    expected = derivatives(array, weight, labels, bias, tangents)
    for found, value in zip(derivatives(matrix, weight, labels, bias, tangents), expected, strict=True):
        np.testing.assert_array_equal(found, value)
    rounding = 256 * np.finfo(np.float64).eps
    for rows in (hidden, in_halves(array)):
        for found, value in zip(derivatives(rows, weight, labels, bias, tangents), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=0, atol=rounding * np.abs(value).max())


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, np.bool_])
def test_the_rows_that_products_are_made_of_are_an_array(kind, dtype):
    """For those of a matrix `*` and `**` would be products of matrices; the numbers are shared where they can be."""
    given = kind(np.eye(3, dtype=dtype))
    rows = Operands.of(given, np.ones((2, 3), np.float32 if dtype == np.float32 else np.float64), None).hidden
    assert isinstance(rows, scipy.sparse.csr_array)
    np.testing.assert_array_equal((rows**2).toarray(), np.eye(3))
    assert np.shares_memory(rows.data, given.data) == (given.dtype.kind == "f")


@pytest.mark.parametrize("format", ["csc", "coo", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_other_formats_are_refused_by_name(kind, format):
    rows = kind(np.eye(3)).asformat(format)
    with pytest.raises(
        TypeError, match=rf"hidden is sparse, of the format {format}; it must be csr: give hidden\.tocsr"
    ):
        sg.linear_cross_entropy(rows, np.ones((4, 3)), [0, 1, 2])


def test_a_row_without_a_second_axis_is_refused():
    with pytest.raises(ValueError, match=r"hidden has shape \(3,\); it must be \(N, D\)"):
        sg.linear_cross_entropy(scipy.sparse.csr_array(np.ones(3)), np.ones((4, 3)), [0])
