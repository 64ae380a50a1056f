"""Class axes: any axis, several, all; always the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import reference

X = np.random.default_rng(3).standard_normal((2, 3, 4, 5))
AXES = [0, 1, 3, -1, -4, (1, 2), (0, 3), (3, 0), (-1, 1), (0, 1, 2, 3), None]


def assert_same(actual, expected):
    """Up to the order in which NumPy adds, which depends on the memory layout."""
    np.testing.assert_allclose(actual, expected, rtol=8 * np.finfo(np.float64).eps)


def rows_by_hand(axis):
    """X as (rows, classes) with explicit loops, and the index of each entry in X."""
    named = tuple(range(4)) if axis is None else np.atleast_1d(axis)
    axes = sorted(int(each) % 4 for each in named)
    batch = [d for d in range(4) if d not in axes]
    indices = []
    for outer in np.ndindex(*(X.shape[d] for d in batch)):
        row = []
        for inner in np.ndindex(*(X.shape[d] for d in axes)):
            place = [0] * 4
            for d, i in zip(batch + axes, outer + inner, strict=True):
                place[d] = i
            row.append(tuple(place))
        indices.append(row)
    return indices, tuple(X.shape[d] for d in batch)


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_every_function_works_on_the_rows_of_its_axis(axis):
    indices, batch = rows_by_hand(axis)
    labels = np.arange(len(indices)) % len(indices[0])
    shaped = labels.reshape(batch)
    softmax, log_softmax = reference.softmax(X, axis=axis), reference.log_softmax(X, axis=axis)
    hardmax, lse = reference.hardmax(X, axis=axis), reference.logsumexp(X, axis=axis)
    loss = reference.cross_entropy(X, shaped, axis=axis, reduction="none")
    gradient = reference.cross_entropy_grad(X, shaped, axis=axis, reduction="sum")
    assert softmax.shape == log_softmax.shape == hardmax.shape == gradient.shape == X.shape
    assert np.shape(lse) == np.shape(loss) == batch
    for i, row in enumerate(indices):
        x = np.array([X[place] for place in row])

        def entries(array, row=row):
            return np.array([array[place] for place in row])

        assert_same(entries(softmax), reference.softmax(x))
        assert_same(entries(log_softmax), reference.log_softmax(x))
        assert_same(entries(hardmax), reference.hardmax(x))
        assert_same(np.ravel(lse)[i], reference.logsumexp(x))
        assert_same(np.ravel(loss)[i], reference.cross_entropy(x, labels[i]))
        assert_same(entries(gradient), reference.cross_entropy_grad(x, labels[i]))


def test_jacobian_shapes():
    assert reference.softmax_jacobian(X).shape == (2, 3, 4, 5, 5)
    assert reference.softmax_jacobian(X, axis=1).shape == (2, 4, 5, 3, 3)
    assert reference.log_softmax_jacobian(X, axis=(0, 2)).shape == (3, 5, 2, 4, 2, 4)
    assert reference.logsumexp_jacobian(X, axis=1).shape == (2, 4, 5, 3)
    assert reference.softmax_jacobian(X, axis=None).shape == X.shape + X.shape


def test_keepdims():
    assert reference.logsumexp(X, axis=(1, 3), keepdims=True).shape == (2, 1, 4, 1)
    assert reference.logsumexp(X, axis=None, keepdims=True).shape == (1, 1, 1, 1)


def test_a_reduction_to_one_value_is_a_scalar():
    assert type(reference.logsumexp(X, axis=None)) is np.float64
    assert type(reference.cross_entropy(X, 0, axis=None)) is np.float64


@pytest.mark.parametrize("axis", [4, -5, (0, 4)], ids=str)
def test_a_bad_axis(axis):
    with pytest.raises(np.exceptions.AxisError):
        reference.softmax(X, axis=axis)


def test_an_axis_given_twice():
    with pytest.raises(ValueError, match="twice"):
        reference.softmax(X, axis=(1, -3))
