"""Every derivative in softgrad.reference against numerical differentiation at 50 digits."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import reference
from tests.oracles import generate
from tests.oracles import multiprecision as mp

ROWS = {
    "ordinary": [0.5, -1.25, 3.0, 0.75],
    "tied": [2.0, 2.0, -1.0, 2.0],
    "confident": [-3.0, 37.0, 0.0, -1.0],
}
TOLERANCE = 8 * np.finfo(np.float64).eps


def numerical_jacobian(function, x):
    """d function_i / d x_j as long doubles; `function` maps a vector to a vector or a number."""

    def component(i, j):
        def moved(t):
            value = function([*x[:j], t, *x[j + 1 :]])
            return value[i] if isinstance(value, list) else value

        return generate.decimal(mp.ctx.diff(moved, x[j]))

    value = function(x)
    columns = range(len(x))
    if isinstance(value, list):
        return generate.from_decimal([[component(i, j) for j in columns] for i in range(len(value))])
    return generate.from_decimal([component(0, j) for j in columns])


def assert_close(actual, exact, scale=None):
    """Relative to `scale`, componentwise: by default to the component itself."""
    scale = np.abs(exact) if scale is None else scale
    assert np.shape(actual) == np.shape(exact)
    error = np.abs(np.asarray(actual) - exact)
    assert np.all(error <= TOLERANCE * scale), (actual, exact)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_jacobian(name, row):
    exact = numerical_jacobian(getattr(mp, name), row)
    assert_close(getattr(reference, f"{name}_jacobian")(row), exact)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_vjp_and_jvp_are_products_with_the_jacobian(name, row):
    jacobian = np.atleast_2d(numerical_jacobian(getattr(mp, name), row))
    cotangent = np.array([0.75, -2.0, 1.25, 0.5])[: jacobian.shape[0]]
    vjp = getattr(reference, f"{name}_vjp")(row, cotangent if name != "logsumexp" else cotangent[0])
    assert_close(vjp, cotangent @ jacobian, np.abs(cotangent) @ np.abs(jacobian))
    tangent = np.array([-0.5, 1.5, 0.25, -1.0])
    jvp = np.atleast_1d(getattr(reference, f"{name}_jvp")(row, tangent))
    assert_close(jvp, jacobian @ tangent, np.abs(jacobian) @ np.abs(tangent))


@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid"])
def test_elementwise_derivatives(name):
    x = [-700.0, -40.0, -1.5, 0.0, 0.25, 3.0, 40.0, 60.0]
    slopes = generate.from_decimal(
        [generate.decimal(mp.ctx.diff(getattr(mp, name), each)) for each in map(mp.ctx.mpf, x)]
    )
    tangent = np.array([2.0, -1.0, 0.5, 3.0, -0.75, 1.0, 4.0, -1.5])
    for verb in ("vjp", "jvp"):
        assert_close(getattr(reference, f"{name}_{verb}")(x, tangent), slopes * tangent)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_temperature_and_where_reach_the_derivatives(name):
    x, kept = np.array([0.5, np.nan, -1.25, 3.0]), np.array([True, False, True, True])
    v, g = np.array([1.0, np.nan, -2.0, 0.5]), np.array([0.25, np.nan, 1.0, -1.0])
    options = {"temperature": 1.5}
    jvp, vjp, jacobian = (getattr(reference, f"{name}_{verb}") for verb in ("jvp", "vjp", "jacobian"))
    for derivative, other in ((jvp, v), (vjp, g)):
        full = derivative(x, other, where=kept, **options)
        np.testing.assert_array_equal(full[kept], derivative(x[kept], other[kept], **options))
        np.testing.assert_array_equal(full[~kept], 0.0)
    full = jacobian(x, where=kept, **options)
    np.testing.assert_array_equal(full[np.ix_(kept, kept)], jacobian(x[kept], **options))
    np.testing.assert_array_equal(full[~kept], 0.0)
    np.testing.assert_array_equal(full[:, ~kept], 0.0)
    exact = numerical_jacobian(lambda z: getattr(mp, name)([each / mp.ctx.mpf(1.5) for each in z]), [0.5, -1.25, 3.0])
    assert_close(jacobian(x[kept], **options), exact)


def test_where_and_keepdims_of_logsumexp():
    x, kept = (
        np.array([[0.5, np.nan, -1.25], [1.0, 2.0, np.inf]]),
        np.array([[1, 0, 1], [1, 1, 0]], dtype=bool),
    )
    alone = [reference.logsumexp(row[mask]) for row, mask in zip(x, kept, strict=True)]
    np.testing.assert_array_equal(reference.logsumexp(x, where=kept), alone)
    np.testing.assert_array_equal(reference.logsumexp(x, where=kept, keepdims=True), np.array(alone)[:, None])
    vjp = reference.logsumexp_vjp(x, [[2.0], [3.0]], where=kept, keepdims=True)
    np.testing.assert_array_equal(vjp, [[2.0], [3.0]] * reference.logsumexp_jacobian(x, where=kept))
    jvp = reference.logsumexp_jvp(x, x, where=kept, keepdims=True)
    assert jvp.shape == (2, 1)
    np.testing.assert_array_equal(jvp[:, 0], reference.logsumexp_jvp(x, x, where=kept))


def test_quadratic_gradient():
    outputs, targets = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([[1.0, 1.0], [0.0, 2.5]])
    options = {"sample_weight": [2.0, 0.5]}

    def loss(flat):
        pairs = zip(flat, targets.ravel(), strict=True)
        squares = [(a - mp.ctx.mpf(y)) ** 2 for a, y in pairs]
        return (2 * (squares[0] + squares[1]) + mp.ctx.mpf(0.5) * (squares[2] + squares[3])) / 2 / mp.ctx.mpf(2.5)

    flat = [mp.ctx.mpf(value) for value in outputs.ravel()]
    assert_close(reference.quadratic(outputs, targets, **options), generate.from_decimal(generate.decimal(loss(flat))))
    exact = numerical_jacobian(loss, flat).reshape(2, 2)
    assert_close(reference.quadratic_grad(outputs, targets, **options), exact)
    assert_close(reference.quadratic_grad(outputs, targets, upstream=-3.0, **options), -3.0 * exact)


def test_upstream_scales_each_row_without_reduction():
    x, labels, upstream = np.arange(12.0).reshape(3, 4) % 5, np.array([3, 1, 0]), np.array([2.0, -1.0, 0.5])
    gradient = reference.cross_entropy_grad(x, labels, reduction="none", upstream=upstream)
    expected = reference.cross_entropy_grad(x, labels, reduction="sum") * upstream[:, None]
    np.testing.assert_array_equal(gradient, expected)


def test_linear_cross_entropy_gradients():
    rng = np.random.default_rng(7)
    hidden, weight, bias = rng.standard_normal((3, 2)), rng.standard_normal((4, 2)), rng.standard_normal(4)
    labels, options = np.array([3, 0, 2]), {"label_smoothing": 0.25, "sample_weight": [1.0, 0.5, 2.0]}
    sizes = [hidden.size, weight.size, bias.size]

    def loss(flat):
        h, w, b = flat[: sizes[0]], flat[sizes[0] : sizes[0] + sizes[1]], flat[sizes[0] + sizes[1] :]
        total = mp.ctx.mpf(0)
        for i, (label, s) in enumerate(zip(labels, options["sample_weight"], strict=True)):
            logits = [h[2 * i] * w[2 * k] + h[2 * i + 1] * w[2 * k + 1] + b[k] for k in range(4)]
            log_p = mp.log_softmax(logits)
            q = [mp.ctx.mpf(0.75) * (k == label) + mp.ctx.mpf(0.25) / 4 for k in range(4)]
            total -= mp.ctx.mpf(s) * mp.ctx.fsum(q[k] * log_p[k] for k in range(4))
        return total / mp.ctx.mpf(3.5)

    flat = [mp.ctx.mpf(float(value)) for value in np.concatenate([hidden.ravel(), weight.ravel(), bias])]
    value = reference.linear_cross_entropy(hidden, weight, labels, bias, **options)
    assert_close(value, generate.from_decimal(generate.decimal(loss(flat))))
    exact = np.split(numerical_jacobian(loss, flat), np.cumsum(sizes)[:-1])
    gradients = reference.linear_cross_entropy_grad(hidden, weight, labels, bias, **options)
    for actual, expected in zip(gradients, exact, strict=True):
        assert_close(np.ravel(actual), expected, np.max(np.abs(expected)))
    assert reference.linear_cross_entropy_grad(hidden, weight, labels, **options).bias is None
