"""The operators of cross-entropy over a linear head.

None of them reduces. Losses, gradients and their first derivatives along tangents never hold the logits; their
derivatives by other things do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from softgrad.torch import _linear_cross_entropy_kernels as kernels
from softgrad.torch._batches import one_by_one
from softgrad.torch._held_logits import HeldLogits, Triple, sums
from softgrad.torch._linear_cross_entropy_kernels import Tensors, losses_like, present, results, results_like
from softgrad.torch._registration import Operator
from softgrad.torch._rows import total

OPERANDS = "Tensor hidden, Tensor weight, Tensor? bias"
ALONG = "Tensor? v_hidden, Tensor? v_weight, Tensor? v_bias"
WRT = "bool by_hidden, bool by_weight, bool by_bias"
TENSORS = "Tensor labels, Tensor? class_weight, Tensor? sample_weight, Tensor? where"
REST = (
    f"{TENSORS}, int? ignore_index, float label_smoothing, float temperature, float? softcap, float z_loss, "
    "int? block_bytes, str? compute_dtype"
)


def _of_batch(
    operator: Callable[[], Operator[Any]], size: int, in_dims: Sequence[Any], *arguments: Any
) -> tuple[Any, Any]:
    return one_by_one(operator(), size, in_dims, *arguments)


# Derivatives of each operator.


def _asked(given: Sequence[Tensor | None], wrt: Sequence[bool]) -> Triple:
    """Cotangents of those results that were asked for."""
    hidden, weight, bias = (each if wanted else None for each, wanted in zip(given, wrt, strict=True))
    return hidden, weight, bias


def _kept(given: Triple, wrt: Sequence[bool], operands: Sequence[Tensor | None]) -> Triple:
    """The gradients that are needed, in the dtypes of the operands."""
    hidden, weight, bias = (
        each.to(like.dtype) if wanted and each is not None else None
        for each, wanted, like in zip(given, wrt, present(operands), strict=True)
    )
    return hidden, weight, bias


def _any(given: Sequence[Tensor | None]) -> bool:
    return any(each is not None for each in given)


def _gradients_of(operands: Sequence[Any], upstream: Tensor, wrt: Sequence[bool], rest: Sequence[Any]) -> Triple:
    return _asked(GRADIENTS(*operands, upstream, *rest, *wrt), wrt) if any(wrt) else (None, None, None)


def _products_of(
    operands: Sequence[Any], along: Triple, upstream: Tensor, wrt: Sequence[bool], rest: Sequence[Any]
) -> Triple:
    if not any(wrt) or not _any(along):
        return None, None, None
    return _asked(PRODUCTS(*operands, *along, upstream, *rest, *wrt), wrt)


def _split(given: Sequence[Any], *sizes: int) -> list[Sequence[Any]]:
    """Consecutive parts, and what is left."""
    parts, start = [], 0
    for size in sizes:
        parts.append(given[start : start + size])
        start += size
    return [*parts, given[start:]]


def _losses_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor, _: Tensor | None) -> Sequence[Tensor | None]:
    operands, rest = a[:3], a[3:-1]
    wanted, by_tensors = _split(needs, 3)
    tensors: Sequence[Tensor | None] = ()
    if any(by_tensors):
        tensors = HeldLogits(*operands, *rest).gradients_by_tensors(by_tensors[:4], (), u)
    return *_gradients_of(operands, u, wanted, rest), *tensors


def _losses_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> tuple[Tensor, None]:
    operands, rest = a[:3], a[3:-1]
    along, moved = _split(t, 3)
    return total(
        RATES(*operands, *along, *rest) if _any(along) else None,
        HeldLogits(*operands, *rest).rates_of_tensors(moved[:4], ()) if _any(moved) else None,
    ), None


def _gradients_backward(a: Sequence[Any], needs: Sequence[bool], *cotangents: Tensor | None) -> Sequence[Tensor | None]:
    operands, (upstream,), rest = _split(a[:-3], 3, 1)
    wanted, (by_upstream,), by_tensors = _split(needs, 3, 1)
    u = _asked(cotangents, a[-3:])
    if not _any(u):
        return ()
    tensors: Sequence[Tensor | None] = ()
    if any(by_tensors):
        held = HeldLogits(*operands, *rest)
        tensors = held.gradients_by_tensors(by_tensors[:4], (held.moved(u),), upstream)
    return (
        *_products_of(operands, u, upstream, wanted, rest),
        RATES(*operands, *u, *rest) if by_upstream else None,
        *tensors,
    )


def _gradients_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensors:
    (operands, (upstream,), rest), wrt = _split(a[:-3], 3, 1), a[-3:]
    along, (t_upstream,), moved = _split(t, 3, 1)
    changes = [_products_of(operands, along, upstream, wrt, rest)]
    if t_upstream is not None:
        changes.append(_gradients_of(operands, t_upstream, wrt, rest))
    if _any(moved):
        held = HeldLogits(*operands, *rest)
        changes.append(held.by_operands(held.gradients_of_tensor_rates(moved[:4], (), upstream)))
    return results(_kept(sums(*changes), wrt, operands), operands)


def _rates_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    operands, along, rest = _split(a, 3, 3)
    wanted, by_along, by_tensors = _split(needs, 3, 3)
    tensors: Sequence[Tensor | None] = ()
    if any(by_tensors):
        held = HeldLogits(*operands, *rest)
        tensors = held.gradients_by_tensors(by_tensors[:4], (held.moved(along),), u)
    return *_products_of(operands, along, u, wanted, rest), *_gradients_of(operands, u, by_along, rest), *tensors


def _rates_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    operands, along, rest = _split(a, 3, 3)
    moving, t_along, moved = _split(t, 3, 3)
    parts = [RATES(*operands, *t_along, *rest)] if _any(t_along) else []
    if _any(moving) or _any(moved):
        held = HeldLogits(*operands, *rest)
        change = held.moved(along)
        if _any(moving):
            parts.append(held.second_rates(change, held.moved(moving)))
            bent = held.moved_twice(along, moving)
            if bent is not None:
                parts.append(held.rates(bent))
        if _any(moved):
            parts.append(held.rates_of_tensors(moved[:4], (change,)))
    return total(*parts)


def _products_backward(a: Sequence[Any], needs: Sequence[bool], *cotangents: Tensor | None) -> Sequence[Tensor | None]:
    """The results are linear in the changes dG of the gradients along dZ, and in these gradients G."""
    operands, along, (upstream,), rest = _split(a[:-3], 3, 3, 1)
    wanted, by_along, (by_upstream,), by_tensors = _split(needs, 3, 3, 1)
    u = _asked(cotangents, a[-3:])
    if not _any(u):
        return ()
    held = HeldLogits(*operands, *rest)
    change, by_change = held.moved(along), held.moved(u)
    by_gradient = held.moved_twice(u, along)
    gradient, changed = held.gradients(upstream), held.products(change, upstream)
    by_moved = held.products(by_change, upstream)
    by_logits = total(
        held.third(by_change, change, upstream),
        None if by_gradient is None else held.products(by_gradient, upstream),
    )
    rates = second = None
    if by_upstream:
        second = held.second_rates(by_change, change)
        rates = None if by_gradient is None else held.rates(by_gradient)
    tensors: Sequence[Tensor | None] = ()
    if any(by_tensors):
        tensors = held.gradients_by_tensors(by_tensors[:4], (by_change, change), upstream)
        if by_gradient is not None:
            others = held.gradients_by_tensors(by_tensors[:4], (by_gradient,), upstream)
            tensors = [None if one is None else total(one, other) for one, other in zip(tensors, others, strict=True)]
    by_operands = sums(
        held.by_operands(by_logits), held.by_moved_operands(by_moved, along), held.by_moved_operands(changed, u)
    )
    by_v = sums(held.by_operands(by_moved), held.by_moved_operands(gradient, u))
    return (
        *_kept(by_operands, wanted, operands),
        *_kept(by_v, by_along, operands),
        total(second, rates) if by_upstream else None,
        *tensors,
    )


def _products_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensors:
    (operands, along, (upstream,), rest), wrt = _split(a[:-3], 3, 3, 1), a[-3:]
    moving, t_along, (t_upstream,), moved = _split(t, 3, 3, 1)
    changes = [_products_of(operands, t_along, upstream, wrt, rest)]
    if t_upstream is not None:
        changes.append(_products_of(operands, along, t_upstream, wrt, rest))
    if _any(moving) or _any(moved):
        held = HeldLogits(*operands, *rest)
        change = held.moved(along)
        if _any(moving):
            along_m, bent = held.moved(moving), held.moved_twice(along, moving)
            by_change = total(
                held.third(along_m, change, upstream), None if bent is None else held.products(bent, upstream)
            )
            changes += [
                held.by_operands(by_change),
                held.by_moved_operands(held.products(change, upstream), moving),
                held.by_moved_operands(held.products(along_m, upstream), along),
            ]
        if _any(moved):
            changes += [
                held.by_operands(held.gradients_of_tensor_rates(moved[:4], (change,), upstream)),
                held.by_moved_operands(held.gradients_of_tensor_rates(moved[:4], (), upstream), along),
            ]
    return results(_kept(sums(*changes), wrt, operands), operands)


LOSSES: Operator[tuple[Tensor, Tensor]] = Operator(
    f"linear_cross_entropy({OPERANDS}, {REST}, bool predicts) -> (Tensor, Tensor)",
    cpu=kernels.losses,
    fake=kernels.losses_and_predictions_like,
    vmap=partial(_of_batch, lambda: LOSSES),
    backward=_losses_backward,
    jvp=_losses_jvp,
)
"""The losses, and the predictions where they are asked for."""

GRADIENTS: Operator[Tensors] = Operator(
    f"linear_cross_entropy_grad({OPERANDS}, Tensor upstream, {REST}, {WRT}) -> (Tensor, Tensor, Tensor)",
    cpu=kernels.gradients,
    fake=lambda hidden, weight, bias, *others: results_like((hidden, weight, bias), others[-3:]),
    vmap=partial(_of_batch, lambda: GRADIENTS),
    backward=_gradients_backward,
    jvp=_gradients_jvp,
)

RATES: Operator[Tensor] = Operator(
    f"linear_cross_entropy_jvp({OPERANDS}, {ALONG}, {REST}) -> Tensor",
    cpu=kernels.rates,
    fake=lambda hidden, *_: losses_like(hidden),
    vmap=partial(_of_batch, lambda: RATES),
    backward=_rates_backward,
    jvp=_rates_jvp,
)

PRODUCTS: Operator[Tensors] = Operator(
    f"linear_cross_entropy_hvp({OPERANDS}, {ALONG}, Tensor upstream, {REST}, {WRT}) -> (Tensor, Tensor, Tensor)",
    cpu=kernels.products,
    fake=lambda hidden, weight, bias, *others: results_like((hidden, weight, bias), others[-3:]),
    vmap=partial(_of_batch, lambda: PRODUCTS),
    backward=_products_backward,
    jvp=_products_jvp,
)
