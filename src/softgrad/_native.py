"""The one importer of the compiled core: its kernels, its threads, its instruction set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad import _core
from softgrad._core import (
    add_hessian_matrix,
    add_hessian_product,
    add_loss_gradient,
    add_pull,
    advance,
    available_instruction_sets,
    clear_below,
    cross_entropy_if_plain,
    cross_entropy_loss,
    cross_entropy_loss_flushed,
    divide,
    dtypes,
    enter_ieee_mode,
    first_outside,
    from_weights,
    get_num_threads,
    instruction_set,
    log_sigmoid,
    log_softmax,
    log_softmax_if_plain,
    logsumexp,
    logsumexp_if_plain,
    most_tile_classes,
    probability_weights,
    products_of_output,
    products_of_output_if_plain,
    row_products,
    row_products_flushed,
    set_float_mode,
    sigmoid,
    softmax,
    softmax_if_plain,
    softmax_means,
    sparse_product,
    sparse_transposed_product,
    store_rounded,
    sum,
    to_weights,
    token_logprobs,
    turn,
)

__all__ = [
    "add_hessian_matrix",
    "add_hessian_product",
    "add_loss_gradient",
    "add_pull",
    "advance",
    "available_instruction_sets",
    "buffer",
    "clear_below",
    "cross_entropy_if_plain",
    "cross_entropy_loss",
    "cross_entropy_loss_flushed",
    "divide",
    "dtypes",
    "enter_ieee_mode",
    "first_outside",
    "from_weights",
    "get_num_threads",
    "instruction_set",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_if_plain",
    "logsumexp",
    "logsumexp_if_plain",
    "most_tile_classes",
    "num_threads",
    "probability_weights",
    "products_of_output",
    "products_of_output_if_plain",
    "row_products",
    "row_products_flushed",
    "set_float_mode",
    "set_num_threads",
    "sigmoid",
    "softmax",
    "softmax_if_plain",
    "softmax_means",
    "sparse_product",
    "sparse_transposed_product",
    "store_rounded",
    "sum",
    "to_weights",
    "token_logprobs",
    "turn",
]


MOST_THREADS = 1024

# What set_num_threads was given last; 0: nothing, the core counts the CPUs.
_chosen = 0


def buffer(array: NDArray[Any]) -> NDArray[Any]:
    """The array as the core reads it: bfloat16, which the buffer protocol does not know, as its bits."""
    return array.view(np.uint16) if array.dtype.kind == "V" else array


def set_num_threads(count: int) -> None:
    """Set how many threads the native core works with.

    Results do not depend on it. The default is the environment variable ``SOFTGRAD_NUM_THREADS`` or, without it, the
    number of CPUs on which the calling thread may run at the time of the call, and no more than the CPU quota of the
    container, rounded up. Arrays of less than a few tens of thousands of elements stay on one thread.

    Parameters
    ----------
    count : int
        At least 1; the calling thread is one of them.

    Raises
    ------
    TypeError
        If `count` is not an integer.
    ValueError
        If `count` is below 1 or above 1024.

    Examples
    --------
    >>> import softgrad as sg
    >>> before = sg.get_num_threads()
    >>> sg.set_num_threads(1)
    >>> sg.get_num_threads()
    1
    >>> sg.set_num_threads(before)
    """
    global _chosen
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool):
        raise TypeError(f"count must be an integer, got {type(count).__name__}")
    if not 1 <= count <= MOST_THREADS:
        raise ValueError(f"count is {count}; it must be between 1 and {MOST_THREADS}")
    _chosen = int(count)
    _core.set_num_threads(_chosen)


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Work with `count` threads inside a ``with`` block, and with as many as before after it.

    The setting is the whole process's, as that of `set_num_threads`.

    Parameters
    ----------
    count : int
        At least 1; the calling thread is one of them.

    Raises
    ------
    TypeError, ValueError
        As in `set_num_threads`.

    Examples
    --------
    >>> import softgrad as sg
    >>> with sg.num_threads(1):
    ...     sg.get_num_threads()
    1
    """
    global _chosen
    before = _chosen
    set_num_threads(count)
    try:
        yield
    finally:
        _chosen = before
        _core.set_num_threads(before)


def _threads_from_environment() -> None:
    wanted = os.environ.get("SOFTGRAD_NUM_THREADS", "")
    if not wanted:
        return
    try:
        set_num_threads(int(wanted))
    except ValueError:
        raise ValueError(
            f"SOFTGRAD_NUM_THREADS is {wanted!r}; it must be an integer between 1 and {MOST_THREADS}"
        ) from None


_threads_from_environment()
