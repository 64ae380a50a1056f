"""The kernels of the operators of cross-entropy over a linear head: the core's verbs, on the memory of tensors.

Their arguments are hidden, weight, the bias or None, the tensors that the operator has of its own, the `rest`, which is
the labels and what follows them, and what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softgrad.losses._linear_cross_entropy import linear_cross_entropy as core
from softgrad.torch._tensors import LOSS_DTYPES, array, optional_array, tensor

NAMES = ("hidden", "weight", "bias")
Tensors = tuple[Tensor, Tensor, Tensor]


def keywords(
    class_weight: Tensor | None,
    sample_weight: Tensor | None,
    where: Tensor | None,
    ignore_index: int | None,
    label_smoothing: float,
    temperature: float,
    softcap: float | None,
    z_loss: float,
    block_bytes: int | None,
    compute_dtype: Any,
) -> dict[str, Any]:
    """What follows the labels, as options of the core's verbs."""
    return {
        "class_weight": optional_array(class_weight),
        "sample_weight": optional_array(sample_weight),
        "where": optional_array(where),
        "ignore_index": ignore_index,
        "label_smoothing": label_smoothing,
        "temperature": temperature,
        "softcap": softcap,
        "z_loss": z_loss,
        "block_bytes": block_bytes,
        "compute_dtype": compute_dtype,
    }


def arguments(hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor) -> tuple[Any, Any, Any, Any]:
    """What comes first in the core's verbs."""
    return array(hidden), array(weight), array(labels), optional_array(bias)


def names(wrt: Sequence[bool]) -> tuple[str, ...]:
    return tuple(name for name, wanted in zip(NAMES, wrt, strict=True) if wanted)


def present(operands: Sequence[Tensor | None]) -> list[Tensor]:
    """The operands, in the place of a bias that there is not a tensor like it."""
    hidden, weight, bias = operands
    assert hidden is not None
    assert weight is not None
    return [hidden, weight, weight[:, 0] if bias is None else bias]


def results(given: Sequence[Any], operands: Sequence[Tensor | None]) -> Tensors:
    """Gradients as an operator returns them: an empty tensor for one that was not asked for."""
    hidden, weight, bias = (
        like.new_empty(0) if each is None else each.to(like.dtype) if isinstance(each, Tensor) else tensor(each)
        for each, like in zip(given, present(operands), strict=True)
    )
    return hidden, weight, bias


def results_like(operands: Sequence[Tensor | None], wrt: Sequence[bool]) -> Tensors:
    return results(
        [each.new_empty(each.shape) if wanted else None for each, wanted in zip(present(operands), wrt, strict=True)],
        operands,
    )


def losses_like(hidden: Tensor) -> Tensor:
    return hidden.new_empty(hidden.shape[:1], dtype=LOSS_DTYPES[hidden.dtype])


def losses(hidden: Tensor, weight: Tensor, bias: Tensor | None, *others: Any) -> tuple[Tensor, Tensor]:
    *rest, predicts = others
    predictions = np.empty(len(hidden), np.int64) if predicts else None
    losses = core(
        *arguments(hidden, weight, bias, rest[0]), reduction="none", predictions=predictions, **keywords(*rest[1:])
    )
    return tensor(losses), hidden.new_empty(0, dtype=torch.int64) if predictions is None else tensor(predictions)


def losses_and_predictions_like(hidden: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return losses_like(hidden), hidden.new_empty(hidden.shape[0] if others[-1] else 0, dtype=torch.int64)


def gradients(hidden: Tensor, weight: Tensor, bias: Tensor | None, upstream: Tensor, *others: Any) -> Tensors:
    rest, wrt = others[:-3], others[-3:]
    found = core.grad(
        *arguments(hidden, weight, bias, rest[0]),
        wrt=names(wrt),
        upstream=array(upstream),
        reduction="none",
        **keywords(*rest[1:]),
    )
    return results(found, (hidden, weight, bias))


def rates(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    v_hidden: Tensor | None,
    v_weight: Tensor | None,
    v_bias: Tensor | None,
    *rest: Any,
) -> Tensor:
    along = (optional_array(v_hidden), optional_array(v_weight), optional_array(v_bias))
    found = core.jvp(*arguments(hidden, weight, bias, rest[0]), along, reduction="none", **keywords(*rest[1:]))
    return tensor(found)


def products(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    v_hidden: Tensor | None,
    v_weight: Tensor | None,
    v_bias: Tensor | None,
    upstream: Tensor,
    *others: Any,
) -> Tensors:
    rest, wrt = others[:-3], others[-3:]
    found = core.hvp(
        *arguments(hidden, weight, bias, rest[0]),
        (optional_array(v_hidden), optional_array(v_weight), optional_array(v_bias)),
        wrt=names(wrt),
        upstream=array(upstream),
        reduction="none",
        **keywords(*rest[1:]),
    )
    return results(found, (hidden, weight, bias))
