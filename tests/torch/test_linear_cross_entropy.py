"""Cross-entropy over a linear head: every way to derive it by its operands, and what comes of one pass."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, library
from torch.func import grad, hessian, jvp, vmap

import softgrad as sg
import softgrad.torch as sgt
from softgrad.torch import _linear_cross_entropy_operators as operators
from tests.torch import definitions
from tests.torch.derived import EVERY, Function, assert_near, direction, generator, normal
from tests.torch.problems import CLASSES, OPTIONS, ROWS, labels, options_of

FEATURES = 2
SHAPES = {"hidden": (ROWS, FEATURES), "weight": (CLASSES, FEATURES), "bias": (CLASSES,)}
SIZES = [prod(shape) for shape in SHAPES.values()]
# Of the roundings of a few products and rows, in eps of the largest value.
UNITS = 512.0
EPS32 = torch.finfo(torch.float32).eps


def operands_of(flat: Tensor) -> list[Tensor]:
    """Hidden, weight and bias, from one row: a function of it has derivatives by each and by pairs of them."""
    parts = flat.split(SIZES, 1)
    return [part.reshape(shape) for part, shape in zip(parts, SHAPES.values(), strict=True)]


def flat_operands(g: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
    return normal(g, 1, sum(SIZES), dtype=dtype)


def actual(h: Tensor, w: Tensor, y: Tensor, b: Tensor | None, weight: Tensor | None = None, **options: Any) -> Tensor:
    return sgt.linear_cross_entropy(h, w, y, b, class_weight=weight, **options)


def expected(h: Tensor, w: Tensor, y: Tensor, b: Tensor | None, weight: Tensor | None = None, **options: Any) -> Tensor:
    logits = h @ w.T
    return definitions.cross_entropy(logits if b is None else logits + b, y, weight, **options)


Loss = Callable[..., Tensor]


QUICK = ("none", "all at once")
names = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OPTIONS]
)


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@names
def test_every_way_by_all_operands(name: str, kind: str) -> None:
    g = generator()
    x, y, options = flat_operands(g), labels(kind, g), options_of(name, g)

    def of(loss: Loss) -> Function:
        def function(x: Tensor) -> Tensor:
            # Bent, so that what is derived along depends on x as well.
            hidden, weight, bias = operands_of(torch.sin(x))
            return loss(hidden, weight, y, bias, **options)

        return function

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(actual))(x), derive(of(expected))(x), UNITS)


@pytest.mark.parametrize("wanted", ["hidden", "weight", "bias"])
def test_every_way_by_one_operand(wanted: str) -> None:
    """The others are constants, and the weight of a head without a bias."""
    g = generator()
    given = dict(zip(SHAPES, operands_of(flat_operands(g)), strict=True))
    x = given[wanted] if wanted != "bias" else given[wanted][None]
    if wanted != "bias":
        given["bias"] = None
    y = labels("indices", g)

    def of(loss: Loss) -> Function:
        def function(x: Tensor) -> Tensor:
            hidden, weight, bias = (given | {wanted: x.reshape(SHAPES[wanted])}).values()
            return loss(hidden, weight, y, bias)

        return function

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(actual))(x), derive(of(expected))(x), UNITS)


@pytest.mark.parametrize("normalizer", [None, "weights"])
def test_by_probabilities_and_their_class_weights(normalizer: str | None) -> None:
    g = generator()
    options = options_of("all at once", g) | {"normalizer": normalizer}
    where, class_weight = options["where"], options.pop("weight")
    arguments = (flat_operands(g), labels("probabilities", g), class_weight)
    tangents = (
        direction(arguments[0]),
        torch.where(where, direction(arguments[1], 1), 0.0),
        direction(class_weight, 2),
    )

    def of(loss: Loss) -> Callable[..., Tensor]:
        def function(x: Tensor, y: Tensor, class_weight: Tensor) -> Tensor:
            hidden, weight, bias = operands_of(x)
            return loss(hidden, weight, torch.where(where, y, 0.0), bias, weight=class_weight, **options)

        return function

    def along(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a: jvp(f, a, tangents)[1]

    every = (0, 1, 2)
    for derive in (
        lambda f: grad(f, every),
        lambda f: hessian(f, every),
        along,
        lambda f: along(along(f)),
        lambda f: along(along(along(f))),
        lambda f: grad(along(f), every),
        lambda f: grad(along(along(f)), every),
    ):
        for one, other in zip(
            torch.utils._pytree.tree_leaves(derive(of(actual))(*arguments)),
            torch.utils._pytree.tree_leaves(derive(of(expected))(*arguments)),
            strict=True,
        ):
            if float(other.abs().max()) > 0.0:
                assert_near(one, other, UNITS)
            else:
                assert float(one.abs().max()) == 0.0


def test_per_sample_gradients() -> None:
    g = generator()
    weight, hidden = normal(g, CLASSES, FEATURES), normal(g, 5, ROWS, FEATURES)
    y = torch.tensor([[0, 1, 2, -100]]).expand(5, ROWS)

    def of(loss: Loss) -> Tensor:
        return vmap(grad(lambda w, h, y: loss(h, w, y, None)), (None, 0, 0))(weight, hidden, y)

    assert_near(of(actual), of(expected), UNITS)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_dtypes_and_layouts_give_what_the_core_gives(dtype: torch.dtype, reduction: str) -> None:
    """The core has tests of its own for the values."""
    g = generator()
    hidden, weight, bias = (each.to(dtype) for each in operands_of(flat_operands(g)))
    y, upstream = torch.tensor([0, 2, -100, 1]), torch.tensor(3.0 if reduction == "mean" else [3.0, 1.0, 2.0, 0.5])
    by_operators = []
    leaves = [hidden.t().contiguous().t(), weight.t().contiguous().t(), bias]
    for transformed in (False, True):
        given = [each.detach().requires_grad_() for each in leaves]

        def loss(*given: Tensor) -> Tensor:
            return sgt.linear_cross_entropy(given[0], given[1], y, given[2], reduction=reduction)

        if transformed:
            value, pull = torch.func.vjp(loss, *leaves)
            gradients = pull(upstream.to(value.dtype))
        else:
            value = loss(*given)
            value.backward(upstream.to(value.dtype))
            gradients = [each.grad for each in given]
        by_operators.append([value.detach(), *gradients])
    core_value, core_gradients = sg.linear_cross_entropy.value_and_grad(
        *(each.detach().to(torch.float64).numpy().astype(core_dtype(dtype)) for each in (hidden, weight)),
        y.numpy(),
        bias.to(torch.float64).numpy().astype(core_dtype(dtype)),
        ignore_index=-100,
        reduction=reduction,
        upstream=upstream.numpy(),
    )
    eps = torch.finfo(dtype).eps
    for found in by_operators:
        for one, other in zip(found, (core_value, *core_gradients), strict=True):
            values = np.asarray(other).astype(np.float64)
            assert np.max(np.abs(values)) > 0.0
            np.testing.assert_allclose(
                one.to(torch.float64).numpy(), values, rtol=0.0, atol=16 * eps * np.max(np.abs(values))
            )
    assert [each.dtype for each in by_operators[0][1:]] == [dtype] * 3


def core_dtype(dtype: torch.dtype) -> Any:
    if dtype is torch.bfloat16:
        import ml_dtypes  # not NumPy's

        return ml_dtypes.bfloat16
    return str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("tracked", [False, True], ids=["without gradient", "with gradient"])
@pytest.mark.parametrize("transformed", [False, True], ids=["plain", "transformed"])
def test_predictions_and_accuracy(tracked: bool, transformed: bool) -> None:
    g = generator()
    hidden, weight, bias = normal(g, 3, 20, 5), normal(g, 7, 5).requires_grad_(tracked), normal(g, 7)
    logits = (hidden @ weight.T + bias).detach()
    y = logits.argmax(-1)
    y[0, :10] = (y[0, :10] + 1) % 7
    y[1, :5] = -100

    def found(hidden: Tensor) -> Any:
        return sgt.linear_cross_entropy(hidden, weight, y, bias, return_predictions=True)

    output = jvp(found, (hidden,), (hidden,))[0] if transformed else found(hidden)
    assert output.predictions.dtype is torch.int64
    assert torch.equal(output.predictions, torch.where(y == -100, -1, logits.argmax(-1)))
    # 10 of the 55 that count are wrong.
    assert float(output.accuracy) == pytest.approx(45 / 55, rel=2 * EPS32, abs=0.0)
    assert_near(output.loss.detach(), sgt.linear_cross_entropy(hidden, weight, y, bias).detach(), UNITS)
    likeliest = torch.nn.functional.one_hot(y.clamp(min=0), 7).to(torch.float64)
    soft = sgt.linear_cross_entropy(hidden, weight, likeliest, bias, return_predictions=True)
    right = logits.argmax(-1) == y.clamp(min=0)
    assert float(soft.accuracy) == pytest.approx(float(right.double().mean()), rel=2 * EPS32, abs=0.0)
    none = sgt.linear_cross_entropy(hidden, weight, torch.full_like(y, -100), bias, return_predictions=True)
    assert (float(none.loss.detach()), float(none.accuracy)) == (0.0, 0.0)


def test_the_gradient_needs_no_second_pass() -> None:
    """Neither in float32 nor for a normalizer are logits made again, or gradients multiplied."""
    g = generator()
    hidden, weight, y = normal(g, 4, 3, dtype=torch.float32), normal(g, 5, 3, dtype=torch.float32), torch.arange(4)
    weight.requires_grad_()
    passes: list[tuple[int, int]] = []
    loss = sgt.linear_cross_entropy(hidden, weight, y, normalizer=7.0, progress=lambda *at: passes.append(at))
    loss.backward()
    assert passes == [(4, 4)]
    sgt.linear_cross_entropy(
        hidden, weight, y, reduction="none", progress=lambda *at: passes.append(at)
    ).sum().backward()
    assert passes == [(4, 4)] * 3


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_second_backward_and_checkpoints(reduction: str) -> None:
    """What was made with the loss is neither given away nor multiplied where it stands."""
    g = generator()
    given = [each.requires_grad_() for each in operands_of(flat_operands(g))]
    y = labels("indices", g)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return sgt.linear_cross_entropy(hidden, weight, y, bias, reduction=reduction).sum()

    plain = expected(given[0], given[1], y, given[2], reduction=reduction).sum()
    once = torch.autograd.grad(plain, given)
    value = loss(*given)
    for factor in (3.0, 1.0, 1.0):
        (factor * value).backward(retain_graph=True)
    for each, gradient in zip(given, once, strict=True):
        assert each.grad is not None
        assert_near(each.grad, 5.0 * gradient, UNITS)
    again = torch.utils.checkpoint.checkpoint(loss, *given, use_reentrant=False)
    assert_near(torch.autograd.grad(again, given), once, UNITS)
    (spoilt,) = torch.autograd.grad(value, given[1], retain_graph=True)
    spoilt.mul_(2.0)
    if reduction == "none":
        assert_near(torch.autograd.grad(value, given[1])[0], once[1], UNITS)
    else:
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            torch.autograd.grad(value, given[1])


def test_rows_that_are_ignored_may_hold_nan_in_every_order() -> None:
    g = generator()
    hidden, weight = normal(g, 4, 3), normal(g, 5, 3)
    y = torch.tensor([0, -100, 4, 2])
    spoilt = hidden.clone()
    spoilt[1] = torch.nan

    def third(hidden: Tensor) -> Callable[[Tensor], Tensor]:
        def f(w: Tensor) -> Tensor:
            return sgt.linear_cross_entropy(hidden, w, y)

        return grad(lambda w: jvp(grad(f), (w,), (direction(w),))[1].square().sum())

    assert_near(third(spoilt)(weight), third(hidden)(weight), UNITS)


def test_autocast() -> None:
    g = generator()
    hidden, weight, bias = (each.to(torch.float32) for each in operands_of(flat_operands(g)))
    y = torch.tensor([0, 2, -100, 1])
    rounded = [each.to(torch.bfloat16).requires_grad_() for each in (hidden, weight, bias)]
    leaves = [each.clone().requires_grad_() for each in (hidden, weight, bias)]
    with torch.autocast("cpu", torch.bfloat16):
        # As hidden comes from another layer.
        loss = sgt.linear_cross_entropy(leaves[0].to(torch.bfloat16), leaves[1], y, leaves[2])
        derived = hessian(lambda w: sgt.linear_cross_entropy(hidden, w, y, bias))(weight)
        third = jvp(hessian(lambda w: sgt.linear_cross_entropy(hidden, w, y)), (weight,), (weight,))[1]
    loss.backward()
    same = sgt.linear_cross_entropy(rounded[0], rounded[1], y, rounded[2])
    same.backward()
    assert torch.equal(loss, same)
    for leaf, other in zip(leaves, rounded, strict=True):
        assert leaf.grad is not None
        assert leaf.grad.dtype is torch.float32
        assert torch.equal(leaf.grad, other.grad.to(torch.float32))
    rows = rounded[0].detach()
    outside = hessian(lambda w: sgt.linear_cross_entropy(rows, w.bfloat16(), y, rounded[2].detach()))(weight)
    assert torch.equal(derived, outside)
    # torch's own backward of a product is converted where it is called.
    without_bias = jvp(hessian(lambda w: sgt.linear_cross_entropy(rows, w.bfloat16(), y)), (weight,), (weight,))[1]
    largest = float(without_bias.abs().max())
    assert largest > 0.0
    assert float((third - without_bias).abs().max()) <= 4 * torch.finfo(torch.bfloat16).eps * largest
    with pytest.raises(TypeError, match="weight has dtype float32; hidden has dtype bfloat16"):
        sgt.linear_cross_entropy(rounded[0], weight, y)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize("reduction", ["mean", pytest.param("none", marks=pytest.mark.slow)])
def test_compiled(reduction: str, backend: str) -> None:
    torch._dynamo.reset()
    g = generator()
    x, y = flat_operands(g), labels("indices", g)

    def of(loss: Loss) -> Function:
        def function(x: Tensor) -> Tensor:
            hidden, weight, bias = operands_of(x)
            return loss(hidden, weight, y, bias, reduction=reduction, label_smoothing=0.1)

        return function

    leaf = x.clone().requires_grad_()
    (torch.compile(of(actual), fullgraph=True, backend=backend)(leaf) ** 2).sum().backward()
    assert leaf.grad is not None
    assert_near(leaf.grad, grad(lambda x: (of(expected)(x) ** 2).sum())(x), UNITS)
    ways: list[Callable[[Function], Function]] = [lambda f: lambda x: jvp(f, (x,), (direction(x),))[1]]
    if backend == "aot_eager":
        # Inductor's own lowering of the basis of a Hessian uses what torch has deprecated, and warns.
        ways.append(lambda f: hessian(lambda x: (f(x) ** 2).sum()))
    for derive in ways:
        compiled = torch.compile(derive(of(actual)), fullgraph=True, backend=backend)
        assert_near(compiled(x), derive(of(expected))(x), UNITS)


OPERATORS = {"losses": operators.LOSSES, "gradients": operators.GRADIENTS}
OPERATORS |= {"rates": operators.RATES, "products": operators.PRODUCTS}


@pytest.mark.parametrize("tracked", [False, True], ids=["constants", "tracked"])
@pytest.mark.parametrize("name", OPERATORS)
def test_opcheck(name: str, tracked: bool) -> None:
    g = generator()
    hidden, weight, bias = (each.requires_grad_(tracked) for each in operands_of(flat_operands(g)))
    vectors = [direction(each.detach()).requires_grad_(tracked) for each in (hidden, weight, bias)]
    upstream = direction(hidden.detach()[:, 0]).requires_grad_(tracked)
    rest = (torch.tensor([0, 1, 2, -100]), None, None, None, -100, 0.1, 1.0, None, 0.0, None, None)
    arguments: dict[str, tuple[Any, ...]] = {
        "losses": (*rest, True),
        "gradients": (upstream, *rest, True, False, True),
        "rates": (*vectors, *rest),
        "products": (vectors[0], None, vectors[2], upstream, *rest, True, True, False),
    }
    outcome = library.opcheck(OPERATORS[name]._overload, (hidden, weight, bias, *arguments[name]))
    assert set(outcome.values()) == {"SUCCESS"}
