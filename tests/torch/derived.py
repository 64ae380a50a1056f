"""The ways torch has to derive a function of one tensor, and the comparison of what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from tests.oracles.inputs import fresh_rng

Function = Callable[[Tensor], Tensor]

EPS = {torch.float64: torch.finfo(torch.float64).eps, torch.float32: torch.finfo(torch.float32).eps}


def generator() -> torch.Generator:
    """A generator with a new seed, which is printed."""
    return torch.Generator().manual_seed(int(fresh_rng().integers(2**31)))


def normal(g: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=g, dtype=dtype)


def uniform(g: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Between 1/2 and 3/2."""
    return 0.5 + torch.rand(*shape, generator=g, dtype=dtype)


def assert_near(actual: Any, expected: Any, units: float, dtype: torch.dtype = torch.float64) -> None:
    """Within so many eps of the largest of the expected values; these may not all be 0.

    They are sums of terms of size 1, which may cancel.
    """
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_near(one, other, units, dtype)
        return
    assert actual.shape == expected.shape
    largest = float(expected.detach().abs().max())
    assert largest > 0.0
    scale = max(largest, 1.0)
    bound = units * EPS[dtype] * scale
    worst = float((actual.detach().to(torch.float64) - expected.detach().to(torch.float64)).abs().max())
    assert worst <= bound, f"{worst / EPS[dtype] / scale} eps of {scale}"


def direction(x: Tensor, k: int = 0) -> Tensor:
    """A vector that has no symmetry."""
    return torch.sin(torch.arange(x.numel(), dtype=torch.float64) * (1.3 + k) + k).reshape(x.shape).to(x.dtype)


def total(f: Function) -> Function:
    """A number with derivatives of every order by all that f returns."""
    return lambda x: (f(x) * (1.0 + direction(f(x).detach(), 2) ** 2)).sum()


def backward(f: Function) -> Function:
    def derived(x: Tensor) -> Tensor:
        leaf = x.detach().clone().requires_grad_()
        total(f)(leaf).backward()
        assert leaf.grad is not None
        return leaf.grad

    return derived


def double_backward(f: Function) -> Function:
    def derived(x: Tensor) -> Tensor:
        leaf = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(total(f)(leaf), leaf, create_graph=True)
        (second,) = torch.autograd.grad((gradient * direction(x)).sum(), leaf)
        return second

    return derived


def triple_backward(f: Function) -> Function:
    def derived(x: Tensor) -> Tensor:
        leaf = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(total(f)(leaf), leaf, create_graph=True)
        (second,) = torch.autograd.grad((gradient * direction(x)).sum(), leaf, create_graph=True)
        (third,) = torch.autograd.grad((second * direction(x, 1)).sum(), leaf)
        return third

    return derived


def forward_mode(f: Function) -> Function:
    def derived(x: Tensor) -> Tensor:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(f(forward_ad.make_dual(x, direction(x)))).tangent

    return derived


def forward_over_reverse(f: Function) -> Function:
    return lambda x: jvp(grad(total(f)), (x,), (direction(x),))[1]


def reverse_over_forward(f: Function) -> Function:
    return lambda x: grad(lambda x: jvp(total(f), (x,), (direction(x),))[1])(x)


def forward_over_forward(f: Function) -> Function:
    return lambda x: jvp(lambda x: jvp(f, (x,), (direction(x),))[1], (x,), (direction(x, 1),))[1]


def batched_gradients(f: Function) -> Function:
    """The gradient of each element of the result, all in one backward."""

    def derived(x: Tensor) -> Tensor:
        leaf = x.detach().clone().requires_grad_()
        result = f(leaf)
        basis = torch.eye(result.numel(), dtype=result.dtype).reshape(-1, *result.shape)
        (gradients,) = torch.autograd.grad(result, leaf, basis, is_grads_batched=True)
        return gradients

    return derived


def batch_of_examples(f: Function) -> Function:
    """The gradients of three arguments at once."""
    return lambda x: vmap(grad(total(f)), in_dims=1, out_dims=2)(torch.stack([x, 2.0 * x, -x], 1))


ONCE: dict[str, Callable[[Function], Function]] = {
    "the value": lambda f: f,
    "backward": backward,
    "forward mode": forward_mode,
    "torch.func.grad": lambda f: grad(total(f)),
    "torch.func.jvp": lambda f: lambda x: jvp(f, (x,), (direction(x),))[1],
    "torch.func.vjp": lambda f: lambda x: vjp(total(f), x)[1](torch.tensor(0.7, dtype=x.dtype))[0],
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "batched gradients": batched_gradients,
    "vmap": lambda f: lambda x: vmap(f)(torch.stack([x, 2.0 * x, -x])),
    "vmap over grad": batch_of_examples,
}
TWICE: dict[str, Callable[[Function], Function]] = {
    "double backward": double_backward,
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
    "forward over forward": forward_over_forward,
    "hessian": lambda f: hessian(total(f)),
    "jacfwd over jacrev": lambda f: jacfwd(jacrev(f)),
    "jacrev over jacfwd": lambda f: jacrev(jacfwd(f)),
    "jacrev over jacrev": lambda f: jacrev(jacrev(f)),
}
MORE: dict[str, Callable[[Function], Function]] = {
    "triple backward": triple_backward,
    "jvp of a hessian": lambda f: lambda x: jvp(hessian(total(f)), (x,), (direction(x),))[1],
    "grad of forward over reverse": lambda f: grad(lambda x: (forward_over_reverse(f)(x) ** 2).sum()),
    "jvp of jvp of jvp": lambda f: lambda x: jvp(forward_over_forward(f), (x,), (direction(x, 3),))[1],
    "fifth order": lambda f: grad(lambda x: (forward_over_forward(forward_over_forward(f))(x) ** 2).sum()),
}
"""Ways to derive a function once, twice, and more often."""
EVERY = ONCE | TWICE | MORE
