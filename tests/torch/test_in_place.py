"""The gradient that is written over the logits, for those who ask for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import grad

import softgrad.torch as sgt
from tests.torch.derived import generator, normal

Y = torch.tensor([0, 3, -100])
TWICE = "has been modified by an inplace operation"


def logits_and_leaf() -> tuple[Tensor, Tensor]:
    leaf = normal(generator(), 3, 4).requires_grad_()
    return 2.0 * leaf, leaf


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1, "reduction": "sum"}, {"reduction": "none"}], ids=str)
def test_the_gradient_takes_the_place_of_the_logits(options: dict[str, object]) -> None:
    logits, leaf = logits_and_leaf()
    (expected,) = torch.autograd.grad(sgt.cross_entropy(logits, Y, **options).sum(), leaf, retain_graph=True)
    seen = []
    logits.register_hook(lambda gradient: seen.append(gradient.data_ptr()))
    (actual,) = torch.autograd.grad(sgt.cross_entropy(logits, Y, inplace_backward=True, **options).sum(), leaf)
    assert torch.equal(actual, expected)
    assert seen == [logits.data_ptr()]
    assert torch.equal(2.0 * logits, expected)


def test_whoever_saved_the_logits_gets_an_error() -> None:
    logits, _ = logits_and_leaf()
    squares = (logits**2).sum()
    sgt.cross_entropy(logits, Y, inplace_backward=True).backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=TWICE):
        squares.backward()


def test_a_second_backward_gets_an_error() -> None:
    logits, _ = logits_and_leaf()
    loss = sgt.cross_entropy(logits, Y, inplace_backward=True)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=TWICE):
        loss.backward()


def test_a_leaf_is_refused() -> None:
    _, leaf = logits_and_leaf()
    before = leaf.detach().clone()
    with pytest.raises(ValueError, match="inplace_backward writes the gradient over the input, which is a leaf"):
        sgt.cross_entropy(leaf, Y, inplace_backward=True)
    assert torch.equal(leaf, before)


def test_what_shares_its_own_memory_is_refused() -> None:
    leaf = normal(generator(), 4).requires_grad_()
    logits = (2.0 * leaf).expand(3, 4)
    with pytest.raises(ValueError, match="several elements at one place in memory"):
        sgt.cross_entropy(logits, Y, inplace_backward=True)


def test_derivatives_of_the_backward_are_refused() -> None:
    logits, leaf = logits_and_leaf()
    loss = sgt.cross_entropy(logits, Y, inplace_backward=True)
    with pytest.raises(NotImplementedError, match="inplace_backward"):
        torch.autograd.grad(loss, leaf, create_graph=True)


def test_transforms_are_refused() -> None:
    x = normal(generator(), 3, 4)
    with pytest.raises(NotImplementedError, match="inplace_backward"):
        grad(lambda x: sgt.cross_entropy(2.0 * x, Y, inplace_backward=True))(x)
