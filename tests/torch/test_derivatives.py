"""Every way to derive, of every function and option, against the definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jvp

import softgrad.torch as sgt
from tests.torch import definitions
from tests.torch.derived import EVERY, Function, assert_near, direction, generator, normal, uniform
from tests.torch.problems import OPTIONS, labels, logits, options_of

# Of the roundings of a few rows, in eps of the largest value.
UNITS = 256.0

ROW_FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "softmax": ("softmax", {}),
    "softmax along 0": ("softmax", {"dim": 0, "temperature": 0.7}),
    "softmax with a mask": ("softmax", {"where": True}),
    "log_softmax": ("log_softmax", {}),
    "log_softmax along 0": ("log_softmax", {"dim": 0, "temperature": 0.7}),
    "logsumexp": ("logsumexp", {}),
    "logsumexp along both": ("logsumexp", {"dim": (0, 1), "keepdim": True}),
    "logsumexp with a mask": ("logsumexp", {"where": True}),
    "sigmoid": ("sigmoid", {}),
    "log_sigmoid": ("log_sigmoid", {}),
}


@pytest.mark.parametrize("case", ROW_FUNCTIONS)
def test_functions_of_rows(case: str) -> None:
    name, options = ROW_FUNCTIONS[case]
    g = generator()
    x = normal(g, 4, 3)
    if "where" in options:
        options = options | {"where": torch.tensor([True, False, True])}

    def of(module: Any) -> Function:
        return lambda x: getattr(module, name)(x, **options)

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(sgt))(x), derive(of(definitions))(x), UNITS)


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("name", OPTIONS)
def test_cross_entropy_by_the_logits(name: str, kind: str) -> None:
    g = generator()
    x, y, options = logits(g), labels(kind, g), options_of(name, g)

    def of(function: Callable[..., Tensor]) -> Function:
        return lambda x: function(x, y, **options)

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(sgt.cross_entropy))(x), derive(of(definitions.cross_entropy))(x), UNITS)


@pytest.mark.parametrize("normalizer", [None, "weights"])
@pytest.mark.parametrize("name", ["class weights and smoothing", "all at once"])
def test_cross_entropy_by_target_and_class_weights(name: str, normalizer: str | None) -> None:
    g = generator()
    x, y, options = logits(g), labels("probabilities", g), options_of(name, g)
    options["normalizer"] = normalizer
    weight = options.pop("weight")
    where = options.get("where", torch.ones_like(x, dtype=torch.bool))
    arguments = (x, y, weight)
    # A target at a class that does not take part costs inf: there is no way to go.
    tangents = (direction(x), torch.where(where, direction(y, 1), 0.0), direction(weight, 2))

    def of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda x, y, weight: function(x, torch.where(where, y, 0.0), weight, **options)

    actual, expected = of(sgt.cross_entropy), of(definitions.cross_entropy)
    every = (0, 1, 2)

    def along(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a: jvp(f, a, tangents)[1]

    for derive in (
        lambda f: grad(f, every),
        lambda f: hessian(f, every),
        along,
        lambda f: along(along(f)),
        lambda f: along(along(along(f))),
        lambda f: grad(along(f), every),
        lambda f: grad(along(along(f)), every),
        lambda f: grad(lambda *a: sum((each**2).sum() for each in grad(along(f), every)(*a)), every),
    ):
        for one, other in zip(
            torch.utils._pytree.tree_leaves(derive(actual)(*arguments)),
            torch.utils._pytree.tree_leaves(derive(expected)(*arguments)),
            strict=True,
        ):
            if float(other.abs().max()) > 0.0:
                assert_near(one, other, UNITS)
            else:
                assert float(one.abs().max()) == 0.0


def test_a_gradient_by_sample_weights_is_refused() -> None:
    x, y, s = torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(2, requires_grad=True)
    loss = sgt.cross_entropy(x, y, sample_weight=s, reduction="sum")
    with pytest.raises(NotImplementedError, match="no derivative by sample_weight"):
        loss.backward()


def test_a_gradient_by_the_weights_of_labels_is_refused() -> None:
    x, y, w = torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(3, requires_grad=True)
    loss = sgt.cross_entropy(x, y, w, reduction="sum")
    with pytest.raises(NotImplementedError, match="no derivative by weight"):
        loss.backward()
    with pytest.raises(NotImplementedError, match="no derivative by weight"):
        jvp(lambda w: sgt.cross_entropy(x, y, w, reduction="sum"), (torch.ones(3),), (torch.ones(3),))


def test_a_batch_of_class_weights() -> None:
    g = generator()
    x, w, y = logits(g), normal(g, 5, 3).exp(), torch.tensor([0, 1, 2, 1])

    def of(function: Callable[..., Tensor]) -> Tensor:
        return torch.vmap(lambda w: grad(lambda x: function(x, y, w))(x))(w)

    assert_near(of(sgt.cross_entropy), of(definitions.cross_entropy), UNITS)


BINARY: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights and smoothing": {"weight": True, "pos_weight": True, "label_smoothing": 0.1, "normalizer": "weights"},
    "none": {"pos_weight": True, "reduction": "none"},
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_cross_entropy(name: str) -> None:
    g = generator()
    x, y = normal(g, 4, 3), torch.rand(4, 3, generator=g, dtype=torch.float64)
    made = {"weight": uniform(g, 4, 1), "pos_weight": uniform(g, 3)}
    options = {option: made[option] if value is True else value for option, value in BINARY[name].items()}

    def of(module: Any) -> Function:
        return lambda x: module.binary_cross_entropy(x, y, **options)

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(sgt))(x), derive(of(definitions))(x), UNITS)
    # Inside of [0, 1] whatever way the differences of the tests go.
    assert_all_by_both(
        lambda f: lambda x, y: f(x, sgt.sigmoid(y), **options),
        lambda f: lambda x, y: f(x, definitions.sigmoid(y), **options),
        "binary_cross_entropy",
        (x, y),
    )


DIVERGENCES: dict[str, dict[str, Any]] = {
    "plain": {},
    "temperature": {"temperature": 0.7, "reduction": "sum"},
    "a mask": {"where": True, "reduction": "none"},
    "sample weights": {"sample_weight": True},
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_kl_divergence(name: str) -> None:
    g = generator()
    x, t = normal(g, 4, 3), normal(g, 4, 3)
    made = {"sample_weight": uniform(g, 4), "where": torch.tensor([True, False, True])}
    options = {option: made[option] if value is True else value for option, value in DIVERGENCES[name].items()}

    def of(module: Any) -> Function:
        return lambda x: module.kl_divergence(x, t, **options)

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(sgt))(x), derive(of(definitions))(x), UNITS)
    wrapped = lambda f: lambda x, t: f(x, t, **options)  # noqa: E731
    assert_all_by_both(wrapped, wrapped, "kl_divergence", (x, t))


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 2.5])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_focal(gamma: float, reduction: str) -> None:
    g = generator()
    x, y, w, s = normal(g, 4, 3), torch.tensor([0, 2, -100, 1]), uniform(g, 3), uniform(g, 4)
    options = {"gamma": gamma, "sample_weight": s, "reduction": reduction}

    def of(module: Any) -> Function:
        return lambda x: module.focal(x, y, w, **options)

    for way, derive in EVERY.items():
        print(way)
        assert_near(derive(of(sgt))(x), derive(of(definitions))(x), UNITS)


def test_token_logprobs() -> None:
    g = generator()
    x, y = normal(g, 4, 3), torch.tensor([0, 2, 2, 1])
    for way, derive in EVERY.items():
        print(way)
        assert_near(
            derive(lambda x: sgt.token_logprobs(x, y).logprob)(x), derive(lambda x: definitions.logprob(x, y))(x), UNITS
        )
        assert_near(derive(lambda x: sgt.token_logprobs(x, y).entropy)(x), derive(definitions.entropy)(x), UNITS)
    ranks = sgt.token_logprobs(x, y).rank
    assert ranks.tolist() == [int((row > row[label]).sum()) + 1 for row, label in zip(x, y, strict=True)]


def assert_all_by_both(
    ours: Callable[..., Any], theirs: Callable[..., Any], name: str, arguments: tuple[Tensor, Tensor]
) -> None:
    """The derivatives by logits and targets, and of these by both."""
    actual, expected = (wrap(getattr(module, name)) for wrap, module in ((ours, sgt), (theirs, definitions)))
    tangents = (direction(arguments[0]), direction(arguments[1], 1))

    def number(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a: (f(*a) ** 2).sum()

    def along(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a: jvp(f, a, tangents)[1]

    for derive in (
        lambda f: grad(number(f), (0, 1)),
        lambda f: hessian(number(f), (0, 1)),
        lambda f: along(along(along(f))),
        lambda f: grad(number(along(along(f))), (0, 1)),
        lambda f: along(grad(number(along(f)), (0, 1))),
    ):
        for one, other in zip(
            torch.utils._pytree.tree_leaves(derive(actual)(*arguments)),
            torch.utils._pytree.tree_leaves(derive(expected)(*arguments)),
            strict=True,
        ):
            assert_near(one, other, UNITS)


@pytest.mark.parametrize("normalizer", [None, "weights", "count"])
def test_rows_that_do_not_count_have_no_mean_under_transforms(normalizer: str | None) -> None:
    """The value and the gradients are 0, also where a row holds NaN."""
    x, y = torch.full((2, 3), torch.nan), torch.tensor([-100, -100])

    def loss(x: Tensor) -> Tensor:
        return sgt.cross_entropy(x, y, normalizer=normalizer)

    value, rate = jvp(loss, (x,), (torch.ones(2, 3),))
    assert (value.item(), rate.item()) == (0.0, 0.0)
    assert torch.equal(grad(loss)(x), torch.zeros(2, 3))
    assert torch.equal(hessian(loss)(x), torch.zeros(2, 3, 2, 3))
    assert torch.equal(torch.vmap(loss)(torch.stack([x, x])), torch.zeros(2))


def test_a_third_derivative_looks_past_rows_that_do_not_count() -> None:
    x, y = torch.tensor([[torch.nan, 0.0], [0.5, 0.0]], dtype=torch.float64), torch.tensor([-100, 1])

    def third(x: Tensor, y: Tensor, function: Callable[..., Tensor]) -> Tensor:
        return grad(lambda x: hessian(lambda x: function(x, y, z_loss=0.1, softcap=2.0))(x).sum())(x)

    actual = third(x, y, sgt.cross_entropy)
    assert torch.equal(actual[0], torch.zeros(2, dtype=torch.float64))
    assert_near(actual[1:], third(x[1:], y[1:], definitions.cross_entropy), UNITS)
