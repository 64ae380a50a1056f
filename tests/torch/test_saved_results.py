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


@pytest.mark.parametrize("confidence", [0.0, 15.0, 40.0])
@names
def test_nothing_cancels_in_a_second_derivative(name: str, confidence: float) -> None:
    """In rows of one dominant class, and with vectors whose entries have nearly all in common.

    What is worked out of p (1 - p) times the spread of the vectors, within a few eps. A rounding of log p is abs(log p)
    roundings of p: those are the digits that log_softmax has less.
    """
    gen = generator()
    x = normal(gen, 16, 6, dtype=torch.float32)
    x[:, 2] += confidence
    # Numbers that float32 and the differences of float64 have exactly.
    parts = [torch.round(64.0 * normal(gen, 16, 6)) / 64.0 for _ in range(2)]
    g, v = ((256.0 + each).float() for each in parts)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(getattr(sgt, name)(leaf), leaf, g, create_graph=True)
    (actual,) = torch.autograd.grad(gradient, leaf, v)
    p = definitions.softmax(x.double(), 1)

    def centered(a: Tensor) -> Tensor:
        # Relative to the dominant class, whose p is 1 but for what the others have.
        apart = a - a[:, 2:3]
        return apart - (p * apart).sum(1, keepdim=True)

    by_g, by_v = (centered(each) for each in parts)
    if name == "softmax":
        expected, roundings = p * centered(by_g * by_v), torch.ones_like(p)
        spread = by_g.abs().amax(1, keepdim=True) * by_v.abs().amax(1, keepdim=True)
    else:
        total = g.double().sum(1, keepdim=True)
        expected, roundings = -total * p * by_v, 1.0 - p.log()
        spread = total * by_v.abs().amax(1, keepdim=True)
    others = torch.stack([p[:, [j for j in range(6) if j != k]].sum(1) for k in range(6)], 1)
    worst = ((actual.double() - expected).abs() / (EPS[torch.float32] * p * others * spread * roundings)).max()
    assert float(expected.abs().max()) > 0.0
    assert float(worst) <= 32.0, f"{float(worst)} eps"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@names
def test_in_two_bytes_the_derivatives_are_those_of_the_rounded_result(name: str, dtype: torch.dtype) -> None:
    """Each within half a unit of its last place, and what float32 takes on the way.

    The largest p counts as what the others leave: the rounded ones do not sum to 1.
    """
    gen = generator()
    x, g = normal(gen, 8, 5).to(dtype).requires_grad_(), normal(gen, 8, 5).to(dtype)
    result = getattr(sgt, name)(x)
    (gradient,) = torch.autograd.grad(result, x, g)
    output, up = result.detach().double(), g.double()
    if name == "softmax":
        apart = up - up.gather(1, output.argmax(1, keepdim=True))
        expected = output * (apart - (output * apart).sum(1, keepdim=True))
    else:
        expected = up - output.exp() * up.sum(1, keepdim=True)
    assert float(expected.abs().max()) > 0.0
    error = (gradient.double() - expected).abs() - 8.0 * EPS[torch.float32]
    assert float((error / expected.abs()).max()) <= 0.5 * torch.finfo(dtype).eps


@names
def test_a_class_of_probability_0_has_derivatives(name: str) -> None:
    """Of any order: the logarithm of its 0 has none."""
    x = torch.tensor([[0.0, 1.0, -2000.0], [0.3, -0.2, 2.0]], dtype=torch.float64)
    of = lambda module: lambda x: getattr(module, name)(x)[:, :2]  # noqa: E731
    assert_near(double_backward(of(sgt))(x), double_backward(of(definitions))(x), 64.0)
    third = torch.func.jacrev(torch.func.hessian(lambda x: of(sgt)(x)[0, 0]))(x)
    defined = torch.func.jacrev(torch.func.hessian(lambda x: of(definitions)(x)[0, 0]))(x)
    assert_near(third, defined, 64.0)
