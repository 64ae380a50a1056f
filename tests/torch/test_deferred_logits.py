"""Logits that are made when they are needed: what is taken over into the loss of a linear head, and what makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import softgrad.torch as sgt
from softgrad.torch._deferred_logits import DeferredLogits
from tests.torch.derived import assert_near, generator, normal

UNITS = 64.0
Y = torch.tensor([0, 3, 1, 4])

TAKEN_OVER: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda x: x,
    "a factor": lambda x: x * 3.0,
    "a factor from the left": lambda x: 3 * x,
    "a divisor": lambda x: torch.div(x, 0.7),
    "a softcap": lambda x: 2.0 * torch.tanh(x / 2.0),
    "a softcap of a softcap's kind": lambda x: ((x * 3.0 / 0.5).tanh() * 2.0 / 0.3).contiguous(),
    "a tanh": torch.tanh,
}
MADE: dict[str, Callable[[Any], Any]] = {
    "a sum": lambda x: x + 1.0,
    "a part": lambda x: x[:, :5] * 2.0,
    "another sign": lambda x: -2.0 * x,
    "nothing of it": lambda x: x * 0.0 + torch.arange(5.0),
    "tanh twice": lambda x: torch.tanh(torch.tanh(x)),
    "another function": lambda x: torch.sin(x),
    "factors of the classes": lambda x: x * torch.arange(1.0, 6.0, dtype=torch.float64),
    "a rounded division": lambda x: torch.div(x, 0.1, rounding_mode="floor"),
    "in place": lambda x: x.mul_(2.0),
}


def head_and_hidden() -> tuple[torch.nn.Linear, Tensor]:
    g = generator()
    head = torch.nn.Linear(3, 5, dtype=torch.float64)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(normal(g, *parameter.shape))
    return head, normal(g, 4, 3)


@pytest.mark.parametrize("case", TAKEN_OVER)
def test_taken_over_into_the_loss(case: str) -> None:
    head, hidden = head_and_hidden()
    logits = TAKEN_OVER[case](DeferredLogits.of(hidden, head))
    assert isinstance(logits, DeferredLogits)
    assert logits.made is None
    options: dict[str, Any] = logits.transformation.options
    expected = TAKEN_OVER[case](head(hidden))
    loss = sgt.linear_cross_entropy(hidden, head.weight, Y, head.bias, **options)
    assert_near(loss, torch.nn.functional.cross_entropy(expected, Y), UNITS)
    assert logits.made is None
    # To the bit, as the model has it.
    assert torch.equal(logits, expected)


def test_a_softcap_leaves_the_temperature_at_1() -> None:
    head, hidden = head_and_hidden()
    for cap in (49.0, 0.3, 30):
        logits = torch.tanh(DeferredLogits.of(hidden, head) / cap) * cap
        assert logits.transformation.options == {"softcap": cap, "temperature": 1.0}


@pytest.mark.parametrize("case", MADE)
def test_made(case: str) -> None:
    head, hidden = head_and_hidden()
    made = MADE[case](DeferredLogits.of(hidden, head))
    assert type(made) is Tensor
    assert torch.equal(made, MADE[case](head(hidden).detach().clone()))


def test_what_has_been_written_is_not_lost() -> None:
    head, hidden = head_and_hidden()
    logits = DeferredLogits.of(hidden, head)
    logits[:, 2] = 7.0
    for later in (logits * 2.0, logits.float(), torch.tanh(logits)):
        assert type(later) is Tensor
    assert bool(((logits * 2.0)[:, 2] == 14.0).all())


def test_a_description_makes_nothing() -> None:
    head, hidden = head_and_hidden()
    logits = DeferredLogits.of(hidden.to(torch.float64), head).float()
    assert (logits.shape, logits.size(1), logits.dim(), logits.ndim, len(logits)) == ((4, 5), 5, 2, 2, 4)
    assert (logits.dtype, logits.device.type, logits.layout) == (torch.float32, "cpu", torch.strided)
    assert logits.numel() == 20
    assert logits.made is None
    assert logits.requires_grad
    assert logits.made is not None
