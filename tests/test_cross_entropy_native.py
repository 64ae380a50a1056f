"""The one native cross-entropy by itself: what it returns, which kernels it chooses, what it refuses."""

from __future__ import annotations

import itertools
import math

import ml_dtypes
import numpy as np
import pytest

from softgrad import _native, reference
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(name) for name in ("float64", "float32", "float16")] + [BFLOAT16]
# On both sides of the border between the kernels of few classes and those of whole rows.
CLASSES = [3, 64, 65, 300]
OPTIONS = {
    "none": {},
    "smoothing": {"label_smoothing": 0.1},
    "z_loss": {"z_loss": 0.01},
    "temperature": {"temperature": 1.7},
    "softcap": {"softcap": 9.0},
    "where": {"where": True},
    "all": {"label_smoothing": 0.1, "z_loss": 0.01, "temperature": 1.7, "softcap": 9.0, "where": True},
}


def resolution(dtype):
    """The eps of the dtype that logits of `dtype` are worked on in."""
    return EPS if dtype == np.float64 else float(np.finfo(np.float32).eps)


def stored(dtype):
    """The eps of the dtype itself, in which a gradient is stored."""
    return float(ml_dtypes.finfo(dtype).eps)


def draw(dtype, classes, *, weighted, by_probability, where):
    rng = fresh_rng()
    rows = 70
    x = (3.0 * rng.standard_normal((rows, classes))).astype(dtype)
    labels = rng.integers(classes, size=rows)
    y = np.zeros((rows, classes))
    y[np.arange(rows), labels] = 1.0
    mask = None
    if where:
        mask = rng.random(x.shape) < 0.7
        mask[np.arange(rows), labels] = True
    if by_probability:
        y = rng.uniform(0.0, 1.0, x.shape) * (1.0 if mask is None else mask)
        labels = y
    s, w = (rng.uniform(0.5, 2.0, rows), rng.uniform(0.5, 2.0, classes)) if weighted else (None, None)
    label_weight = None
    if s is not None:
        s[5] = 0.0
        label_weight = s * (y @ w)
    return x, labels, mask, s, w, label_weight, rng.uniform(0.5, 2.0, rows)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_kernel_gives_the_loss_and_the_gradient(name, dtype):
    given = dict(OPTIONS[name])
    where = given.pop("where", False)
    for classes, weighted, by_probability in itertools.product(CLASSES, (False, True), (False, True)):
        x, labels, mask, s, w, label_weight, upstream = draw(
            dtype, classes, weighted=weighted, by_probability=by_probability, where=where
        )
        options = {**given, "where": mask, "sample_weight": s, "class_weight": w, "reduction": "none"}
        exact = x.astype(np.float64)
        expected = reference.cross_entropy(exact, labels, **options)
        slopes = reference.cross_entropy_grad(exact, labels, upstream=0.3 * upstream, **options)
        native = {("smoothing" if key == "label_smoothing" else key): value for key, value in given.items()}
        losses, gradient = np.full(len(x), 7.0), np.full(x.shape, 7.0).astype(dtype)
        result = _native.cross_entropy_loss(
            _native.buffer(x),
            labels,
            (1,),
            label_weight=label_weight,
            sample_weight=s,
            class_weight=w,
            where=mask,
            upstream=upstream,
            scale=0.3,
            divisor=11.0,
            losses=losses,
            gradient=_native.buffer(gradient),
            **native,
        )
        what = f"{classes} classes, weighted {weighted}, probabilities {by_probability}"
        # The exponentials of the reference are off by as many roundings as the logits are large; Q p - q cancels.
        mass = label_weight if weighted else labels.sum(axis=1) if by_probability else np.ones(len(x))
        off = 4 * EPS * (8.0 + np.max(np.abs(exact))) * (1.0 + mass)
        tolerance = off * (1.0 + np.max(np.abs(exact))) + 4 * resolution(dtype) * np.abs(expected)
        assert np.all(np.abs(losses - expected) <= tolerance), what
        size = np.max(np.abs(slopes), axis=1, keepdims=True)
        if by_probability:
            size = np.maximum(size, 0.3 * (upstream * mass)[:, None])
        grid = float(ml_dtypes.finfo(dtype).smallest_subnormal)
        tolerance = 4 * stored(dtype) * size + 0.3 * (upstream * off)[:, None] + grid
        assert np.all(np.abs(gradient.astype(np.float64) - slopes) <= tolerance), what
        assert np.max(size) > 0.1, what
        mean = math.fsum(losses) / 11.0
        assert abs(result - mean) <= 4 * resolution(dtype) * abs(mean), what
        assert dtype == np.float64 or result == np.float32(result), what
        if weighted:
            assert losses[5] == 0.0, what
            assert not gradient[5].any(), what


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_derivative_along_a_tangent(dtype, classes):
    rng = fresh_rng()
    x, v = ((3.0 * rng.standard_normal((70, classes))).astype(dtype) for _ in range(2))
    labels = rng.integers(classes, size=70)
    losses = np.full(70, 7.0)
    _native.cross_entropy_loss(_native.buffer(x), labels, (1,), losses=losses, tangent=_native.buffer(v))
    terms = reference.cross_entropy_grad(x.astype(np.float64), labels, reduction="none") * v.astype(np.float64)
    scale = np.max(np.abs(v.astype(np.float64)))
    assert np.all(np.abs(losses - terms.sum(axis=1)) <= 8 * resolution(dtype) * scale)
    assert np.max(np.abs(losses)) > 0.1


@pytest.mark.parametrize("classes", CLASSES)
def test_losses_that_nobody_asked_for_have_the_same_sum(classes):
    x, labels, _, s, w, label_weight, _ = draw(
        np.dtype(np.float64), classes, weighted=True, by_probability=False, where=False
    )
    options = {"label_weight": label_weight, "sample_weight": s, "class_weight": w, "divisor": 3.0}
    losses = np.empty(len(x))
    result = _native.cross_entropy_loss(x, labels, (1,), losses=losses, **options)
    assert result > 0.1
    assert _native.cross_entropy_loss(x, labels, (1,), **options) == result
    assert _native.sum(losses) / 3.0 == result


@pytest.mark.parametrize("wrong", [-1, 10, 2**62, -(2**63)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_label_that_is_no_class_is_refused_before_anything_is_written(wrong, smoothing):
    x, labels = np.zeros((5000, 10)), np.zeros(5000, np.int64)
    labels[4321] = wrong
    losses, gradient = np.full(5000, 7.0), np.full(x.shape, 7.0)
    with pytest.raises(IndexError, match="a label that is no class"):
        _native.cross_entropy_loss(x, labels, (1,), smoothing=smoothing, losses=losses, gradient=gradient)
    assert np.all(losses == 7.0)
    assert np.all(gradient == 7.0)


@pytest.mark.parametrize("name", ["labels", "label_weight", "sample_weight", "upstream", "losses"])
def test_an_array_of_another_length_is_refused(name):
    given = {"labels": np.zeros(4, np.int64)}
    given[name] = np.ones(3, np.int64 if name == "labels" else np.float64)
    with pytest.raises(TypeError, match="wrong buffer"):
        _native.cross_entropy_loss(np.zeros((4, 5)), given.pop("labels"), (1,), **given)


def test_beyond_the_range_of_the_dtype_is_infinite():
    x = np.array([[0.0, 3e38]], np.float32)
    losses = np.empty(1)
    weight = np.array([2.0])
    result = _native.cross_entropy_loss(
        x, np.array([0]), (1,), label_weight=weight, sample_weight=weight, losses=losses
    )
    assert result == np.inf
    assert losses[0] == 2.0 * float(x[0, 1])
