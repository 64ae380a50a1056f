"""The Hessian of a loss by the logits of each row, held as the two vectors it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.floating[Any]]


class DiagonalPlusRankOne:
    """Symmetric matrices diag(d) + c u u^T, one a row, in K numbers each instead of K^2.

    Made by the ``hessian`` of a loss: for cross-entropy, diag(p) - p p^T. It is held as its whole diagonal, its off-diagonal
    part c u_i u_j and its row sums, not as d: where u is nearly a unit vector, d + c u^2 would cancel, and so would a
    product with a vector that is nearly constant.

    Parameters
    ----------
    diagonal : ndarray, shape (\\*batch, K)
        The whole diagonal of each matrix, d + c u^2.
    vector : ndarray, shape (\\*batch, K)
        u.
    coefficient : ndarray, shape (\\*batch,)
        c. All zero: the matrices are diagonal.
    row_sums : ndarray, shape (\\*batch, K)
        Each matrix times the vector of ones. Zero for a function of probabilities alone.

    Attributes
    ----------
    shape : tuple of int
        (\\*batch, K, K). Several class axes count as one, flattened in C order.
    dtype : numpy.dtype
        That of the logits; products and solutions are worked out in float64.

    Examples
    --------
    >>> import numpy as np, softgrad as sg
    >>> hessian = sg.cross_entropy.hessian([0.0, 0.0, np.log(2.0)], 0)
    >>> hessian.toarray()
    array([[ 0.1875, -0.0625, -0.125 ],
           [-0.0625,  0.1875, -0.125 ],
           [-0.125 , -0.125 ,  0.25  ]])
    >>> hessian @ [1.0, 1.0, 1.0]
    array([0., 0., 0.])
    """

    def __init__(
        self, diagonal: FloatArray, vector: FloatArray, coefficient: FloatArray, row_sums: FloatArray, dtype: Any
    ) -> None:
        self._diagonal = diagonal
        self._vector = vector
        self._coefficient = coefficient
        self._row_sums = row_sums
        self.dtype = np.dtype(dtype)
        self.shape: tuple[int, ...] = (*diagonal.shape, diagonal.shape[-1])

