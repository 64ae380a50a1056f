"""jvp, hvp, hessian and hessian_diagonal of all losses but cross_entropy, and the derivatives of token_logprobs.

The definitions are held against numerical differentiation of the losses in multiprecision; the library against the
definitions with every option, and against multiprecision where the definitions round.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.test_new_losses import arguments
from tests.oracles import exact as long_double
from tests.oracles import generate
from tests.oracles import multiprecision as mp
from tests.oracles.bounds import DTYPES, FLOAT32, FLOAT64
from tests.oracles.half import HALF_DTYPES
from tests.oracles.inputs import FAMILIES, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
LOSSES = ("quadratic", "binary_cross_entropy", "kl_divergence", "focal")
losses = pytest.mark.parametrize("name", LOSSES)
row_losses = pytest.mark.parametrize("name", ["quadratic", "kl_divergence", "focal"])
EPS64 = np.finfo(FLOAT64).eps
INF = np.inf
GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
ROWS = {
    "ordinary": [0.5, -1.25, 3.0, 0.75],
    "tied": [2.0, 2.0, -1.0, 2.0],
    "confident": [-3.0, 37.0, 0.0, -1.0],
    "very confident": [0.0, 80.0, -1.0, 0.5],
    "nearly equal": [1e-6, 0.0, 3e-6, -2e-6],
}
rows_by_name = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


# The losses of one row in multiprecision, and their derivatives from nothing but these values.


def focal_value(x, label, gamma):
    cost = mp.loss(x, label)
    return (-mp.ctx.expm1(-cost)) ** gamma * cost


def divergence_value(x, u, temperature):
    log_p, log_q = (mp.log_softmax([mp.ctx.mpf(each) / temperature for each in row]) for row in (x, u))
    return mp.ctx.fsum(mp.ctx.exp(b) * (b - a) for a, b in zip(log_p, log_q, strict=True))


def binary_value(x, y, w):
    return w * y * -mp.log_sigmoid(x) + (1 - mp.ctx.mpf(y)) * -mp.log_sigmoid(-x)


def entropy_value(x):
    log_p = mp.log_softmax(x)
    return -mp.ctx.fsum(mp.ctx.exp(each) * each for each in log_p)


def numerical(function, x, orders):
    """A partial derivative of a function of a list, in digits enough to see exp(-80) beside 80 twice."""
    with mp.ctx.workdps(100):
        return +mp.ctx.diff(lambda *point: function(list(point)), tuple(map(mp.ctx.mpf, x)), orders)


def numerical_gradient(function, x):
    units = np.eye(len(x), dtype=int)
    return generate.from_decimal([generate.decimal(numerical(function, x, tuple(map(int, each)))) for each in units])


def numerical_hessian(function, x):
    size = range(len(x))
    orders = [[[(i == k) + (j == k) for k in size] for j in size] for i in size]
    upper = {
        (i, j): generate.decimal(numerical(function, x, tuple(orders[i][j]))) for i in size for j in size if j >= i
    }
    return generate.from_decimal([[upper[min(i, j), max(i, j)] for j in size] for i in size])


@cache
def loss_hessian(row, label):
    return numerical_hessian(lambda x: mp.loss(x, label), row)


def assert_relative(actual, exact, tolerance):
    """Component by component, to its own size; what is subnormal in the dtype, to its grid."""
    actual = np.asarray(actual)
    assert actual.shape == exact.shape
    assert np.all(exact != 0.0)
    allowed = tolerance * np.abs(exact) + np.finfo(actual.dtype).smallest_subnormal
    assert np.all(np.abs(actual - exact) <= allowed), (actual, exact, np.abs(actual - exact) / np.abs(exact))


@rows_by_name
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_divergence_in_multiprecision(temperature, row):
    other = [1.0, 2.0, -0.5, 0.25]
    exact = numerical_hessian(lambda x: divergence_value(x, other, mp.ctx.mpf(temperature)), row)
    options = {"temperature": temperature}
    # x / T and x - m are rounded in the definition, each to half an eps of numbers of the size of the row.
    loose = (16 + np.ptp(row)) * EPS64
    assert_relative(reference.kl_divergence_hessian(row, other, **options), exact, loose)
    assert_relative(sg.kl_divergence.hessian(row, other, **options).toarray(), exact, 16 * EPS64)
    assert_relative(sg.kl_divergence.hessian_diagonal(row, other, **options), np.diag(exact), 16 * EPS64)


@rows_by_name
@pytest.mark.parametrize("label", range(3))
@pytest.mark.parametrize("gamma", GAMMAS[1:])
def test_focal_in_multiprecision(gamma, label, row):
    exact = numerical_hessian(lambda x: focal_value(x, label, mp.ctx.mpf(gamma)), row)
    # (1 - p)^gamma has gamma times the relative error of 1 - p. Of the two terms of a component one may be negative.
    tolerance = (32 + 8 * gamma) * EPS64
    scale = np.maximum(np.abs(exact), np.abs(loss_hessian(tuple(row), label)) * _modulation(row, label, gamma))
    for actual in (
        reference.focal_hessian(row, label, gamma=gamma),
        sg.focal.hessian(row, label, gamma=gamma),
    ):
        error = np.abs(actual - exact)
        assert np.all(error <= tolerance * scale), np.max(error / scale)
    error = np.abs(sg.focal.hessian_diagonal(row, label, gamma=gamma) - np.diag(exact))
    assert np.all(error <= tolerance * np.diag(scale)), np.max(error / np.diag(scale))


def _modulation(row, label, gamma):
    cost = mp.loss(row, label)
    return float((1 + gamma) * (1 + cost) * (-mp.ctx.expm1(-cost)) ** gamma)


@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
def test_binary_in_multiprecision(y):
    x = [-80.0, -40.0, -1.5, 0.0, 0.25, 3.0, 40.0, 80.0]
    second = [numerical(lambda point: binary_value(point[0], y, mp.ctx.mpf(2.5)), [each], (2,)) for each in x]
    exact = generate.from_decimal([generate.decimal(each) for each in second])
    options = {"pos_weight": 2.5, "reduction": "sum"}
    targets = np.full(len(x), y)
    assert_relative(reference.binary_cross_entropy_hessian_diagonal(x, targets, **options), exact, 8 * EPS64)
    assert_relative(sg.binary_cross_entropy.hessian_diagonal(x, targets, **options), exact, 8 * EPS64)


@rows_by_name
def test_token_gradients_in_multiprecision(row):
    for label in range(4):
        exact = (
            numerical_gradient(lambda x, label=label: -mp.loss(x, label), row),
            numerical_gradient(entropy_value, row),
        )
        for actual in (reference.token_logprobs_jacobian(row, label), sg.token_logprobs.jacobian(row, label)):
            assert_relative(actual.logprob, exact[0], 16 * EPS64)
            # Of -p ((x - m) + d) both terms may be rounded, but not the logarithm of the sum, which is not in them.
            p, below = np.exp(mp_log_softmax(row)), np.max(row) - np.array(row)
            scale = p * (below + np.sum(p * below))
            assert np.all(np.abs(actual.entropy - exact[1]) <= 16 * EPS64 * scale)


def mp_log_softmax(row):
    return generate.from_decimal([generate.decimal(each) for each in mp.log_softmax(row)])


@dtypes
@pytest.mark.parametrize(
    "family", ["normal 1", "normal 5", "normal 30", "offset 1e4", "confident 17", "confident 40", "ties"]
)
def test_bounds(family, dtype):
    """In ulp of the terms that a component is summed from: one rounding in float32, a few in float64."""
    rng = fresh_rng()
    x = FAMILIES[family](rng, (300, 7), dtype)
    labels = rng.integers(7, size=300)
    p, cost, slope = long_double.softmax(x), long_double.loss(x, labels)[:, None], long_double.gradient(x, labels)
    at_label, k = labels[:, None], np.argmax(x, axis=1)[:, None]
    others = p.copy()
    np.put_along_axis(others, k, 0, axis=1)
    complement = 1 - p
    np.put_along_axis(complement, k, others.sum(axis=1, keepdims=True), axis=1)
    bound = {FLOAT32: 1, FLOAT64: 12}[dtype]

    variances = p * complement
    diagonal = sg.kl_divergence.hessian_diagonal(x, np.zeros_like(x), reduction="sum")
    assert_within(bound, diagonal, variances, what="kl_divergence")

    p_label, miss = np.take_along_axis(p, at_label, axis=1), -np.take_along_axis(slope, at_label, axis=1)
    first = miss**2 + 2 * miss * p_label * cost
    second = 2 * miss * p_label * (2 - cost + p_label * cost / miss)
    terms = first * variances, second * slope * slope
    diagonal = sg.focal.hessian_diagonal(x, labels, reduction="sum")
    assert_within(bound, diagonal, sum(terms), scale=np.abs(terms[0]) + np.abs(terms[1]), what="focal")

    jacobian = sg.token_logprobs.jacobian(x, labels)
    below = np.take_along_axis(x, k, axis=1) - x.astype(np.longdouble)
    mean = np.sum(p * below, axis=1, keepdims=True)
    assert_within(bound, jacobian.logprob, -slope, what="logprob")
    assert_within(bound, jacobian.entropy, p * (below - mean), scale=p * (below + mean), what="entropy")


# Every option, against the definitions.


def problem(name, rng, shape, dtype):
    """What the loss takes, and a value for each option; some rows count for nothing."""
    if name != "quadratic":
        return arguments(name, rng, shape, dtype)
    weight = rng.uniform(0.25, 3.0, shape[0])
    weight[1] = 0.0
    outputs, targets = rng.standard_normal((2, *shape)).astype(dtype)
    return outputs, targets, {"sample_weight": weight}


def dense(hessian):
    return hessian.toarray() if isinstance(hessian, sg.DiagonalPlusRankOne) else hessian


def tolerance(x):
    """Relative to the terms. The reference rounds x - m, which moves its exponentials by |x - m| eps."""
    return (32 + 2 * np.ptp(x)) * EPS64 if x.dtype == FLOAT64 else 16 * np.finfo(x.dtype).eps


def check_all_verbs(name, x, second, v, options):
    """Each verb against its definition, with options of any kind; returns the Hessian and hvp."""
    member = getattr(sg, name)
    bound = tolerance(x)
    plain = {option: value for option, value in options.items() if option != "upstream"}

    def check(verb, actual, expected, scale):
        assert np.shape(actual) == np.shape(expected), verb
        assert np.asarray(actual).dtype == x.dtype, verb
        assert np.any(expected != 0.0), verb
        assert np.all(np.abs(actual - expected) <= bound * scale), verb

    change = member.jvp(x, second, v, **plain)
    assert np.shape(change) == np.shape(member(x, second, **plain))
    # Without a reduction every row is held to the terms of all of them.
    terms = np.sum(np.abs(reference_gradient(name, x, second, plain) * v))
    check("jvp", change, getattr(reference, f"{name}_jvp")(x, second, v, **plain), terms)

    diagonal_blocks = getattr(reference, f"{name}_hessian")(x, second, **options)
    hessian = member.hessian(x, second, **options)
    assert hessian.shape == diagonal_blocks.shape
    assert hessian.dtype == x.dtype
    matrices = dense(hessian)
    np.testing.assert_array_equal(matrices, np.swapaxes(matrices, -1, -2))
    check("hessian", matrices, diagonal_blocks, diagonal_block_scale(diagonal_blocks))
    np.testing.assert_array_equal(matrices[diagonal_blocks == 0.0], 0.0)

    product = member.hvp(x, second, v, **options)
    diagonal = member.hessian_diagonal(x, second, **options)
    for verb, actual, vectors in (("hvp", product, (v,)), ("hessian_diagonal", diagonal, ())):
        expected = getattr(reference, f"{name}_{verb}")(x, second, *vectors, **options)
        check(verb, actual, expected, np.max(np.abs(expected)))
        np.testing.assert_array_equal(actual[expected == 0.0], 0.0)
    return hessian, product, diagonal


def diagonal_block_scale(diagonal_blocks):
    """The size of each diagonal block, to measure errors against.

    The Hessian of focal goes through 0 where the loss turns from convex to concave: a block that cancels as a whole is
    measured against a sixteenth of the largest.
    """
    largest = np.max(np.abs(diagonal_blocks), axis=(-1, -2), keepdims=True)
    return np.maximum(largest, np.max(largest) / 16)


def reference_gradient(name, x, second, options):
    """The gradient of the reduced loss, or of the sum of the losses where they are not reduced."""
    if options.get("reduction") == "none":
        options = options | {"reduction": "sum"}
    return getattr(reference, f"{name}_grad")(x, second, **options)


def chosen_options(name):
    names = [*problem(name, np.random.default_rng(0), (4, 3), FLOAT64)[2], "reduction", "normalizer", "upstream"]
    pairs = [chosen for count in range(3) for chosen in itertools.combinations(names, count)]
    return [
        *(chosen for chosen in pairs if not {"reduction", "normalizer"} <= set(chosen)),
        tuple(set(names) - {"normalizer"}),
    ]


@dtypes
@losses
def test_every_pair_of_options(name, dtype):
    rng = fresh_rng()
    for chosen in chosen_options(name):
        x, second, values = problem(name, rng, (20, 5), dtype)
        values |= {"reduction": "sum", "normalizer": "count", "upstream": -1.75}
        v = rng.standard_normal(x.shape).astype(dtype)
        chosen_values = {option: values[option] for option in chosen}
        hessian, product, diagonal = check_all_verbs(name, x, second, v, chosen_values)
        by_row = v if name != "binary_cross_entropy" else v[..., None]
        matrices, eps = dense(hessian), np.finfo(dtype).eps
        # The elements of the matrices and of the product are rounded to the dtype.
        allowed = 16 * eps * diagonal_block_scale(matrices)[..., 0] * np.sum(np.abs(by_row), axis=-1, keepdims=True)
        along = [(matrices @ by_row[..., None])[..., 0]]
        if isinstance(hessian, sg.DiagonalPlusRankOne):
            along.append(hessian @ by_row)
        for each in along:
            assert np.all(np.abs(each - product.reshape(each.shape)) <= allowed)
        own = np.diagonal(matrices, axis1=-2, axis2=-1).reshape(x.shape)
        np.testing.assert_array_equal(own, diagonal)


@dtypes
@losses
def test_without_reduction_each_row_has_its_own_upstream(name, dtype):
    rng = fresh_rng()
    x, second, options = problem(name, rng, (20, 5), dtype)
    v = rng.standard_normal(x.shape).astype(dtype)
    upstream = rng.standard_normal(np.shape(getattr(sg, name)(x, second, reduction="none")))
    check_all_verbs(name, x, second, v, {**options, "reduction": "none", "upstream": upstream})


@row_losses
@pytest.mark.parametrize("axis", [0, 1, (0, 2), (2, 0), None], ids=str)
def test_axes(axis, name):
    rng = fresh_rng()
    x, v, second = rng.standard_normal((3, 3, 4, 5))
    if name == "focal":
        batch = np.shape(reference.logsumexp(x, axis=axis))
        second = rng.integers(0, x.size // max(1, int(np.prod(batch))), batch)
    check_all_verbs(name, x, second, v, {"axis": axis, "reduction": "sum"})
    hessian = getattr(sg, name).hessian(x, second, axis=axis, reduction="sum")
    axes = tuple(range(3)) if axis is None else tuple(np.sort(np.atleast_1d(axis)))
    flat = np.moveaxis(v, axes, range(-len(axes), 0)).reshape(hessian.shape[:-1])
    product = getattr(sg, name).hvp(x, second, v, axis=axis, reduction="sum")
    product = np.moveaxis(product, axes, range(-len(axes), 0)).reshape(hessian.shape[:-1])
    along = (dense(hessian) @ flat[..., None])[..., 0]
    assert np.max(np.abs(along - product)) <= 64 * EPS64 * np.max(np.abs(product))


@losses
def test_differences_of_the_gradient(name):
    """hvp of the definition against extrapolated differences of its gradient, jvp against those of its value."""
    rng = fresh_rng()
    widest = 2.0**-7
    for gamma in GAMMAS if name == "focal" else (None,):
        x, second, options = problem(name, rng, (20, 4), FLOAT64)
        options = options if gamma is None else options | {"gamma": gamma}
        v = rng.standard_normal(x.shape)

        def along(function, second=second, options=options, x=x, v=v):
            def central(h):
                return (function(x + h * v, second, **options) - function(x - h * v, second, **options)) / (2.0 * h)

            return (64.0 * central(widest / 4.0) - 20.0 * central(widest / 2.0) + central(widest)) / 45.0

        gradient = getattr(reference, f"{name}_grad")(x, second, **options)
        product = getattr(reference, f"{name}_hvp")(x, second, v, **options)
        numeric = along(getattr(reference, f"{name}_grad"))
        # The sixth power of the step, times a high derivative; eps over the step, times what is subtracted.
        bound = (2.0 * widest) ** 6
        assert np.max(np.abs(numeric)) > 0.01 * np.max(np.abs(gradient))
        assert np.max(np.abs(product - numeric)) <= bound * (np.max(np.abs(numeric)) + np.max(np.abs(gradient)))
        change = getattr(reference, f"{name}_jvp")(x, second, v, **options)
        value = getattr(reference, name)(x, second, **options)
        assert abs(change - along(getattr(reference, name))) <= bound * (value + np.sum(np.abs(gradient * v)))


# Rows in which one class has nearly all.


@dtypes
@pytest.mark.parametrize("gap", [1.0, 17.0, 40.0, 80.0])
@pytest.mark.parametrize("name", ["kl_divergence", "focal"])
def test_a_confident_row_keeps_its_digits(name, gap, dtype):
    """Each component of H v relative to itself, also where a million is added to all of v."""
    x, second = [0.0, gap, -1.0, 0.5], [0.5, 1.0, 0.0, -0.5] if name == "kl_divergence" else 1
    if name == "kl_divergence":
        exact = numerical_hessian(lambda x: divergence_value(x, second, mp.ctx.mpf(1)), x)
        options = {}
    else:
        exact = numerical_hessian(lambda x: focal_value(x, 1, mp.ctx.mpf(1.5)), x)
        options = {"gamma": 1.5}
    second = np.asarray(second)
    v = np.array([0.25, 0.0, -2.0, 0.5])
    expected = exact @ v
    for constant in (0.0, 2.0**20):
        shifted = (v + constant).astype(dtype)
        product = getattr(sg, name).hvp(np.array(x, dtype), second, shifted, **options)
        assert_relative(product, expected, 32 * np.finfo(dtype).eps)
        diagonal = getattr(sg, name).hessian_diagonal(np.array(x, dtype), second, **options)
        assert_relative(diagonal, np.diag(exact), 32 * np.finfo(dtype).eps)
    constant = np.full(4, 12345.0, dtype)
    np.testing.assert_array_equal(getattr(sg, name).hvp(np.array(x, dtype), second, constant, **options), 0.0)
    assert getattr(sg, name).jvp(np.array(x, dtype), second, constant, **options) == 0.0


@dtypes
def test_a_confident_row_of_tokens(dtype):
    x, v = np.array([0.0, 40.0, -1.0, 0.5], dtype), np.array([0.25, 0.0, -2.0, 0.5])
    slopes = [
        numerical_gradient(function, [0.0, 40.0, -1.0, 0.5]) for function in (lambda x: -mp.loss(x, 1), entropy_value)
    ]
    relative = 32 * np.finfo(dtype).eps
    for constant in (0.0, 2.0**20):
        for actual, exact in zip(sg.token_logprobs.jvp(x, 1, (v + constant).astype(dtype)), slopes, strict=True):
            assert_relative(actual, exact @ v, relative)
    for cotangent in ((3.0, 0.0), (0.0, 3.0)):
        exact = 3.0 * slopes[int(cotangent[1] != 0.0)]
        assert_relative(sg.token_logprobs.vjp(x, 1, cotangent), exact, relative)


# What does not count, and what is not a number.


@dtypes
@losses
def test_what_does_not_count_leaks_nothing(name, dtype):
    rng = fresh_rng()
    x, second, options = problem(name, rng, (40, 5), dtype)
    v = rng.standard_normal(x.shape).astype(dtype)
    weight = options["sample_weight"] == 0.0
    idle = np.broadcast_to(weight if name == "binary_cross_entropy" else weight[:, None], x.shape)
    idle = idle | (~options["where"] if "where" in options else False)
    idle = idle | ((second == options["ignore_index"])[:, None] if "ignore_index" in options else False)
    assert np.any(idle)
    clean = evaluate(name, x, second, v, options)
    dirty_x, dirty_v = x.copy(), v.copy()
    dirty_x[idle] = rng.choice([np.nan, INF, -INF], np.count_nonzero(idle))
    dirty_v[idle] = rng.choice([np.nan, INF, -INF], np.count_nonzero(idle))
    if name in ("quadratic", "kl_divergence"):
        second = second.copy()
        second[idle] = np.nan
    dirty = evaluate(name, dirty_x, second, dirty_v, options)
    for before, after in zip(clean, dirty, strict=True):
        np.testing.assert_array_equal(after, before)
        assert np.any(before != 0.0)
    _, product, diagonal_blocks, diagonal = dirty
    np.testing.assert_array_equal(product[idle], 0.0)
    np.testing.assert_array_equal(diagonal[idle], 0.0)
    if name != "binary_cross_entropy":
        np.testing.assert_array_equal(diagonal_blocks[np.all(idle, axis=-1)], 0.0)


def evaluate(name, x, second, v, options):
    member = getattr(sg, name)
    return (
        member.jvp(x, second, v, **options),
        member.hvp(x, second, v, **options),
        dense(member.hessian(x, second, **options)),
        member.hessian_diagonal(x, second, **options),
    )


@dtypes
@losses
def test_no_row_counts(name, dtype):
    x = np.full((2, 3), np.nan, dtype)
    second = np.zeros(2, int) if name == "focal" else np.zeros((2, 3))
    weight = np.zeros((2, 3)) if name == "binary_cross_entropy" else np.zeros(2)
    for upstream in (None, np.nan):
        for part in evaluate(name, x, second, x, {"sample_weight": weight}):
            np.testing.assert_array_equal(part, 0.0)
        product = getattr(sg, name).hvp(x, second, x, sample_weight=weight, upstream=upstream)
        np.testing.assert_array_equal(product, 0.0)


@dtypes
@pytest.mark.parametrize("name", ["kl_divergence", "focal", "token_logprobs"])
def test_a_row_that_is_no_distribution_says_so_and_stays_alone(name, dtype):
    v = np.tile(np.array([1.0, 2.0], dtype), (5, 1))
    x = np.array([[0.0, np.nan], [INF, 0.0], [-INF, -INF], [0.0, 1.0], [0.0, -INF]], dtype)
    second = np.zeros((5, 2)) if name == "kl_divergence" else np.zeros(5, int)
    if name == "token_logprobs":
        change = np.stack(sg.token_logprobs.jvp(x, second, v), axis=-1)
        slopes = sg.token_logprobs.jacobian(x, second)
        results = [change, *slopes, sg.token_logprobs.vjp(x, second, (np.ones(5), np.ones(5)))]
    else:
        results = evaluate(name, x, second, v, {"reduction": "none"})
    for part in results:
        assert np.all(np.isnan(part[:3]))
        assert np.all(np.isfinite(part[3:]))


@dtypes
def test_a_teacher_that_is_no_distribution(dtype):
    x, v = np.zeros((4, 2), dtype), np.tile(np.array([1.0, 2.0], dtype), (4, 1))
    teacher = np.array([[0.0, np.nan], [INF, 0.0], [-INF, -INF], [0.0, -INF]], dtype)
    for part in evaluate("kl_divergence", x, teacher, v, {"reduction": "none"}):
        assert np.all(np.isnan(part[:3]))
        assert np.all(np.isfinite(part[3]))
    # What the teacher holds in a class that is left out is nothing to it.
    where = [[True, False]] * 3 + [[True, True]]
    product = sg.kl_divergence.hvp(x, teacher, v, where=where, reduction="sum")
    assert np.all(np.isnan(product[1:3, 0]))
    np.testing.assert_array_equal(product[:3, 1], 0.0)
    np.testing.assert_array_equal(product[[0, 3]], [[0.0, 0.0], [-0.25, 0.25]])


@dtypes
@pytest.mark.parametrize("gamma", GAMMAS)
def test_focal_at_the_ends(gamma, dtype):
    def parts(x, label):
        return [
            np.asarray(part)
            for part in evaluate("focal", np.array(x, dtype), label, np.arange(len(x), dtype=dtype), {"gamma": gamma})
        ]

    # Nothing to be learnt: 1 - p is 0, with or without classes of probability 0; also where it vanishes in the dtype.
    for x in ([3.0], [-INF, 2.0, -INF], [-3000.0, 0.0, -3000.0]):
        for part in parts(x, len(x) // 2):
            np.testing.assert_array_equal(part, 0.0)
    # The label has no probability: the derivatives are those of the cross-entropy.
    for low in (-INF, -3000.0):
        change, product, diagonal_blocks, diagonal = parts([0.0, low, 0.0], 1)
        assert change == 0.0
        np.testing.assert_array_equal(product, [-0.5, 0.0, 0.5])
        np.testing.assert_array_equal(diagonal_blocks, [[0.25, 0.0, -0.25], [0.0, 0.0, 0.0], [-0.25, 0.0, 0.25]])
        np.testing.assert_array_equal(diagonal, [0.25, 0.0, 0.25])


@dtypes
def test_focal_with_gamma_zero_is_cross_entropy(dtype):
    rng = fresh_rng()
    x, labels, options = problem("focal", rng, (30, 7), dtype)
    options |= {"gamma": 0.0}
    v = rng.standard_normal(x.shape).astype(dtype)
    others = {option: value for option, value in options.items() if option != "gamma"}
    for actual, expected in zip(
        evaluate("focal", x, labels, v, options), evaluate("cross_entropy", x, labels, v, others), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=4 * np.finfo(dtype).eps * np.max(np.abs(expected)))
        assert np.any(expected != 0.0)


@dtypes
def test_focal_is_not_convex(dtype):
    """A Hessian with a negative eigenvalue stays what it is."""
    x = np.array([0.0, 4.0, -1.0], dtype)
    values = np.linalg.eigvalsh(sg.focal.hessian(x, 0, gamma=2.0).astype(np.float64))
    exact = np.linalg.eigvalsh(
        numerical_hessian(lambda x: focal_value(x, 0, mp.ctx.mpf(2)), [0.0, 4.0, -1.0]).astype(np.float64)
    )
    assert exact[0] < -1e-3
    np.testing.assert_allclose(values[[0, 2]], exact[[0, 2]], rtol=64 * np.finfo(dtype).eps)


# Types, layouts, errors.


@losses
@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
def test_two_bytes_are_rounded_once(name, dtype):
    """Two-byte numbers have the result of the same numbers in float64, rounded."""
    rng = fresh_rng()
    x, second, options = problem(name, rng, (20, 5), dtype)
    second = np.asarray(second)
    v = rng.standard_normal(x.shape).astype(dtype)
    wide_x, wide_v = x.astype(np.float64), v.astype(np.float64)
    wide_second = second.astype(np.float64) if second.dtype == dtype else second
    exact = evaluate(name, wide_x, wide_second, wide_v, options)
    found = evaluate(name, x, second, v, options)
    assert found[0].dtype == np.float32
    # The terms of the change may cancel.
    size = np.sum(np.abs(getattr(sg, name).grad(wide_x, wide_second, **options) * wide_v))
    np.testing.assert_allclose(found[0], exact[0], rtol=0, atol=4 * np.finfo(FLOAT32).eps * size)
    for actual, wide in zip(found[1:], exact[1:], strict=True):
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, wide.astype(dtype))


@losses
def test_layouts_and_mixed_types(name):
    rng = fresh_rng()
    x, second, options = problem(name, rng, (20, 5), FLOAT32)
    v = rng.standard_normal(x.shape)
    plain = evaluate(name, x, second, v, options)
    x.flags.writeable = False
    strided = evaluate(name, np.asfortranarray(x), second, np.repeat(v, 2, axis=1)[:, ::2], options)
    for one, other in zip(plain, strided, strict=True):
        assert np.asarray(one).dtype == FLOAT32
        np.testing.assert_array_equal(one, other)


def test_the_solution_of_a_newton_step():
    """What the object is for: (H + damping I) s = g, against a dense solver."""
    rng = fresh_rng()
    x, target = rng.standard_normal((2, 6, 5))
    gradient = sg.kl_divergence.grad(x, target, reduction="sum")
    hessian = sg.kl_divergence.hessian(x, target, reduction="sum")
    step = hessian.solve(gradient, damping=0.125)
    expected = np.linalg.solve(hessian.toarray() + 0.125 * np.eye(5), gradient[..., None])[..., 0]
    np.testing.assert_allclose(step, expected, rtol=0, atol=64 * EPS64 * np.max(np.abs(expected)))
    outputs, targets = rng.standard_normal((2, 6, 5))
    full = sg.quadratic.hessian(outputs, targets, reduction="sum").solve(
        sg.quadratic.grad(outputs, targets, reduction="sum")
    )
    np.testing.assert_allclose(outputs - full, targets, rtol=0, atol=8 * EPS64 * np.max(np.abs(outputs)))


@losses
def test_errors_name_the_argument(name):
    x, second = np.zeros((2, 3)), np.zeros(2, int) if name == "focal" else np.zeros((2, 3))
    first = "outputs" if name == "quadratic" else "logits"
    member = getattr(sg, name)
    with pytest.raises(ValueError, match=rf"tangent has shape \(3,\); {first} has shape \(2, 3\)"):
        member.jvp(x, second, np.zeros(3))
    with pytest.raises(ValueError, match=rf"vector has shape \(2, 2\); {first} has shape \(2, 3\)"):
        member.hvp(x, second, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="vector has dtype complex128"):
        member.hvp(x, second, np.zeros((2, 3), complex))
    with pytest.raises(TypeError, match="upstream"):
        member.jvp(x, second, x, upstream=2.0)
    with pytest.raises(TypeError, match="out"):
        member.hvp(x, second, x, out=x)
    for verb in (member.hessian, member.hessian_diagonal):
        with pytest.raises(ValueError, match="reduction is 'average'"):
            verb(x, second, reduction="average")
        with pytest.raises(ValueError, match="upstream has shape"):
            verb(x, second, upstream=[1.0, 2.0])


@dtypes
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None], ids=str)
def test_token_derivatives_agree(axis, dtype):
    rng = fresh_rng()
    x, v = (2.0 * rng.standard_normal((2, 3, 4, 5))).astype(dtype)
    shape = np.shape(sg.logsumexp(x, axis=axis))
    labels = rng.integers(0, x.size // max(1, int(np.prod(shape))), shape)
    cotangent = tuple(rng.standard_normal((2, *shape)))
    relative = 64 * np.finfo(dtype).eps
    jacobian = sg.token_logprobs.jacobian(x, labels, axis=axis)
    for actual, expected in zip(jacobian, reference.token_logprobs_jacobian(x, labels, axis=axis), strict=True):
        assert actual.shape == x.shape
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=0, atol=relative * np.max(np.abs(expected)))
    kept = shape if axis is None else np.shape(np.sum(x, axis=axis, keepdims=True))
    expected = sum(part.reshape(kept) * slope for part, slope in zip(cotangent, jacobian, strict=True))
    pulled = sg.token_logprobs.vjp(x, labels, cotangent, axis=axis)
    assert pulled.dtype == dtype
    np.testing.assert_allclose(pulled, expected, rtol=0, atol=relative * np.max(np.abs(expected)))
    for actual, slope in zip(sg.token_logprobs.jvp(x, labels, v, axis=axis), jacobian, strict=True):
        assert np.shape(actual) == shape
        terms = np.sum(np.abs(slope * v), axis=axis)
        assert np.all(np.abs(actual - np.sum(slope * v, axis=axis)) <= relative * terms)
    gradient = sg.cross_entropy.grad(x, labels, axis=axis, reduction="sum")
    np.testing.assert_allclose(jacobian.logprob, -gradient, rtol=4 * np.finfo(dtype).eps)


def test_token_errors():
    x, labels = np.zeros((2, 3)), [0, 1]
    for wrong in (np.zeros((2, 2)), (np.zeros(2),), (np.zeros(2),) * 3):
        with pytest.raises(TypeError, match="cotangent must be a tuple of two"):
            sg.token_logprobs.vjp(x, labels, wrong)
    with pytest.raises(ValueError, match=r"cotangent\[1\] has shape \(3,\); labels has shape \(2,\)"):
        sg.token_logprobs.vjp(x, labels, (np.zeros(2), np.zeros(3)))
    with pytest.raises(ValueError, match=r"tangent has shape \(3,\); logits has shape \(2, 3\)"):
        sg.token_logprobs.jvp(x, labels, np.zeros(3))
    with pytest.raises(ValueError, match=r"labels\[1\] is 3; logits have 3 classes"):
        sg.token_logprobs.jacobian(x, [0, 3])
