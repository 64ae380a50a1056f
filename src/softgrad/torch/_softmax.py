"""softmax and log_softmax of tensors."""

from __future__ import annotations

from torch import Tensor

from softgrad.torch._registration import Operator
from softgrad.torch._rows import row_arguments
from softgrad.torch._softmax_operators import log_softmax_of, softmax_of


def softmax(
    input: Tensor,
    dim: int | tuple[int, ...] | None = -1,
    *,
    where: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Softmax of each row, in the place of `torch.softmax`.

    Parameters
    ----------
    input : Tensor, any shape
        Logits: float64, float32, float16 or bfloat16, of any strides.
    dim : int, tuple of int or None, default -1
        The dimensions of the classes; None takes the whole tensor as one row.
    where : Tensor of bool, broadcast to `input`, optional
        Classes that take part; the others give 0, whatever they hold.
    temperature : float, default 1
        Divides the logits; positive and finite.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order by `input`, which are made of the result: it is kept for them, and `input` is not.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.softmax`; also for a tensor that is on another device, or not dense.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.softmax(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """
    return _of_rows(softmax_of, input, dim, where, temperature)


def log_softmax(
    input: Tensor,
    dim: int | tuple[int, ...] | None = -1,
    *,
    where: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Logarithm of softmax of each row, in the place of `torch.log_softmax`.

    Parameters
    ----------
    input, dim, where, temperature
        As in `softmax`. Classes that do not take part give -inf.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order by `input`, made of the result as those of `softmax` are.

    Raises
    ------
    TypeError, ValueError
        As in `softmax`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.log_softmax(torch.tensor([0.0, 40.0]))
    tensor([-4.0000e+01, -4.2484e-18])
    """
    return _of_rows(log_softmax_of, input, dim, where, temperature)


def _of_rows(
    operator: Operator[Tensor],
    input: Tensor,
    dim: int | tuple[int, ...] | None,
    where: Tensor | None,
    temperature: float,
) -> Tensor:
    x, mask, dims = row_arguments(input, dim, where)
    result = operator(x, mask, dims, temperature)
    return result if input.dim() else result.squeeze(0)
