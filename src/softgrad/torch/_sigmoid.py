"""sigmoid and log_sigmoid of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from softgrad.functional import log_sigmoid as log_core
from softgrad.functional import sigmoid as core
from softgrad.torch._products import Derivative, product
from softgrad.torch._registration import Operator
from softgrad.torch._rows import like, with_batch_in_front
from softgrad.torch._tensors import array, require_floating, tensor


def sigmoid(input: Tensor) -> Tensor:
    """Logistic sigmoid of each element, in the place of `torch.sigmoid`.

    Parameters
    ----------
    input : Tensor, any shape
        float64, float32, float16 or bfloat16, of any strides.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.sigmoid`; also for a tensor that is on another device, or not dense.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.sigmoid(torch.tensor([0.0, -100.0]))
    tensor([5.0000e-01, 3.7835e-44])
    """
    require_floating(input=input)
    return sigmoid_of(input)


def log_sigmoid(input: Tensor) -> Tensor:
    """Logarithm of the logistic sigmoid of each element, in the place of `torch.nn.functional.logsigmoid`.

    Parameters
    ----------
    input : Tensor, any shape
        float64, float32, float16 or bfloat16, of any strides.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order.

    Raises
    ------
    TypeError, ValueError
        As in `sigmoid`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.log_sigmoid(torch.tensor([-800.0, 40.0]))
    tensor([-8.0000e+02, -4.2484e-18])
    """
    require_floating(input=input)
    return log_sigmoid_of(input)


def _kernel(verb: Callable[..., Any]) -> Callable[..., Tensor]:
    return lambda *tensors: tensor(verb(*map(array, tensors)))


def _bend(x: Tensor, g: Tensor, u: Tensor) -> Tensor:
    """The second derivative of the sigmoid s, s(x) s(-x) (s(-x) - s(x)), times g and u."""
    return sigmoid_vjp(x, g * u) * (sigmoid_of(-x) - sigmoid_of(x))


def _log_bend(x: Tensor, g: Tensor, u: Tensor) -> Tensor:
    return -sigmoid_vjp(x, g * u)


def _slope(
    name: str, verb: Callable[..., Any], operator: Callable[[], Operator[Tensor]], bend: Derivative
) -> Operator[Tensor]:
    """A vector times the slope at x, a matrix that is its own transpose."""
    return product(
        f"{name}(Tensor x, Tensor g) -> Tensor",
        _kernel(verb),
        like,
        transposed=operator,
        by_point=bend,
        along_point=bend,
    )


sigmoid_vjp: Operator[Tensor] = _slope("sigmoid_vjp", core.vjp, lambda: sigmoid_vjp, _bend)
log_sigmoid_vjp: Operator[Tensor] = _slope("log_sigmoid_vjp", log_core.vjp, lambda: log_sigmoid_vjp, _log_bend)
sigmoid_of: Operator[Tensor] = Operator(
    "sigmoid(Tensor x) -> Tensor",
    cpu=_kernel(core),
    fake=like,
    vmap=with_batch_in_front(lambda: sigmoid_of),
    backward=lambda a, _, g: (sigmoid_vjp(a[0], g),),
    jvp=lambda a, t: sigmoid_vjp(a[0], t[0]),
)
log_sigmoid_of: Operator[Tensor] = Operator(
    "log_sigmoid(Tensor x) -> Tensor",
    cpu=_kernel(log_core),
    fake=like,
    vmap=with_batch_in_front(lambda: log_sigmoid_of),
    backward=lambda a, _, g: (log_sigmoid_vjp(a[0], g),),
    jvp=lambda a, t: log_sigmoid_vjp(a[0], t[0]),
)
