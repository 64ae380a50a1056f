"""Every loss with -inf, large gaps, near ties and left-out classes in every argument that takes logits.

The value and each derivative, against the definition in mpmath and against softgrad.reference. Masks are what users
have: of padded or forbidden classes, of the top k, as -inf or as a large negative number, in the student, in the
teacher, or in both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import softgrad as sg
from softgrad import reference
from tests.oracles import definitions
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.inputs import fresh_rng

INF = np.inf
ROWS = 12
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
Draw = Callable[[np.random.Generator, int], NDArray]


def _masked(rng: np.random.Generator, classes: int) -> NDArray:
    x = 3.0 * rng.standard_normal(classes)
    x[rng.permutation(classes)[: rng.integers(1, classes)]] = -INF
    return x


def _only_one(rng: np.random.Generator, classes: int) -> NDArray:
    x = np.full(classes, -INF)
    x[rng.integers(classes)] = rng.normal()
    return x


def _gaps(rng: np.random.Generator, classes: int) -> NDArray:
    """Logits as masks of -50, -200 and -10000 make them; 0 and -1e4 alike are representable in float32."""
    return rng.normal(size=classes) + rng.choice([0.0, -50.0, -200.0, -10000.0], classes)


def _gaps_and_masked(rng: np.random.Generator, classes: int) -> NDArray:
    return np.where(rng.random(classes) < 0.3, -INF, _gaps(rng, classes))


def _ties(rng: np.random.Generator, classes: int) -> NDArray:
    return rng.choice([0.0, 0.0, 1.0, -INF], classes)


ROW_KINDS: dict[str, Draw] = {
    "normal": lambda rng, classes: 3.0 * rng.standard_normal(classes),
    "masked": _masked,
    "only one": _only_one,
    "gaps": _gaps,
    "gaps and masked": _gaps_and_masked,
    "ties": _ties,
}
kinds = pytest.mark.parametrize("kind", ROW_KINDS)


def draw(rng: np.random.Generator, kind: str, classes: int, dtype: np.dtype) -> NDArray:
    """Rows that have a finite logit each."""
    rows: list[NDArray] = []
    while len(rows) < ROWS:
        row = ROW_KINDS[kind](rng, classes).astype(dtype)
        if np.any(np.isfinite(row)):
            rows.append(row)
    return np.array(rows)


class Case(NamedTuple):
    """A loss with arguments beside the logits, and what it is of a row."""

    name: str
    logits: NDArray
    others: tuple[Any, ...]
    options: dict[str, Any]
    loss_of: Callable[[int, NDArray[np.bool_]], definitions.Loss]
    """Of a row, given which of its classes take part."""
    target: NDArray | None = None
    """What the gradient Q p - q is made of where it is the difference of two given things."""


def finite_label(rng: np.random.Generator, row: NDArray) -> int:
    return int(rng.choice(np.flatnonzero(np.isfinite(row))))


def cross_entropy_of_indices(rng: np.random.Generator, x: NDArray) -> Case:
    labels = np.array([finite_label(rng, row) for row in x])

    def loss_of(i: int, allowed: NDArray[np.bool_]) -> definitions.Loss:
        return definitions.cross_entropy((np.arange(x.shape[1]) == labels[i])[allowed].astype(float), 1.7)

    return Case("cross_entropy", x, (labels,), {"temperature": 1.7}, loss_of)


def cross_entropy_of_probabilities(rng: np.random.Generator, x: NDArray) -> Case:
    labels = np.where(np.isfinite(x), rng.uniform(0.1, 1.0, x.shape), 0.0)
    labels[rng.random(x.shape) < 0.3] = 0.0
    labels[np.arange(ROWS), [finite_label(rng, row) for row in x]] = 0.5
    labels = labels.astype(x.dtype)

    def loss_of(i: int, allowed: NDArray[np.bool_]) -> definitions.Loss:
        return definitions.cross_entropy(labels[i][allowed])

    return Case("cross_entropy", x, (labels,), {}, loss_of, labels)


def kl_divergence_of(teacher: str) -> Callable[[np.random.Generator, NDArray], Case]:
    def case(rng: np.random.Generator, x: NDArray) -> Case:
        if teacher == "close":
            # The student, and a mask of its own; at each distance, with and without an offset between them.
            distance = 10.0 ** rng.uniform(-9.0, 0.0, (ROWS, 1))
            offset = rng.choice([0.0, 1e-3, 50.0, 1e4], (ROWS, 1))
            t = (x + (distance * rng.standard_normal(x.shape) + offset).astype(x.dtype)).astype(x.dtype)
            masked = rng.random(x.shape) < 0.3
            masked[np.arange(ROWS), [finite_label(rng, row) for row in x]] = False
            t[masked] = -INF
        else:
            t = draw(rng, teacher, x.shape[1], x.dtype)
            # A class of the teacher's that the student has not costs inf: what is left of it is not drawn here.
            t[~np.isfinite(x)] = -INF
            massless = ~np.any(np.isfinite(t), axis=1)
            t[massless] = x[massless]

        def loss_of(i: int, allowed: NDArray[np.bool_]) -> definitions.Loss:
            return definitions.kl_divergence(t[i][allowed], 1.7)

        return Case("kl_divergence", x, (t,), {"temperature": 1.7}, loss_of)

    return case


def focal_of(gamma: float) -> Callable[[np.random.Generator, NDArray], Case]:
    def case(rng: np.random.Generator, x: NDArray) -> Case:
        labels = np.array([finite_label(rng, row) for row in x])
        return Case("focal", x, (labels,), {"gamma": gamma}, lambda i, _: definitions.focal(int(labels[i]), gamma))

    return case


CASES = {
    "cross_entropy, indices": cross_entropy_of_indices,
    "cross_entropy, probabilities": cross_entropy_of_probabilities,
    **{f"kl_divergence, teacher {kind}": kl_divergence_of(kind) for kind in (*ROW_KINDS, "close")},
    "focal, 2": focal_of(2.0),
}
cases = pytest.mark.parametrize("case", CASES)


def assert_near(found: NDArray, exact: NDArray, scale: NDArray, what: str) -> None:
    """`scale`: of the terms that make up the value."""
    info = np.finfo(found.dtype)
    least = max(2 * np.longdouble(info.smallest_subnormal), definitions.NOISE)
    allowed = 16 * np.longdouble(info.eps) * np.abs(scale) + least
    error = np.abs(found.astype(np.longdouble) - exact)
    worst = np.unravel_index(np.argmax(error - allowed), error.shape)
    assert np.all(error <= allowed), f"{what}: {found[worst]!r} at {worst}, exact {exact[worst]!r}"


class Exact(NamedTuple):
    """Of each row by all of its classes; 0 for those that do not take part."""

    values: NDArray
    gradients: NDArray
    hessians: NDArray


def exact_of(case: Case, where: NDArray[np.bool_]) -> Exact:
    rows, classes = case.logits.shape
    result = Exact(*(np.zeros((rows, *(classes,) * d), np.longdouble) for d in range(3)))
    for i, row in enumerate(case.logits):
        loss, x = case.loss_of(i, where[i]), definitions.numbers(row[where[i]])
        result.values[i] = definitions.as_array(loss(x))
        result.gradients[i, where[i]] = definitions.as_array(definitions.gradient(loss, x))
        result.hessians[i][np.ix_(where[i], where[i])] = definitions.as_array(definitions.hessian(loss, x))
    return result


def assert_all_verbs(case: Case, exact: Exact, options: dict[str, Any]) -> None:
    """Each verb of the loss, the rows apart, against what is exact; and against the reference, by its own rounding."""
    loss, x, others = getattr(sg, case.name), case.logits, case.others
    rng = fresh_rng()
    v = rng.uniform(0.5, 2.0, x.shape).astype(x.dtype) * rng.choice([-1, 1], x.shape).astype(x.dtype)
    total = {**options, "reduction": "sum"}
    values = loss(x, *others, **options, reduction="none")
    assert_near(values, exact.values, exact.values, "value")
    largest = np.abs(exact.gradients).max(axis=1, keepdims=True)
    if case.target is not None:
        largest = np.maximum(largest, case.target.max(axis=1, keepdims=True))
    gradients = loss.grad(x, *others, **total)
    assert_near(gradients, exact.gradients, largest, "gradient")
    np.testing.assert_array_equal(loss.value_and_grad(x, *others, **total)[1], gradients)
    along = exact.gradients * v
    rates = loss.jvp(x, *others, v, **options, reduction="none")
    assert_near(rates, along.sum(axis=1), 2 * x.shape[1] * largest[:, 0], "jvp")
    diagonals = np.diagonal(exact.hessians, axis1=1, axis2=2)
    # That of focal has terms of both signs, of the size of its gradient.
    steepest = np.maximum(np.abs(exact.hessians).max(axis=(1, 2)), np.abs(exact.gradients).max(axis=1))
    assert_near(loss.hessian_diagonal(x, *others, **total), diagonals, steepest[:, None], "hessian_diagonal")
    hessians = loss.hessian(x, *others, **total)
    dense = hessians.toarray() if isinstance(hessians, sg.DiagonalPlusRankOne) else hessians
    assert_near(dense, exact.hessians, steepest[:, None, None], "hessian")
    products = np.einsum("nij,nj->ni", exact.hessians, v.astype(np.longdouble))
    assert_near(loss.hvp(x, *others, v, **total), products, 4 * steepest[:, None], "hvp")
    if x.dtype != FLOAT64:
        return
    # The reference rounds x - m, which moves its exponentials by the gap times eps.
    gap = max(np.ptp(array[np.isfinite(array)]) for array in (x, *others))
    eps = (32 + gap) * np.finfo(np.float64).eps
    named = {verb: getattr(reference, f"{case.name}_{verb}") for verb in ("grad", "jvp", "hvp", "hessian")}
    pairs = [
        (named["grad"](x, *others, **total), exact.gradients, largest),
        (named["jvp"](x, *others, v, **options, reduction="none"), along.sum(axis=1), 2 * x.shape[1] * largest[:, 0]),
        (named["hvp"](x, *others, v, **total), products, 4 * steepest[:, None]),
        (named["hessian"](x, *others, **total), exact.hessians, steepest[:, None, None]),
    ]
    for found, value, scale in pairs:
        # A gradient of close distributions is what their rounded probabilities leave.
        assert np.all(np.abs(found - value) <= eps * np.maximum(scale, 1.0))


def needed_by(case: Case) -> NDArray[np.bool_]:
    """The classes without which a row has no finite loss: those that its target has."""
    target = case.others[0]
    if case.name == "kl_divergence":
        return target == target.max(axis=1, keepdims=True)
    return target > 0.0 if target.ndim == 2 else np.arange(case.logits.shape[1]) == target[:, None]


@kinds
@cases
@dtypes
def test_against_the_definition(dtype, case, kind):
    rng = fresh_rng()
    drawn = CASES[case](rng, draw(rng, kind, int(rng.integers(2, 6)), dtype))
    assert_all_verbs(drawn, exact_of(drawn, np.ones(drawn.logits.shape, bool)), drawn.options)


@kinds
@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("focal")])
@dtypes
def test_what_is_left_out_holds_anything(dtype, case, kind):
    rng = fresh_rng()
    drawn = CASES[case](rng, draw(rng, kind, int(rng.integers(2, 6)), dtype))
    where = (rng.random(drawn.logits.shape) < 0.6) | needed_by(drawn)
    exact = exact_of(drawn, where)
    for array in (drawn.logits, *drawn.others) if drawn.name == "kl_divergence" else (drawn.logits,):
        array[~where] = rng.choice([np.nan, INF, -INF, 7.0], np.count_nonzero(~where))
    assert_all_verbs(drawn, exact, {**drawn.options, "where": where})


@kinds
@dtypes
def test_binary_cross_entropy_against_the_definition(dtype, kind):
    """Each element is a row of its own; at -inf the target is 0, elsewhere the loss is inf."""
    rng = fresh_rng()
    x = draw(rng, kind, 5, dtype).reshape(-1, 1)
    y = np.where(np.isfinite(x), rng.choice([0.0, 0.25, 1.0], x.shape), 0.0)
    case = Case("binary_cross_entropy", x, (y,), {}, lambda i, _: definitions.binary_cross_entropy(y[i]))
    exact = exact_of(case, np.ones(x.shape, bool))
    v = rng.uniform(0.5, 2.0, x.shape).astype(dtype)
    gradient, second = exact.gradients, exact.hessians[..., 0]
    bce, total = sg.binary_cross_entropy, {"reduction": "sum"}
    pairs = {
        "value": (
            bce(x, y, reduction="none"),
            exact.values[:, None],
            reference.binary_cross_entropy(x, y, reduction="none"),
        ),
        "gradient": (bce.grad(x, y, **total), gradient, reference.binary_cross_entropy_grad(x, y, **total)),
        "jvp": (
            bce.jvp(x, y, v, reduction="none"),
            gradient * v,
            reference.binary_cross_entropy_jvp(x, y, v, reduction="none"),
        ),
        "hvp": (bce.hvp(x, y, v, **total), second * v, reference.binary_cross_entropy_hvp(x, y, v, **total)),
        "hessian_diagonal": (
            bce.hessian_diagonal(x, y, **total),
            second,
            reference.binary_cross_entropy_hessian_diagonal(x, y, **total),
        ),
    }
    # The difference of the two sides of a target that is no class.
    scale = np.where((y > 0.0) & (y < 1.0), y, 0.0)
    for verb, (found, value, by_reference) in pairs.items():
        size = np.maximum(np.abs(value), scale if verb in ("gradient", "jvp") else 0.0)
        assert_near(found, value, size, verb)
        assert_near(by_reference, value, 4 * size, f"reference, {verb}")


@kinds
@dtypes
def test_token_logprobs_against_the_definition(dtype, kind):
    rng = fresh_rng()
    x = draw(rng, kind, 5, dtype)
    labels = np.array([finite_label(rng, row) for row in x])
    v = rng.uniform(0.5, 2.0, x.shape).astype(dtype)
    found, jacobians = sg.token_logprobs(x, labels), sg.token_logprobs.jacobian(x, labels)
    rates = sg.token_logprobs.jvp(x, labels, v)
    by_label = [definitions.cross_entropy((np.arange(5) == label).astype(float)) for label in labels]
    # -log p and the entropy: of the result of the core the first has the other sign.
    for part, sign, losses in (("logprob", -1.0, by_label), ("entropy", 1.0, [definitions.entropy] * ROWS)):
        values, slopes = [], []
        for row, loss in zip(x, losses, strict=True):
            kept = np.isfinite(row)
            logits = definitions.numbers(row)
            values.append(sign * definitions.as_array(loss(logits)))
            slopes.append(sign * definitions.as_array(definitions.gradient(loss, logits)))
            assert np.all(slopes[-1][~kept] == 0.0)
        value, slope = np.array(values), np.array(slopes)
        largest = np.abs(slope).max(axis=1, keepdims=True)
        assert_near(getattr(found, part), value, value, part)
        assert_near(getattr(jacobians, part), slope, largest, f"jacobian, {part}")
        assert_near(getattr(rates, part), (slope * v).sum(axis=1), 2 * largest[:, 0] * x.shape[1], f"jvp, {part}")
        cotangents = {name: np.zeros(ROWS, dtype) for name in ("logprob", "entropy")}
        cotangents[part][...] = 1.0
        pulled = sg.token_logprobs.vjp(x, labels, (cotangents["logprob"], cotangents["entropy"]))
        assert_near(pulled, slope, largest, f"vjp, {part}")


@pytest.mark.parametrize("mask", [-INF, -1e4, -200.0])
@pytest.mark.parametrize(("classes", "block_bytes"), [(7, 2**20), (1500, 4096)], ids=["rows", "blocks of classes"])
@dtypes
def test_linear_cross_entropy_with_a_masked_vocabulary(dtype, classes, block_bytes, mask):
    """Its logits are masked by the bias; without a class at -inf all is as if that class were not there."""
    rng = fresh_rng()
    hidden, weight = (rng.normal(size=shape).astype(dtype) for shape in ((9, 4), (classes, 4)))
    # The first block of classes has no mass at all.
    kept = (rng.random(classes) < 0.6) & (np.arange(classes) > classes // 2)
    kept[-3:] = True, True, False
    bias = np.where(kept, rng.normal(size=classes), mask).astype(dtype)
    labels = rng.choice(np.flatnonzero(kept), 9)
    options: dict[str, Any] = {"temperature": 1.7, "reduction": "sum"}
    wide = [array.astype(np.float64) for array in (hidden, weight)]
    loss, grads = sg.linear_cross_entropy.value_and_grad(
        hidden, weight, labels, bias, **options, block_bytes=block_bytes
    )
    expected = reference.linear_cross_entropy_grad(*wide, labels, bias.astype(np.float64), **options)
    tangents = tuple(rng.normal(size=array.shape).astype(dtype) for array in (hidden, weight, bias))
    rate = sg.linear_cross_entropy.jvp(hidden, weight, labels, bias, tangents, **options)
    rate_expected = reference.linear_cross_entropy_jvp(*wide, labels, bias.astype(np.float64), tangents, **options)
    products = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, tangents, **options)
    products_expected = reference.linear_cross_entropy_hvp(*wide, labels, bias.astype(np.float64), tangents, **options)
    # Logits of four terms, of the order of 10, and sums over nine rows.
    eps = 512 * np.finfo(dtype).eps
    value = reference.linear_cross_entropy(*wide, labels, bias.astype(np.float64), **options)
    assert abs(loss - value) <= eps * value
    assert abs(rate - rate_expected) <= eps * max(abs(rate_expected), value)
    for found, exact in ((grads, expected), (products, products_expected)):
        for one, other in zip(found, exact, strict=True):
            assert np.all(np.abs(one - other) <= eps * np.abs(other).max())
    if mask == -INF:
        assert np.all(grads.weight[~kept] == 0.0)
        assert np.all(grads.bias[~kept] == 0.0)
        number = np.cumsum(kept) - 1
        without = sg.linear_cross_entropy.value_and_grad(hidden, weight[kept], number[labels], bias[kept], **options)
        assert abs(loss - without[0]) <= eps * value
        assert np.all(np.abs(grads.hidden - without[1].hidden) <= eps * np.abs(expected.hidden).max())
