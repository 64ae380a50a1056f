"""linear_cross_entropy of two bytes, of files, of SciPy's sparse rows, and with products in bfloat16."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

import softgrad as sg
from softgrad import reference
from softgrad.losses._linear_cross_entropy import _bfloat16
from tests.losses.test_linear_cross_entropy import SECOND_ORDER_OPTIONS, assert_agrees, draw, dtypes, option_values
from tests.losses.test_linear_cross_entropy_blocks import FEW_BYTES, OF_CLASSES
from tests.oracles.bounds import EPS, FLOAT32, FLOAT64
from tests.oracles.inputs import fresh_rng

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
two_bytes = pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
block_sizes = pytest.mark.parametrize("block_bytes", [None, 30_000, FEW_BYTES])


@two_bytes
@block_sizes
@pytest.mark.parametrize(
    "layout", [np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2]]
)
def test_two_bytes(layout, block_bytes, dtype):
    """What float32 gives for the same numbers: the loss, and the gradients rounded once."""
    rng = fresh_rng()
    operands = draw(rng, OF_CLASSES, dtype)
    values = option_values(rng, operands)
    hidden, weight, labels, bias = operands
    options = {name: values[name] for name in ("class_weight", "label_smoothing", "softcap")}
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        layout(hidden), layout(weight), labels, layout(bias), block_bytes=block_bytes, **options
    )
    wide = [each.astype(np.float64) for each in (hidden, weight, bias)]
    expected = reference.linear_cross_entropy(*wide[:2], labels, wide[2], **options)
    exact = reference.linear_cross_entropy_grad(*wide[:2], labels, wide[2], **options)
    eps, unit = np.finfo(np.float32).eps, float(ml_dtypes.finfo(dtype).eps)
    assert loss.dtype == np.float32
    np.testing.assert_allclose(loss, expected, rtol=64 * eps)
    for actual, other in zip(gradients, exact, strict=True):
        assert actual.dtype == dtype
        # Half a unit of the last place; float16 has subnormal numbers here.
        least = float(ml_dtypes.finfo(dtype).smallest_subnormal)
        allowed = 0.51 * unit * np.abs(other) + least + 256 * eps * np.max(np.abs(other))
        assert np.all(np.abs(actual.astype(np.float64) - other) <= allowed)


@two_bytes
def test_second_order_of_two_bytes(dtype):
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, OF_CLASSES, dtype)
    vectors = tuple(rng.standard_normal(each.shape).astype(dtype) for each in (hidden, weight, bias))
    wide = [each.astype(np.float64) for each in (hidden, weight, bias)]
    along = tuple(each.astype(np.float64) for each in vectors)
    products = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, vectors)
    exact = reference.linear_cross_entropy_hvp(*wide[:2], labels, wide[2], along)
    for actual, other in zip(products, exact, strict=True):
        assert actual.dtype == dtype
        allowed = 0.51 * float(ml_dtypes.finfo(dtype).eps) * np.abs(other) + 64 * np.finfo(np.float32).eps * np.max(
            np.abs(other)
        )
        assert np.all(np.abs(actual.astype(np.float64) - other) <= allowed)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64, np.dtype(np.float16)], ids=str)
@block_sizes
def test_memory_mapped(block_bytes, dtype, tmp_path):
    """Read-only, at an offset into the file; the gradients in files of their own."""
    operands = draw(fresh_rng(), OF_CLASSES, dtype)
    mapped = []
    for name, array in (("hidden", operands.hidden), ("weight", operands.weight)):
        file = tmp_path / name
        file.write_bytes(b"\0" * 64 + array.tobytes())
        mapped.append(np.memmap(file, dtype, "r", 64, array.shape))
    out = tuple(np.memmap(tmp_path / f"by_{n}", dtype, "w+", 0, m.shape) for n, m in zip("hw", mapped, strict=True))
    expected = sg.linear_cross_entropy.value_and_grad(*operands, block_bytes=block_bytes)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        *mapped, operands.labels, operands.bias, out=(*out, None), block_bytes=block_bytes
    )
    assert loss == expected[0]
    for actual, other in zip(gradients, expected[1], strict=True):
        np.testing.assert_array_equal(actual, other)
    assert gradients.weight is out[1]


def sparse_rows(rng, operands, kind=scipy.sparse.csr_array):
    """Two thirds of hidden are 0; a row and a feature have nothing."""
    hidden = operands.hidden * (rng.random(operands.hidden.shape) < 0.33)
    hidden[5], hidden[:, 2] = 0.0, 0.0
    return operands._replace(hidden=hidden.astype(operands.hidden.dtype)), kind(hidden.astype(operands.hidden.dtype))


@dtypes
@block_sizes
@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_sparse_rows_are_the_same_rows(kind, block_bytes, dtype):
    rng = fresh_rng()
    operands, rows = sparse_rows(rng, draw(rng, OF_CLASSES, dtype), kind)
    values = option_values(rng, operands)
    options = {name: values[name] for name in ("ignore_index", "sample_weight", "softcap", "where")}
    operands.labels[::5] = options["ignore_index"]
    wrt = ("weight", "bias")
    assert_agrees(operands, options, wrt=wrt, block_bytes=block_bytes)
    expected, exact = sg.linear_cross_entropy.value_and_grad(*operands, wrt=wrt, **options)
    _, weight, labels, bias = operands
    out = tuple(np.full(each.shape, np.nan, dtype) for each in (weight, bias))
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        rows, weight, labels, bias, wrt=wrt, out=(None, *out), block_bytes=block_bytes, **options
    )
    eps = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, expected, rtol=eps)
    assert gradients.hidden is None
    for actual, other, place in zip(gradients[1:], exact[1:], out, strict=True):
        assert actual is place
        np.testing.assert_allclose(actual, other, rtol=0, atol=eps * np.max(np.abs(other)))
    np.testing.assert_array_equal(gradients.weight[:, 2], 0.0)
    assert sg.linear_cross_entropy(rows, weight, labels, bias, block_bytes=block_bytes, **options) == loss


@pytest.mark.parametrize("options", SECOND_ORDER_OPTIONS, ids=str)
def test_second_order_of_sparse_rows(options):
    rng = fresh_rng()
    operands, rows = sparse_rows(rng, draw(rng, OF_CLASSES, FLOAT64))
    hidden, weight, labels, bias = operands
    vectors = (None, rng.standard_normal(weight.shape), rng.standard_normal(bias.shape))
    change = sg.linear_cross_entropy.jvp(rows, weight, labels, bias, vectors, **options)
    exact = reference.linear_cross_entropy_jvp(hidden, weight, labels, bias, vectors, **options)
    gradients = reference.linear_cross_entropy_grad(hidden, weight, labels, bias, **options)
    size = sum(np.sum(np.abs(g * v)) for g, v in zip(gradients[1:], vectors[1:], strict=True))
    np.testing.assert_allclose(change, exact, rtol=0, atol=64 * EPS * size)
    products = sg.linear_cross_entropy.hvp(rows, weight, labels, bias, vectors, wrt=("weight", "bias"), **options)
    exact = reference.linear_cross_entropy_hvp(hidden, weight, labels, bias, vectors, **options)
    assert products.hidden is None
    for actual, other in zip(products[1:], exact[1:], strict=True):
        np.testing.assert_allclose(actual, other, rtol=0, atol=256 * EPS * np.max(np.abs(other)))


def test_only_the_changes_that_are_asked_for():
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, OF_CLASSES, FLOAT64)
    vectors = tuple(rng.standard_normal(each.shape) for each in (hidden, weight, bias))
    expected = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, vectors)
    for name in ("hidden", "weight", "bias"):
        products = sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, vectors, wrt=(name,))
        for field, actual, other in zip(products._fields, products, expected, strict=True):
            if field == name:
                np.testing.assert_array_equal(actual, other)
            else:
                assert actual is None


def test_sparse_rows_of_integers_are_float64():
    rows = scipy.sparse.csr_array(np.array([[1, 0], [0, 2]]))
    loss, gradients = sg.linear_cross_entropy.value_and_grad(rows, np.zeros((2, 2)), [0, 1], wrt=("weight",))
    assert loss == pytest.approx(np.log(2.0), rel=4 * EPS, abs=0.0)
    np.testing.assert_array_equal(gradients.weight, [[-0.25, 0.5], [0.25, -0.5]])


def test_errors_of_sparse_rows():
    rows, weight, labels = scipy.sparse.csr_array(np.eye(3)), np.ones((4, 3)), [0, 1, 2]
    cases = [
        (ValueError, r"hidden is sparse and has no gradient; give wrt without it", rows, {}),
        (TypeError, r"of the format csc; it must be csr: give hidden\.tocsr\(\)", rows.tocsc(), {"wrt": ()}),
        (TypeError, "hidden is sparse, of dtype complex128", rows.astype(complex), {"wrt": ()}),
        (TypeError, "weight has dtype float64; hidden has dtype float32", rows.astype(np.float32), {"wrt": ()}),
        (ValueError, r"weight has shape \(4, 3\); with hidden \(3, 2\)", rows[:, :2], {"wrt": ()}),
        (TypeError, "hidden is sparse", rows, {"wrt": (), "compute_dtype": "bfloat16"}),
    ]
    for error, match, hidden, options in cases:
        with pytest.raises(error, match=match):
            sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, **options)
    with pytest.raises(TypeError, match="hidden is sparse: its tangent must be None"):
        sg.linear_cross_entropy.jvp(rows, weight, labels, None, (np.eye(3), None, None))
    with pytest.raises(ValueError, match="hidden is sparse and has no gradient"):
        sg.linear_cross_entropy.hvp(rows, weight, labels, None, (None, weight, None))


def stand_in_for_pytorch(rounds):
    """What is used of it, on a processor that has products in bfloat16 or not."""
    settings = SimpleNamespace(fp32_precision="none")

    def mm(a, b, out):
        if rounds and settings.fp32_precision == "bf16":
            a, b = (each.astype(BFLOAT16).astype(np.float32) for each in (a, b))
        np.matmul(a, b, out=out)

    def from_numpy(array):
        assert array.flags.writeable
        return array

    backends = SimpleNamespace(mkldnn=SimpleNamespace(matmul=settings))
    return SimpleNamespace(mm=mm, from_numpy=from_numpy, backends=backends)


def assert_in_bfloat16(dtype, block_bytes):
    """Results are as far from float32 as roundings to 8 bits are, and no further."""
    hidden, weight, labels, bias = draw(fresh_rng(), (200, 40, 150), dtype)
    hidden.flags.writeable = False
    vectors = (None, weight, None)

    def results(**options):
        # Those of the rows: in one number for all, roundings may cancel.
        losses = sg.linear_cross_entropy(hidden, weight, labels, bias, reduction="none", **options)
        jvp = sg.linear_cross_entropy.jvp(hidden, weight, labels, bias, vectors, reduction="none", **options)
        return (
            losses,
            *sg.linear_cross_entropy.grad(hidden, weight, labels, bias, **options),
            jvp,
            sg.linear_cross_entropy.hvp(hidden, weight, labels, bias, vectors, **options).weight,
        )

    rounded = results(compute_dtype="bfloat16", block_bytes=block_bytes)
    unit = float(ml_dtypes.finfo(BFLOAT16).eps)
    for one, other in zip(rounded, results(), strict=True):
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        # The logits of 40 features are some 6, and move by half a unit of each of their terms.
        assert np.max(np.abs(one - other)) <= 8 * unit * np.max(np.abs(other))
        # bfloat16 is what these are already, but for the gradients by the logits.
        assert dtype == BFLOAT16 or np.max(np.abs(one - other)) > 2.0**-19 * np.max(np.abs(other))
    return rounded


@pytest.mark.parametrize("dtype", [FLOAT32, BFLOAT16], ids=str)
@pytest.mark.parametrize("block_bytes", [None, 100_000])
def test_products_in_bfloat16(block_bytes, dtype, monkeypatch):
    torch = stand_in_for_pytorch(rounds=True)
    monkeypatch.setitem(sys.modules, "torch", torch)
    losses, *_ = assert_in_bfloat16(dtype, block_bytes)
    assert losses.dtype == np.float32
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_no_products_in_bfloat16(monkeypatch):
    hidden, weight, labels, _ = draw(fresh_rng(), (5, 2, 3), FLOAT32)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(ImportError, match="pip install torch, and import torch"):
        sg.linear_cross_entropy(hidden, weight, labels, compute_dtype="bfloat16")
    monkeypatch.setitem(sys.modules, "torch", stand_in_for_pytorch(rounds=False))
    with pytest.raises(RuntimeError, match="this processor has none of bfloat16; leave compute_dtype out"):
        sg.linear_cross_entropy(hidden, weight, labels, compute_dtype="bfloat16")
    with pytest.raises(ValueError, match="compute_dtype is 'float16'; it must be None or 'bfloat16'"):
        sg.linear_cross_entropy(hidden, weight, labels, compute_dtype="float16")
    for dtype in (np.float64, np.float16):
        with pytest.raises(TypeError, match=f"hidden is of dtype {np.dtype(dtype)}"):
            sg.linear_cross_entropy(hidden.astype(dtype), weight.astype(dtype), labels, compute_dtype="bfloat16")


def test_pytorch_has_what_is_used_of_it(monkeypatch):
    """In float32 where the processor has no products in bfloat16; settings are put back."""
    torch = pytest.importorskip("torch")
    before = torch.backends.mkldnn.matmul.fp32_precision
    try:
        _bfloat16.in_bfloat16()
    except RuntimeError:
        monkeypatch.setattr(_bfloat16, "rounds_to_bfloat16", lambda _: True)
        hidden, weight, labels, bias = draw(fresh_rng(), (90, 20, 70), FLOAT32)
        hidden.flags.writeable = False
        expected = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias)
        found = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, compute_dtype="bfloat16")
        eps = 64 * np.finfo(np.float32).eps
        np.testing.assert_allclose(found[0], expected[0], rtol=eps)
        for one, other in zip(found[1], expected[1], strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=eps * np.max(np.abs(other)))
    else:
        assert_in_bfloat16(FLOAT32, None)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
