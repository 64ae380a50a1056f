"""Arrays that are not what they seem: every function names the argument, and writes nothing first."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import softgrad as sg

X = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -3.0]])
LABELS = np.array([2, 0])
MASK = X > 1.5
# Each function's arguments by name, positional ones first.
ARGUMENTS = {
    "softmax": {"x": X},
    "log_softmax": {"x": X},
    "logsumexp": {"x": X},
    "hardmax": {"x": X},
    "sigmoid": {"x": X},
    "log_sigmoid": {"x": X},
    "cross_entropy": {"logits": X, "labels": LABELS},
    "linear_cross_entropy": {"hidden": X, "weight": X, "labels": np.array([1, 0])},
    "binary_cross_entropy": {"logits": X, "targets": np.abs(X) / 4.0},
    "quadratic": {"outputs": X, "targets": X},
    "kl_divergence": {"logits": X, "target_logits": X},
    "focal": {"logits": X, "labels": LABELS},
    "token_logprobs": {"logits": X, "labels": LABELS},
}
each_argument = pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function, arguments in ARGUMENTS.items() for name in arguments]
)


def call_with(function, name, value):
    return getattr(sg, function)(*(ARGUMENTS[function] | {name: value}).values())


def test_every_function_is_here():
    assert set(ARGUMENTS) == {*sg.registry(), "hardmax"}


@each_argument
def test_a_masked_array_is_refused(function, name):
    """Its mask would be lost without a word, and with it what the caller meant to leave out."""
    value = ARGUMENTS[function][name]
    with pytest.raises(TypeError, match=f"^{name} is a masked array"):
        call_with(function, name, np.ma.masked_array(value, np.zeros(value.shape, bool)))


@each_argument
def test_rows_of_several_lengths_are_refused(function, name):
    with pytest.raises(ValueError, match=f"^{name} is no array: .*inhomogeneous"):
        call_with(function, name, [[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("option", ["where", "class_weight", "sample_weight"])
def test_a_masked_option_is_refused_before_anything_is_written(option):
    values = {"where": ~MASK, "class_weight": np.ones(3), "sample_weight": np.ones(2)}
    out = np.full_like(X, 7.0)
    with pytest.raises(TypeError, match=f"^{option} is a masked array"):
        sg.cross_entropy.value_and_grad(X, LABELS, out=out, **{option: np.ma.masked_array(values[option])})
    assert np.all(out == 7.0)


def test_float16_beside_bfloat16():
    """They have no common dtype for NumPy; each is exact in float32."""
    two = {dtype: X.astype(dtype) for dtype in (np.float16, ml_dtypes.bfloat16, np.float32)}
    for dtype, x in two.items():
        for v in two.values():
            for w in two.values():
                expected = sg.softmax.hvp(x.astype(np.float32), v.astype(np.float32), w.astype(np.float32))
                np.testing.assert_array_equal(sg.softmax.hvp(x, v, w), expected.astype(dtype))
            expected = sg.softmax.jvp(x.astype(np.float32), v.astype(np.float32))
            np.testing.assert_array_equal(sg.softmax.jvp(x, v), expected.astype(dtype))
            sg.cross_entropy.hvp(x, LABELS, v)


def test_a_temperature_whose_square_is_zero():
    """The rows are one-hot by far: a derivative is 0, or NaN where an infinite factor meets it, and no error."""
    for function in (sg.softmax, sg.log_softmax):
        result = function.hvp(X, X, X, temperature=1e-320)
        assert result.shape == X.shape
        assert not np.any(np.isinf(result))
