"""softmax and log_softmax keep their result for the backward, not the logits, as torch does."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import softgrad.torch as sgt
from tests.torch import definitions
from tests.torch.derived import EPS, assert_near, direction, double_backward, generator, normal

NAMES = ["softmax", "log_softmax"]
names = pytest.mark.parametrize("name", NAMES)
# A mode of dispatch has the call go through the dispatcher.
paths = pytest.mark.parametrize("path", [nullcontext, lambda: torch.device("cpu")], ids=["plain", "dispatcher"])


@paths
@names
def test_the_result_alone_is_saved(name: str, path: Any) -> None:
    saved = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor.data_ptr())
        return tensor

    x = normal(generator(), 3, 4).requires_grad_()
    with path(), saved_tensors_hooks(pack, lambda tensor: tensor):
        result = getattr(sgt, name)(x)
    assert saved == [result.data_ptr()]


@paths
@names
def test_the_memory_of_the_logits_is_given_back(name: str, path: Any) -> None:
    leaf = normal(generator(), 3, 4).requires_grad_()
    memory = np.empty((3, 4))
    seen = weakref.ref(memory)
    with path():
        x = torch.from_numpy(memory).copy_(leaf)
        del memory
        result = getattr(sgt, name)(x)
        assert seen() is not None
        del x
    assert seen() is None
    (actual,) = torch.autograd.grad((result**2).sum(), leaf)
    (expected,) = torch.autograd.grad((getattr(definitions, name)(leaf) ** 2).sum(), leaf)
    assert_near(actual, expected, 64.0)


@names
def test_the_logits_may_be_changed_before_the_backward(name: str) -> None:
    leaf = normal(generator(), 3, 4).requires_grad_()
    (expected,) = torch.autograd.grad((getattr(definitions, name)(leaf) ** 2).sum(), leaf)
    x = leaf * 1.0
    result = getattr(sgt, name)(x)
    x.add_(direction(x))
    (actual,) = torch.autograd.grad((result**2).sum(), leaf)
    assert_near(actual, expected, 64.0)


@names
def test_a_result_that_is_changed_before_the_backward_is_noticed(name: str) -> None:
    x = normal(generator(), 3, 4).requires_grad_()
    result = getattr(sgt, name)(x)
    result.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


def second_derivative(name: str, x: Tensor, g: Tensor, v: Tensor) -> Tensor:
    """Of <g, f(x)>, times v, in float64."""
    p = definitions.softmax(x, 1)
    along = v - (p * v).sum(1, keepdim=True)
    if name == "log_softmax":
        return -g.sum(1, keepdim=True) * p * along
    product = along * (g - (p * g).sum(1, keepdim=True))
    return p * (product - (p * product).sum(1, keepdim=True))


@pytest.mark.parametrize("confidence", [1.0, 15.0, 40.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@names
def test_nothing_cancels_in_a_second_derivative(name: str, dtype: torch.dtype, confidence: float) -> None:
    """In rows of one dominant class, and with vectors whose classes have nearly all in common.

    Each entry is within a few eps of its p times the spread of the vectors, for log_softmax times abs(log p) more: that
    is what rounding it costs.
    """
    gen = generator()
    x = normal(gen, 16, 6).to(dtype)
    x[:, 2] += confidence
    g, v = (256.0 + torch.round(64.0 * normal(gen, 16, 6)).to(dtype) / 64.0 for _ in range(2))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(getattr(sgt, name)(leaf), leaf, g, create_graph=True)
    (actual,) = torch.autograd.grad(gradient, leaf, v)
    wide = x.double()
    expected = second_derivative(name, wide, g.double(), v.double())
    p = definitions.softmax(wide, 1)
    spread = v.double().std(1, keepdim=True) * (
        g.double().std(1, keepdim=True) if name == "softmax" else g.double().sum(1, keepdim=True)
    )
    roundings = 1.0 - (p.log() if name == "log_softmax" else 0.0)
    worst = ((actual.double() - expected).abs() / (EPS[dtype] * p * spread * roundings)).max()
    assert float(expected.abs().max()) > 0.0
    assert float(worst) <= 64.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@names
def test_in_two_bytes_the_derivatives_are_those_of_the_rounded_result(name: str, dtype: torch.dtype) -> None:
    gen = generator()
    x, g = normal(gen, 8, 5).to(dtype).requires_grad_(), normal(gen, 8, 5).to(dtype)
    result = getattr(sgt, name)(x)
    (gradient,) = torch.autograd.grad(result, x, g)
    output, up = result.detach().double(), g.double()
    if name == "softmax":
        expected = output * (up - (output * up).sum(1, keepdim=True))
    else:
        expected = up - output.exp() * up.sum(1, keepdim=True)
    assert_near(gradient, expected, 1.0 + 2.0 * EPS[torch.float32], dtype)


@names
def test_a_class_of_probability_0_has_derivatives(name: str) -> None:
    """Of any order: the logarithm of its 0 has none."""
    x = torch.tensor([[0.0, 1.0, -2000.0], [0.3, -0.2, 2.0]], dtype=torch.float64)
    of = lambda module: lambda x: getattr(module, name)(x)[:, :2]  # noqa: E731
    assert_near(double_backward(of(sgt))(x), double_backward(of(definitions))(x), 64.0)
    third = torch.func.jacrev(torch.func.hessian(lambda x: of(sgt)(x)[0, 0]))(x)
    defined = torch.func.jacrev(torch.func.hessian(lambda x: of(definitions)(x)[0, 0]))(x)
    assert_near(third, defined, 64.0)
