"""The modules against those of torch whose place they take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import softgrad.torch as sgt
from tests.torch.derived import assert_near, direction, generator, normal, uniform

UNITS = 64.0

CROSS_ENTROPY: dict[str, dict[str, Any]] = {
    "plain": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "another label to ignore": {"ignore_index": 1},
    "class weights": {"weight": True},
    "all": {"weight": True, "label_smoothing": 0.2, "ignore_index": 0},
}
SHAPES: dict[str, tuple[int, ...]] = {"one row": (4,), "rows": (3, 4), "pixels": (2, 4, 3, 2)}


def compare(ours: nn.Module, theirs: nn.Module, x: Tensor, y: Tensor) -> None:
    """The loss and its gradients by the logits, and by targets that are not integers."""
    results = []
    for module in (ours, theirs):
        leaves = [x.detach().clone().requires_grad_(), y.detach().clone()]
        if y.is_floating_point():
            leaves[1].requires_grad_()
        loss = module(*leaves)
        (loss * (1.0 + direction(loss.detach()) ** 2)).sum().backward()
        results.append((loss.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)))
    assert_near(results[0], results[1], UNITS)


def labels(kind: str, shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if kind == "probabilities":
        return torch.softmax(normal(g, *shape), 0 if len(shape) == 1 else 1)
    # One of them at least is not ignored by any of the options.
    return torch.full(rows, 2) if not rows else torch.arange(torch.Size(rows).numel()).reshape(rows) % 4


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CROSS_ENTROPY)
def test_cross_entropy(name: str, shape: str, kind: str) -> None:
    g = generator()
    options = dict(CROSS_ENTROPY[name])
    if options.get("weight"):
        options["weight"] = uniform(g, 4)
    if kind == "probabilities":
        options.pop("ignore_index", None)
    x = normal(g, *SHAPES[shape])
    compare(sgt.CrossEntropyLoss(**options), nn.CrossEntropyLoss(**options), x, labels(kind, SHAPES[shape], g))


BINARY: dict[str, dict[str, Any]] = {
    "plain": {},
    "none": {"reduction": "none"},
    "sum": {"reduction": "sum"},
    "weights": {"weight": (3, 1), "pos_weight": (4,)},
    "weights of elements": {"weight": (3, 4), "reduction": "none"},
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_cross_entropy(name: str) -> None:
    g = generator()
    options = {key: uniform(g, *value) if isinstance(value, tuple) else value for key, value in BINARY[name].items()}
    x, y = normal(g, 3, 4), torch.rand(3, 4, generator=g, dtype=torch.float64)
    compare(sgt.BCEWithLogitsLoss(**options), nn.BCEWithLogitsLoss(**options), x, y)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both the batch size")
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum"])
def test_divergence_of_distributions(reduction: str, log_target: bool) -> None:
    """Up to what one learns from: through log_softmax both have the same gradient by the logits."""
    g = generator()
    x, t = normal(g, 3, 4), torch.log_softmax(normal(g, 3, 4), -1)
    target = t if log_target else t.exp()
    gradients, losses = [], []
    for module in (sgt, nn):
        leaf = x.clone().requires_grad_()
        loss = module.KLDivLoss(reduction=reduction, log_target=log_target)(torch.log_softmax(leaf, -1), target)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(leaf.grad)
    assert_near(losses[0], losses[1], UNITS)
    assert_near(gradients[0], gradients[1], UNITS)
    assert_near(
        sgt.KLDivLoss(reduction=reduction, log_target=log_target)(x, target),
        nn.KLDivLoss(reduction=reduction, log_target=log_target)(torch.log_softmax(x, -1), target),
        UNITS,
    )


def test_focal_loss_without_modulation_is_cross_entropy() -> None:
    g = generator()
    x, y, w = normal(g, 3, 4), torch.tensor([0, -100, 2]), uniform(g, 4)
    compare(sgt.FocalLoss(w, gamma=0.0), nn.CrossEntropyLoss(w), x, y)


def test_weights_are_buffers() -> None:
    for module in (
        sgt.CrossEntropyLoss(torch.ones(3)),
        sgt.FocalLoss(torch.ones(3)),
        sgt.BCEWithLogitsLoss(torch.ones(3)),
    ):
        assert set(module.state_dict()) == {"weight"}
        assert module.double().weight.dtype is torch.float64


def test_they_are_those_of_torch_to_who_asks() -> None:
    assert isinstance(sgt.CrossEntropyLoss(), nn.CrossEntropyLoss)
    assert isinstance(sgt.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss)
    assert isinstance(sgt.KLDivLoss(), nn.KLDivLoss)


def test_options_of_softgrad_reach_the_loss() -> None:
    g = generator()
    x, y = 5.0 * normal(g, 3, 4), torch.tensor([0, 1, 2])
    plain = sgt.CrossEntropyLoss()(x, y)
    for options in ({"temperature": 2.0}, {"softcap": 1.0}, {"z_loss": 0.5}, {"normalizer": 7.0}):
        loss = sgt.CrossEntropyLoss(**options)(x, y)
        assert torch.equal(loss, sgt.cross_entropy(x, y, **options))
        assert not torch.equal(loss, plain)
    binary = sgt.BCEWithLogitsLoss(label_smoothing=0.5)(x, torch.ones(3, 4))
    assert torch.equal(binary, sgt.binary_cross_entropy(x, torch.ones(3, 4), label_smoothing=0.5))
    assert not torch.equal(binary, sgt.BCEWithLogitsLoss()(x, torch.ones(3, 4)))
    logits = (2.0 * x).requires_grad_() * 1.0
    sgt.CrossEntropyLoss(inplace_backward=True)(logits, y).backward()
    assert not torch.equal(logits, 2.0 * x)
