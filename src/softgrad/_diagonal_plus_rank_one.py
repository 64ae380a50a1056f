"""The Hessian of a loss by the logits of a row, held as the vectors it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._float_mode import in_ieee_mode

Float64 = NDArray[np.float64]


class DiagonalPlusRankOne:
    """Symmetric matrices diag(d) + c u u^T, one a row, in a few vectors instead of K x K numbers.

    The ``hessian`` of a loss returns one: that of cross-entropy is diag(p) - p p^T. What is held is the whole diagonal,
    the off-diagonal part c u_i u_j and the row sums, and not d: where one class has nearly all of u, d + c u^2 would
    cancel, and so would the product with a vector that is nearly constant.

    Parameters
    ----------
    diagonal : ndarray of float64, shape (\\*batch, K)
        The whole diagonal, d + c u^2.
    vector : ndarray of float64, shape (\\*batch, K)
        u; not negative.
    coefficient : ndarray of float64, shape (\\*batch,)
        c; zero where the matrix is diagonal.
    row_sums : ndarray of float64, shape (\\*batch, K)
        The matrix times the vector of ones; zero for a function of probabilities alone.
    dtype : dtype
        That of the results. All is worked out in float64 and rounded once.

    Attributes
    ----------
    shape : tuple of int
        (\\*batch, K, K); several class axes are flattened into one, in C order.
    dtype : numpy.dtype

    Examples
    --------
    >>> import softgrad as sg
    >>> hessian = sg.cross_entropy.hessian([[0.0, 0.0], [0.0, 40.0]], [0, 1], reduction="sum")
    >>> hessian.shape
    (2, 2, 2)
    >>> hessian.toarray()[0]
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    >>> hessian @ [[1.0, 1.0], [1.0, 0.0]]
    array([[ 0.00000000e+00,  0.00000000e+00],
           [ 4.24835426e-18, -4.24835426e-18]])
    """

    def __init__(self, diagonal: Float64, vector: Float64, coefficient: Float64, row_sums: Float64, dtype: Any) -> None:
        self._diagonal = diagonal
        self._vector = vector
        self._coefficient = coefficient
        self._row_sums = row_sums
        self.dtype = np.dtype(dtype)
        self.shape: tuple[int, ...] = (*diagonal.shape, diagonal.shape[-1])

    def __repr__(self) -> str:
        return f"<DiagonalPlusRankOne of shape {self.shape}, dtype {self.dtype}>"

    @in_ieee_mode
    def diagonal(self) -> NDArray[Any]:
        """The diagonals, shape (\\*batch, K)."""
        return self._rounded(self._diagonal.copy())

    @in_ieee_mode
    def toarray(self) -> NDArray[Any]:
        """The matrices with all their elements, shape (\\*batch, K, K)."""
        u = self._vector
        dense = self._coefficient[..., None, None] * (u[..., :, None] * u[..., None, :])
        classes = np.arange(u.shape[-1])
        dense[..., classes, classes] = self._diagonal
        return self._rounded(dense)

    @in_ieee_mode
    def __matmul__(self, other: ArrayLike) -> NDArray[Any]:
        """The product of each matrix with its vector (\\*batch, K), or with its M vectors (\\*batch, K, M)."""
        columns, single = self._columns(other)
        if self.shape[-1] == 0:
            product = np.zeros_like(columns)
        else:
            # Times a constant it is the row sums times it: what is left has a 0 where u is largest. A diagonal matrix
            # has nothing that cancels.
            centre = np.take_along_axis(columns, self._vector.argmax(axis=-1)[..., None, None], axis=-2)
            centre = np.where(self._coefficient[..., None, None] == 0.0, 0.0, centre)
            apart = columns - centre
            u = self._vector[..., None]
            inner = (u * apart).sum(axis=-2, keepdims=True)
            product = self._rest()[..., None] * apart + self._coefficient[..., None, None] * u * inner
            product += self._row_sums[..., None] * centre
        return self._rounded(product[..., 0] if single else product)

    @in_ieee_mode
    def solve(self, right: ArrayLike, damping: float = 0.0) -> NDArray[Any]:
        """The x with (H + damping I) x = right, by the formula of Sherman and Morrison: in time linear in K.

        Parameters
        ----------
        right : array_like, shape (\\*batch, K) or (\\*batch, K, M)
            One right-hand side a matrix, or M.
        damping : float, default 0
            Added to the diagonal; finite and not negative. The Hessian of a function of probabilities is singular
            without: constants are in its null space.

        Returns
        -------
        ndarray, shape of `right`

        Raises
        ------
        ValueError
            Shapes do not fit, or `damping` is out of range.
        numpy.linalg.LinAlgError
            A matrix is singular; the message names its row.

        Notes
        -----
        The denominator 1 + c sum u^2 / (d + damping) cancels near a singular matrix. By the row sums r it is
        sum u (damping + r) / (d + damping) / sum u, a sum of terms of one sign where none of them is negative.

        Examples
        --------
        >>> import softgrad as sg
        >>> hessian = sg.cross_entropy.hessian([0.0, 0.0], 1)
        >>> hessian.solve([0.5, -0.5], damping=0.5)
        array([ 0.5, -0.5])
        """
        damping = float(damping)
        if not 0.0 <= damping < np.inf:
            raise ValueError(f"damping is {damping}; it must be finite and not negative")
        columns, single = self._columns(right)
        u = self._vector
        rest = self._rest() + damping
        total = u.sum(axis=-1)
        rank_one = (self._coefficient != 0.0) & (total != 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = u / rest
            denominator = (weights * (damping + self._row_sums)).sum(axis=-1) / np.where(rank_one, total, 1.0)
            factor = np.where(rank_one, self._coefficient / denominator, 0.0)
        singular = (rest == 0.0).any(axis=-1) | (rank_one & (denominator == 0.0))
        if singular.any():
            row = [int(i) for i in np.unravel_index(int(singular.argmax()), singular.shape)] if singular.ndim else []
            raise np.linalg.LinAlgError(f"the matrix of row {row} is singular at damping {damping}; give a larger one")
        shared = (weights[..., None] * columns).sum(axis=-2, keepdims=True)
        solution = columns / rest[..., None] - factor[..., None, None] * shared * weights[..., None]
        return self._rounded(solution[..., 0] if single else solution)

    def _rest(self) -> Float64:
        """d: the diagonal without that of the rank-one part."""
        return self._diagonal - self._coefficient[..., None] * np.square(self._vector)

    def _columns(self, other: ArrayLike) -> tuple[Float64, bool]:
        """One vector or several for each matrix as (\\*batch, K, M), and whether it is one."""
        array = np.asarray(other, np.float64)
        single = array.ndim == len(self.shape) - 1
        columns = array[..., None] if single else array
        if columns.shape[:-1] != self.shape[:-1]:
            raise ValueError(
                f"the other operand has shape {array.shape}; matrices of shape {self.shape} take "
                f"{self.shape[:-1]}, or {self.shape[:-1]} and a number of columns"
            )
        return columns, single

    def _rounded(self, values: Float64) -> NDArray[Any]:
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(self.dtype, copy=False)
