"""The table of edge cases for the loss and its gradient, and the rows that do not count."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles.bounds import DTYPES, GRADIENT, LOSS
from tests.oracles.edge_cases import edge_cases, edge_cases_without_where
from tests.oracles.inputs import LANES, STRETCH, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
CASES = [
    pytest.param(case, dtype, id=f"{case.name}, {dtype}")
    for dtype in DTYPES
    for case in edge_cases_without_where(dtype)
]
MASKED = [
    pytest.param(case, dtype, id=f"{case.name}, {dtype}")
    for dtype in DTYPES
    for case in edge_cases(dtype)
    if case.where is not None
]
kinds = pytest.mark.parametrize("kind", ["index", "one-hot"])


def labels_for(kind, label, size, dtype):
    return label if kind == "index" else one_hot(label, size, dtype)


@kinds
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_alone(case, dtype, kind):
    labels = labels_for(kind, case.label, len(case.x), dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(case.row(dtype), labels)
    assert type(loss) is dtype.type
    assert gradient.dtype == dtype
    assert_within(LOSS[dtype], loss, case.long("loss"), what=f"loss of {case.name}")
    assert_within(GRADIENT[dtype], gradient, case.long("gradient"), what=f"gradient of {case.name}")
    assert not np.signbit(loss) or np.isnan(loss)
    np.testing.assert_array_equal(sg.cross_entropy(case.row(dtype), labels), loss)


@kinds
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_among_ordinary_rows(case, dtype, kind):
    """More rows than lanes, so that the tile of many short rows holds both kinds."""
    classes = len(case.x)
    ordinary = np.linspace(-1.0, 2.0, classes, dtype=dtype)
    struck = np.arange(LANES[dtype] + 9) % 3 == 1
    x = np.where(struck[:, None], case.row(dtype), ordinary)
    index = np.where(struck, case.label, classes - 1)
    labels = index if kind == "index" else one_hot(index, classes, dtype)
    losses = sg.cross_entropy(x, labels, reduction="none")
    _, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="sum")
    for row, rows, label in ((case.row(dtype), struck, case.label), (ordinary, ~struck, classes - 1)):
        alone = labels_for(kind, label, classes, dtype)
        loss, row_gradient = sg.cross_entropy.value_and_grad(row, alone)
        np.testing.assert_array_equal(losses[rows], loss)
        np.testing.assert_array_equal(gradient[rows], np.stack([row_gradient] * np.count_nonzero(rows)))


@kinds
@pytest.mark.parametrize(("case", "dtype"), MASKED)
def test_where(case, dtype, kind):
    """Alone, and among rows that are not masked; a row without an allowed class does not count."""
    classes, where = len(case.x), np.array(case.where)
    labels = labels_for(kind, case.label, classes, dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(case.row(dtype), labels, where=where)
    assert_within(LOSS[dtype], loss, case.long("loss"), what=f"loss of {case.name}")
    assert_within(GRADIENT[dtype], gradient, case.long("gradient"), what=f"gradient of {case.name}")
    ordinary = np.linspace(-1.0, 2.0, classes, dtype=dtype)
    x = np.stack([case.row(dtype), ordinary])
    both = np.array([case.label, 2]) if kind == "index" else one_hot([case.label, 2], classes, dtype)
    masks = np.stack([where, np.ones(classes, bool)])
    counted, rows = sg.cross_entropy.value_and_grad(x, both, where=masks, normalizer="count")
    single, row = sg.cross_entropy.value_and_grad(ordinary, both[1], where=masks[1])
    divisor = 2.0 if where.any() else 1.0
    np.testing.assert_allclose(counted, (loss + single) / divisor, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(rows, np.stack([gradient, row]) / dtype.type(divisor))


@dtypes
@kinds
def test_smoothing_is_spread_over_the_allowed_classes_only(kind, dtype):
    x = np.array([[0.5, np.nan, -1.0, 2.0]], dtype)
    where = np.array([[True, False, True, True]])
    kept, options = where[0], {"label_smoothing": 0.3}
    full, short = ([3], [2]) if kind == "index" else (one_hot([3], 4, dtype), one_hot([2], 3, dtype))
    loss, gradient = sg.cross_entropy.value_and_grad(x, full, where=where, **options)
    expected, row = sg.cross_entropy.value_and_grad(x[:, kept], short, **options)
    eps = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, expected, rtol=eps)
    # Against the terms p and q, which are of the order of 1: at the target they nearly cancel.
    np.testing.assert_allclose(gradient[:, kept], row, rtol=0, atol=eps / 4)
    np.testing.assert_array_equal(gradient[:, ~kept], 0.0)


@kinds
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_padded_with_masked_classes(case, dtype, kind):
    """Classes at -inf change nothing but their own places, on whichever side and however many."""
    for before, after in ((0, 1), (70, 0), (0, 300), (STRETCH + 1, 300)):
        x = np.concatenate([np.full(before, -np.inf), case.x, np.full(after, -np.inf)]).astype(dtype)
        own = slice(before, before + len(case.x))
        labels = labels_for(kind, before + case.label, x.size, dtype)
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels)
        assert_within(LOSS[dtype], loss, case.long("loss"), what=f"loss of {case.name}")
        assert_within(GRADIENT[dtype], gradient[own], case.long("gradient"), what=f"gradient of {case.name}")
        whole_row = np.isnan(case.long("gradient")).any()
        np.testing.assert_array_equal(np.delete(gradient, own), np.nan if whole_row else 0.0)


@kinds
@pytest.mark.parametrize("more", [0, 70])
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_an_ignored_row_is_exactly_zero_whatever_it_holds(case, dtype, more, kind):
    """By ignore_index, or for probabilities by a sample weight of 0: the other row is as if alone."""
    held = np.concatenate([case.row(dtype), np.zeros(more, dtype)])
    x = np.stack([held, np.linspace(-1.0, 2.0, held.size, dtype=dtype)])
    if kind == "index":
        labels, options = np.array([-100, 0]), {"ignore_index": -100}
    else:
        labels = one_hot([case.label, 0], held.size, dtype)
        options = {"sample_weight": np.array([0.0, 1.0])}
    for reduction, normalizer in (("mean", "weights"), ("mean", "count"), ("sum", "weights")):
        chosen = options | {"reduction": reduction, "normalizer": normalizer}
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **chosen)
        alone, alone_gradient = sg.cross_entropy.value_and_grad(x[1], labels[1])
        assert loss == alone
        np.testing.assert_array_equal(gradient[0], np.zeros(held.size))
        np.testing.assert_array_equal(gradient[1], alone_gradient)
    losses = sg.cross_entropy(x, labels, reduction="none", **options)
    assert losses[0] == 0.0
    assert losses[1] == alone


@dtypes
@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": np.array([0.0, 2.0, 0.0])},
        {"class_weight": np.array([0.0, 1.0, 1.0])},
        {"class_weight": np.array([0.0, 1.0, 1.0]), "label_smoothing": 0.5},
    ],
    ids=["sample weight", "class weight", "class weight with smoothing"],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_of_weight_zero_counts_as_ignored(value, options, dtype):
    x = np.array([[value] * 3, [0.5, 1.0, -1.0], [0.0, value, 2.0]], dtype)
    labels = np.array([0, 2, 0])
    alone = {name: given[1:2] if name == "sample_weight" else given for name, given in options.items()}
    for normalizer in ("weights", "count", 3.0):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, normalizer=normalizer, **options)
        expected, row = sg.cross_entropy.value_and_grad(x[1:2], labels[1:2], normalizer=normalizer, **alone)
        assert loss == expected
        np.testing.assert_array_equal(gradient, np.stack([np.zeros(3), row[0], np.zeros(3)]))


@dtypes
@pytest.mark.parametrize("normalizer", ["weights", "count", 3.0])
def test_every_row_ignored(normalizer, dtype):
    x = np.array([[np.nan, np.inf], [1.0, -np.inf]], dtype)
    ignored = {
        "index": (np.array([7, 7]), {"ignore_index": 7}),
        "sample weight": (np.array([0, 1]), {"sample_weight": np.zeros(2)}),
        "class weight": (np.array([1, 1]), {"class_weight": np.array([1.0, 0.0])}),
        "no mass": (np.zeros((2, 2), dtype), {}),
    }
    for labels, options in ignored.values():
        for chosen in ({"normalizer": normalizer}, {"reduction": "sum"}):
            loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **chosen, **options)
            assert loss == 0.0
            np.testing.assert_array_equal(gradient, np.zeros((2, 2)))
        losses = sg.cross_entropy(x, labels, reduction="none", **options)
        np.testing.assert_array_equal(losses, [0.0, 0.0])


@dtypes
def test_no_row(dtype):
    for shape in ((0, 4), (0, 1), (2, 0, 4)):
        x, labels = np.zeros(shape, dtype), np.zeros(shape[:-1], dtype=int)
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels)
        assert loss == 0.0
        assert type(loss) is dtype.type
        assert gradient.shape == shape
        assert sg.cross_entropy(x, labels, reduction="sum") == 0.0
        assert sg.cross_entropy(x, labels, reduction="none").shape == shape[:-1]
        assert sg.cross_entropy(x, np.zeros(shape, dtype)) == 0.0


@dtypes
def test_no_class(dtype):
    for labels in (np.zeros(3, dtype=int), np.zeros((3, 0))):
        with pytest.raises(ValueError, match="no classes"):
            sg.cross_entropy(np.zeros((3, 0), dtype), labels)


@dtypes
def test_probability_zero_at_minus_infinity_costs_nothing(dtype):
    for width in (3, 300):
        x = np.full((1, width), -np.inf, dtype)
        q = np.zeros((1, width), dtype)
        x[0, [0, 2]] = 0.0
        q[0, [0, 2]] = [0.25, 0.75]
        loss, gradient = sg.cross_entropy.value_and_grad(x, q)
        assert_within(LOSS[dtype], loss, np.log(np.longdouble(2)), what="loss")
        np.testing.assert_array_equal(gradient[0, [0, 2]], [0.25, -0.25])
        np.testing.assert_array_equal(np.delete(gradient, [0, 2]), 0.0)


@dtypes
def test_mass_at_minus_infinity_is_infinite_and_its_gradient_finite(dtype):
    x = np.array([[0.0, -np.inf, 0.0]], dtype)
    q = np.array([[0.5, 0.25, 0.25]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, q)
    assert loss == np.inf
    np.testing.assert_array_equal(gradient, [[0.0, -0.25, 0.25]])


@dtypes
def test_smoothing_over_minus_infinity_is_infinite(dtype):
    x = np.array([[0.0, -np.inf, 0.0]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], label_smoothing=0.3)
    assert loss == np.inf
    np.testing.assert_allclose(gradient, [[0.5 - 0.8, -0.1, 0.5 - 0.1]], rtol=4 * np.finfo(dtype).eps)


@dtypes
def test_a_class_of_weight_zero_takes_no_smoothing(dtype):
    """Its target is 0, so even at -inf it costs nothing."""
    x = np.array([[0.0, -np.inf, 0.0]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], label_smoothing=0.3, class_weight=[1.0, 0.0, 1.0])
    assert_within(LOSS[dtype] + 1, loss, np.longdouble(0.9) * np.log(np.longdouble(2)), what="loss")
    np.testing.assert_allclose(gradient, [[0.45 - 0.8, 0.0, 0.45 - 0.1]], rtol=8 * np.finfo(dtype).eps)


@dtypes
def test_weights_do_not_turn_infinity_into_nan(dtype):
    x = np.array([[0.0, -np.inf], [0.0, 0.0]], dtype)
    losses = sg.cross_entropy(x, [1, 0], sample_weight=[0.5, 0.0], reduction="none")
    np.testing.assert_array_equal(losses, [np.inf, 0.0])
    assert sg.cross_entropy(x, [1, 0], sample_weight=[0.5, 0.0]) == np.inf
    _, gradient = sg.cross_entropy.value_and_grad(x, [1, 0], upstream=[0.0, 1.0], reduction="none")
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    np.testing.assert_array_equal(gradient[1], [-0.5, 0.5])


@dtypes
def test_nan_logits_of_a_row_stay_in_their_row(dtype):
    rng = fresh_rng()
    for classes in (4, 90):
        x = rng.standard_normal((100, classes)).astype(dtype)
        labels = rng.integers(classes, size=100)
        _, expected = sg.cross_entropy.value_and_grad(x, labels)
        x[17, classes // 2] = np.nan
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels)
        assert np.isnan(loss)
        assert np.all(np.isnan(gradient[17]))
        np.testing.assert_array_equal(np.delete(gradient, 17, axis=0), np.delete(expected, 17, axis=0))


@dtypes
def test_no_floating_point_warning_escapes(dtype):
    info = np.finfo(dtype)
    x = np.array([[np.inf, 1], [np.nan, 0], [-np.inf, -np.inf], [info.max, info.min], [0, -1000]], dtype)
    q = np.array([[1, 0], [0.5, 0.5], [1, 0], [0, 1], [1, 0]], dtype)
    with np.errstate(all="raise"):
        for labels in (np.array([0, 1, 1, 1, 0]), q):
            for reduction in ("mean", "none"):
                sg.cross_entropy.value_and_grad(x, labels, reduction=reduction)
