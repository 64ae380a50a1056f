"""Every dtype, layout and shape gives what the core gives for the same numbers, by views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import Tensor

import softgrad as sg
import softgrad.torch as sgt
from softgrad.torch import _tensors
from tests.torch.derived import direction, generator, normal

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def numbers(tensor: Tensor) -> Any:
    """A copy of a tensor as NumPy has it, made without the functions that are looked at."""
    if tensor.dtype is torch.bfloat16:
        return tensor.detach().to(torch.float32).numpy().astype(ml_dtypes.bfloat16)
    return tensor.detach().numpy().copy()


def assert_same(actual: Tensor, expected: Any) -> None:
    expected = np.asarray(expected)
    assert tuple(actual.shape) == expected.shape
    np.testing.assert_array_equal(numbers(actual).astype(np.float64), expected.astype(np.float64))
    assert str(actual.dtype).removeprefix("torch.") == expected.dtype.name


@dtypes
def test_tensors_cross_as_views(dtype: torch.dtype) -> None:
    given = normal(generator(), 3, 4).to(dtype)
    for each in (given, given.t(), given[:, 1::2], given[1], given.unsqueeze(0).expand(2, 3, 4)):
        array = _tensors.array(each)
        back = _tensors.tensor(array)
        assert array.ctypes.data == each.data_ptr() == back.data_ptr()
        assert back.dtype is dtype
        assert back.stride() == each.stride()


CALLS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Any], Any]]] = {
    "softmax": (sgt.softmax, sg.softmax),
    "softmax along 0": (lambda x: sgt.softmax(x, 0, temperature=2.0), lambda x: sg.softmax(x, axis=0, temperature=2.0)),
    "log_softmax": (sgt.log_softmax, sg.log_softmax),
    "logsumexp": (sgt.logsumexp, sg.logsumexp),
    "logsumexp of all": (lambda x: sgt.logsumexp(x, None), lambda x: sg.logsumexp(x, axis=None)),
    "sigmoid": (sgt.sigmoid, sg.sigmoid),
    "log_sigmoid": (sgt.log_sigmoid, sg.log_sigmoid),
    "kl_divergence": (
        lambda x: sgt.kl_divergence(x, -x, reduction="none"),
        lambda x: sg.kl_divergence(x, -x, reduction="none"),
    ),
}


@dtypes
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "every other", "broadcast"])
@pytest.mark.parametrize("name", CALLS)
def test_functions_give_the_bits_of_the_core(name: str, layout: str, dtype: torch.dtype) -> None:
    x = normal(generator(), 6, 8).to(dtype)
    x = {"contiguous": x, "transposed": x.t(), "every other": x[::2, 1::2], "broadcast": x[0].expand(5, 8)}[layout]
    ours, theirs = CALLS[name]
    actual = ours(x)
    assert actual.is_contiguous()
    assert_same(actual, theirs(numbers(x)))


@dtypes
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("options", [{}, {"reduction": "none", "label_smoothing": 0.1}, {"softcap": 3.0}], ids=str)
def test_plain_cross_entropy_gives_the_bits_of_the_core(
    options: dict[str, Any], layout: str, dtype: torch.dtype
) -> None:
    g = generator()
    x = (normal(g, 6, 8) if layout == "contiguous" else normal(g, 8, 6).t()).to(dtype)
    y = torch.tensor([0, 7, -100, 2, 3, 4])
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    loss = sgt.cross_entropy(leaf, y, **options)
    up = direction(loss.detach())
    up = up if loss.dim() else torch.tensor(0.5, dtype=loss.dtype)
    (gradient,) = torch.autograd.grad(loss, leaf, up)
    known = {"ignore_index": -100} | options
    assert_same(loss, sg.cross_entropy(numbers(x), y.numpy(), **known))
    assert_same(gradient, sg.cross_entropy.grad(numbers(x), y.numpy(), upstream=up.numpy(), **known))


def _targets(name: str, x: Tensor) -> Tensor:
    if name == "focal":
        return torch.arange(x.shape[0])
    return torch.sigmoid(x.flip(0).to(torch.float64)).to(x.dtype)


@dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "kl_divergence", "focal"])
def test_plain_losses_give_the_bits_of_the_core(name: str, reduction: str, dtype: torch.dtype) -> None:
    g = generator()
    x, up = normal(g, 6, 8).to(dtype), torch.tensor(0.75)
    y = _targets(name, x)
    leaf = x.clone().requires_grad_()
    loss = getattr(sgt, name)(leaf, y, reduction=reduction)
    above = up.to(loss.dtype).expand(loss.shape)
    (gradient,) = torch.autograd.grad(loss, leaf, above)
    core, options = getattr(sg, name), {"reduction": reduction}
    assert_same(loss, core(numbers(x), numbers(y), **options))
    # With the loss it is made for an upstream of 1, in two bytes and for a loss of each row in the backward.
    if dtype in (torch.float32, torch.float64) and reduction != "none":
        expected = core.grad(numbers(x), numbers(y), **options) * above.numpy()
    else:
        expected = core.grad(numbers(x), numbers(y), upstream=above.numpy(), **options)
    assert_same(gradient, expected)


@dtypes
def test_dimensions_behind_the_classes(dtype: torch.dtype) -> None:
    """The classes are dimension 1, as in torch."""
    g = generator()
    x, y = normal(g, 2, 5, 3, 4).to(dtype), torch.randint(0, 5, (2, 3, 4), generator=g)
    assert_same(sgt.cross_entropy(x, y), sg.cross_entropy(numbers(x), y.numpy(), axis=1))
    assert_same(
        sgt.cross_entropy(x.movedim(1, 3), y, dim=-1),
        sg.cross_entropy(numbers(x.movedim(1, 3)), y.numpy()),
    )


def test_no_dimensions() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    for dim in (0, -1):
        assert sgt.softmax(x, dim).item() == 1.0
        assert sgt.log_softmax(x, dim).item() == 0.0
        assert sgt.logsumexp(x, dim).item() == 2.0
        assert sgt.logsumexp(x, dim, keepdim=True).shape == ()
    (gradient,) = torch.autograd.grad(sgt.logsumexp(x), x)
    assert gradient.item() == 1.0
    # One of a batch, which is none of its classes.
    assert torch.equal(torch.vmap(sgt.softmax)(torch.tensor([1.0, 5.0])), torch.ones(2))
    assert sgt.cross_entropy(torch.tensor([0.0, 0.0]), torch.tensor(1)).shape == ()


def test_empty() -> None:
    x = torch.zeros(0, 3, requires_grad=True)
    loss = sgt.cross_entropy(x, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad is not None
    assert x.grad.shape == (0, 3)
    assert sgt.softmax(torch.zeros(2, 0)).shape == (2, 0)
    assert torch.equal(sgt.logsumexp(torch.zeros(2, 0)), torch.full((2,), -torch.inf))
    gradient = torch.func.grad(lambda x: sgt.cross_entropy(x, torch.zeros(0, dtype=torch.int64)))(x.detach())
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32], ids=str)
def test_labels_of_any_integer_dtype(dtype: torch.dtype) -> None:
    x, y = normal(generator(), 3, 4), torch.tensor([3, 0, 1])
    assert torch.equal(sgt.cross_entropy(x, y.to(dtype)), sgt.cross_entropy(x, y))


@dtypes
def test_class_weights_of_any_dtype(dtype: torch.dtype) -> None:
    x, y, w = normal(generator(), 3, 4), torch.tensor([3, 0, 1]), torch.tensor([0.5, 1.0, 2.0, 4.0])
    assert torch.equal(sgt.cross_entropy(x, y, w.to(dtype)), sgt.cross_entropy(x, y, w.double()))
