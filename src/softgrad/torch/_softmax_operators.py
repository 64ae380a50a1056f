"""The operators of softmax and its logarithm, whose derivatives are made of what they gave.

p is what softmax gives, y = log p is what log_softmax gives. What softmax makes of a gradient by p does not depend on
what all classes have in common, nor what log_softmax makes of one by y on a multiple of p: such gradients are left in
the form that is the most accurate. A change of p sums to 0 over the classes.

Where p is no subnormal number, the products with p are as accurate as those with the logits. Rounding y rounds p
abs(y) times as much: a small p has fewer digits. In two bytes all derivatives are those of the rounded output.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from softgrad._products import Product, products_of_output
from softgrad.functional import log_softmax as log_core
from softgrad.functional import softmax as core
from softgrad.torch._products import product
from softgrad.torch._registration import Kernel, Operator
from softgrad.torch._rows import like, row_kernel, with_batch_in_front
from softgrad.torch._tensors import array, optional_array, tensor

_OPTIONS = "Tensor? where, int[] dim, float temperature"


def _kernel(name: Product) -> Kernel:
    """What the verbs of the core do with an `output`; autograd has seen to the shapes."""

    def kernel(output: Tensor, v: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
        given, mask = (array(output), array(v)), optional_array(where)
        return tensor(products_of_output(name, *given, tuple(dims), mask, scale=1.0 / temperature, out=None))

    return kernel


softmax_of: Operator[Tensor] = Operator(
    f"softmax(Tensor x, {_OPTIONS}) -> Tensor",
    cpu=row_kernel(core),
    fake=like,
    vmap=with_batch_in_front(lambda: softmax_of),
    backward=lambda a, _, g: (softmax_vjp(a[0], g, *a[1:]),),
    jvp=lambda a, t: softmax_vjp(a[0], t[0], *a[1:]),
    of_result=True,
)
log_softmax_of: Operator[Tensor] = Operator(
    f"log_softmax(Tensor x, {_OPTIONS}) -> Tensor",
    cpu=row_kernel(log_core),
    fake=like,
    vmap=with_batch_in_front(lambda: log_softmax_of),
    backward=lambda a, _, g: (log_softmax_vjp(a[0], g, *a[1:]),),
    jvp=lambda a, t: log_softmax_jvp(a[0], t[0], *a[1:]),
    of_result=True,
)


def softmax_hvp(p: Tensor, a: Tensor, b: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
    """The second derivative of p along two changes of the logits."""
    return softmax_vjp(p, _bend(p, a, b, where, dims, temperature), where, dims, temperature)


def _bend(p: Tensor, g: Tensor, u: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
    """The gradient of <u, softmax_vjp(p, g)> by p."""
    by_g, by_u = _centered(p, (g, u), where, dims)
    return by_g * by_u / temperature


def _centered(p: Tensor, vectors: Sequence[Tensor], where: Tensor | None, dims: list[int]) -> list[Tensor]:
    """v - <p, v> of each, so that nothing cancels; 0 in a class that does not take part."""
    # 0 has no slope of the logarithm, and none is needed: all that p is multiplied by is lost there.
    y = torch.where(p == 0.0, -torch.inf, torch.log(torch.where(p == 0.0, 1.0, p)))
    return [log_softmax_jvp(y, v, where, dims, 1.0) for v in vectors]


def _along(p: Tensor, g: Tensor, change: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
    (by_g,) = _centered(p, (g,), where, dims)
    moved = change * by_g
    return (moved - p * moved.sum(dims, keepdim=True)) / temperature


softmax_vjp: Operator[Tensor] = product(
    f"softmax_vjp(Tensor p, Tensor g, {_OPTIONS}) -> Tensor",
    _kernel(core.cotangent_product),
    like,
    transposed=lambda: softmax_vjp,
    by_point=_bend,
    along_point=_along,
)


def _sum(x: Tensor, where: Tensor | None, dims: list[int]) -> Tensor:
    return (x if where is None else torch.where(where, x, 0.0)).sum(dims, keepdim=True)


def _log_bend(y: Tensor, g: Tensor, u: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
    """The gradient of <u, log_softmax_vjp(y, g)> by y."""
    return -_sum(g, where, dims) * softmax_vjp(torch.exp(y), u, where, dims, temperature)


log_softmax_vjp: Operator[Tensor] = product(
    f"log_softmax_vjp(Tensor y, Tensor g, {_OPTIONS}) -> Tensor",
    _kernel(log_core.cotangent_product),
    like,
    transposed=lambda: log_softmax_jvp,
    by_point=_log_bend,
    along_point=lambda y, g, change, where, dims, temperature: (
        -_sum(g, where, dims) * torch.exp(y) * change / temperature
    ),
)


def _rate(y: Tensor, v: Tensor, change: Tensor, where: Tensor | None, dims: list[int], temperature: float) -> Tensor:
    """-<D p, v>, the same for each class that takes part."""
    moved = torch.exp(y) * change * log_softmax_jvp(y, v, where, dims, temperature)
    rate = -moved.sum(dims, keepdim=True).expand(y.shape)
    return rate if where is None else torch.where(where, rate, 0.0)


log_softmax_jvp: Operator[Tensor] = product(
    f"log_softmax_jvp(Tensor y, Tensor v, {_OPTIONS}) -> Tensor",
    _kernel(log_core.tangent_product),
    like,
    transposed=lambda: log_softmax_vjp,
    by_point=lambda y, v, u, *rest: _log_bend(y, u, v, *rest),
    along_point=_rate,
)
