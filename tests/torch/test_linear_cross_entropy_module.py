"""LinearCrossEntropyLoss in the place of that of torch.nn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import softgrad.torch as sgt
from tests.torch.derived import assert_near, generator, normal, uniform

UNITS = 64.0


@pytest.mark.parametrize(
    "options",
    [{}, {"bias": True, "reduction": "sum"}, {"weight": True, "label_smoothing": 0.1}, {"reduction": "none"}],
    ids=str,
)
@pytest.mark.parametrize("shape", [(6,), (2, 3), ()], ids=str)
def test_against_that_of_torch(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    g = generator()
    if "weight" in options:
        options = options | {"weight": uniform(g, 5)}
    ours, theirs = (
        kind(3, 5, dtype=torch.float64, **options)
        for kind in (sgt.LinearCrossEntropyLoss, torch.nn.LinearCrossEntropyLoss)
    )
    theirs.load_state_dict(ours.state_dict())
    # torch's losses of further dimensions have the classes second.
    x, y = normal(g, *shape, 3), torch.randint(0, 5, shape, generator=g)
    losses = ours(x, y), theirs(x.reshape(-1, 3), y.reshape(-1)) if len(shape) == 2 else theirs(x, y)
    assert_near(losses[0].detach(), losses[1].detach().reshape(losses[0].shape), UNITS)
    for loss in losses:
        loss.sum().backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_near(one.grad, other.grad, UNITS)


def test_its_own_options() -> None:
    g = generator()
    own = {"temperature": 0.7, "softcap": 2.0, "z_loss": 0.1, "normalizer": 3.0, "block_bytes": 4096}
    criterion = sgt.LinearCrossEntropyLoss(3, 5, dtype=torch.float64, ignore_index=1, return_predictions=True, **own)
    x, y = normal(g, 6, 3), torch.tensor([0, 1, 2, 3, 4, 1])
    loss, predictions, accuracy = criterion(x, y)
    weight = criterion.linear.weight
    expected = sgt.linear_cross_entropy(x, weight, y, ignore_index=1, return_predictions=True, **own)
    for one, other in zip((loss, predictions, accuracy), expected, strict=True):
        assert torch.equal(one, other)
    assert (predictions == -1).sum() == 2
    assert not torch.equal(loss, sgt.linear_cross_entropy(x, weight, y, ignore_index=1))
    weight.grad = torch.ones_like(weight)
    place = weight.grad.data_ptr()
    told: list[int] = []
    accumulating = sgt.LinearCrossEntropyLoss(3, 5, accumulate_grad=True, progress=lambda done, _: told.append(done))
    accumulating.linear.weight = weight
    accumulating(x, y).backward()
    assert weight.grad.data_ptr() == place
    assert not bool((weight.grad == 1.0).all())
    assert told == [6, 6]


def test_an_ignore_index_of_none_is_that_of_torch() -> None:
    criterion = sgt.LinearCrossEntropyLoss(3, 5, ignore_index=None)
    assert criterion.ignore_index is None
    x, y = normal(generator(), 2, 3, dtype=torch.float32), torch.tensor([2, -100])
    assert torch.equal(criterion(x, y), criterion(x[:1], y[:1]))
