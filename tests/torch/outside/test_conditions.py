"""The conditions that torch's test_nn.py puts on these functions, in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import softgrad.torch as sgt
from tests.torch.derived import assert_near, direction, generator, normal, uniform

UNITS = 64.0

reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
SHAPES = [(4, 3), (4, 3, 5), (2, 3, 5, 2)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def with_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone().requires_grad_()
    result = loss(leaf)
    (gradient,) = torch.autograd.grad(result, leaf, 1.0 + direction(result.detach()) ** 2)
    return result.detach(), gradient


def labels(g: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=g)


def one_hot(y: Tensor, classes: int) -> Tensor:
    return F.one_hot(y, classes).movedim(-1, 1).to(torch.float64)


# Cross-entropy.


@reductions
@shapes
@pytest.mark.parametrize("label_smoothing", [0.0, 0.15])
def test_a_label_is_the_probability_1(label_smoothing: float, shape: tuple[int, ...], reduction: Any) -> None:
    g = generator()
    x, y = normal(g, *shape), labels(g, shape)
    # The mean over labels divides by their weights, that over probabilities by the number of rows.
    weight = None if reduction == "mean" else uniform(g, shape[1])
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    actual = with_gradient(lambda x: sgt.cross_entropy(x, y, weight, **options), x)
    target = one_hot(y, shape[1])
    assert_near(actual, with_gradient(lambda x: sgt.cross_entropy(x, target, weight, **options), x), UNITS)
    assert_near(actual, with_gradient(lambda x: F.cross_entropy(x, target, weight, **options), x), UNITS)


@reductions
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_smoothing_is_a_mixture_with_equal_probabilities(kind: str, reduction: Any) -> None:
    g = generator()
    x = normal(g, 4, 3)
    y = labels(g, (4, 3)) if kind == "indices" else torch.softmax(normal(g, 4, 3), 1)
    mixed = 0.7 * (one_hot(y, 3) if kind == "indices" else y) + 0.3 / 3
    assert_near(
        with_gradient(lambda x: sgt.cross_entropy(x, y, label_smoothing=0.3, reduction=reduction), x),
        with_gradient(lambda x: F.cross_entropy(x, mixed, reduction=reduction), x),
        UNITS,
    )


@reductions
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_weights_of_1_change_no_bit(kind: str, reduction: Any) -> None:
    g = generator()
    x = normal(g, 4, 3, 5)
    y = labels(g, (4, 3, 5)) if kind == "indices" else torch.softmax(normal(g, 4, 3, 5), 1)
    results = [
        with_gradient(lambda x, weight=weight: sgt.cross_entropy(x, y, weight, reduction=reduction), x)
        for weight in (None, torch.ones(3))
    ]
    torch.testing.assert_close(results[0], results[1], rtol=0.0, atol=0.0)
    assert_near(results[0], with_gradient(lambda x: F.cross_entropy(x, y, reduction=reduction), x), UNITS)


@reductions
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_row_alone_is_a_batch_of_one(weighted: bool, kind: str, reduction: Any) -> None:
    g = generator()
    x, weight = normal(g, 3), uniform(g, 3) if weighted else None
    y = torch.tensor(2) if kind == "indices" else torch.softmax(normal(g, 3), 0)
    loss, gradient = with_gradient(lambda x: sgt.cross_entropy(x, y, weight, reduction=reduction), x)
    in_batch = with_gradient(lambda x: F.cross_entropy(x[None], y[None], weight, reduction=reduction), x)
    assert loss.shape == ()
    assert_near((loss, gradient), (in_batch[0].reshape(()), in_batch[1]), UNITS)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_row_alone_compiles_in_a_full_graph(weighted: bool) -> None:
    """To index by a label of no dimensions is to ask for its value."""
    g = generator()
    x, y, weight = normal(g, 3), torch.tensor(2), uniform(g, 3) if weighted else None
    torch._dynamo.reset()
    compiled = torch.compile(sgt.cross_entropy, fullgraph=True, backend="aot_eager")
    actual = with_gradient(lambda x: compiled(x, y, weight, label_smoothing=0.1), x)
    assert_near(actual, with_gradient(lambda x: F.cross_entropy(x, y, weight, label_smoothing=0.1), x), UNITS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignored", [-100, -1, 1, 255])
def test_ignored_rows_are_as_if_they_were_not_there(ignored: int, label_smoothing: float, weighted: bool) -> None:
    g = generator()
    x, weight = normal(g, 5, 3), uniform(g, 3) if weighted else None
    y = torch.tensor([0, ignored, 2, ignored, 2])
    kept = y != ignored
    loss, gradient = with_gradient(
        lambda x: sgt.cross_entropy(x, y, weight, ignore_index=ignored, label_smoothing=label_smoothing), x
    )
    expected = with_gradient(
        lambda x: F.cross_entropy(x[kept], y[kept], weight, label_smoothing=label_smoothing), x.detach()
    )
    assert_near((loss, gradient), expected, UNITS)
    assert torch.equal(gradient[~kept], torch.zeros(2, 3, dtype=torch.float64))


def test_an_ignored_label_may_be_the_largest_byte() -> None:
    x, y = normal(generator(), 3, 4), torch.tensor([0, 255, 3], dtype=torch.uint8)
    expected = F.cross_entropy(x[[0, 2]], torch.tensor([0, 3]))
    assert_near(sgt.cross_entropy(x, y, ignore_index=255), expected, UNITS)


@shapes
def test_dimensions_behind_the_classes_are_rows(shape: tuple[int, ...]) -> None:
    g = generator()
    x, y, weight = normal(g, *shape), labels(g, shape), uniform(g, 3)
    rows = x.movedim(1, -1).reshape(-1, 3)
    none = sgt.cross_entropy(x, y, weight, reduction="none")
    assert_near(none.flatten(), F.cross_entropy(rows, y.flatten(), weight, reduction="none"), UNITS)
    assert_near(sgt.cross_entropy(x, y, weight, reduction="sum"), none.sum(), UNITS)
    assert_near(sgt.cross_entropy(x, y, weight), none.sum() / weight[y].sum(), UNITS)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0), (2, 3, 0, 4)], ids=str)
@pytest.mark.parametrize("soft", [False, True])
def test_no_rows(soft: bool, shape: tuple[int, ...]) -> None:
    x, rows = torch.zeros(shape, requires_grad=True), (shape[0], *shape[2:])
    y = torch.zeros(shape) if soft else torch.zeros(rows, dtype=torch.int64)
    assert sgt.cross_entropy(x, y, reduction="none").shape == rows
    for reduction in ("mean", "sum"):
        loss = sgt.cross_entropy(x, y, reduction=reduction)
        assert loss.item() == 0.0
        (gradient,) = torch.autograd.grad(loss, x)
        assert gradient.shape == shape


def test_one_precision_loses_no_more_than_its_rounding() -> None:
    """Of many rows: their sum is not taken one after another."""
    g = generator()
    x, y = normal(g, 64, 3, 50, 40, dtype=torch.float32), torch.randint(0, 3, (64, 50, 40), generator=g)
    assert_near(sgt.cross_entropy(x, y), F.cross_entropy(x.double(), y), 4.0, torch.float32)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([[1e4, 0.0]], [1], 1e4),
        ([[-1e4, 0.0]], [0], 1e4),
        ([[1e300, -1e300]], [0], 0.0),
        ([[-torch.inf, 0.0]], [1], 0.0),
        ([[-torch.inf, 0.0]], [0], torch.inf),
    ],
)
def test_large_logits(x: list[list[float]], y: list[int], expected: float) -> None:
    assert sgt.cross_entropy(torch.tensor(x, dtype=torch.float64), torch.tensor(y)).item() == expected


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ((2, 3), torch.tensor([0, 1, 2]), {}, "labels has shape"),
        ((2, 3), torch.tensor([[0], [1]]), {}, "labels has shape"),
        ((2, 3, 4), torch.zeros(2, 5, dtype=torch.int64), {}, "labels has shape"),
        ((2, 3), torch.tensor([0, 3]), {}, r"labels\[1\] is 3"),
        ((2, 3), torch.tensor([0, -1]), {}, r"labels\[1\] is -1"),
        ((2, 3), torch.tensor([0, 1]), {"weight": torch.ones(2)}, "class_weight has shape"),
        ((2, 3), torch.tensor([0, 1]), {"weight": torch.ones(3, 1)}, "class_weight has shape"),
        ((2, 3), torch.tensor([0, 1]), {"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ((2, 3), torch.tensor([0, 1]), {"label_smoothing": 1.1}, "label_smoothing is 1.1"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_what_torch_refuses(x: tuple[int, ...], y: Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sgt.cross_entropy(torch.zeros(x), y, **options)


# Binary cross-entropy.


@reductions
def test_binary_cross_entropy_is_that_of_the_sigmoid(reduction: Any) -> None:
    g = generator()
    x, y, w = normal(g, 6, 4), torch.rand(6, 4, generator=g, dtype=torch.float64), uniform(g, 4)
    assert_near(
        with_gradient(lambda x: sgt.binary_cross_entropy(x, y, w, reduction=reduction), x),
        with_gradient(lambda x: F.binary_cross_entropy(torch.sigmoid(x), y, w, reduction=reduction), x),
        UNITS,
    )


@pytest.mark.parametrize("positive", [None, 2.0])
def test_the_binary_gradient_at_0(positive: float | None) -> None:
    x, weight = torch.zeros(3, 2, requires_grad=True), None if positive is None else torch.full((2,), positive)
    sgt.binary_cross_entropy(x, torch.ones(3, 2), pos_weight=weight, reduction="sum").backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((3, 2), -0.5 if positive is None else -0.5 * positive))


@pytest.mark.parametrize("name", ["weight", "pos_weight"])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (6, 1), (1,), ()], ids=str)
def test_binary_weights_broadcast(shape: tuple[int, ...], name: str) -> None:
    g = generator()
    x, y = normal(g, 6, 4), torch.rand(6, 4, generator=g, dtype=torch.float64)
    given = uniform(g, *shape) if shape else uniform(g, 1).squeeze()
    actual = with_gradient(lambda x: sgt.binary_cross_entropy(x, y, **{name: given}), x)
    wide = with_gradient(lambda x: sgt.binary_cross_entropy(x, y, **{name: given.expand(6, 4)}), x)
    torch.testing.assert_close(actual, wide, rtol=0.0, atol=0.0)
    expected = with_gradient(lambda x: F.binary_cross_entropy_with_logits(x, y, **{name: given.expand(6, 4)}), x)
    assert_near(actual, expected, UNITS)


def test_positive_weights_of_1_change_no_bit() -> None:
    g = generator()
    x, y = normal(g, 6, 4), torch.rand(6, 4, generator=g, dtype=torch.float64)
    plain, weighted = (
        with_gradient(lambda x, w=w: sgt.binary_cross_entropy(x, y, pos_weight=w), x) for w in (None, torch.ones(4))
    )
    assert float(plain[1].abs().min()) > 0.0
    torch.testing.assert_close(plain, weighted, rtol=0.0, atol=0.0)


def test_binary_cross_entropy_far_out() -> None:
    x = torch.tensor([0.0, -120.0, 1e4, 120.0], dtype=torch.float64)
    losses = sgt.binary_cross_entropy(x, torch.tensor([0.0, 1.0, 0.0, 1.0]), reduction="none")
    expected = torch.tensor([0.0, 120.0, 1e4, 0.0], dtype=torch.float64)
    expected[0], expected[3] = torch.log(torch.tensor(2.0, dtype=torch.float64)), torch.exp(-x[3])
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(losses, expected, rtol=2.0 * eps, atol=0.0)


def test_binary_targets_have_the_shape_of_the_logits() -> None:
    with pytest.raises(ValueError, match="shape"):
        sgt.binary_cross_entropy(torch.zeros(3, 2), torch.ones(3))


# softmax, its logarithm, and logsumexp.


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_two_bytes_are_rounded_once(dim: int, name: str, dtype: torch.dtype) -> None:
    x = (4.0 * normal(generator(), 30, 40)).to(dtype)
    exact = getattr(torch, name)(x.double(), dim)
    # A unit in the last place is eps of a number just above a power of 2; float32 is on the way.
    units = (0.5 + torch.finfo(torch.float32).eps / torch.finfo(dtype).eps) * torch.finfo(dtype).eps
    least = torch.finfo(dtype).smallest_normal
    torch.testing.assert_close(getattr(sgt, name)(x, dim).double(), exact, rtol=units, atol=least * units)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_each_dimension_is_as_good_as_the_last(name: str) -> None:
    function, x = getattr(sgt, name), normal(generator(), 3, 4, 5, 2)
    for dim in range(-4, 4):
        actual = with_gradient(lambda x, dim=dim: function(x, dim), x)
        assert_near(actual, with_gradient(lambda x, dim=dim: getattr(torch, name)(x, dim), x), UNITS)


@pytest.mark.parametrize("shift", [-1e5, 1e5])
def test_logits_that_exp_does_not_take(shift: float) -> None:
    """Far from 0, with differences that are exact."""
    x = torch.arange(8.0, dtype=torch.float64).reshape(2, 4) ** 2
    for name in ("softmax", "log_softmax"):
        assert_near(getattr(sgt, name)(x + shift, 1), getattr(torch, name)(x, 1), UNITS)
    assert_near(sgt.logsumexp(x + shift, 1), torch.logsumexp(x, 1) + shift, 1.0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([torch.inf, 1.0], torch.inf),
        ([torch.inf, -torch.inf], torch.inf),
        ([-torch.inf, -torch.inf], -torch.inf),
        ([-torch.inf, 1.0], 1.0),
        ([torch.inf, torch.inf], torch.inf),
        ([torch.nan, 1.0], torch.nan),
        ([torch.nan, torch.inf], torch.nan),
    ],
)
def test_logsumexp_of_what_is_not_finite(row: list[float], expected: float) -> None:
    x = torch.tensor(row)
    torch.testing.assert_close(sgt.logsumexp(x), torch.tensor(expected), rtol=0.0, atol=0.0, equal_nan=True)
    torch.testing.assert_close(sgt.logsumexp(x), torch.logsumexp(x, 0), rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize("dims", [(0,), (1, 2), (0, -1), (0, 1, 2)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp_of_several_dimensions(keepdim: bool, dims: tuple[int, ...]) -> None:
    x = normal(generator(), 3, 4, 5)
    assert_near(sgt.logsumexp(x, dims, keepdim), torch.logsumexp(x, dims, keepdim), UNITS)


# Divergences.


def test_the_divergence_of_a_batch_is_its_sum_over_the_rows() -> None:
    g = generator()
    x, target = normal(g, 4, 3), torch.softmax(normal(g, 4, 3), 1)
    total = sgt.KLDivLoss(reduction="sum")(x, target)
    assert_near(total, F.kl_div(torch.log_softmax(x, 1), target, reduction="sum"), UNITS)
    assert_near(sgt.KLDivLoss(reduction="batchmean")(x, target), total / 4.0, UNITS)
    assert_near(sgt.KLDivLoss(reduction="sum", log_target=True)(x, target.log()), total, UNITS)


def test_a_target_of_0_adds_nothing_to_a_divergence() -> None:
    x, target = normal(generator(), 1, 3), torch.tensor([[0.0, 0.25, 0.75]], dtype=torch.float64)
    loss, gradient = with_gradient(lambda x: sgt.KLDivLoss(reduction="sum")(x, target), x)
    expected = with_gradient(lambda x: F.kl_div(torch.log_softmax(x, 1), target, reduction="sum"), x)
    assert_near((loss, gradient), expected, UNITS)
