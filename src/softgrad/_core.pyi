from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Buffer = NDArray[Any]
_Mask = NDArray[np.bool_]
_Float64 = NDArray[np.float64]
_Range = tuple[int, int]
_Int64 = NDArray[np.int64]
_Index = NDArray[np.int32] | NDArray[np.int64]
# (n, d); or the data, indices and indptr of a matrix in CSR form.
_Features = _Buffer | tuple[_Buffer, _Index, _Index]

most_tile_classes: int

def instruction_set() -> str: ...
def available_instruction_sets() -> list[str]: ...
def get_num_threads() -> int:
    """How many threads the native core works with."""

def set_num_threads(count: int) -> None: ...
def dtypes() -> list[str]: ...
def softmax(x: _Buffer, out: _Buffer, axes: Sequence[int], where: _Mask | None, temperature: float) -> None: ...
def log_softmax(x: _Buffer, out: _Buffer, axes: Sequence[int], where: _Mask | None, temperature: float) -> None: ...
def logsumexp(x: _Buffer, out: _Buffer, axes: Sequence[int], where: _Mask | None) -> None: ...
def softmax_if_plain(x: _Buffer, out: _Buffer) -> bool:
    """softmax of the last axis of an array that nothing has to be done to first; if it is none, False and no more.

    It is of float64, float32 or float16, native and aligned, and has an axis.
    """

def log_softmax_if_plain(x: _Buffer, out: _Buffer) -> bool: ...
def logsumexp_if_plain(x: _Buffer, out: _Buffer) -> bool: ...
def row_products(
    product: str,
    x: _Buffer,
    v: _Buffer | None,
    w: _Buffer | None,
    axes: Sequence[int],
    where: _Mask | None,
    temperature: float,
    factor: _Float64 | None,
    scale: float,
    massless_is_zero: bool,
    out: _Buffer,
) -> None: ...

row_products_flushed = row_products
"""With 0 for results that would be subnormal, where the processor can."""

def products_of_output(
    product: str,
    output: _Buffer,
    v: _Buffer,
    axes: Sequence[int],
    where: _Mask | None,
    scale: float,
    out: _Buffer,
) -> None: ...
def products_of_output_if_plain(product: str, output: _Buffer, v: _Buffer, out: _Buffer) -> bool:
    """`products_of_output` of the last axis of arrays that nothing has to be done to first; else False and no more.

    They are as for `softmax_if_plain`, of one shape and dtype; `out` may be `output`.
    """

def clear_below(rows: _Buffer, thresholds: _Float64, vectors: _Buffer | None) -> None:
    """Make 0 what is smaller in size than the threshold of its row; float32 or float64, each row contiguous.

    With vectors, of the shape and dtype of the rows, a threshold is multiplied by the largest size in its row of them.
    """

def softmax_means(x: _Buffer, v: _Buffer, axes: Sequence[int], where: _Mask | None, out: _Float64) -> None: ...
def add_loss_gradient(
    x: _Features,
    labels: _Int64,
    weights: _Float64,
    least: float,
    weight: _Buffer,
    bias: _Buffer | None,
    out: _Buffer,
    out_bias: _Float64 | None,
) -> float:
    """Add the gradient of the weighted cross-entropies of rows by what makes logits of their features; their sum.

    All but the labels (n,), the row weights (n,) and `out_bias` is in one dtype. Dense features have a `weight` and an
    `out` of shape (k, d), sparse ones (d, k), C-contiguous; both biases (k,), or neither. Gradients by a logit below
    `least` times the weight of the row are left out. At most `most_tile_classes` classes; on the calling thread.
    """

def add_hessian_product(
    x: _Features,
    probabilities: _Buffer,
    weights: _Float64,
    least: float,
    weight: _Buffer,
    bias: _Buffer | None,
    out: _Buffer,
    out_bias: _Float64 | None,
) -> None:
    """Add the product of the Hessian of these cross-entropies with a direction, `weight` and `bias`.

    The probabilities are (n, k); the rest as for `add_loss_gradient`. What is below `least` times the weight of the row
    and the largest logit that the direction has there is left out.
    """

def add_hessian_matrix(x: _Buffer, weight: _Buffer, weights: _Float64, others: _Int64, out: _Float64) -> None:
    """Add the Hessian of the weighted cross-entropies of rows by the weights of some classes, the `others`.

    The logits are x @ weight.T, of at most `most_tile_classes` classes. The dense features (n, d) and the weight (k, d)
    are in one dtype, in which the rows are added up; `out`, (m, d, m, d) for m others, is float64. Of it each class
    gets its block, and those with the classes before it.
    """

def advance(
    columns: _Range, length: float, search: _Float64, curved: _Float64, direction: _Float64, residual: _Float64
) -> None:
    """direction += length * search and residual -= length * curved, in the range of the columns.

    This one and those that follow work on C-contiguous arrays (k, p) of the unknowns, on the calling thread.
    """

def turn(columns: _Range, ratio: float, next: _Float64, search: _Float64) -> None:
    """search = next + ratio * search."""

def divide(columns: _Range, residual: _Float64, diagonal: _Float64, out: _Float64) -> float:
    """Make `out` residual / diagonal less its mean over the classes; its inner product with the residual."""

def add_pull(columns: _Range, ridge: _Float64, theta: _Float64, result: _Float64) -> tuple[float, float]:
    """Take its mean over the classes off the result and add ridge * theta, the ridge (p,).

    The inner products of theta with the result, and with what the ridge adds.
    """

def to_weights(
    columns: _Range,
    theta: _Float64,
    centre: _Float64,
    inverse_scale: _Float64,
    transposed: bool,
    weights: _Buffer,
    along: _Float64,
) -> None:
    """Make weights (k, d) of theta on standardised features, float32 or float64; transposed: (d, k).

    Their products with the centre (d,) are added to `along` (k,).
    """

def from_weights(
    columns: _Range,
    by_weights: _Float64,
    by_biases: _Float64 | None,
    centre: _Float64,
    inverse_scale: _Float64,
    transposed: bool,
    by_theta: _Float64,
) -> None:
    """The transpose of `to_weights`; with derivatives by biases (k,), theta has a last column for intercepts."""

def sparse_product(
    data: _Buffer, indices: _Index, indptr: _Index, dense: _Buffer, bias: _Buffer | None, out: _Buffer
) -> None:
    """X @ dense + bias for X (n, d) in CSR form, dense (d, k), bias (k,); all in one dtype, on the calling thread."""

def sparse_transposed_product(data: _Buffer, indices: _Index, indptr: _Index, dense: _Buffer, out: _Buffer) -> None:
    """Add X.T @ dense to `out` (d, k), for X (n, d) in CSR form and dense (n, k); as `sparse_product`."""

def sigmoid(x: _Buffer, out: _Buffer) -> None: ...
def log_sigmoid(x: _Buffer, out: _Buffer) -> None: ...
def token_logprobs(
    logits: _Buffer, axes: Sequence[int], labels: _Int64, logprobs: _Float64, entropies: _Float64, ranks: _Int64
) -> None: ...
def sum(values: _Float64) -> float: ...
def enter_ieee_mode() -> int | None:
    """Have this thread round to nearest and keep subnormals; its mode before, None if that is how it worked."""

def set_float_mode(mode: int) -> None: ...
def store_rounded(value: float, out: NDArray[np.floating[Any]]) -> None:
    """Write a number where there is one float32 or float64; beyond the range is inf, without a warning."""

def first_outside(labels: _Int64, classes: int) -> int:
    """The place in C order of the first label that is no class, -1 if there is none."""

def cross_entropy_if_plain(logits: _Buffer, labels: _Buffer, gradient: _Buffer | None) -> float | None:
    """The mean cross-entropy of the last axis of arrays that nothing has to be done to first; else None and no more.

    The logits are as for `softmax_if_plain`, the labels int64 in C order, each a class; there is a row. `gradient` is
    that of the mean.
    """

def cross_entropy_loss(
    logits: _Buffer,
    labels: _Buffer,
    axes: Sequence[int],
    *,
    label_weight: _Float64 | None = None,
    sample_weight: _Float64 | None = None,
    class_weight: _Float64 | None = None,
    smoothing: float = 0.0,
    where: _Mask | None = None,
    softcap: float = ...,
    temperature: float = 1.0,
    z_loss: float = 0.0,
    upstream: _Float64 | None = None,
    scale: float = 1.0,
    divisor: float = 1.0,
    losses: _Float64 | None = None,
    gradient: _Buffer | None = None,
    tangent: _Buffer | None = None,
) -> float:
    """The losses of the rows, summed, over `divisor`, rounded to the dtype of the loss; the kernel is chosen here.

    Every array over rows is flat, in C order. Rounded to float64 for logits of float64, to float32 for others: it is a
    float either way, which the dtype then holds exactly.

    Parameters
    ----------
    logits : buffer, any shape
    labels : buffer
        int64, flat: a class of each row. Floating: probabilities, the shape of `logits`, any of the dtypes.
    axes : sequence of int
        The class axes, ascending.
    label_weight : float64, one a row, optional
        sample_weight * sum_k y_k w_k, y before smoothing. A row where it is 0 is not looked at: its loss and gradient
        are 0. Needed with `sample_weight` or `class_weight`, which it contains.
    sample_weight : float64, one a row, optional
    class_weight : float64, one a class, optional
    smoothing, where, softcap, temperature, z_loss
        As in `softgrad.cross_entropy`, checked; `where` has the shape of `logits`.
    upstream : float64, one a row, optional
    scale : float
        The gradient of a row is that of its loss, with its weights, times upstream * scale.
    divisor : float
        It divides the sum of the losses, not the gradient.
    losses : float64, one a row, optional
        Where the loss of each row goes, with its weights and before `divisor`.
    gradient : buffer like `logits`, optional
        Where the gradient goes; it may be `logits` itself.
    tangent : buffer like `logits`, optional
        The derivatives of the losses along it take the place of the losses; not with `gradient`.

    Raises
    ------
    IndexError
        A label is no class; `first_outside` tells which. Nothing was written.
    TypeError
        An array over rows has another length.
    """

cross_entropy_loss_flushed = cross_entropy_loss
"""With 0 for numbers that would be subnormal, where the processor can."""

def probability_weights(
    probabilities: _Buffer, axes: Sequence[int], class_weight: _Float64 | None, out: _Float64
) -> None:
    """Write the sum of each row, times the class weights: not finite for a row with a negative or not finite entry."""
