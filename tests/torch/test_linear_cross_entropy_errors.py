"""What a linear head of tensors refuses, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.func import grad, vmap

import softgrad.torch as sgt

H, W, B, Y = torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(4), torch.tensor([0, 3])

CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a label": (
        lambda: sgt.linear_cross_entropy(H, W, torch.tensor([0, 4])),
        ValueError,
        r"labels\[1\] is 4; logits have 4 classes \(0 to 3\)",
    ),
    "the shape of labels": (
        lambda: sgt.linear_cross_entropy(H, W, torch.tensor([0])),
        ValueError,
        r"labels has shape \(1,\); it must be \(2,\)",
    ),
    "the shape of probabilities": (
        lambda: sgt.linear_cross_entropy(H, W, torch.zeros(2, 3)),
        ValueError,
        r"labels has shape \(2, 3\); it must be \(2, 4\)",
    ),
    "the shape of weight": (
        lambda: sgt.linear_cross_entropy(H, torch.zeros(4, 2), Y),
        ValueError,
        r"weight has shape \(4, 2\); with hidden \(2, 3\) it must be \(V, 3\)",
    ),
    "no matrix of weights": (
        lambda: sgt.linear_cross_entropy(H, torch.zeros(()), Y),
        ValueError,
        r"weight has shape \(\); with hidden \(2, 3\) it must be \(V, 3\)",
    ),
    "the shape of bias": (
        lambda: sgt.linear_cross_entropy(H, W, Y, torch.zeros(3)),
        ValueError,
        r"bias has shape \(3,\); with weight \(4, 3\) it must be \(4,\)",
    ),
    "the dtype of weight": (
        lambda: sgt.linear_cross_entropy(H, W.double(), Y),
        TypeError,
        "weight has dtype float64; hidden has dtype float32",
    ),
    "the dtype of hidden": (lambda: sgt.linear_cross_entropy(H.int(), W, Y), TypeError, "hidden has dtype torch.int32"),
    "the dtype of bias": (
        lambda: sgt.linear_cross_entropy(H, W, Y, B.double()),
        TypeError,
        "bias has dtype float64; hidden has dtype float32",
    ),
    "hidden without dimensions": (
        lambda: sgt.linear_cross_entropy(torch.zeros(()), W, Y),
        ValueError,
        "hidden has no dimensions",
    ),
    "a device": (lambda: sgt.linear_cross_entropy(H, W.to("meta"), Y), ValueError, "weight is on the device meta"),
    "the device of a bias": (
        lambda: sgt.linear_cross_entropy(H, W, Y, B.to("meta")),
        ValueError,
        "bias is on the device meta",
    ),
    "a mask": (
        lambda: sgt.linear_cross_entropy(H, W, Y, where=torch.ones(4)),
        TypeError,
        "where has dtype torch.float32",
    ),
    "the shape of sample weights": (
        lambda: sgt.linear_cross_entropy(H, W, Y, sample_weight=torch.ones(3)),
        ValueError,
        r"sample_weight has shape \(3,\); it must be \(2,\)",
    ),
    "a small block": (
        lambda: sgt.linear_cross_entropy(H, W, Y, block_bytes=10),
        ValueError,
        "block_bytes is 10; it must be an integer of at least 4096",
    ),
    "a dtype of products": (
        lambda: sgt.linear_cross_entropy(H, W, Y, compute_dtype="float16"),
        ValueError,
        "compute_dtype is 'float16'",
    ),
    "a reduction": (lambda: sgt.linear_cross_entropy(H, W, Y, reduction="all"), ValueError, "reduction is 'all'"),
    "further dimensions": (
        lambda: sgt.LinearCrossEntropyLoss(3, 4, out_features=(2,)),
        NotImplementedError,
        "out_features of torch.nn.LinearCrossEntropyLoss is not supported",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    call, kind, message = CASES[case]
    with pytest.raises(kind, match=message):
        call()


def test_a_label_under_transforms_and_torch_compile() -> None:
    y = torch.tensor([[0, 3], [1, 7]])
    with pytest.raises(ValueError, match=r"labels\[1\] is 7; logits have 4 classes \(0 to 3\)"):
        vmap(grad(lambda w, y: sgt.linear_cross_entropy(H, w, y)), (None, 0))(W, y)
    torch._dynamo.reset()
    compiled = torch.compile(sgt.linear_cross_entropy, fullgraph=True, backend="aot_eager")
    with pytest.raises(ValueError, match=r"labels\[1\] is 7; logits have 4 classes \(0 to 3\)"):
        compiled(H, W, y[1])


def test_derivatives_by_weights_of_labels_and_of_samples() -> None:
    for name, size in (("class_weight", 4), ("sample_weight", 2)):
        given = torch.ones(size, requires_grad=True)
        loss = sgt.linear_cross_entropy(H, W, Y, reduction="sum", **{name: given})
        with pytest.raises(NotImplementedError, match="cross_entropy has no derivative by"):
            loss.backward()
