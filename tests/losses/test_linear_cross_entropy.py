"""linear_cross_entropy: the loss of hidden @ weight.T + bias and its gradients, against logits that are held."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.problems import LABEL_KINDS, one_hot
from tests.oracles.bounds import DTYPES, FLOAT64
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
COMBINATIONS = [
    (kind, names)
    for kind in LABEL_KINDS
    for count in (0, 1, 2)
    for names in itertools.combinations(NAMES, count)
    if set(names) != {"reduction", "normalizer"} and not (kind == "probabilities" and "ignore_index" in names)
]
# (N, D, V): few classes, more classes than rows, one row, one feature.
SIZES = [(70, 6, 5), (9, 12, 150), (1, 3, 4), (20, 1, 2)]
# Logits of more than 8 MiB in either dtype: several blocks of rows, the last one not full.
SEVERAL_BLOCKS = (120, 4, 20011)


class Operands(NamedTuple):
    hidden: np.ndarray
    weight: np.ndarray
    labels: np.ndarray
    bias: np.ndarray


def draw(rng, size, dtype, kind="indices"):
    rows, features, classes = size
    hidden = rng.standard_normal((rows, features)).astype(dtype)
    weight = rng.standard_normal((classes, features)).astype(dtype)
    bias = rng.standard_normal(classes).astype(dtype)
    labels = rng.integers(classes, size=rows)
    if kind == "probabilities":
        mass = rng.uniform(0.0, 1.0, (rows, classes)) * (rng.random((rows, classes)) < 0.7)
        labels = mass.astype(dtype) + one_hot(labels, classes, dtype)
    return Operands(hidden, weight, labels, bias)


def option_values(rng, operands):
    rows, classes = len(operands.hidden), len(operands.weight)
    sample_weight = rng.uniform(0.25, 3.0, rows)
    sample_weight[-1] = 0.0
    # Every class with mass takes part: elsewhere the loss would be infinite.
    mass = one_hot(operands.labels, classes, np.bool_) if operands.labels.ndim == 1 else operands.labels > 0.0
    return {
        "class_weight": rng.uniform(0.25, 3.0, classes),
        "sample_weight": sample_weight,
        "ignore_index": int(rng.integers(classes)),
        "label_smoothing": 0.125,
        "temperature": 1.75,
        "softcap": 4.0,
        "z_loss": 0.0625,
        "where": (rng.random((rows, classes)) < 0.7) | mass,
        "reduction": "sum",
        "normalizer": "count",
        "upstream": -1.75,
    }


def assert_agrees(operands, options, wrt=("hidden", "weight", "bias"), **how):
    """To the rounding of the logits by BLAS, and of the sums that the gradients are; `how` changes no result."""
    hidden, weight, labels, bias = operands
    plain = {name: value for name, value in options.items() if name != "upstream"}
    loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, wrt=wrt, **options, **how)
    expected = reference.linear_cross_entropy(hidden, weight, labels, bias, **plain)
    eps = np.finfo(hidden.dtype).eps
    features = hidden.shape[1]
    # The error of a logit, which is also the relative error of a probability.
    logit_error = (features + 2) * eps * float(np.max(np.abs(hidden) @ np.abs(weight).T + np.abs(bias)))
    np.testing.assert_allclose(loss, expected, rtol=8 * eps, atol=logit_error * max(1.0, float(np.max(expected))))
    np.testing.assert_array_equal(sg.linear_cross_entropy(hidden, weight, labels, bias, **plain, **how), loss)
    held = reference.linear_cross_entropy_grad(hidden, weight, labels, bias, **options)
    logits = hidden.astype(np.float64) @ weight.T.astype(np.float64) + bias
    by_logits = np.abs(reference.cross_entropy_grad(logits, labels, **options))
    # Q p - q may cancel in every class of a row, and its terms are as large as those of the other rows.
    by_logits = np.maximum(by_logits, np.max(by_logits) / 16)
    scales = {
        "hidden": by_logits @ np.abs(weight),
        "weight": by_logits.T @ np.abs(hidden),
        "bias": by_logits.sum(axis=0),
    }
    for name in ("hidden", "weight", "bias"):
        actual, exact = getattr(gradients, name), getattr(held, name)
        if name not in wrt:
            assert actual is None
            continue
        assert actual.dtype == hidden.dtype
        assert actual.shape == exact.shape
        allowed = (2 * logit_error + 32 * eps) * np.max(scales[name], axis=-1, keepdims=True)
        error = np.abs(actual - exact)
        assert np.all(error <= allowed), (name, float(np.max(error / allowed)))
        assert np.max(np.abs(exact)) > 0.0


@dtypes
@pytest.mark.parametrize(("kind", "names"), COMBINATIONS, ids=str)
def test_options_against_the_reference(names, kind, dtype):
    rng = fresh_rng()
    for size in SIZES[:2]:
        operands = draw(rng, size, dtype, kind)
        values = option_values(rng, operands)
        assert_agrees(operands, {name: values[name] for name in names})


@dtypes
@kinds
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(size, kind, dtype):
    rng = fresh_rng()
    operands = draw(rng, size, dtype, kind)
    assert_agrees(operands, {})
    weights = rng.uniform(0.5, 2.0, size[0])
    upstream = rng.standard_normal(size[0])
    assert_agrees(operands, {"reduction": "none", "sample_weight": weights, "upstream": upstream})


@dtypes
@kinds
def test_several_blocks(kind, dtype):
    """Against cross_entropy on logits that are held: the rows must meet their own labels, weights and upstream."""
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, SEVERAL_BLOCKS, dtype, kind)
    options = {"sample_weight": rng.uniform(0.5, 2.0, len(hidden)), "class_weight": rng.uniform(0.5, 2.0, len(weight))}
    options |= {"reduction": "none", "upstream": rng.standard_normal(len(hidden)), "label_smoothing": 0.1}
    logits = hidden @ weight.T + bias
    expected, by_logits = sg.cross_entropy.value_and_grad(logits, labels, **options)
    losses, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, **options)
    eps = np.finfo(dtype).eps
    # BLAS may round the logits of a block in another way than those of the whole.
    logit_error = 8 * eps * float(np.max(np.abs(logits)))
    np.testing.assert_allclose(losses, expected, rtol=8 * eps + logit_error)
    by_logits = by_logits.astype(np.float64)
    held = (by_logits @ weight, by_logits.T @ hidden, by_logits.sum(axis=0))
    for actual, exact in zip(gradients, held, strict=True):
        scale = np.max(np.abs(exact), axis=-1, keepdims=True)
        assert np.all(np.abs(actual - exact) <= (64 * eps + 4 * logit_error) * scale)


@dtypes
@pytest.mark.parametrize(
    "wrt",
    [names for count in range(4) for names in itertools.combinations(("hidden", "weight", "bias"), count)],
    ids=str,
)
def test_only_what_is_asked_for(wrt, dtype):
    operands = draw(fresh_rng(), (30, 5, 7), dtype)
    assert_agrees(operands, {}, wrt=wrt)
    assert_agrees(operands, {}, wrt=list(reversed(wrt)))


@dtypes
def test_without_a_bias(dtype):
    hidden, weight, labels, _ = draw(fresh_rng(), (30, 5, 7), dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels)
    zero = np.zeros(7, dtype)
    expected, with_zero = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, zero)
    assert loss == expected
    assert gradients.bias is None
    np.testing.assert_array_equal(gradients.hidden, with_zero.hidden)
    np.testing.assert_array_equal(gradients.weight, with_zero.weight)
    assert type(gradients)._fields == ("hidden", "weight", "bias")
    assert type(loss) is dtype.type
    only = sg.linear_cross_entropy.grad(hidden, weight, labels)
    np.testing.assert_array_equal(only.weight, gradients.weight)


@dtypes
def test_layouts(dtype):
    hidden, weight, labels, bias = draw(fresh_rng(), (40, 6, 9), dtype)
    expected, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias)
    eps = 64 * np.finfo(dtype).eps
    strided_bias = np.repeat(bias, 3)[::3]
    strided_bias.flags.writeable = False
    for change in (np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2], lambda x: x[::-1].copy()[::-1]):
        h, w = change(hidden), change(weight)
        h.flags.writeable = w.flags.writeable = False
        loss, others = sg.linear_cross_entropy.value_and_grad(h, w, labels, strided_bias)
        # BLAS may add in another order.
        np.testing.assert_allclose(loss, expected, rtol=eps)
        for one, other in zip(others, gradients, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=eps * float(np.max(np.abs(other))))
        np.testing.assert_array_equal(h, hidden)
        np.testing.assert_array_equal(w, weight)


def test_lists_and_integers_give_float64():
    loss, gradients = sg.linear_cross_entropy.value_and_grad([[1, 2]], [[0, 0], [0, 0]], [1], [0, 0])
    assert loss == pytest.approx(np.log(2.0), rel=4 * np.finfo(FLOAT64).eps, abs=0.0)
    assert gradients.hidden.dtype == gradients.weight.dtype == gradients.bias.dtype == np.float64
    np.testing.assert_array_equal(gradients.weight, [[0.5, 1.0], [-0.5, -1.0]])


@dtypes
def test_confident_rows_keep_their_digits(dtype):
    """At a gap of 40 the loss is 4.2e-18 and the gradients are as small, not 0."""
    hidden, weight = np.array([[40.0]], dtype), np.array([[1.0], [0.0]], dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, [0])
    tiny, eps = np.log1p(np.exp(-40.0)), 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, tiny, rtol=eps)
    np.testing.assert_allclose(gradients.hidden, [[-tiny]], rtol=eps)
    np.testing.assert_allclose(gradients.weight, [[-40.0 * tiny], [40.0 * tiny]], rtol=eps)


@dtypes
def test_an_ignored_row_leaks_nothing_whatever_it_holds(dtype):
    """NaN and infinity in its features reach no gradient: 0 * NaN is NaN, so the row must be skipped."""
    hidden, weight, labels, bias = draw(fresh_rng(), (30, 5, 7), dtype)
    kept = np.arange(30) % 3 != 1
    labels[~kept] = -100
    expected, held = sg.linear_cross_entropy.value_and_grad(hidden[kept], weight, labels[kept], bias)
    for value in (np.nan, np.inf, np.finfo(dtype).max):
        hidden[~kept] = value
        loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, ignore_index=-100)
        eps = 64 * np.finfo(dtype).eps
        np.testing.assert_allclose(loss, expected, rtol=eps)
        np.testing.assert_array_equal(gradients.hidden[~kept], 0.0)
        for actual, exact in zip((gradients.hidden[kept], *gradients[1:]), held, strict=True):
            np.testing.assert_allclose(actual, exact, rtol=0, atol=eps * float(np.max(np.abs(exact))))


@dtypes
def test_every_row_ignored(dtype):
    hidden, weight = np.full((3, 2), np.nan, dtype), np.ones((4, 2), dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        hidden, weight, [9, 9, 9], np.ones(4, dtype), ignore_index=9
    )
    assert loss == 0.0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


@dtypes
def test_a_class_masked_by_its_bias(dtype):
    hidden, weight, labels, bias = draw(fresh_rng(), (30, 5, 7), dtype)
    labels %= 6
    masked = bias.copy()
    masked[6] = -np.inf
    loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, masked)
    expected, held = sg.linear_cross_entropy.value_and_grad(hidden, weight[:6], labels, bias[:6])
    eps = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, expected, rtol=eps)
    np.testing.assert_array_equal(gradients.weight[6], 0.0)
    assert gradients.bias[6] == 0.0
    for actual, exact in zip((gradients.hidden, gradients.weight[:6], gradients.bias[:6]), held, strict=True):
        np.testing.assert_allclose(actual, exact, rtol=0, atol=eps * float(np.max(np.abs(exact))))


@dtypes
def test_empty_sizes(dtype):
    weight, bias = np.ones((3, 2), dtype), np.arange(3, dtype=dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(np.ones((0, 2), dtype), weight, np.zeros(0, int), bias)
    assert loss == 0.0
    assert gradients.hidden.shape == (0, 2)
    np.testing.assert_array_equal(gradients.weight, np.zeros((3, 2)))
    np.testing.assert_array_equal(gradients.bias, np.zeros(3))
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        np.ones((2, 0), dtype), np.ones((3, 0), dtype), [0, 2], bias
    )
    assert loss == sg.cross_entropy(np.stack([bias, bias]), [0, 2])
    assert gradients.hidden.shape == (2, 0)
    assert gradients.weight.shape == (3, 0)
    with pytest.raises(ValueError, match="no classes"):
        sg.linear_cross_entropy(np.ones((2, 2), dtype), np.ones((0, 2), dtype), [0, 0])


def test_finite_differences():
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, (8, 3, 4), FLOAT64)
    options = {"label_smoothing": 0.1, "sample_weight": rng.uniform(0.5, 2.0, 8)}
    gradients = sg.linear_cross_entropy.grad(hidden, weight, labels, bias, **options)
    for name in ("hidden", "weight", "bias"):
        arguments = {"hidden": hidden, "weight": weight, "bias": bias}
        direction = rng.standard_normal(arguments[name].shape)

        def loss(step, name=name, arguments=arguments, direction=direction):
            moved = arguments | {name: arguments[name] + step * direction}
            return sg.linear_cross_entropy(moved["hidden"], moved["weight"], labels, moved["bias"], **options)

        numeric = along(loss)
        products = getattr(gradients, name) * direction
        assert abs(np.sum(products) - numeric) <= METHOD_ERROR * np.sum(np.abs(products))


def test_errors_name_the_culprit():
    hidden, weight, labels, bias = np.ones((4, 2)), np.ones((3, 2)), [0, 1, 2, 0], np.ones(3)
    call = sg.linear_cross_entropy.value_and_grad
    cases = [
        (ValueError, r"hidden has shape \(2,\)", (hidden[0], weight, labels, bias), {}),
        (ValueError, r"weight has shape \(3,\)", (hidden, weight[:, 0], labels, bias), {}),
        (ValueError, r"weight has shape \(2, 3\)", (hidden, weight.T, labels, bias), {}),
        (ValueError, r"bias has shape \(2,\)", (hidden, weight, labels, bias[:2]), {}),
        (ValueError, r"bias has shape \(\)", (hidden, weight, labels, 1.0), {}),
        (TypeError, "hidden has dtype complex", (hidden.astype(complex), weight, labels, bias), {}),
        (TypeError, "weight has dtype object", (hidden, weight.astype(object), labels, bias), {}),
        (TypeError, "weight has dtype float32", (hidden, weight.astype(np.float32), labels, bias), {}),
        (TypeError, "bias has dtype float32", (hidden, weight, labels, bias.astype(np.float32)), {}),
        (ValueError, r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)", (hidden, weight, [0, 3, 0, 0], bias), {}),
        (ValueError, r"labels has shape \(3,\)", (hidden, weight, labels[:3], bias), {}),
        (ValueError, r"labels has shape \(4, 2\)", (hidden, weight, hidden, bias), {}),
        (ValueError, r"class_weight\[0\] is -1", (hidden, weight, labels, bias), {"class_weight": [-1.0, 1.0, 1.0]}),
        (ValueError, "label_smoothing is", (hidden, weight, labels, bias), {"label_smoothing": 1.5}),
        (ValueError, "upstream has shape", (hidden, weight, labels, bias), {"upstream": [1.0, 1.0]}),
        (ValueError, "wrt names 'logits'", (hidden, weight, labels, bias), {"wrt": ("logits",)}),
        (TypeError, "wrt is the string 'hidden'", (hidden, weight, labels, bias), {"wrt": "hidden"}),
    ]
    for error, match, arguments, options in cases:
        with pytest.raises(error, match=match):
            call(*arguments, **options)
    with pytest.raises(TypeError, match="axis"):
        sg.linear_cross_entropy(hidden, weight, labels, axis=1)


def operands(rng, dtype, rows=150, classes=40, features=6):
    hidden, weight = rng.standard_normal((rows, features)), rng.standard_normal((classes, features))
    bias = rng.standard_normal(classes)
    return [each.astype(dtype) for each in (hidden, weight, bias)], rng.integers(0, classes, rows)


SECOND_ORDER_OPTIONS = [
    {},
    {"label_smoothing": 0.2, "temperature": 1.5},
    {"softcap": 5.0, "z_loss": 0.01},
    {"ignore_index": 3, "reduction": "sum"},
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", SECOND_ORDER_OPTIONS, ids=str)
@pytest.mark.parametrize("given", ["hidden", "weight", "bias", "all"])
def test_second_order_in_blocks_against_the_reference(given, options, dtype):
    rng = fresh_rng()
    (hidden, weight, bias), labels = operands(rng, dtype)
    vectors = tuple(
        rng.standard_normal(each.shape).astype(dtype) if given in (name, "all") else None
        for name, each in (("hidden", hidden), ("weight", weight), ("bias", bias))
    )
    eps = np.finfo(dtype).eps
    arguments = (hidden, weight, labels, bias, vectors)
    # Some fifty rows, or thirty.
    in_blocks = options | {"block_bytes": 4096 * np.dtype(dtype).itemsize}
    change = sg.linear_cross_entropy.jvp(*arguments, **in_blocks)
    exact = reference.linear_cross_entropy_jvp(*arguments, **options)
    each = reference.linear_cross_entropy_jvp(*arguments, **{**options, "reduction": "none"})
    assert np.asarray(change).dtype == dtype
    assert abs(change - exact) <= 64 * eps * np.sum(np.abs(each))
    assert exact != 0.0
    for gauss_newton in (False, True):
        actual = sg.linear_cross_entropy.hvp(*arguments, gauss_newton=gauss_newton, **in_blocks)
        expected = reference.linear_cross_entropy_hvp(*arguments, gauss_newton=gauss_newton, **options)
        for one, other in zip(actual, expected, strict=True):
            assert one.dtype == dtype
            # Logits of about 6 features are rounded before all else.
            assert np.max(np.abs(one - other)) <= 256 * eps * np.max(np.abs(other))
            assert np.max(np.abs(other)) > 0.0


def test_the_hessian_is_symmetric_and_gauss_newton_semi_definite():
    rng = fresh_rng()
    (hidden, weight, bias), labels = operands(rng, np.float64, rows=5, classes=4, features=3)
    sizes = [each.size for each in (hidden, weight, bias)]

    def column(index, **options):
        flat = np.zeros(sum(sizes))
        flat[index] = 1.0
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        vectors = tuple(part.reshape(each.shape) for part, each in zip(parts, (hidden, weight, bias), strict=True))
        products = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, vectors, **options)
        return np.concatenate([product.ravel() for product in products])

    exact = np.stack([column(i) for i in range(sum(sizes))])
    gauss_newton = np.stack([column(i, gauss_newton=True) for i in range(sum(sizes))])
    eps = np.finfo(np.float64).eps
    for matrix in (exact, gauss_newton):
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=32 * eps * np.max(np.abs(matrix)))
    assert np.min(np.linalg.eigvalsh(gauss_newton)) >= -64 * eps * np.max(np.abs(gauss_newton))
    assert np.min(np.linalg.eigvalsh(exact)) < -1e-3


def test_tangents_are_checked():
    (hidden, weight, _), labels = operands(fresh_rng(), np.float64)
    with pytest.raises(TypeError, match="a tuple of three"):
        sg.linear_cross_entropy.jvp(hidden, weight, labels, None, hidden)
    with pytest.raises(ValueError, match=r"the tangent of weight has shape \(150, 6\); weight has shape \(40, 6\)"):
        sg.linear_cross_entropy.hvp(hidden, weight, labels, None, (None, hidden, None))
    with pytest.raises(ValueError, match="there is a tangent of bias, and no bias"):
        sg.linear_cross_entropy.jvp(hidden, weight, labels, None, (None, None, np.zeros(40)))
