"""Gradients of a linear head that are added to `.grad` without an array of their own, for those who ask for it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad

import softgrad.torch as sgt
from tests.torch.derived import generator, normal

ROWS, FEATURES, CLASSES = 6, 3, 5
Y = torch.tensor([0, 3, -100, 2, 4, 4])
OPTIONS: dict[str, Any] = {"ignore_index": -100, "label_smoothing": 0.1}


def leaves(g: torch.Generator, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,))
    hidden, weight, bias = (normal(g, *shape).to(dtype).requires_grad_() for shape in shapes)
    return hidden, weight, bias


def loss_of(hidden: Tensor, weight: Tensor, bias: Tensor | None, **options: Any) -> Tensor:
    return sgt.linear_cross_entropy(hidden, weight, Y, bias, **OPTIONS, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_added_to_what_is_there(dtype: torch.dtype) -> None:
    """Twice, the second time to what the first has left; hidden, which is no leaf, gets its gradient as ever."""
    leaf, weight, bias = leaves(generator(), dtype)
    expected = [torch.zeros_like(each) for each in (leaf, weight, bias)]
    place = None
    for scale in (2.0, 0.5):
        plain = torch.autograd.grad(scale * loss_of(3.0 * leaf, weight, bias), (leaf, weight, bias))
        expected = [total + part for total, part in zip(expected, plain, strict=True)]
        (scale * loss_of(3.0 * leaf, weight, bias, accumulate_grad=True)).backward()
        assert weight.grad is not None
        assert place in (None, weight.grad.data_ptr())
        place = weight.grad.data_ptr()
    for each, total in zip((leaf, weight, bias), expected, strict=True):
        assert each.grad is not None
        largest = float(total.abs().max())
        assert largest > 0.0
        assert float((each.grad - total).abs().max()) <= 4 * torch.finfo(dtype).eps * largest


def test_no_array_of_its_own() -> None:
    """In the backward NumPy allocates less than the gradient by weight takes, and torch is given none to add."""
    g = generator()
    hidden, weight = normal(g, 4, 256, dtype=torch.float32), normal(g, 65536, 256, dtype=torch.float32).requires_grad_()
    y = torch.arange(4)
    weight.grad = torch.zeros_like(weight)
    size = weight.numel() * weight.element_size()
    peaks, given = {}, {}
    for asked in (True, False):
        loss = sgt.linear_cross_entropy(hidden, weight, y, reduction="sum", accumulate_grad=asked) * 2.0
        node = loss.grad_fn.next_functions[0][0]
        node.register_hook(lambda by_operands, _, asked=asked: given.update({asked: by_operands[1] is not None}))
        tracemalloc.start()
        loss.backward()
        peaks[asked] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert given == {True: False, False: True}
    assert peaks[True] < size // 2 < size <= peaks[False]


def test_the_first_gradient_is_not_copied() -> None:
    """Where there is none yet, `.grad` becomes the array that was made with the loss."""
    hidden, weight, bias = leaves(generator())
    loss = loss_of(hidden, weight, bias)
    seen: list[int] = []
    loss.grad_fn.register_hook(lambda by_operands, _: seen.extend(each.data_ptr() for each in by_operands[:3]))
    loss.backward()
    assert [each.grad.data_ptr() for each in (hidden, weight, bias)] == seen


def test_only_what_the_backward_is_for_is_added_to() -> None:
    hidden, weight, bias = leaves(generator())
    weight.grad, bias.grad = torch.ones_like(weight), torch.ones_like(bias)
    expected = torch.autograd.grad(loss_of(hidden, weight, bias), (weight, hidden))
    loss_of(hidden, weight, bias, accumulate_grad=True).backward(inputs=[weight])
    assert hidden.grad is None
    assert bool((bias.grad == 1.0).all())
    assert float((weight.grad - 1.0 - expected[0]).abs().max()) <= 4 * torch.finfo(torch.float64).eps
    with pytest.raises(NotImplementedError, match=r"torch\.autograd\.grad has nothing to return"):
        torch.autograd.grad(loss_of(hidden, weight, bias, accumulate_grad=True), weight)


def test_tied_weights() -> None:
    """The weight of the head is that of an embedding as well, whose gradient torch adds."""
    weight, tokens = normal(generator(), CLASSES, FEATURES).requires_grad_(), torch.arange(ROWS) % CLASSES
    gradients = []
    for asked in (False, True):
        weight.grad = None
        for _ in range(2):
            loss_of(torch.nn.functional.embedding(tokens, weight), weight, None, accumulate_grad=asked).backward()
        gradients.append(weight.grad.clone())
    assert float((gradients[0] - gradients[1]).abs().max()) <= 8 * torch.finfo(torch.float64).eps
    assert float(gradients[0].abs().max()) > 0.1


def test_whoever_saved_the_gradient_gets_an_error() -> None:
    hidden, weight, bias = leaves(generator())
    weight.grad, factor = torch.ones_like(weight), torch.ones((), dtype=torch.float64, requires_grad=True)
    product = (factor * weight.grad).sum()
    loss_of(hidden, weight, bias, accumulate_grad=True).backward()
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        product.backward()


def test_refused() -> None:
    hidden, weight, bias = leaves(generator())
    with pytest.raises(ValueError, match=r"adds to the \.grad of weight, which is no leaf"):
        loss_of(hidden, 2.0 * weight, bias, accumulate_grad=True)
    for register in (bias.register_hook, bias.register_post_accumulate_grad_hook):
        handle = register(lambda *_: None)
        with pytest.raises(ValueError, match=r"adds to the \.grad of bias past its hooks"):
            loss_of(hidden, weight, bias, accumulate_grad=True)
        handle.remove()
    with pytest.raises(NotImplementedError, match="accumulate_grad: the backward has no derivative"):
        torch.autograd.grad(loss_of(hidden, weight, bias, accumulate_grad=True), hidden, create_graph=True)
    with pytest.raises(
        NotImplementedError, match="accumulate_grad is for the gradients by hidden, weight and bias, in calls"
    ):
        grad(lambda w: loss_of(hidden.detach(), w, None, accumulate_grad=True))(weight.detach())
    with pytest.raises(NotImplementedError, match="progress is for the gradients by hidden, weight and bias, in calls"):
        grad(lambda w: loss_of(hidden.detach(), w, None, progress=lambda *_: None))(weight.detach())
    assert (hidden.grad, weight.grad, bias.grad) == (None, None, None)
