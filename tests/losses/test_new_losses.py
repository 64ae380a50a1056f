"""binary_cross_entropy, kl_divergence, focal and token_logprobs: values, gradients, bounds, edge cases, errors."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.problems import row_scale
from tests.oracles import exact
from tests.oracles.bounds import DTYPES, EPS, FLOAT32, FLOAT64, GRADIENT, LOSS
from tests.oracles.differences import METHOD_ERROR, along
from tests.oracles.half import HALF_DTYPES, assert_half_within, every_value, long
from tests.oracles.inputs import FAMILIES, LANES, elementwise_inputs, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
half_dtypes = pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
families = pytest.mark.parametrize("family", FAMILIES)
LOSSES = ("binary_cross_entropy", "kl_divergence", "focal")
losses = pytest.mark.parametrize("name", LOSSES)
INF = np.inf
SHAPES = ((60, 3), (20, 10), (3, 130))


def tolerance(x):
    eps = np.finfo(x.dtype).eps
    return (16 + np.ptp(x[np.isfinite(x)])) * eps if x.dtype == FLOAT64 else 8 * eps


def arguments(name, rng, shape, dtype):
    """Logits, what comes second, and a value for each option."""
    x = (3.0 * rng.standard_normal(shape)).astype(dtype)
    rows, classes = shape
    by_row = rng.uniform(0.25, 3.0, rows)
    by_row[1] = 0.0
    if name == "binary_cross_entropy":
        elements = rng.uniform(0.25, 3.0, shape)
        elements[rng.random(shape) < 0.1] = 0.0
        options = {"pos_weight": rng.uniform(0.5, 3.0, classes), "sample_weight": elements, "label_smoothing": 0.2}
        return x, rng.uniform(0.0, 1.0, shape), options
    if name == "kl_divergence":
        where = rng.random(shape) < 0.7
        where[2] = False
        where[0] = True
        other = (3.0 * rng.standard_normal(shape)).astype(dtype)
        return x, other, {"temperature": 1.7, "where": where, "sample_weight": by_row}
    labels = rng.integers(classes, size=rows)
    weight = rng.uniform(0.5, 2.0, classes)
    return x, labels, {"gamma": 0.7, "class_weight": weight, "sample_weight": by_row, "ignore_index": int(labels[0])}


def combinations(name):
    names = [
        *list(arguments(name, np.random.default_rng(0), (4, 3), FLOAT64)[2]),
        "reduction",
        "normalizer",
        "upstream",
    ]
    every = [chosen for count in range(len(names) + 1) for chosen in itertools.combinations(names, count)]
    return [chosen for chosen in every if not {"reduction", "normalizer"} <= set(chosen)]


@dtypes
@losses
def test_every_combination_of_options_against_the_reference(name, dtype):
    rng = fresh_rng()
    for chosen in combinations(name):
        x, second, values = arguments(name, rng, (20, 5), dtype)
        values |= {"reduction": "sum", "normalizer": "count", "upstream": -1.75}
        options = {option: values[option] for option in chosen}
        plain = {option: value for option, value in options.items() if option != "upstream"}
        loss, gradient = getattr(sg, name).value_and_grad(x, second, **options)
        expected = getattr(reference, name)(x, second, **plain)
        # A divergence has terms of both signs: each is of the order of a few, and the sum of the order of 1.
        np.testing.assert_allclose(loss, expected, rtol=4 * tolerance(x), err_msg=str(chosen))
        assert getattr(sg, name)(x, second, **plain) == loss
        slope = getattr(reference, f"{name}_grad")(x, second, **options)
        assert np.all(np.abs(gradient - slope) <= 4 * tolerance(x) * row_scale(slope)), chosen
        np.testing.assert_array_equal(gradient[slope == 0.0], 0.0)
        np.testing.assert_array_equal(getattr(sg, name).grad(x, second, **options), gradient)


@dtypes
@losses
def test_without_reduction(name, dtype):
    rng = fresh_rng()
    for shape in SHAPES:
        x, second, options = arguments(name, rng, shape, dtype)
        rows = getattr(sg, name)(x, second, reduction="none", **options)
        expected = getattr(reference, name)(x, second, reduction="none", **options)
        assert rows.shape == expected.shape
        assert rows.dtype == dtype
        # A divergence near 0 is measured against the terms that make it up.
        np.testing.assert_allclose(rows, expected, rtol=8 * tolerance(x), atol=tolerance(x))
        upstream = rng.standard_normal(rows.shape)
        gradient = getattr(sg, name).grad(x, second, reduction="none", upstream=upstream, **options)
        slope = getattr(reference, f"{name}_grad")(x, second, reduction="none", upstream=upstream, **options)
        assert np.all(np.abs(gradient - slope) <= 4 * tolerance(x) * row_scale(slope))


@pytest.mark.parametrize("axis", [0, 1, (0, 2), (2, 0), None], ids=str)
@pytest.mark.parametrize("name", ["kl_divergence", "focal", "token_logprobs"])
def test_axes(axis, name):
    rng = fresh_rng()
    x = rng.standard_normal((3, 4, 5))
    lse = np.asarray(sg.logsumexp(x, axis=axis))
    size = x.size // lse.size
    second = rng.standard_normal(x.shape) if name == "kl_divergence" else rng.integers(size, size=lse.shape)
    if name == "token_logprobs":
        actual, expected = sg.token_logprobs(x, second, axis=axis), reference.token_logprobs(x, second, axis=axis)
        assert actual._fields == expected._fields == ("logprob", "entropy", "rank")
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=64 * EPS)
            assert np.shape(one) == lse.shape
        return
    loss, gradient = getattr(sg, name).value_and_grad(x, second, axis=axis, reduction="none")
    expected = getattr(reference, name)(x, second, axis=axis, reduction="none")
    # The terms of a divergence are of the size of 1, its definition adds them as they are.
    np.testing.assert_allclose(loss, expected, rtol=64 * EPS, atol=8 * EPS)
    assert np.shape(loss) == lse.shape
    slope = getattr(reference, f"{name}_grad")(x, second, axis=axis, reduction="none")
    np.testing.assert_allclose(gradient, slope, rtol=64 * EPS, atol=8 * EPS * np.max(np.abs(slope)))


@losses
def test_finite_differences(name):
    rng = fresh_rng()
    for gamma in (0.0, 0.5, 2.0, 3.7) if name == "focal" else (None,):
        x, second, options = arguments(name, rng, (7, 4), FLOAT64)
        if gamma is not None:
            options["gamma"] = gamma
        direction = rng.standard_normal(x.shape)

        def loss(step, x=x, second=second, options=options, direction=direction):
            return getattr(sg, name)(x + step * direction, second, **options)

        numeric = along(loss)
        gradient = getattr(sg, name).grad(x, second, **options)
        assert abs(np.sum(gradient * direction) - numeric) <= METHOD_ERROR * np.sum(np.abs(gradient * direction))


@losses
@pytest.mark.parametrize("dtype", [*DTYPES, *HALF_DTYPES], ids=str)
def test_types_and_layouts(dtype, name):
    rng = fresh_rng()
    x, second, options = arguments(name, rng, (20, 5), dtype)
    wide = np.float64 if dtype == FLOAT64 else np.float32
    loss, gradient = getattr(sg, name).value_and_grad(x, second, **options)
    assert type(loss) is wide
    assert gradient.dtype == dtype
    assert getattr(sg, name)(x, second, reduction="none").dtype == wide
    place = x.copy()
    same, result = getattr(sg, name).value_and_grad(place, second, out=place, **options)
    assert result is place
    assert same == loss
    assert place.tobytes() == gradient.tobytes()
    same, result = getattr(sg, name).value_and_grad(np.asfortranarray(x), np.asfortranarray(second), **options)
    assert same == loss
    assert np.ascontiguousarray(result).tobytes() == gradient.tobytes()


# binary_cross_entropy


@dtypes
@pytest.mark.parametrize("y", [0, 1, True, False, 0.0, 1.0])
def test_binary_bounds_at_certain_targets(y, dtype):
    x = elementwise_inputs(fresh_rng(), dtype)
    targets = np.full(x.shape, y)
    sign = 1.0 if y else -1.0
    loss, gradient = sg.binary_cross_entropy.value_and_grad(x, targets, reduction="none")
    assert_within(LOSS[dtype], loss, -exact.log_sigmoid(sign * x), what="loss")
    assert not np.any(np.signbit(loss))
    assert_within(GRADIENT[dtype], gradient, -sign * exact.sigmoid(-sign * x), what="gradient")


@dtypes
def test_binary_bounds_at_any_target(dtype):
    rng = fresh_rng()
    x = elementwise_inputs(rng, dtype)
    x = x[np.isfinite(x)]
    y, w = rng.uniform(0.0, 1.0, x.shape), rng.uniform(0.5, 4.0, x.shape)
    wide = y.astype(np.longdouble)
    for smoothing in (0.0, 0.1):
        a = np.longdouble(smoothing)
        positive, negative = w * ((1 - a) * wide + a / 2), (1 - a) * (1 - wide) + a / 2
        loss, gradient = sg.binary_cross_entropy.value_and_grad(
            x, y, pos_weight=w, reduction="none", label_smoothing=smoothing
        )
        value = positive * -exact.log_sigmoid(x) + negative * -exact.log_sigmoid(-x.astype(np.longdouble))
        assert_within(LOSS[dtype], loss, value, what="loss")
        up, down = negative * exact.sigmoid(x), positive * exact.sigmoid(-x.astype(np.longdouble))
        assert_within(GRADIENT[dtype], gradient, up - down, scale=np.maximum(up, down), what="gradient")


@pytest.mark.parametrize("weights", [None, [1.0, 2.0]])
def test_binary_beyond_the_range_is_inf(weights):
    """The loss of each element fits into the long double that it is made in; no warning says that it does not here."""
    x, y = np.array([-1.5e308, 0.0]), [0.9, 0.5]
    options = {"pos_weight": 3.0, "sample_weight": weights}
    losses = sg.binary_cross_entropy(x, y, reduction="none", **options)
    assert losses[0] == INF
    assert np.isfinite(losses[1])
    assert sg.binary_cross_entropy(x, y, **options) == INF
    loss, gradient = sg.binary_cross_entropy.value_and_grad(x, y, reduction="none", **options)
    assert loss[0] == INF
    np.testing.assert_allclose(gradient[0], -2.7, rtol=4 * EPS)


@half_dtypes
def test_binary_of_every_value(dtype):
    x = every_value(dtype)
    wide = long(x)
    for y, sign in ((1, 1), (0, -1)):
        # NumPy says so when it widens a signalling NaN.
        with np.errstate(invalid="ignore"):
            loss, gradient = sg.binary_cross_entropy.value_and_grad(x, np.full(x.shape, y), reduction="none")
            assert_within(LOSS[FLOAT32], loss, -exact.log_sigmoid(sign * wide), what="loss")
            assert_half_within(0.51, gradient, -sign * exact.sigmoid(-sign * wide), what="gradient")


def test_binary_edge_cases():
    x = np.array([INF, INF, -INF, -INF, np.nan])
    loss, gradient = sg.binary_cross_entropy.value_and_grad(x, [1, 0, 0, 1, 1], reduction="none")
    np.testing.assert_array_equal(loss, [0, INF, 0, INF, np.nan])
    assert not np.any(np.signbit(loss[:4]))
    np.testing.assert_array_equal(gradient, [0, 1, 0, -1, np.nan])
    # A weight of 0 wins over everything, and does not count.
    weights = [1.0, 0.0, 1.0, 0.0, 0.0]
    loss, gradient = sg.binary_cross_entropy.value_and_grad(x, [0.5, 0, 0, 1, 1], sample_weight=[0, 0, 1, 0, 0])
    assert loss == 0.0
    np.testing.assert_array_equal(gradient, 0.0)
    rows = sg.binary_cross_entropy(np.zeros(5), np.ones(5), sample_weight=weights, reduction="none")
    np.testing.assert_allclose(rows, np.log(2.0) * np.array(weights), rtol=4 * EPS)
    assert sg.binary_cross_entropy(x, np.ones(5), sample_weight=np.zeros(5)) == 0.0
    assert sg.binary_cross_entropy(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0
    # pos_weight by hand: log 2 for each part; the mean divides by the sample weights alone.
    assert sg.binary_cross_entropy([0.0, 0.0], [1, 0], pos_weight=3.0) == pytest.approx(
        2.0 * np.log(2.0), rel=4 * EPS, abs=0.0
    )
    assert sg.binary_cross_entropy(np.zeros((2, 2)), np.eye(2), pos_weight=[1.0, 3.0]) == pytest.approx(
        1.5 * np.log(2.0), rel=4 * EPS, abs=0.0
    )


def test_binary_errors():
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"targets\[1, 2\] is 1.5; it must be in \[0, 1\]"):
        sg.binary_cross_entropy(x, [[0, 0, 1], [1, 0, 1.5]])
    for wrong in (np.nan, -0.1):
        with pytest.raises(ValueError, match=r"targets\[0, 1\] is"):
            sg.binary_cross_entropy(x, [[0, wrong, 1], [1, 0, 1]])
    with pytest.raises(ValueError, match=r"targets has shape \(3,\); it must be \(2, 3\)"):
        sg.binary_cross_entropy(x, np.zeros(3))
    with pytest.raises(TypeError, match="targets has dtype complex128"):
        sg.binary_cross_entropy(x, np.zeros((2, 3), complex))
    with pytest.raises(ValueError, match=r"pos_weight has shape \(2,\); it must broadcast to \(2, 3\)"):
        sg.binary_cross_entropy(x, x, pos_weight=np.ones(2))
    with pytest.raises(ValueError, match=r"pos_weight.* is -1\.0"):
        sg.binary_cross_entropy(x, x, pos_weight=[1, -1, 1])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\); it must be \(2, 3\)"):
        sg.binary_cross_entropy(x, x, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match=r"label_smoothing is 1\.5"):
        sg.binary_cross_entropy(x, x, label_smoothing=1.5)


# kl_divergence


def exact_divergence(x, u, temperature=1.0):
    """In mpmath, row by row: the divergence, and p - q."""
    ctx = mpmath.MPContext()
    ctx.dps = 40
    values, slopes = [], []
    for row, other in zip(x, u, strict=True):
        logs = []
        for each in (row, other):
            z = [ctx.mpf(float(value)) / ctx.mpf(temperature) for value in each]
            top = max(z)
            first = z.index(top)
            rest = ctx.fsum(ctx.exp(value - top) for j, value in enumerate(z) if j != first)
            logs.append([value - top - ctx.log1p(rest) for value in z])
        p, q = ([ctx.exp(each) for each in log] for log in logs)
        values.append(ctx.fsum(b * (d - c) for b, c, d in zip(q, *logs, strict=True)))
        slopes.append([float((a - b) / ctx.mpf(temperature)) for a, b in zip(p, q, strict=True)])
    return np.array([float(value) for value in values]), np.array(slopes)


@dtypes
@pytest.mark.parametrize(
    "family", ["normal 1", "normal 5", "normal 30", "offset 1e4", "confident 17", "confident 40", "ties"]
)
def test_divergence_bounds(family, dtype):
    rng = fresh_rng()
    for temperature in (1.0, 0.7, 3.0):
        x, u = (FAMILIES[family](rng, (12, 9), dtype) for _ in range(2))
        loss, gradient = sg.kl_divergence.value_and_grad(x, u, temperature=temperature, reduction="none")
        value, slope = exact_divergence(x, u, temperature)
        assert_within(LOSS[dtype], loss, value, what=f"loss, {family}")
        p, q = (sg.softmax(each.astype(np.float64), temperature=temperature) for each in (x, u))
        scale = np.maximum(p, q) / temperature
        assert_within(GRADIENT[dtype], gradient, slope, scale=scale, what=f"gradient, {family}")


@dtypes
@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
def test_close_distributions_keep_their_digits(distance, dtype):
    """The divergence is of the order of the square of the distance, far below the rounding of its terms."""
    rng = fresh_rng()
    u = (2.0 * rng.standard_normal((12, 9))).astype(dtype)
    x = (u + distance * rng.standard_normal(u.shape)).astype(dtype)
    value, _ = exact_divergence(x, u)
    loss = sg.kl_divergence(x, u, reduction="none")
    assert np.all(value > 0)
    assert_within(8 * LOSS[dtype], loss, value, what="loss")
    np.testing.assert_array_equal(sg.kl_divergence(u, u, reduction="none"), 0.0)
    np.testing.assert_array_equal(sg.kl_divergence.grad(u, u), 0.0)


@dtypes
def test_divergence_edge_cases(dtype):
    def evaluate(x, u, **options):
        return sg.kl_divergence.value_and_grad(np.array(x, dtype), np.array(u, dtype), reduction="none", **options)

    log_2 = np.log(2.0)
    loss, gradient = evaluate([0.0, 0.0], [0.0, -INF])
    assert loss == pytest.approx(log_2, rel=4 * float(np.finfo(dtype).eps), abs=0.0)
    np.testing.assert_array_equal(gradient, [-0.5, 0.5])
    loss, gradient = evaluate([0.0, -INF], [0.0, 0.0])
    assert loss == INF
    np.testing.assert_array_equal(gradient, [0.5, -0.5])
    loss, gradient = evaluate([0.0, -INF], [3.0, -INF])
    assert loss == 0.0
    np.testing.assert_array_equal(gradient, 0.0)
    # Mass that vanishes in the dtype is mass all the same.
    loss, _ = evaluate([0.0, -INF], [0.0, -1e4])
    assert loss == INF
    # A probability that vanishes costs its logarithm.
    loss, _ = evaluate([0.0, -1e4], [0.0, 0.0])
    assert loss == pytest.approx(5000.0 - log_2, rel=4 * float(np.finfo(dtype).eps), abs=0.0)
    for x, u in (
        ([np.nan, 0.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, np.nan]),
        ([0.0, np.nan], [0.0, -INF]),
        ([INF, 0.0], [0.0, 0.0]),
        ([0.0, 0.0], [INF, 0.0]),
        ([-INF, -INF], [0.0, 0.0]),
        ([0.0, 0.0], [-INF, -INF]),
    ):
        loss, gradient = evaluate(x, u)
        assert np.isnan(loss), (x, u)
        assert np.all(np.isnan(gradient)), (x, u)
    # What is left out may hold anything, and a row that is left out or of weight 0 as well.
    loss, gradient = evaluate([0.0, np.nan, 0.0], [0.0, INF, -INF], where=[True, False, True])
    assert loss == pytest.approx(log_2, rel=4 * float(np.finfo(dtype).eps), abs=0.0)
    np.testing.assert_array_equal(gradient, [-0.5, 0.0, 0.5])
    for options in ({"where": [[False], [True]]}, {"sample_weight": [0.0, 1.0]}):
        x = np.array([[np.nan, INF], [0.0, 0.0]], dtype)
        u = np.array([[np.nan, INF], [0.0, -INF]], dtype)
        loss, gradient = sg.kl_divergence.value_and_grad(x, u, **options)
        assert loss == pytest.approx(log_2, rel=4 * float(np.finfo(dtype).eps), abs=0.0)
        np.testing.assert_array_equal(gradient, [[0, 0], [-0.5, 0.5]])
    assert sg.kl_divergence(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype)) == 0.0


def test_divergence_errors():
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"target_logits has shape \(3,\)"):
        sg.kl_divergence(x, np.zeros(3))
    with pytest.raises(ValueError, match=r"temperature is 0\.0"):
        sg.kl_divergence(x, x, temperature=0.0)
    with pytest.raises(TypeError, match="where has dtype int64"):
        sg.kl_divergence(x, x, where=[1, 0, 1])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\); it must be \(2,\)"):
        sg.kl_divergence(x, x, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="no classes"):
        sg.kl_divergence(np.zeros((2, 0)), np.zeros((2, 0)))
    with pytest.raises(ValueError, match="out overlaps target_logits"):
        sg.kl_divergence.value_and_grad(np.ones((2, 3)), x, out=x)


# focal


def exact_focal(x, labels, gamma):
    """In long doubles: the loss, its gradient and the size of it."""
    loss, slope = exact.loss(x, labels), exact.gradient(x, labels)
    miss = -np.take_along_axis(slope, labels[:, None], axis=-1)[:, 0]
    p = exact.softmax(x)[np.arange(len(x)), labels]
    g = np.longdouble(gamma)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(miss == 0, 1, np.where(p == 0, 0, p * loss / miss))
        value = np.where(loss == 0, 0, miss**g * loss)
    return value, (miss**g * (1 + g * ratio))[:, None] * slope


@dtypes
@families
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_bounds(gamma, family, dtype):
    """Where p is near 1 the loss is l^(1 + gamma), with 1 + gamma times its relative error."""
    rng = fresh_rng()
    times = 1 + gamma
    for shape in ((90, 3), (20, 10), (4, LANES[dtype] + 1)):
        x = FAMILIES[family](rng, shape, dtype)
        for labels in (np.argmax(x, axis=1), rng.integers(shape[1], size=shape[0])):
            loss, gradient = sg.focal.value_and_grad(x, labels, gamma=gamma, reduction="none")
            value, slope = exact_focal(x, labels, gamma)
            assert_within(times * LOSS[dtype], loss, value, what=f"loss, {family}")
            assert_within(times * GRADIENT[dtype], gradient, slope, what=f"gradient, {family}")


@dtypes
def test_focal_with_gamma_zero_is_cross_entropy(dtype):
    rng = fresh_rng()
    x = (4.0 * rng.standard_normal((30, 7))).astype(dtype)
    x[:, 2] = -INF
    labels = rng.integers(7, size=30)
    options = {"class_weight": rng.uniform(0.0, 2.0, 7), "sample_weight": rng.uniform(0.0, 2.0, 30), "ignore_index": 1}
    loss, gradient = sg.focal.value_and_grad(x, labels, gamma=0.0, **options)
    expected, slope = sg.cross_entropy.value_and_grad(x, labels, **options)
    np.testing.assert_allclose(loss, expected, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(gradient, slope, rtol=2 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_edge_cases(gamma, dtype):
    def evaluate(x, label, **options):
        return sg.focal.value_and_grad(np.array(x, dtype), label, gamma=gamma, reduction="none", **options)

    for x in ([3.0], [-INF, 2.0, -INF]):
        loss, gradient = evaluate(x, len(x) // 2)
        assert loss == 0.0
        assert not np.signbit(loss)
        np.testing.assert_array_equal(gradient, 0.0)
    loss, gradient = evaluate([1.0, -INF, 1.0], 1)
    assert loss == INF
    np.testing.assert_array_equal(gradient, [0.5, -1.0, 0.5])
    for x in ([np.nan, 0.0], [0.0, np.nan], [INF, 0.0], [-INF, -INF]):
        loss, gradient = evaluate(x, 0)
        assert np.isnan(loss)
        assert np.all(np.isnan(gradient))
    x = np.array([[np.nan, INF], [0.0, 0.0]], dtype)
    for options in ({"ignore_index": -1}, {"sample_weight": [0.0, 1.0]}, {"class_weight": [1.0, 0.0]}):
        labels = np.array([-1 if "ignore_index" in options else 1, 0])
        loss, gradient = sg.focal.value_and_grad(x, labels, gamma=gamma, **options)
        np.testing.assert_allclose(loss, 0.5**gamma * np.log(2.0), rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(gradient[0], 0.0)
        assert gradient[1, 0] < 0.0
    # Far down: the loss is that of cross_entropy.
    loss, gradient = evaluate([0.0, -3000.0], 1)
    assert loss == 3000.0
    np.testing.assert_array_equal(gradient, [1.0, -1.0])


def test_focal_errors():
    x = np.zeros((2, 3))
    for gamma in (-1.0, np.nan, INF):
        with pytest.raises(ValueError, match="gamma is"):
            sg.focal(x, [0, 1], gamma=gamma)
    with pytest.raises(TypeError, match="gamma must be a number"):
        sg.focal(x, [0, 1], gamma="2")
    with pytest.raises(TypeError, match="labels has dtype float64; focal takes class indices"):
        sg.focal(x, x)
    with pytest.raises(ValueError, match=r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)"):
        sg.focal(x, [0, 3])
    with pytest.raises(TypeError, match="label_smoothing"):
        sg.focal(x, [0, 1], label_smoothing=0.1)


# token_logprobs


@dtypes
@families
def test_token_bounds(family, dtype):
    rng = fresh_rng()
    for shape in ((90, 3), (20, 10), (4, LANES[dtype] + 1), (2, 5000)):
        x = FAMILIES[family](rng, shape, dtype)
        labels = rng.integers(shape[1], size=shape[0])
        for chosen in (labels, np.argmax(x, axis=1), np.argmin(x, axis=1)):
            found = sg.token_logprobs(x, chosen)
            assert_within(LOSS[dtype], found.logprob, -exact.loss(x, chosen), what=f"logprob, {family}")
            p, logs = exact.softmax(x), exact.log_softmax(x)
            entropy = -np.sum(np.multiply(p, logs, out=np.zeros_like(p), where=p > 0), axis=-1)
            assert_within(LOSS[dtype], found.entropy, entropy, what=f"entropy, {family}")
            at_label = np.take_along_axis(x, chosen[:, None], axis=-1)
            np.testing.assert_array_equal(found.rank, 1 + np.count_nonzero(x > at_label, axis=-1))
            assert found.rank.dtype == np.int64


@half_dtypes
def test_tokens_of_two_bytes(dtype):
    rng = fresh_rng()
    x = (4.0 * rng.standard_normal((60, 50))).astype(dtype)
    labels = rng.integers(50, size=60)
    found = sg.token_logprobs(x, labels)
    assert found.logprob.dtype == found.entropy.dtype == np.float32
    expected = sg.token_logprobs(x.astype(np.float32), labels)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@dtypes
def test_token_edge_cases(dtype):
    def evaluate(x, label):
        return sg.token_logprobs(np.array(x, dtype), label)

    eps = float(np.finfo(dtype).eps)
    assert evaluate([2.5], 0) == (0.0, 0.0, 1)
    assert evaluate([-INF, 2.5, -INF], 1) == (0.0, 0.0, 1)
    assert evaluate([-INF, 2.5, -INF], 2) == (-INF, 0.0, 2)
    logprob, entropy, rank = evaluate([1e8] * 5, 3)
    np.testing.assert_allclose([-logprob, entropy], np.log(5.0), rtol=2 * eps)
    assert rank == 1
    logprob, entropy, rank = evaluate([0.0, -INF, 0.0, -1.0], 3)
    assert rank == 3
    assert entropy == pytest.approx(np.log(2 + np.exp(-1)) + np.exp(-1) / (2 + np.exp(-1)), rel=4 * eps, abs=0.0)
    for x in ([np.nan, 0.0], [0.0, np.nan], [INF, 0.0], [-INF, -INF]):
        logprob, entropy, rank = evaluate(x, 1)
        assert np.isnan(logprob)
        assert np.isnan(entropy)
        assert rank == 0
    # A confident row: both are about 40 exp(-40), not 0.
    logprob, entropy, rank = evaluate([40.0, 0.0], 0)
    np.testing.assert_allclose(-logprob, np.exp(-40.0), rtol=4 * eps)
    np.testing.assert_allclose(entropy, 41 * np.exp(-40.0), rtol=4 * eps)
    empty = sg.token_logprobs(np.zeros((0, 3), dtype), np.zeros(0, int))
    assert all(each.shape == (0,) for each in empty)


def test_token_errors():
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"labels\[1\] is -1; logits have 3 classes \(0 to 2\)"):
        sg.token_logprobs(x, [0, -1])
    with pytest.raises(TypeError, match="labels has dtype float64; token_logprobs takes class indices"):
        sg.token_logprobs(x, [0.0, 1.0])
    with pytest.raises(ValueError, match="no classes"):
        sg.token_logprobs(np.zeros((2, 0)), [0, 0])
    with pytest.raises(ValueError, match=r"labels has shape \(3,\)"):
        sg.token_logprobs(x, [0, 1, 2])
