"""The loss of the causal language models of transformers, without their logits."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from softgrad.torch._cross_entropy import cross_entropy
from softgrad.torch._deferred_logits import DeferredLogits
from softgrad.torch._linear_cross_entropy import linear_cross_entropy

Model = TypeVar("Model", bound=nn.Module)
# Where a patched model keeps its patch.
PLACE = "softgrad_patch"


def patch(model: Model) -> Model:
    """Let a causal language model of transformers work out its loss with softgrad, in place.

    Where the model is given labels, `linear_cross_entropy` takes the place of its head and loss, and its logits are not
    made. Nothing else changes: not its parameters, its `state_dict`, what it returns or `generate`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Its loss is transformers' `ForCausalLMLoss`, by way of `model.loss_function`, and its head a
        `torch.nn.Linear`. What it does to the logits may be multiplied, divided and capped by tanh, as Gemma 2, Cohere
        and Granite do: that is taken over.

    Returns
    -------
    transformers.PreTrainedModel
        The model itself.

    Raises
    ------
    TypeError
        It is no such model. It is as it was.
    ValueError
        It is patched already.

    Notes
    -----
    The `logits` of the output are made when something reads them, of the weights as they were: after a step of the
    optimizer that is a RuntimeError. Where the model itself needs its logits, or is compiled by `torch.compile`, they
    are made, and the loss is `cross_entropy` of them. `num_items_in_batch` and `shift_labels` are as in transformers.
    If no label counts the loss is 0, where transformers has NaN.

    A model that works out its loss past `model.loss_function` raises a RuntimeError when it is given labels.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.patch(torch.nn.Linear(2, 3))
    Traceback (most recent call last):
    TypeError: Linear is no model of transformers
    """
    head = _head(model)
    if PLACE in vars(model):
        raise ValueError(f"{type(model).__name__} is patched already")
    vars(model)[PLACE] = _Patch(model, head)
    return model


def unpatch(model: Model) -> Model:
    """Make a model as it was before `patch`.

    Parameters
    ----------
    model : transformers.PreTrainedModel

    Returns
    -------
    transformers.PreTrainedModel
        The model itself.

    Raises
    ------
    ValueError
        It is not patched.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.unpatch(torch.nn.Linear(2, 3))
    Traceback (most recent call last):
    ValueError: Linear is not patched
    """
    if PLACE not in vars(model):
        raise ValueError(f"{type(model).__name__} is not patched")
    vars(model).pop(PLACE).undo(model)
    return model


class _DeferringLinear(nn.Linear):
    """A head whose product is left to the loss while its model has labels."""

    has_labels = False

    def forward(self, input: Tensor) -> Tensor:
        if self.has_labels and not torch.compiler.is_compiling():
            return DeferredLogits.of(input, self)
        return super().forward(input)


class _Patch:
    """What is changed of a model; copied with it."""

    def __init__(self, model: Any, head: nn.Linear) -> None:
        self._head: Any = head
        self._asked = False
        self._original = vars(model).get("_loss_function")
        # The class, so that copies of the model have heads of their own.
        head.__class__ = _DeferringLinear
        model.loss_function = self._loss
        self._handles = (
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after, always_call=True),
        )

    def undo(self, model: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._head.__class__ = nn.Linear
        vars(self._head).pop("has_labels", None)
        vars(model).pop("_loss_function")
        if self._original is not None:
            model.loss_function = self._original

    def _before(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(model.forward).bind_partial(*args, **kwargs).arguments
        self._head.has_labels = given.get("labels") is not None
        self._asked = False

    def _after(self, model: Any, _: Any, output: Any) -> None:
        had_labels = self._head.has_labels
        self._head.has_labels = False
        # After an exception there is no output.
        if had_labels and not self._asked and output is not None:
            raise RuntimeError(
                f"{type(model).__name__} works out its loss past model.loss_function, so that softgrad's is not used; "
                "softgrad.torch.unpatch it"
            )

    def _loss(
        self,
        logits: Tensor,
        labels: Tensor | None,
        vocab_size: int,
        num_items_in_batch: Tensor | float | None = None,
        ignore_index: int = -100,
        shift_labels: Tensor | None = None,
        # As in transformers: whatever the model was called with.
        **_: Any,
    ) -> Tensor:
        self._asked = True
        if logits.shape[-1] != vocab_size:
            raise ValueError(f"logits have {logits.shape[-1]} classes; the vocabulary of the model has {vocab_size}")
        if shift_labels is None:
            assert labels is not None
            shift_labels = nn.functional.pad(labels, (0, 1), value=ignore_index)[..., 1:]
        options: dict[str, Any] = {"ignore_index": ignore_index}
        if num_items_in_batch is not None:
            options["normalizer"] = float(num_items_in_batch)
        if not isinstance(logits, DeferredLogits) or logits.made is not None:
            return cross_entropy(logits.flatten(0, -2), shift_labels.flatten(), **options)
        hidden, weight, bias = logits.source[:3]
        options |= logits.transformation.options
        loss: Tensor = linear_cross_entropy(hidden, weight, shift_labels, bias, **options)
        return loss


def _head(model: Any) -> nn.Linear:
    """The head of a model that can be patched."""
    name = type(model).__name__
    if not hasattr(type(model), "loss_function"):
        raise TypeError(f"{name} is no model of transformers")
    # No requirement, and whoever has such a model has imported it.
    from transformers.loss.loss_utils import ForCausalLMLoss

    loss = model.loss_function
    if loss is not ForCausalLMLoss and PLACE not in vars(model):
        raise TypeError(
            f"{name} has the loss {getattr(loss, '__name__', loss)}; that of a causal language model is ForCausalLMLoss"
        )
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or type(head) not in (nn.Linear, _DeferringLinear):
        raise TypeError(f"the head of {name} is of {type(head).__name__}; it must be a torch.nn.Linear")
    return head
