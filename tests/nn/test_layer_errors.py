"""What a layer does not take: the message names the layer, what it got and what it takes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from softgrad import nn
from tests.nn.cases import LAYERS

layers = pytest.mark.parametrize("name", LAYERS)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(0, 2, seed=0), ValueError, "in_features is 0; it must be at least 1"),
        (lambda: nn.Linear(2, -1, seed=0), ValueError, "out_features is -1; it must be at least 1"),
        (lambda: nn.Linear(2.0, 2, seed=0), TypeError, "in_features is 2.0; it must be an integer"),
        (lambda: nn.Linear(2, True, seed=0), TypeError, "out_features is True; it must be an integer"),
        (
            lambda: nn.Linear(2, 2, seed=0, dtype=np.float16),
            TypeError,
            "dtype is float16; it must be float32 or float64",
        ),
        (lambda: nn.Dropout(1.0, seed=0), ValueError, "p is 1.0; it must be in [0, 1)"),
        (lambda: nn.Dropout(-0.1, seed=0), ValueError, "p is -0.1; it must be in [0, 1)"),
        (lambda: nn.Dropout(np.nan, seed=0), ValueError, "p is nan; it must be in [0, 1)"),
        (lambda: nn.BatchNorm(0), ValueError, "features is 0; it must be at least 1"),
        (lambda: nn.BatchNorm(2, momentum=0.0), ValueError, "momentum is 0.0; it must be in (0, 1]"),
        (lambda: nn.BatchNorm(2, momentum=1.5), ValueError, "momentum is 1.5; it must be in (0, 1]"),
        (lambda: nn.BatchNorm(2, eps=0.0), ValueError, "eps is 0.0; it must be positive and finite"),
        (lambda: nn.BatchNorm(2, dtype=int), TypeError, "dtype is int64; it must be float32 or float64"),
    ],
)
def test_arguments(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


@pytest.mark.parametrize("shape", [(10, 63), (64,), (2, 10, 64), (64, 10), ()])
def test_inputs_of_another_shape(shape):
    message = f"Linear(64, 32) got inputs of shape {shape}; it takes (n, 64)"
    with pytest.raises(ValueError, match=re.escape(message)):
        nn.Linear(64, 32, seed=0).forward(np.zeros(shape))
    batch_norm = nn.BatchNorm(64)
    with pytest.raises(ValueError, match=re.escape(f"{batch_norm!r} got inputs of shape {shape}; it takes (n, 64)")):
        batch_norm.forward(np.zeros(shape))


@pytest.mark.parametrize(
    "make", [lambda dtype: nn.Linear(2, 2, seed=0, dtype=dtype), lambda dtype: nn.BatchNorm(2, dtype=dtype)]
)
@pytest.mark.parametrize(("own", "given"), [("float32", "float64"), ("float64", "float32")])
def test_inputs_of_another_dtype_than_the_parameters(own, given, make):
    layer = make(own)
    message = f"{layer!r} got inputs of dtype {given}; its parameters are {own}"
    with pytest.raises(TypeError, match=re.escape(message)):
        layer.forward(np.zeros((3, 2), given))


@layers
@pytest.mark.parametrize("dtype", [np.float16, np.complex128, np.longdouble, bool, object, "U1"])
def test_inputs_of_no_dtype_that_a_layer_takes(dtype, name):
    layer = LAYERS[name](np.float64)
    message = f"{layer!r} got inputs of dtype {np.dtype(dtype)}; it takes float32 or float64"
    with pytest.raises(TypeError, match=re.escape(message)):
        layer.forward(np.zeros((3, 4), dtype))


@layers
def test_backward_follows_forward(name):
    layer = LAYERS[name](np.float64)
    message = re.escape(f"{layer!r} has no forward to go back through")
    with pytest.raises(RuntimeError, match=message):
        layer.backward(np.ones((3, 4)))
    outputs = layer.forward(np.ones((3, 4)))
    layer.backward(outputs)
    layer.forget()
    with pytest.raises(RuntimeError, match=message):
        layer.backward(outputs)
    layer.forward(np.ones((3, 4)))
    with pytest.raises(TypeError):
        layer.forward(np.ones((3, 4), np.float16))
    with pytest.raises(RuntimeError, match=message):
        layer.backward(outputs)


@layers
def test_a_gradient_of_another_shape(name):
    layer = LAYERS[name](np.float64)
    outputs = layer.forward(np.ones((3, 4)))
    message = f"{layer!r} got a gradient of shape (3, 5); its outputs have {outputs.shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        layer.backward(np.ones((3, 5)))
    assert all(np.all(gradient == 0.0) for gradient in layer.gradients.values())


def test_batch_norm_needs_two_rows_in_training():
    layer = nn.BatchNorm(4)
    before = {name: array.copy() for name, array in layer.statistics.items()}
    with pytest.raises(ValueError, match=r"got inputs of shape \(1, 4\); in training it needs at least 2 rows"):
        layer.forward(np.ones((1, 4)))
    for name, array in before.items():
        np.testing.assert_array_equal(layer.statistics[name], array)
    layer.training = False
    assert layer.forward(np.ones((1, 4))).shape == (1, 4)


def test_a_layer_of_ones_own_that_is_not_finished():
    class Nothing(nn.Layer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not define _forward"):
        Nothing().forward([[1.0]])
