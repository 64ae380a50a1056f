"""What is refused, by name, before anything is written: in plain calls, under vmap and torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import vmap

import softgrad.torch as sgt

X, Y = torch.zeros(2, 3), torch.tensor([0, 2])

CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a label": (
        lambda: sgt.cross_entropy(X, torch.tensor([0, 3])),
        ValueError,
        r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)",
    ),
    "a negative label": (
        lambda: sgt.cross_entropy(X, torch.tensor([-1, 0])),
        ValueError,
        r"labels\[0\] is -1; logits have 3 classes \(0 to 2\)",
    ),
    "the shape of labels": (
        lambda: sgt.cross_entropy(X, torch.tensor([0, 1, 2])),
        ValueError,
        r"labels has shape \(3,\); for class indices it must be \(2,\)",
    ),
    "the dtype of labels": (
        lambda: sgt.cross_entropy(X, torch.tensor([True, False])),
        TypeError,
        "labels has dtype bool",
    ),
    "the dtype of logits": (
        lambda: sgt.cross_entropy(X.to(torch.int64), Y),
        TypeError,
        "input has dtype torch.int64; it must be float64, float32, float16, bfloat16",
    ),
    "a device": (
        lambda: sgt.cross_entropy(X.to("meta"), Y),
        ValueError,
        "input is on the device meta; softgrad.torch works on tensors on the cpu",
    ),
    "the device of labels": (
        lambda: sgt.cross_entropy(X, Y.to("meta")),
        ValueError,
        "target is on the device meta",
    ),
    "the device of weights": (
        lambda: sgt.cross_entropy(X, Y, torch.ones(3, device="meta")),
        ValueError,
        "weight is on the device meta",
    ),
    "a layout": (lambda: sgt.softmax(X.to_sparse()), TypeError, "input has the layout torch.sparse_coo"),
    "no tensor": (lambda: sgt.cross_entropy(X, [0, 2]), TypeError, "target must be a tensor, got list"),
    "no tensor of logits": (lambda: sgt.softmax([0.0, 1.0]), TypeError, "input must be a tensor, got list"),
    "a dimension": (lambda: sgt.softmax(X, 2), ValueError, r"dim is 2; input has 2 dimensions \(-2 to 1\)"),
    "a dimension twice": (lambda: sgt.logsumexp(X, (0, -2)), ValueError, "names a dimension twice"),
    "a mask": (lambda: sgt.softmax(X, where=torch.ones(2)), TypeError, "where has dtype torch.float32"),
    "the shape of a mask": (
        lambda: sgt.softmax(X, where=torch.ones(2, dtype=torch.bool)),
        ValueError,
        r"where has shape \(2,\); it must broadcast to input, which has shape \(2, 3\)",
    ),
    "a negative weight": (
        lambda: sgt.cross_entropy(X, Y, torch.tensor([1.0, -1.0, 1.0])),
        ValueError,
        r"class_weight\[1\] is -1.0; weights must be finite and not negative",
    ),
    "a temperature": (lambda: sgt.softmax(X, temperature=0.0), ValueError, "temperature is 0.0"),
    "label smoothing": (lambda: sgt.cross_entropy(X, Y, label_smoothing=1.5), ValueError, "label_smoothing is 1.5"),
    "a reduction": (lambda: sgt.cross_entropy(X, Y, reduction="average"), ValueError, "reduction is 'average'"),
    "a normalizer of 0": (lambda: sgt.cross_entropy(X, Y, normalizer=0.0), ValueError, "normalizer is 0.0"),
    "a normalizer for no mean": (
        lambda: sgt.cross_entropy(X, Y, reduction="sum", normalizer=2.0),
        ValueError,
        "normalizer=2.0 is for reduction='mean'",
    ),
    "ignored probabilities": (
        lambda: sgt.cross_entropy(X, X, ignore_index=0),
        ValueError,
        "ignore_index is for class indices",
    ),
    "a binary target": (
        lambda: sgt.binary_cross_entropy(torch.zeros(2), torch.tensor([0.5, 1.5])),
        ValueError,
        r"targets\[1\] is 1.5; it must be in \[0, 1\]",
    ),
    "probabilities for focal": (lambda: sgt.focal(X, X), TypeError, "labels has dtype float32; focal takes class"),
    "no classes": (lambda: sgt.cross_entropy(torch.zeros(2, 0), Y), ValueError, "a row of no classes has no loss"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    call, kind, message = CASES[case]
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("tracked", [False, True], ids=["without gradient", "with gradient"])
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.startswith(("a label", "a negative", "the shape of la"))]
)
def test_refused_with_a_graph(case: str, tracked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    call, kind, message = CASES[case]
    monkeypatch.setattr(f"{__name__}.X", torch.zeros(2, 3, requires_grad=tracked))
    with pytest.raises(kind, match=message):
        call()


def test_under_vmap_a_label_has_the_index_of_its_example() -> None:
    y = torch.tensor([[0, 2], [1, 0], [0, 5]])
    with pytest.raises(ValueError, match=r"labels\[2, 1\] is 5; logits have 3 classes \(0 to 2\)"):
        vmap(sgt.cross_entropy, in_dims=(None, 0))(X, y)


COMPILED = ["a label", "the shape of labels", "a dimension", "a negative weight", "a reduction", "the dtype of logits"]


@pytest.mark.parametrize("case", COMPILED)
def test_refused_when_compiled(case: str) -> None:
    """With the same words; what is refused while it is traced comes in an error of Dynamo."""
    torch._dynamo.reset()
    call, _, message = CASES[case]
    with pytest.raises(Exception, match=message):
        torch.compile(call, fullgraph=True, backend="aot_eager")()


def test_nothing_is_written_in_place_after_an_error() -> None:
    leaf = torch.ones(2, 3, requires_grad=True)
    logits = 2.0 * leaf
    with pytest.raises(ValueError, match=r"labels\[1\] is 3"):
        sgt.cross_entropy(logits, torch.tensor([0, 3]), inplace_backward=True)
    assert bool((logits == 2.0).all())


def test_a_label_that_is_ignored_is_no_error() -> None:
    def loss(x: Tensor) -> Tensor:
        return sgt.cross_entropy(x, torch.tensor([0, -100]))

    assert torch.equal(loss(X), sgt.cross_entropy(X[:1], Y[:1]))
