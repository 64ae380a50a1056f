"""Every pair of options of cross_entropy, on every kind of class axis and of labels, against softgrad.reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.problems import LABEL_KINDS, one_hot, row_scale
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.differences import METHOD_ERROR, along
from tests.oracles.inputs import fresh_rng

SHAPE = (6, 4, 5)
AXES = (-1, 0, (0, 2), None)
NAMES = (
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
)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
kinds = pytest.mark.parametrize("kind", LABEL_KINDS)


def makes_sense(kind, names):
    """Only the mean divides, and only class indices can be ignored; the tests below ask for the errors."""
    return not {"reduction", "normalizer"} <= set(names) and not (kind == "probabilities" and "ignore_index" in names)


def groups(kind, count, *, without=()):
    chosen = itertools.combinations([name for name in NAMES if name not in without], count)
    return [names for names in chosen if makes_sense(kind, names)]


def pairs(*chosen_kinds, without=()):
    cases = [(kind, names) for kind in chosen_kinds for names in groups(kind, 2, without=without)]
    labels = [f"{kind}: {' and '.join(names)}" for kind, names in cases]
    return pytest.mark.parametrize(("kind", "names"), cases, ids=labels)


def class_axes(axis):
    return (0, 1, 2) if axis is None else tuple(sorted(d % 3 for d in np.atleast_1d(axis)))


def rows(array, axis):
    """The class axes flattened into the last, the others into the first."""
    chosen = class_axes(axis)
    moved = np.moveaxis(np.asarray(array), chosen, range(-len(chosen), 0))
    size = int(np.prod([SHAPE[d] for d in chosen]))
    return moved.reshape(-1, size)


def draw(rng, axis, kind, dtype):
    """Logits, labels, and a value for each option at which it changes the result; the targets take part."""
    chosen = class_axes(axis)
    batch = tuple(n for d, n in enumerate(SHAPE) if d not in chosen)
    class_shape = tuple(SHAPE[d] for d in chosen)
    classes = int(np.prod(class_shape))
    x = (3.0 * rng.standard_normal(SHAPE)).astype(dtype)
    # Distinct as far as they can be: a label that is ignored or of weight 0 leaves others that count.
    indices = (rng.permutation(int(np.prod(batch))) + rng.integers(1, classes)).reshape(batch) % classes
    target = one_hot(indices, classes, np.float64)
    allowed = (rng.random(target.shape) < 0.6) | (target == 1.0)
    mass = np.where((rng.random(target.shape) < 0.5) & allowed, rng.uniform(0.1, 1.0, target.shape), target)

    def back(by_row):
        moved = by_row.reshape(batch + class_shape)
        return np.moveaxis(moved, range(-len(chosen), 0), chosen)

    labels = indices if kind == "indices" else back(mass).astype(dtype)
    weights = rng.uniform(0.25, 3.0, class_shape)
    weights[(0,) * len(class_shape)] = 0.0
    values = {
        "class_weight": weights,
        "sample_weight": rng.uniform(0.25, 3.0, batch),
        "ignore_index": -7 if not batch else int(indices.flat[0]),
        "label_smoothing": 0.3,
        "temperature": 1.7,
        "softcap": 2.5,
        "z_loss": 0.01,
        "where": back(allowed),
        "reduction": "sum",
        "normalizer": "count",
        "upstream": -1.75,
    }
    return x, labels, values


def tolerance(x):
    """Relative. In float64 the reference itself rounds x - m, which moves its exponentials by |x - m| eps."""
    eps = np.finfo(x.dtype).eps
    return (16 + np.ptp(x)) * eps if x.dtype == FLOAT64 else 8 * eps


def assert_agrees(x, labels, axis, options):
    """The loss relative to itself, for its terms have one sign; the gradient relative to its row."""
    plain = {name: value for name, value in options.items() if name != "upstream"}
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, axis=axis, **options)
    expected = reference.cross_entropy(x, labels, axis=axis, **plain)
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(loss, expected, rtol=tolerance(x), atol=0)
    np.testing.assert_array_equal(sg.cross_entropy(x, labels, axis=axis, **plain), loss)
    exact = rows(reference.cross_entropy_grad(x, labels, axis=axis, **options), axis)
    error = np.abs(rows(gradient, axis) - exact) / row_scale(exact)
    assert np.all(error <= 2 * tolerance(x)), float(np.max(error))
    # Where a class is left out, and in a row that does not count, it is 0 and nothing else.
    np.testing.assert_array_equal(rows(gradient, axis)[exact == 0.0], 0.0)
    assert np.any(exact != 0.0)


@dtypes
@pairs(*LABEL_KINDS)
def test_pairs(names, kind, dtype):
    rng = fresh_rng()
    for axis in AXES:
        x, labels, values = draw(rng, axis, kind, dtype)
        assert_agrees(x, labels, axis, {name: values[name] for name in names})


@dtypes
@kinds
def test_groups_of_three_and_more(kind, dtype):
    rng = fresh_rng()
    chosen = [names for count in (3, 4) for names in groups(kind, count)]
    for i in rng.permutation(len(chosen))[:120]:
        x, labels, values = draw(rng, -1, kind, dtype)
        assert_agrees(x, labels, -1, {name: values[name] for name in chosen[i]})
    everything = [name for name in NAMES if name != "normalizer" and makes_sense(kind, (name,))]
    for axis in AXES:
        x, labels, values = draw(rng, axis, kind, dtype)
        assert_agrees(x, labels, axis, {name: values[name] for name in everything})


@dtypes
@pairs(*LABEL_KINDS, without=("upstream", "reduction", "normalizer"))
def test_pairs_without_reduction(names, kind, dtype):
    """Each row by itself, with an upstream gradient of its own; and their sum."""
    rng = fresh_rng()
    for axis in AXES:
        x, labels, values = draw(rng, axis, kind, dtype)
        options = {name: values[name] for name in names}
        losses = sg.cross_entropy(x, labels, axis=axis, reduction="none", **options)
        upstream = rng.standard_normal(np.shape(losses))
        assert_agrees(x, labels, axis, options | {"reduction": "none", "upstream": upstream})
        total = sg.cross_entropy(x, labels, axis=axis, reduction="sum", **options)
        np.testing.assert_allclose(total, np.sum(losses, dtype=np.longdouble), rtol=4 * np.finfo(dtype).eps)


@dtypes
@pairs("indices", without=("ignore_index",))
def test_an_index_equals_its_one_hot_row(names, kind, dtype):
    rng = fresh_rng()
    for axis in AXES:
        x, labels, values = draw(rng, axis, kind, dtype)
        options = {name: values[name] for name in names}
        chosen = class_axes(axis)
        class_shape = tuple(SHAPE[d] for d in chosen)
        spread = one_hot(labels, int(np.prod(class_shape)), dtype).reshape(np.shape(labels) + class_shape)
        by_row = np.moveaxis(spread, range(-len(chosen), 0), chosen)
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, axis=axis, **options)
        same_loss, same_gradient = sg.cross_entropy.value_and_grad(x, by_row, axis=axis, **options)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(same_loss, loss, rtol=4 * eps)
        scale = row_scale(rows(gradient, axis))
        assert np.all(np.abs(rows(same_gradient, axis) - rows(gradient, axis)) <= 8 * eps * scale)


@pairs(*LABEL_KINDS)
def test_finite_differences(names, kind):
    rng = fresh_rng()
    x, labels, values = draw(rng, -1, kind, FLOAT64)
    options = {name: values[name] for name in names}
    plain = {name: value for name, value in options.items() if name != "upstream"}
    direction = rng.standard_normal(x.shape)

    numeric = options.get("upstream", 1.0) * along(lambda step: sg.cross_entropy(x + step * direction, labels, **plain))
    gradient = sg.cross_entropy.grad(x, labels, **options)
    assert abs(np.sum(gradient * direction) - numeric) <= METHOD_ERROR * np.sum(np.abs(gradient * direction))


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("normalizer", ["count", 3.0])
def test_only_the_mean_has_a_normalizer(normalizer, reduction):
    with pytest.raises(ValueError, match=r"normalizer=.* is for reduction='mean'; reduction='\w+' divides by nothing"):
        sg.cross_entropy([0.0, 1.0], 0, reduction=reduction, normalizer=normalizer)


@pytest.mark.parametrize("other", [name for name in NAMES if name not in ("ignore_index", "upstream")])
def test_ignore_index_has_no_meaning_for_probabilities(other):
    x, labels, values = draw(fresh_rng(), -1, "probabilities", FLOAT64)
    with pytest.raises(ValueError, match="ignore_index is for class indices"):
        sg.cross_entropy(x, labels, ignore_index=0, **{other: values[other]})


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_upstream_has_the_shape_of_the_loss(reduction):
    x, labels, _ = draw(fresh_rng(), -1, "indices", FLOAT64)
    with pytest.raises(ValueError, match=r"upstream has shape .* it must be a number"):
        sg.cross_entropy.grad(x, labels, reduction=reduction, upstream=np.ones(labels.shape))
    with pytest.raises(ValueError, match=r"upstream has shape .* the shape of the losses"):
        sg.cross_entropy.grad(x, labels, reduction="none", upstream=2.0)


def bad_values():
    return {
        "temperature": [0.0, -1.0, np.inf, np.nan],
        "softcap": [0.0, -1.0, np.inf, np.nan],
        "z_loss": [-1.0, np.inf, np.nan],
        "label_smoothing": [-0.1, 1.1, np.nan],
        "normalizer": [0.0, -1.0, np.inf, np.nan, "rows"],
        "reduction": ["average", None],
        "class_weight": [[1.0, -1.0, 1.0, 1.0, 1.0], [1.0, np.nan, 1.0, 1.0, 1.0], [1.0, np.inf, 1.0, 1.0, 1.0]],
        "where": [np.ones(5), np.ones(4, bool)],
        "ignore_index": [1.5, "0"],
    }


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in bad_values().items() for v in values], ids=str)
def test_a_value_out_of_range_is_named_before_anything_is_written(name, value):
    x, labels, _ = draw(fresh_rng(), -1, "indices", FLOAT64)
    out = np.full(x.shape, 7.0)
    with pytest.raises((ValueError, TypeError), match=name):
        sg.cross_entropy.value_and_grad(x, labels, out=out, **{name: value})
    np.testing.assert_array_equal(out, 7.0)


@dtypes
def test_the_identity_of_each_option_changes_nothing(dtype):
    """temperature 1, no smoothing, all classes, weights 1, z_loss 0: the same to the bound, softcap huge nearly so."""
    x, labels, _ = draw(fresh_rng(), -1, "indices", dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels)
    eps = np.finfo(dtype).eps
    for options in (
        {"temperature": 1.0},
        {"where": True},
        {"where": np.ones(5, bool)},
        {"label_smoothing": 0.0},
        {"class_weight": np.ones(5)},
        {"sample_weight": np.ones(labels.shape)},
        {"z_loss": 0.0},
        {"normalizer": "count"},
        {"normalizer": float(labels.size)},
        {"softcap": 1e30},
    ):
        other, other_gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
        np.testing.assert_allclose(other, loss, rtol=4 * eps)
        assert np.all(np.abs(other_gradient - gradient) <= 8 * eps * np.abs(gradient)), options


@dtypes
def test_by_hand(dtype):
    """Logits 0 and log 9 at temperature 2 are 0 and log 3; capped far below 1 they are nearly equal."""
    x = np.array([[0.0, np.log(9.0)]], dtype)
    eps = 8 * np.finfo(dtype).eps
    loss, gradient = sg.cross_entropy.value_and_grad(x, [1], temperature=2.0)
    np.testing.assert_allclose(loss, np.log(4.0 / 3.0), rtol=eps)
    np.testing.assert_allclose(gradient, [[0.125, -0.125]], rtol=eps)
    # z^2 of lse = log 4, of which the gradient is 2 z log(4) p / T.
    loss, gradient = sg.cross_entropy.value_and_grad(x, [1], temperature=2.0, z_loss=0.5)
    np.testing.assert_allclose(loss, np.log(4.0 / 3.0) + 0.5 * np.log(4.0) ** 2, rtol=eps)
    slope = np.log(4.0) * np.array([[0.25, 0.75]]) / 2.0
    np.testing.assert_allclose(gradient, np.array([[0.125, -0.125]]) + slope, rtol=eps)
    # softcap c: c tanh(x / c) with x = c atanh(1/2) is c / 2, where the slope is 3/4; temperature c / 2 makes it 1.
    c = 0.5
    x = np.array([[0.0, c * np.arctanh(0.5)]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], softcap=c, temperature=c / 2)
    p = 1.0 / (1.0 + np.exp(-1.0))
    np.testing.assert_allclose(loss, np.log1p(np.e), rtol=eps)
    np.testing.assert_allclose(gradient, np.array([[-p, 0.75 * p]]) / (c / 2), rtol=eps)
