"""Options of cross_entropy alone and in pairs, against softgrad.reference and against their own laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.problems import LABEL_KINDS, draw_problem, one_hot, option_values, row_scale
from tests.oracles import generate
from tests.oracles.bounds import DTYPES, FLOAT64, LOSS
from tests.oracles.differences import METHOD_ERROR, along
from tests.oracles.inputs import fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
kinds = pytest.mark.parametrize("kind", LABEL_KINDS)

NAMES = [
    "class_weight",
    "sample_weight",
    "ignore_index",
    "label_smoothing",
    "temperature",
    "softcap",
    "z_loss",
    "where",
    "reduction",
    "normalizer",
    "upstream",
]
# Up to three at once. Only "mean" has a normalizer, and only indices can be ignored.
COMBINATIONS = [
    (kind, names)
    for kind in LABEL_KINDS
    for count in (0, 1, 2, 3)
    for names in itertools.combinations(NAMES, count)
    if not {"reduction", "normalizer"} <= set(names) and not (kind == "probabilities" and "ignore_index" in names)
]


def combinations(*, without=()):
    chosen = [(kind, names) for kind, names in COMBINATIONS if not set(names) & set(without)]
    labels = [f"{kind}: {' and '.join(names) or 'none'}" for kind, names in chosen]
    return pytest.mark.parametrize(("kind", "names"), chosen, ids=labels)


def tolerance(x):
    """Relative. In float64 the reference itself rounds x - m, which moves its exponentials by |x - m| eps."""
    eps = np.finfo(x.dtype).eps
    return (16 + np.ptp(x)) * eps if x.dtype == FLOAT64 else 8 * eps


def assert_agrees(x, labels, options):
    """Loss relative to itself, for its terms have one sign; gradient relative to the terms Q p and q, row by row."""
    plain = {name: value for name, value in options.items() if name != "upstream"}
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
    expected = reference.cross_entropy(x, labels, **plain)
    np.testing.assert_allclose(loss, expected, rtol=tolerance(x), atol=0)
    np.testing.assert_array_equal(sg.cross_entropy(x, labels, **plain), loss)
    exact = reference.cross_entropy_grad(x, labels, **options)
    error = np.abs(gradient - exact) / row_scale(exact)
    assert np.all(error <= 2 * tolerance(x)), np.max(error)
    assert np.any(gradient != 0.0)
    np.testing.assert_array_equal(sg.cross_entropy.grad(x, labels, **options), gradient)


@dtypes
@combinations()
def test_combinations(names, kind, dtype):
    rng = fresh_rng()
    for rows, classes in ((90, 5), (9, 150)):
        problem = draw_problem(rng, rows, classes, dtype)
        values = option_values(rng, problem)
        assert_agrees(problem.logits, problem.labels(kind), {name: values[name] for name in names})


@dtypes
@combinations(without=("reduction", "normalizer"))
def test_combinations_without_reduction(names, kind, dtype):
    rng = fresh_rng()
    problem = draw_problem(rng, 70, 6, dtype)
    values = option_values(rng, problem) | {"upstream": rng.standard_normal(70)}
    assert_agrees(problem.logits, problem.labels(kind), {name: values[name] for name in names} | {"reduction": "none"})


TABLE = [entry for entry in generate.read("cross_entropy_options") if set(entry["options"]) <= set(NAMES)]


def describe(entry):
    kind = "indices" if entry["labels"] == generate.LABELS else "probabilities"
    return f"{kind}: {' and '.join(entry['options']) or 'none'}"


@dtypes
@pytest.mark.parametrize("entry", TABLE, ids=describe)
def test_the_tables(entry, dtype):
    """mpmath, gradients by numerical differentiation; the options that this signature has."""
    options = entry["options"]
    x = np.stack([generate.from_hex(row, np.dtype(np.float32)) for row in entry["logits"]]).astype(dtype)
    labels = np.array(entry["labels"])
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
    eps = np.finfo(dtype).eps
    exact_loss = generate.from_decimal(entry["loss"])
    assert abs(loss - exact_loss) <= 8 * eps * exact_loss
    exact = generate.from_decimal(entry["gradient"])
    assert np.all(np.abs(gradient - exact) <= 16 * eps * row_scale(exact))


@dtypes
@kinds
def test_weights_by_hand(kind, dtype):
    """Two equal rows of two equal logits: every loss is log 2 and every p is 1/2."""
    x = np.zeros((2, 2), dtype)
    labels = np.array([0, 1]) if kind == "indices" else np.eye(2, dtype=dtype)
    log_2, eps = np.log(2.0), 4 * np.finfo(dtype).eps
    options = {"class_weight": [3.0, 1.0], "sample_weight": [1.0, 5.0]}
    losses = sg.cross_entropy(x, labels, reduction="none", **options)
    np.testing.assert_allclose(losses, [3.0 * log_2, 5.0 * log_2], rtol=eps)
    for normalizer, divisor in (("weights", 8.0), ("count", 2.0), (4.0, 4.0)):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, normalizer=normalizer, **options)
        np.testing.assert_allclose(loss, 8.0 * log_2 / divisor, rtol=eps)
        expected = np.array([[-1.5, 1.5], [2.5, -2.5]]) / divisor
        np.testing.assert_allclose(gradient, expected, rtol=eps)


@dtypes
def test_smoothing_by_hand(dtype):
    """Smoothing 1/2 over two classes: q = (3/4, 1/4), weighted (9/4, 1/4); the mean divides by the unsmoothed 3."""
    x = np.array([[0.0, np.log(3.0)]], dtype)
    losses = {0: np.log(4.0), 1: np.log(4.0) - np.log(3.0)}
    expected = (2.25 * losses[0] + 0.25 * losses[1]) / 3.0
    for labels in ([0], np.array([[1, 0]], dtype)):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, label_smoothing=0.5, class_weight=[3.0, 1.0])
        np.testing.assert_allclose(loss, expected, rtol=8 * np.finfo(dtype).eps)
        row = np.array([[2.5 * 0.25 - 2.25, 2.5 * 0.75 - 0.25]]) / 3.0
        np.testing.assert_allclose(gradient, row, rtol=8 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("names", [names for kind, names in COMBINATIONS if kind == "probabilities"], ids=str)
def test_an_index_equals_its_one_hot_row(names, dtype):
    rng = fresh_rng()
    for rows, classes in ((90, 5), (9, 150)):
        problem = draw_problem(rng, rows, classes, dtype)
        values = option_values(rng, problem)
        options = {name: values[name] for name in names}
        rows_of_ones = one_hot(problem.indices, classes, dtype)
        by_index, index_gradient = sg.cross_entropy.value_and_grad(problem.logits, problem.indices, **options)
        by_row, row_gradient = sg.cross_entropy.value_and_grad(problem.logits, rows_of_ones, **options)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(by_row, by_index, rtol=4 * eps)
        assert np.all(np.abs(row_gradient - index_gradient) <= 8 * eps * row_scale(index_gradient))


@dtypes
@combinations(without=("softcap", "z_loss"))
def test_gradient_rows_sum_to_zero(names, kind, dtype):
    """Adding a constant to a row changes nothing, unless the cap bends it or z_loss holds it."""
    rng = fresh_rng()
    problem = draw_problem(rng, 40, 11, dtype)
    values = option_values(rng, problem)
    options = {name: values[name] for name in names}
    gradient = sg.cross_entropy.grad(problem.logits, problem.labels(kind), **options).astype(np.float64)
    allowed = 8 * np.finfo(dtype).eps * np.maximum(np.sum(np.abs(gradient), axis=-1), row_scale(gradient)[:, 0])
    assert np.all(np.abs(gradient.sum(axis=-1)) <= allowed)


@combinations()
def test_finite_differences(names, kind):
    rng = fresh_rng()
    problem = draw_problem(rng, 6, 4, FLOAT64)
    values = option_values(rng, problem)
    options = {name: values[name] for name in names}
    upstream = options.get("upstream", 1.0)
    plain = {name: value for name, value in options.items() if name != "upstream"}
    labels, direction = problem.labels(kind), rng.standard_normal(problem.logits.shape)

    numeric = upstream * along(lambda step: sg.cross_entropy(problem.logits + step * direction, labels, **plain))
    gradient = sg.cross_entropy.grad(problem.logits, labels, **options)
    assert abs(np.sum(gradient * direction) - numeric) <= METHOD_ERROR * np.sum(np.abs(gradient * direction))


@dtypes
@kinds
def test_a_number_as_normalizer_makes_micro_batches_exact(kind, dtype):
    """Batches of 3 and 7 rows, each divided by 10, add up to the mean over all 10."""
    rng = fresh_rng()
    problem = draw_problem(rng, 10, 4, dtype)
    x, labels = problem.logits, problem.labels(kind)
    whole, whole_gradient = sg.cross_entropy.value_and_grad(x, labels, normalizer=10.0)
    parts = [
        sg.cross_entropy.value_and_grad(x[part], labels[part], normalizer=10.0) for part in (slice(0, 3), slice(3, 10))
    ]
    np.testing.assert_allclose(sum(loss for loss, _ in parts), whole, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(np.concatenate([gradient for _, gradient in parts]), whole_gradient)


@dtypes
@kinds
def test_upstream(kind, dtype):
    problem = draw_problem(fresh_rng(), 20, 5, dtype)
    x, labels = problem.logits, problem.labels(kind)
    eps = np.finfo(dtype).eps

    def assert_scaled(actual, plain, upstream):
        factor = np.asarray(upstream)[..., None]
        error = np.abs(actual - factor * plain.astype(np.float64))
        # The terms Q p and q are of the order of the largest gradient, whatever is left of them in a row.
        assert np.all(error <= 8 * eps * np.abs(factor) * np.max(np.abs(plain)))

    for reduction in ("mean", "sum"):
        plain = sg.cross_entropy.grad(x, labels, reduction=reduction)
        for upstream in (2.0, -0.3, np.float32(0.7), np.array(3)):
            scaled = sg.cross_entropy.grad(x, labels, reduction=reduction, upstream=upstream)
            assert_scaled(scaled, plain, float(upstream))
        np.testing.assert_array_equal(sg.cross_entropy.grad(x, labels, reduction=reduction, upstream=0.0), 0.0)
    upstream = np.linspace(-2.0, 3.0, 20)
    rows = sg.cross_entropy.grad(x, labels, reduction="none", upstream=upstream)
    assert_scaled(rows, sg.cross_entropy.grad(x, labels, reduction="sum"), upstream)
    np.testing.assert_array_equal(
        sg.cross_entropy.grad(x, labels, reduction="none"), sg.cross_entropy.grad(x, labels, reduction="sum")
    )


@dtypes
def test_ignore_index_may_be_any_integer(dtype):
    x = np.zeros((4, 3), dtype)
    for ignored in (-1, -100, 3, 255, np.int8(1), 2**40):
        labels = np.array([0, ignored, 2, ignored])
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, ignore_index=ignored)
        expected, rows = sg.cross_entropy.value_and_grad(x[[0, 2]], labels[[0, 2]])
        assert loss == expected
        np.testing.assert_array_equal(gradient[[0, 2]], rows)
        np.testing.assert_array_equal(gradient[[1, 3]], 0.0)
    # One that no label has, or can have, changes nothing.
    assert sg.cross_entropy(x, np.array([0, 1, 2, 0], np.uint8), ignore_index=-100) == sg.cross_entropy(x, [0, 1, 2, 0])
    assert sg.cross_entropy(x, [0, 1, 2, 0], ignore_index=-100) == sg.cross_entropy(x, [0, 1, 2, 0])


def test_label_dtypes():
    x = np.arange(12.0).reshape(4, 3) % 5
    expected = sg.cross_entropy(x, [0, 1, 2, 0])
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        assert sg.cross_entropy(x, np.array([0, 1, 2, 0], dtype)) == expected
    assert sg.cross_entropy(x, np.array([0, 1, 2, 0], ">i4")) == expected
    assert sg.cross_entropy(x, (0, 1, 2, 0)) == expected
    assert sg.cross_entropy(x, np.array([0, 9, 1, 9, 2, 9, 0])[::2]) == expected
    # Probabilities of another precision than the logits.
    rows = np.eye(3)[[0, 1, 2, 0]]
    for dtype in (np.float32, np.float64):
        assert sg.cross_entropy(x, rows.astype(dtype)) == pytest.approx(
            expected, rel=2 * LOSS[FLOAT64] * np.finfo(FLOAT64).eps, abs=0.0
        )
        assert sg.cross_entropy(x.astype(np.float32), rows.astype(dtype)).dtype == np.float32
