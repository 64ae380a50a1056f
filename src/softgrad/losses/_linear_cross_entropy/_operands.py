"""What linear_cross_entropy is a function of: hidden, weight and bias, and tangents of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Floating, Int64, floating_array, loss_dtype, same_shape

NAMES = ("hidden", "weight", "bias")
Tangents = tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None]
# A number of a sparse row takes SciPy about as long as so many of a dense one take BLAS.
_SPARSE_COST = 16


@dataclass(frozen=True)
class Operands:
    """The three, of one dtype and of shapes that fit."""

    hidden: Any
    """(N, D): an array, or a `csr_array` of SciPy's."""
    weight: Floating
    bias: Floating | None
    work: np.dtype[Any]
    """What the products are made in: float32 for dtypes of two bytes, of which BLAS has none."""

    @classmethod
    def of(cls, hidden: Any, weight: ArrayLike, bias: ArrayLike | None) -> Operands:
        h, w = _rows_of_features(hidden), floating_array(weight, "weight")
        if w.ndim != 2 or w.shape[1] != h.shape[1]:
            raise ValueError(f"weight has shape {w.shape}; with hidden {h.shape} it must be (V, {h.shape[1]})")
        if w.dtype != h.dtype:
            raise TypeError(f"weight has dtype {w.dtype}; hidden has dtype {h.dtype}")
        work = loss_dtype(w)
        if bias is None:
            return cls(h, w, None, work)
        b = floating_array(bias, "bias")
        if b.shape != w.shape[:1]:
            raise ValueError(f"bias has shape {b.shape}; with weight {w.shape} it must be {w.shape[:1]}")
        if b.dtype != h.dtype:
            raise TypeError(f"bias has dtype {b.dtype}; hidden has dtype {h.dtype}")
        return cls(h, w, b, work)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the logits."""
        return int(self.hidden.shape[0]), int(self.weight.shape[0])

    @property
    def sparse(self) -> bool:
        return not isinstance(self.hidden, np.ndarray)

    @property
    def row_cost(self) -> int:
        """The numbers of a row that a product of it with the weight of a class goes through."""
        if self.sparse:
            return _SPARSE_COST * (1 + int(self.hidden.nnz) // max(1, self.shape[0]))
        return max(1, int(self.weight.shape[1]))

    def rows(self, part: slice | Int64) -> Any:
        """Some rows of hidden as the products take them."""
        rows = self.hidden[part]
        return rows if self.sparse else np.ascontiguousarray(rows, self.work)

    def get(self, name: str) -> Any:
        return getattr(self, name)


class Along(NamedTuple):
    """Tangents of hidden, weight and bias; None for zeros."""

    hidden: Floating | None
    weight: Floating | None
    bias: Floating | None

    @classmethod
    def of(cls, tangents: Tangents, operands: Operands) -> Along:
        if not isinstance(tangents, tuple) or len(tangents) != 3:
            raise TypeError("the tangents must be a tuple of three: of hidden, weight and bias, None for zeros")
        checked: list[Floating | None] = []
        for name, tangent in zip(NAMES, tangents, strict=True):
            argument = operands.get(name)
            if tangent is None:
                checked.append(None)
            elif argument is None:
                raise ValueError(f"there is a tangent of {name}, and no {name}")
            elif name == "hidden" and operands.sparse:
                raise TypeError("hidden is sparse: its tangent must be None")
            else:
                checked.append(same_shape(tangent, f"the tangent of {name}", argument, name))
        return cls(*checked)

    def hidden_rows(self, part: slice | Int64, work: np.dtype[Any]) -> Floating | None:
        """Some rows of the tangent of hidden as the products take them."""
        return None if self.hidden is None else np.ascontiguousarray(self.hidden[part], work)


def checked_names(wrt: Iterable[str], operands: Operands) -> frozenset[str]:
    """What to differentiate by."""
    if isinstance(wrt, str):
        raise TypeError(f"wrt is the string {wrt!r}; give a tuple of names, as in wrt=({wrt!r},)")
    names = frozenset(wrt)
    unknown = names - set(NAMES)
    if unknown:
        raise ValueError(f"wrt names {sorted(unknown)[0]!r}; it may name {', '.join(NAMES)}")
    if operands.sparse and "hidden" in names:
        raise ValueError("hidden is sparse and has no gradient; give wrt without it, as in wrt=('weight', 'bias')")
    return names


def _rows_of_features(hidden: Any) -> Any:
    # Whoever has an array of SciPy's has imported it.
    sparse = sys.modules.get("scipy.sparse")
    if sparse is None or not sparse.issparse(hidden):
        rows = floating_array(hidden, "hidden")
    elif hidden.format != "csr":
        raise TypeError(f"hidden is sparse, of the format {hidden.format}; it must be csr: give hidden.tocsr()")
    elif hidden.dtype.kind in "iub" or hidden.dtype in (np.float32, np.float64):
        # Of SciPy's matrices, another kind, `*` would be a product of matrices.
        rows = sparse.csr_array(hidden, dtype=hidden.dtype if hidden.dtype.kind == "f" else np.float64)
    else:
        raise TypeError(f"hidden is sparse, of dtype {hidden.dtype}; it must be float64, float32 or an integer dtype")
    if rows.ndim != 2:
        raise ValueError(f"hidden has shape {rows.shape}; it must be (N, D)")
    return rows
