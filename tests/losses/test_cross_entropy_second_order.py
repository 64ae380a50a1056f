"""jvp, hvp, hessian and hessian_diagonal of cross_entropy: with every pair of options, in confident rows, and
where rows or classes do not count.

The definition itself, `reference.cross_entropy_hvp`, is held against extrapolated differences of the gradient's.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.losses.test_options_pairs import SHAPE, class_axes, draw, pairs, rows
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.inputs import fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
EPS64 = np.finfo(FLOAT64).eps


def extrapolated_difference(function, x, v):
    """The derivative of `function` along v: central differences at h, h/2, h/4, h/8, extrapolated to h = 0."""
    table = []
    for level in range(4):
        h = 2.0 ** -(6 + level)
        row = [(function(x + h * v) - function(x - h * v)) / (2.0 * h)]
        for k in range(level):
            row.append(row[k] + (row[k] - table[-1][k]) / (4.0 ** (k + 1) - 1.0))
        table.append(row)
    return table[-1][-1]


def tolerance(x):
    """Relative to the row. The reference rounds x - m, which moves its exponentials by |x - m| eps."""
    return (32 + 2 * np.ptp(x)) * EPS64 if x.dtype == FLOAT64 else 16 * np.finfo(x.dtype).eps


@pairs("indices", "probabilities")
def test_the_definition_against_differences_of_its_gradient(kind, names):
    rng = fresh_rng()
    x, labels, values = draw(rng, 0, kind, FLOAT64)
    options = {name: values[name] for name in names}
    v = rng.standard_normal(SHAPE)

    def gradient(point):
        return reference.cross_entropy_grad(point, labels, axis=0, **options)

    expected = extrapolated_difference(gradient, x, v)
    actual = reference.cross_entropy_hvp(x, labels, v, axis=0, **options)
    # Rounding over the finest step, 2^-9, amplified by the extrapolation.
    scale = np.max(np.abs(gradient(x))) + np.max(np.abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2**14 * EPS64 * scale)
    assert np.max(np.abs(expected)) > 1e-4


@pytest.mark.parametrize("axis", [0, (0, 2)], ids=str)
@dtypes
@pairs("indices", "probabilities")
def test_every_pair_of_options(kind, names, dtype, axis):
    rng = fresh_rng()
    x, labels, values = draw(rng, axis, kind, dtype)
    options = {name: values[name] for name in names}
    v = rng.standard_normal(SHAPE).astype(dtype)
    upstream = {name: value for name, value in options.items() if name == "upstream"}
    others = {name: value for name, value in options.items() if name != "upstream"}

    change = sg.cross_entropy.jvp(x, labels, v, axis=axis, **others)
    gradient = reference.cross_entropy_grad(x, labels, axis=axis, **others)
    assert np.asarray(change).dtype == dtype
    size = np.sum(np.abs(gradient * v))
    assert abs(change - reference.cross_entropy_jvp(x, labels, v, axis=axis, **others)) <= tolerance(x) * size

    diagonal_blocks = reference.cross_entropy_hessian(x, labels, axis=axis, **options)
    batch, classes = diagonal_blocks.shape[:-2], diagonal_blocks.shape[-1]
    product = sg.cross_entropy.hvp(x, labels, v, axis=axis, **options)
    assert product.dtype == dtype
    assert product.shape == SHAPE
    exact = reference.cross_entropy_hvp(x, labels, v, axis=axis, **options)
    by_row = rows(v, axis).reshape(*batch, classes)
    terms = np.abs(diagonal_blocks) @ np.abs(by_row)[..., None]
    error = np.abs(rows(product, axis) - rows(exact, axis)).reshape(terms.shape[:-1])
    # A component may cancel, Q p - q under a softcap: it is held to the size of its row.
    scale = np.maximum(np.max(terms[..., 0], axis=-1, keepdims=True) / 2, np.max(terms) / 64)
    assert np.all(error <= tolerance(x) * scale), float(np.max(error / scale))
    np.testing.assert_array_equal(rows(product, axis)[rows(exact, axis) == 0.0], 0.0)

    hessian = sg.cross_entropy.hessian(x, labels, axis=axis, **others, **upstream)
    assert hessian.shape == diagonal_blocks.shape
    assert hessian.dtype == dtype
    dense = hessian.toarray()
    np.testing.assert_array_equal(dense, np.swapaxes(dense, -1, -2))
    size = np.max(np.abs(diagonal_blocks))
    assert size > 0.0
    assert np.max(np.abs(dense - diagonal_blocks)) <= tolerance(x) * size
    assert np.max(np.abs(hessian @ by_row - (diagonal_blocks @ by_row[..., None])[..., 0])) <= tolerance(x) * np.max(
        terms
    )
    diagonal = sg.cross_entropy.hessian_diagonal(x, labels, axis=axis, **options)
    assert diagonal.dtype == dtype
    np.testing.assert_allclose(
        rows(diagonal, axis),
        np.diagonal(diagonal_blocks, axis1=-2, axis2=-1).reshape(-1, classes),
        rtol=0,
        atol=tolerance(x) * size,
    )


@dtypes
@pytest.mark.parametrize("gap", [1.0, 17.0, 40.0, 80.0])
def test_a_confident_row_keeps_its_digits(gap, dtype):
    """Each component against 50 digits, relative to itself: p (1 - p) and p (v - <p, v>) of a p that rounds to 1."""
    x = np.array([0.0, gap, -1.0, 0.5], dtype)
    v = np.array([1.0, 1.0, -2.0, 0.25], dtype)
    with mpmath.workdps(50):
        exponentials = [mpmath.exp(mpmath.mpf(float(each)) - gap) for each in x]
        p = [each / mpmath.fsum(exponentials) for each in exponentials]
        mean = mpmath.fsum(a * float(b) for a, b in zip(p, v, strict=True))
        product = np.array([float(a * (float(b) - mean)) for a, b in zip(p, v, strict=True)])
        diagonal = np.array([float(a * (1 - a)) for a in p])
    # v = 1 at the first two: what is left of v - <p, v> there comes from the small probabilities alone.
    assert abs(product[1]) < 2.5 * np.exp(-gap) + 0.5
    relative = 6 * np.finfo(dtype).eps
    np.testing.assert_allclose(sg.cross_entropy.hvp(x, 1, v)[1:], product[1:], rtol=relative)
    np.testing.assert_allclose(sg.cross_entropy.hessian_diagonal(x, 1), diagonal, rtol=relative)
    np.testing.assert_allclose((sg.cross_entropy.hessian(x, 1) @ v)[1:], product[1:], rtol=relative)
    np.testing.assert_allclose(sg.cross_entropy.hessian(x, 1).diagonal(), diagonal, rtol=relative)


@dtypes
def test_a_constant_vector_is_in_the_null_space(dtype):
    rng = fresh_rng()
    x = (4.0 * rng.standard_normal((6, 50))).astype(dtype)
    constant = np.full_like(x, 12345.0)
    labels = rng.integers(0, 50, 6)
    np.testing.assert_array_equal(sg.cross_entropy.hvp(x, labels, constant), 0.0)
    np.testing.assert_array_equal(sg.cross_entropy.jvp(x, labels, constant), 0.0)
    np.testing.assert_array_equal(sg.cross_entropy.hessian(x, labels) @ constant, 0.0)
    shifted = (rng.integers(-8, 8, x.shape) + 4096.0).astype(dtype)
    np.testing.assert_array_equal(
        sg.cross_entropy.hvp(x, labels, shifted), sg.cross_entropy.hvp(x, labels, shifted - dtype.type(4096.0))
    )
    assert np.any(sg.cross_entropy.hvp(x, labels, shifted) != 0.0)


@dtypes
@pytest.mark.parametrize("extra", [{}, {"softcap": 3.0}, {"z_loss": 0.1}, {"label_smoothing": 0.2}], ids=str)
def test_what_does_not_count_leaks_nothing(extra, dtype):
    """NaN in the logits and the vector of an ignored row, and of classes that are left out."""
    rng = fresh_rng()
    x = rng.standard_normal((4, 6)).astype(dtype)
    v = rng.standard_normal((4, 6)).astype(dtype)
    labels = np.array([1, -1, 2, 3])
    where = np.ones((4, 6), bool)
    where[2, 4:] = False
    options = {"ignore_index": -1, "where": where, "reduction": "sum", **extra}
    clean = [
        sg.cross_entropy.jvp(x, labels, v, **options),
        sg.cross_entropy.hvp(x, labels, v, **options),
        sg.cross_entropy.hessian_diagonal(x, labels, **options),
        sg.cross_entropy.hessian(x, labels, **options).toarray(),
    ]
    for array in (x, v):
        array[1] = np.nan
        array[2, 4:] = np.nan
    dirty = [
        sg.cross_entropy.jvp(x, labels, v, **options),
        sg.cross_entropy.hvp(x, labels, v, **options),
        sg.cross_entropy.hessian_diagonal(x, labels, **options),
        sg.cross_entropy.hessian(x, labels, **options).toarray(),
    ]
    for expected, actual in zip(clean, dirty, strict=True):
        np.testing.assert_array_equal(actual, expected)
        assert np.any(expected != 0.0)
    np.testing.assert_array_equal(dirty[1][1], 0.0)
    np.testing.assert_array_equal(dirty[1][2, 4:], 0.0)
    np.testing.assert_array_equal(dirty[3][1], 0.0)


def test_a_row_of_nan_that_counts_says_so():
    x = np.array([[0.0, np.nan], [0.0, 1.0]])
    product = sg.cross_entropy.hvp(x, [0, 1], np.ones((2, 2)) * [1.0, 2.0])
    assert np.all(np.isnan(product[0]))
    assert np.all(np.isfinite(product[1]))
    assert np.isnan(sg.cross_entropy.jvp(x, [0, 1], np.ones((2, 2))))


@dtypes
def test_mixed_dtypes_and_layouts_give_the_values_of_plain_ones(dtype):
    rng = fresh_rng()
    x = rng.standard_normal((5, 40)).astype(dtype)
    v = rng.standard_normal((5, 40))
    labels = rng.integers(0, 40, 5)
    wide = sg.cross_entropy.hvp(x.astype(np.float64), labels, v)
    mixed = sg.cross_entropy.hvp(x, labels, v)
    assert mixed.dtype == dtype
    np.testing.assert_array_equal(mixed, wide.astype(dtype))
    plain = sg.cross_entropy.hvp(x, labels, v.astype(dtype))
    strided = sg.cross_entropy.hvp(np.asfortranarray(x), labels, np.repeat(v.astype(dtype), 2, axis=1)[:, ::2])
    np.testing.assert_array_equal(strided, plain)
    first = sg.cross_entropy.hvp(np.ascontiguousarray(x.T), labels, np.ascontiguousarray(v.astype(dtype).T), axis=0)
    np.testing.assert_array_equal(first.T, plain)


def test_errors_name_the_argument():
    x, labels = np.zeros((2, 3)), [0, 1]
    with pytest.raises(ValueError, match=r"tangent has shape \(3,\); logits has shape \(2, 3\)"):
        sg.cross_entropy.jvp(x, labels, np.zeros(3))
    with pytest.raises(ValueError, match=r"vector has shape \(2, 2\); logits has shape \(2, 3\)"):
        sg.cross_entropy.hvp(x, labels, np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"labels\[1\] is 3; logits have 3 classes"):
        sg.cross_entropy.hessian(x, [0, 3])
    with pytest.raises(TypeError, match="upstream"):
        sg.cross_entropy.jvp(x, labels, x, upstream=2.0)


def test_class_axes_of_the_diagonal_blocks():
    """Several class axes are one in the diagonal blocks, and as they were in the products."""
    rng = fresh_rng()
    x, v = rng.standard_normal((2, 3, 4, 5))
    labels = rng.integers(0, 15, 4)
    hessian = sg.cross_entropy.hessian(x, labels, axis=(0, 2))
    assert hessian.shape == (4, 15, 15)
    assert class_axes((0, 2)) == (0, 2)
    flat = np.moveaxis(v, 1, 0).reshape(4, 15)
    product = np.moveaxis(sg.cross_entropy.hvp(x, labels, v, axis=(0, 2)), 1, 0).reshape(4, 15)
    np.testing.assert_allclose(hessian @ flat, product, rtol=0, atol=16 * EPS64 * np.max(np.abs(v)))


@pytest.mark.parametrize(
    "options", [{}, {"sample_weight": 2.0}, {"softcap": 3.0, "sample_weight": 2.0, "z_loss": 0.1}], ids=str
)
@pytest.mark.parametrize("labels", [1, [0.25, 0.5, 1.25]], ids=str)
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_one_row_alone(reduction, labels, options):
    """A batch of shape () as a batch of shape (1,)."""
    x, v = np.array([1.0, 2.0, 0.5]), np.array([0.5, -1.0, 2.0])
    many = {name: np.array([value]) if name == "sample_weight" else value for name, value in options.items()}
    alone, batch = {**options, "reduction": reduction}, {**many, "reduction": reduction}
    together = (x[None], [labels])
    for verb in ("jvp", "hvp"):
        one = getattr(sg.cross_entropy, verb)(x, labels, v, **alone)
        other = getattr(sg.cross_entropy, verb)(*together, v[None], **batch)
        np.testing.assert_array_equal(np.ravel(one), np.ravel(other))
        assert np.any(one != 0.0)
    one, other = sg.cross_entropy.hessian(x, labels, **alone), sg.cross_entropy.hessian(*together, **batch)
    np.testing.assert_array_equal(one.toarray(), other.toarray()[0])
    np.testing.assert_array_equal(one @ v, (other @ v[None])[0])
    np.testing.assert_array_equal(one.solve(v, damping=0.5), other.solve(v[None], damping=0.5)[0])
    np.testing.assert_array_equal(
        sg.cross_entropy.hessian_diagonal(x, labels, **alone), sg.cross_entropy.hessian_diagonal(*together, **batch)[0]
    )
