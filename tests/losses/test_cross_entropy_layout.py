"""Axes, memory layouts, out= and the same bits for cross_entropy."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.problems import LABEL_KINDS, draw_problem
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import STRETCH, fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
kinds = pytest.mark.parametrize("kind", LABEL_KINDS)
OPTIONS = [{}, {"label_smoothing": 0.1}]
options = pytest.mark.parametrize("options", OPTIONS, ids=["plain", "smoothed"])


def results(x, labels, **options):
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
    losses = sg.cross_entropy(x, labels, **{**options, "reduction": "none"})
    return loss, losses, gradient


def assert_same(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@dtypes
@kinds
@options
@pytest.mark.parametrize("shape", [(1, 1), (150, 10), (5, 70), (3, 700), (2, STRETCH + 7)], ids=str)
def test_layouts(shape, options, kind, dtype):
    problem = draw_problem(fresh_rng(), *shape, dtype)
    x, labels = problem.logits, problem.labels(kind)
    expected = results(x, labels, **options)
    spread = np.zeros((2 * shape[0], 3 * shape[1]), dtype)
    spread[::2, ::3] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    for other in (
        np.asfortranarray(x),
        spread[::2, ::3],
        np.ascontiguousarray(x[::-1])[::-1],
        np.ascontiguousarray(x[:, ::-1])[:, ::-1],
        read_only,
    ):
        assert_same(results(other, labels, **options), expected)
        np.testing.assert_array_equal(other, x)
    strided_labels = np.repeat(labels, 2, axis=0)[::2]
    strided_labels.flags.writeable = False
    assert_same(results(x, strided_labels, **options), expected)
    assert_same(results(x, np.asfortranarray(labels), **options), expected)


@dtypes
@kinds
@options
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3, (0, 2), (2, 0), (1, 2), (0, 1, 2), None], ids=str)
def test_axes(axis, options, kind, dtype):
    rng = fresh_rng()
    shape = (3, 67, 5)
    x = (3.0 * rng.standard_normal(shape)).astype(dtype)
    named = range(3) if axis is None else np.atleast_1d(axis)
    axes = sorted(int(each) % 3 for each in named)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    batch = moved.shape[: 3 - len(axes)]
    rows = np.ascontiguousarray(moved).reshape((*batch, -1))
    if kind == "indices":
        labels = row_labels = rng.integers(rows.shape[-1], size=batch)
    else:
        labels = rng.uniform(0.0, 1.0, shape).astype(dtype)
        row_labels = np.ascontiguousarray(np.moveaxis(labels, axes, range(-len(axes), 0))).reshape(rows.shape)
    loss, losses, gradient = results(x, labels, axis=axis, **options)
    expected_loss, expected_losses, expected_gradient = results(rows, row_labels, **options)
    assert np.shape(losses) == batch
    assert gradient.shape == shape
    np.testing.assert_array_equal(loss, expected_loss)
    np.testing.assert_array_equal(losses, expected_losses)
    by_row = np.moveaxis(gradient, axes, range(-len(axes), 0)).reshape(rows.shape)
    np.testing.assert_array_equal(by_row, expected_gradient)


@dtypes
def test_weights_follow_the_axes(dtype):
    """(N, C, H, W) with the class axis second, class and sample weights: as if the class axis were last."""
    rng = fresh_rng()
    x = rng.standard_normal((2, 5, 3, 4)).astype(dtype)
    labels, class_weight = rng.integers(5, size=(2, 3, 4)), rng.uniform(0.5, 2.0, 5)
    sample_weight, upstream = rng.uniform(0.5, 2.0, (2, 3, 4)), rng.standard_normal((2, 3, 4))
    options = {"class_weight": class_weight, "sample_weight": sample_weight, "label_smoothing": 0.1}
    options |= {"upstream": upstream, "reduction": "none"}
    losses, gradient = sg.cross_entropy.value_and_grad(x, labels, axis=1, **options)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    expected, expected_gradient = sg.cross_entropy.value_and_grad(last, labels, **options)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(np.moveaxis(gradient, 1, -1), expected_gradient)


@dtypes
def test_class_weight_of_several_axes(dtype):
    rng = fresh_rng()
    x = rng.standard_normal((7, 2, 3)).astype(dtype)
    labels, weight = rng.integers(6, size=7), rng.uniform(0.5, 2.0, (2, 3))
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, axis=(1, 2), class_weight=weight)
    flat = x.reshape(7, 6)
    expected, row_gradient = sg.cross_entropy.value_and_grad(flat, labels, class_weight=weight.ravel())
    assert loss == expected
    np.testing.assert_array_equal(gradient.reshape(7, 6), row_gradient)


@dtypes
@kinds
@options
@pytest.mark.parametrize("shape", [(150, 10), (5, 70), (3, STRETCH + 7)], ids=str)
def test_out(shape, options, kind, dtype):
    problem = draw_problem(fresh_rng(), *shape, dtype)
    x, labels = problem.logits, problem.labels(kind)
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
    spread = np.full((shape[0], 2 * shape[1]), 7.0, dtype)
    for out in (np.full(shape, np.nan, dtype), np.full(shape, np.nan, dtype, order="F"), spread[:, ::2]):
        other_loss, result = sg.cross_entropy.value_and_grad(x, labels, out=out, **options)
        assert result is out
        assert other_loss == loss
        np.testing.assert_array_equal(out, gradient)
    np.testing.assert_array_equal(spread[:, 1::2], 7.0)
    for place in (x.copy(), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        other_loss, result = sg.cross_entropy.value_and_grad(place, labels, out=place, **options)
        assert result is place
        assert other_loss == loss
        np.testing.assert_array_equal(place, gradient)
    place = x.copy()
    assert sg.cross_entropy.grad(place, labels, out=place, **options) is place
    np.testing.assert_array_equal(place, gradient)


@dtypes
def test_in_place_rows_that_do_not_count_become_zero(dtype):
    x = np.array([[np.nan, 1.0], [0.0, 0.0]], dtype)
    sg.cross_entropy.value_and_grad(x, [-1, 0], ignore_index=-1, out=x)
    np.testing.assert_array_equal(x, [[0.0, 0.0], [-0.5, 0.5]])


@dtypes
@kinds
@options
def test_a_row_does_not_depend_on_its_neighbours(options, kind, dtype):
    rng = fresh_rng()
    for classes in (3, 10, 65, 700):
        problem = draw_problem(rng, 140, classes, dtype)
        x, labels = problem.logits, problem.labels(kind)
        losses = sg.cross_entropy(x, labels, reduction="none", **options)
        gradient = sg.cross_entropy.grad(x, labels, reduction="sum", **options)
        for i in (0, 1, 63, 64, 100, 139):
            loss, row = sg.cross_entropy.value_and_grad(x[i], labels[i], reduction="sum", **options)
            assert loss == losses[i]
            np.testing.assert_array_equal(row, gradient[i])


@dtypes
@kinds
@options
def test_the_number_of_threads_does_not_matter(options, kind, dtype):
    rng = fresh_rng()
    before = sg.get_num_threads()
    try:
        for shape in ((5000, 10), (300, 700), (3, 40000)):
            problem = draw_problem(rng, *shape, dtype)
            found = []
            for threads in (1, 2, 5):
                sg.set_num_threads(threads)
                found.append(results(problem.logits, problem.labels(kind), **options))
            assert_same(found[1], found[0])
            assert_same(found[2], found[0])
    finally:
        sg.set_num_threads(before)


@dtypes
def test_types_of_the_results(dtype):
    x = np.zeros((2, 3), dtype)
    for reduction in ("mean", "sum"):
        assert type(sg.cross_entropy(x, [0, 1], reduction=reduction)) is dtype.type
    losses = sg.cross_entropy(x, [0, 1], reduction="none")
    assert isinstance(losses, np.ndarray)
    assert losses.dtype == dtype
    assert type(sg.cross_entropy(x[0], 1, reduction="none")) is dtype.type
    assert sg.cross_entropy([[1, 2], [3, 4]], [0, 1]).dtype == np.float64
    assert sg.cross_entropy.grad(np.array([[1, 2]], np.int8), [0]).dtype == np.float64


def test_broadcast_logits():
    row, labels = np.array([0.5, -1.0, 2.0]), [0, 1, 2, 1]
    expected = results(np.tile(row, (4, 1)), labels)
    assert_same(results(np.broadcast_to(row, (4, 3)), labels), expected)
    column = np.array([[1.0], [2.0]])
    assert_same(results(np.broadcast_to(column, (2, 3)), [0, 2]), results(np.tile(column, (1, 3)), [0, 2]))
