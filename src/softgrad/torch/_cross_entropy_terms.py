"""The derivatives of cross-entropy that the core has not, made of operators that have derivatives themselves.

A row has the loss <q, l> + z_loss * logsumexp(z)^2, with the target q, l = -log_softmax(z), and z the capped logits
over the temperature. What a target or a class weight changes is q, in which the loss is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from softgrad.torch._logsumexp import logsumexp_of
from softgrad.torch._rows import beside_classes
from softgrad.torch._softmax_operators import log_softmax_of, softmax_hvp, softmax_of, softmax_vjp


class Terms:
    """What the derivatives of the losses are put together from, in the shape of the logits or one number a row."""

    def __init__(
        self,
        x: Tensor,
        target: Tensor,
        weight: Tensor | None,
        sample_weight: Tensor | None,
        where: Tensor | None,
        dims: list[int],
        ignore_index: int | None,
        smoothing: float,
        temperature: float,
        softcap: float | None,
        z_loss: float,
    ) -> None:
        self.dims, self.where, self.z_loss = dims, where, z_loss
        self.given, self.smoothing, self.temperature, self.softcap = target, smoothing, temperature, softcap
        self.class_shape = [size if dim in dims else 1 for dim, size in enumerate(x.shape)]
        self.weight = None if weight is None else weight.reshape(self.class_shape)
        labels = label_weights(x, target, weight, sample_weight, where, dims, ignore_index)
        self.rows = beside_classes(labels != 0, dims)
        """Whether a row counts."""
        self.sample_weight = None if sample_weight is None else beside_classes(sample_weight, dims)
        self.x = x

    @cached_property
    def counts(self) -> Tensor:
        """Whether the logit of a class is looked at. What probabilities of sum 0 change is looked at all the same."""
        rows = self.rows
        if self.given.is_floating_point():
            rows = torch.ones_like(rows) if self.sample_weight is None else self.sample_weight != 0
        return rows.expand(self.x.shape) if self.where is None else rows & self.where

    @cached_property
    def logits(self) -> Tensor:
        """x, 0 where it does not count: it may hold NaN there."""
        return torch.where(self.counts, self.x, 0.0)

    @cached_property
    def z(self) -> Tensor:
        capped = self.logits if self.softcap is None else self.softcap * torch.tanh(self.logits / self.softcap)
        return capped / self.temperature

    def slope(self, v: Tensor) -> Tensor:
        """The derivative of z along v."""
        v = torch.where(self.counts, v, 0.0)
        return v / self.temperature if self.softcap is None else v * self.slopes

    @cached_property
    def slopes(self) -> Tensor:
        """The derivative of z by its logit, with a softcap."""
        assert self.softcap is not None
        return torch.cosh(self.logits / self.softcap) ** -2 / self.temperature

    @cached_property
    def bends(self) -> Tensor:
        """The second derivative."""
        assert self.softcap is not None
        return -2.0 / self.softcap * torch.tanh(self.logits / self.softcap) * self.slopes

    @cached_property
    def third_derivatives(self) -> Tensor:
        assert self.softcap is not None
        square = torch.tanh(self.logits / self.softcap) ** 2
        return (6.0 * square - 2.0) / self.softcap**2 * self.slopes

    @cached_property
    def p(self) -> Tensor:
        return softmax_of(self.z, self.where, self.dims, 1.0)

    @cached_property
    def one_hot(self) -> Tensor:
        """The target as it was given."""
        if self.given.is_floating_point():
            return self.given.to(self.x.dtype)
        classes = torch.arange(prod(self.class_shape), device=self.x.device).reshape(self.class_shape)
        return (classes == beside_classes(self.given, self.dims)).to(self.x.dtype)

    def smoothed(self, target: Tensor) -> Tensor:
        """The target with the fraction in it that is spread over the classes that take part."""
        if self.smoothing == 0.0:
            return target
        allowed = torch.ones_like(target) if self.where is None else self.where.to(target.dtype)
        spread = allowed / allowed.sum(self.dims, keepdim=True).clamp(min=1.0)
        return (1.0 - self.smoothing) * target + self.smoothing * spread

    def weighted(self, target: Tensor) -> Tensor:
        return target if self.weight is None else target * self.weight

    @cached_property
    def q(self) -> Tensor:
        return torch.where(self.counts, self.weighted(self.smoothed(self.one_hot)), 0.0)

    def scale(self, upstream: Tensor) -> Tensor:
        """What arrives from above for each row, times its sample weight."""
        rows = beside_classes(upstream, self.dims)
        return (rows if self.sample_weight is None else rows * self.sample_weight).to(self.x.dtype)

    def sum(self, a: Tensor) -> Tensor:
        return a.sum(self.dims, keepdim=True)

    def mean(self, a: Tensor) -> Tensor:
        return self.sum(self.p * a)

    def third(self, u: Tensor, v: Tensor) -> Tensor:
        """The third derivatives of the losses along u and v, without the scale of the rows."""
        return torch.where(self.rows, self._third(u, v), 0.0)

    def _third(self, u: Tensor, v: Tensor) -> Tensor:
        su, sv = self.slope(u), self.slope(v)
        total = self.sum(self.q)
        if self.z_loss == 0.0 and self.softcap is None:
            return self.slope(total * self._second_of_p(su, sv))
        result = self.slope(self._third_by_z(total, su, sv))
        if self.softcap is not None:
            u, v = (torch.where(self.counts, each, 0.0) for each in (u, v))
            result = result + self.bends * (u * self._second_by_z(total, sv) + v * self._second_by_z(total, su))
            result = result + self.slope(self._second_by_z(total, self.bends * u * v))
            result = result + self.third_derivatives * u * v * self._first_by_z(total)
        return result

    def _first_of_p(self, a: Tensor) -> Tensor:
        """The derivative of p along a change of z."""
        return softmax_vjp(self.p, a, self.where, self.dims, 1.0)

    def _second_of_p(self, a: Tensor, b: Tensor) -> Tensor:
        return softmax_hvp(self.p, a, b, self.where, self.dims, 1.0)

    def _first_by_z(self, total: Tensor) -> Tensor:
        gradient = total * self.p - self.q
        return gradient if self.z_loss == 0.0 else gradient + 2.0 * self.z_loss * self.log_normalizer * self.p

    def _second_by_z(self, total: Tensor, a: Tensor) -> Tensor:
        along = self._first_of_p(a)
        if self.z_loss == 0.0:
            return total * along
        twice = 2.0 * self.z_loss
        return (total + twice * self.log_normalizer) * along + twice * self.p * self.mean(a)

    def _third_by_z(self, total: Tensor, a: Tensor, b: Tensor) -> Tensor:
        if self.z_loss == 0.0:
            return total * self._second_of_p(a, b)
        twice = 2.0 * self.z_loss
        p_a, p_b = self._first_of_p(a), self._first_of_p(b)
        result = (total + twice * self.log_normalizer) * self._second_of_p(a, b)
        return result + twice * (self.mean(b) * p_a + self.mean(a) * p_b + self.p * self.sum(p_b * a))

    @cached_property
    def log_normalizer(self) -> Tensor:
        return beside_classes(logsumexp_of(self.z, self.where, self.dims), self.dims)

    # What the target multiplies, and what a change of the target gives.

    def surprise(self, vectors: Sequence[Tensor]) -> Tensor:
        """The derivatives of l along the vectors, 0 in a class that does not take part."""
        if not vectors:
            surprise = -log_softmax_of(self.z, self.where, self.dims, 1.0)
        elif len(vectors) == 1:
            a = self.slope(vectors[0])
            surprise = self.mean(a) - a
        else:
            a, b = (self.slope(each) for each in vectors)
            surprise = (self.mean(a * b) - self.mean(a) * self.mean(b)).expand(a.shape)
            if self.softcap is not None:
                u, v = (torch.where(self.counts, each, 0.0) for each in vectors)
                bent = self.bends * u * v
                surprise = surprise + self.mean(bent) - bent
        return surprise if self.where is None else torch.where(self.where, surprise, 0.0)

    def gradient_of(self, change: Tensor, vectors: Sequence[Tensor]) -> Tensor:
        """The gradients of <change, l>, or their derivatives along one vector, without the scale of the rows."""
        total = self.sum(change)
        if not vectors:
            return self.slope(total * self.p - change)
        (v,) = vectors
        result = self.slope(total * self._first_of_p(self.slope(v)))
        if self.softcap is not None:
            bent = self.bends * torch.where(self.counts, v, 0.0)
            result = result + bent * (total * self.p - change)
        return result


def label_weights(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,
    sample_weight: Tensor | None,
    where: Tensor | None,
    dims: list[int],
    ignore_index: int | None,
) -> Tensor:
    """The weight of each row in the mean: 0 where it does not count.

    A label that is no class gets the weight of another: the losses refuse it.
    """
    if target.is_floating_point():
        shape = [size if dim in dims else 1 for dim, size in enumerate(x.shape)]
        given = target.to(torch.float64)
        rows = (given if weight is None else given * weight.reshape(shape)).sum(dims)
    elif weight is None:
        rows = torch.ones(target.shape, dtype=torch.float64)
    else:
        # Indexing by a tensor of no dimensions would ask for its value, which torch.compile has not.
        index = target.to(torch.int64).clamp(0, weight.numel() - 1)
        rows = weight.to(torch.float64).flatten().index_select(0, index.flatten()).reshape(index.shape)
    if ignore_index is not None:
        rows = torch.where(target == ignore_index, 0.0, rows)
    if sample_weight is not None:
        rows = rows * sample_weight
    return rows if where is None else torch.where(where.any(dims), rows, 0.0)
