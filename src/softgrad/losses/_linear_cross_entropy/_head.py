"""A call of linear_cross_entropy or of one of its derivatives: everything checked, nothing computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, SupportsIndex, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Float64, Floating, Int64, RowValues
from softgrad.losses._cross_entropy_problem import CrossEntropyOptions, CrossEntropyProblem, checked_cross_entropy
from softgrad.losses._linear_cross_entropy._bfloat16 import in_bfloat16
from softgrad.losses._linear_cross_entropy._operands import NAMES, Operands
from softgrad.losses._linear_cross_entropy._predictions import Predictions
from softgrad.losses._linear_cross_entropy._products import MatrixProduct, Products, in_numpy
from softgrad.losses._linear_cross_entropy._sizes import Sizes, count, parts, sizes
from softgrad.losses._reduction import Planner

Progress = Callable[[int, int], object]
ComputeDtype = Literal["bfloat16"] | None


class HeadOptions(CrossEntropyOptions, total=False):
    """The options of `linear_cross_entropy` beside the reduction."""

    block_bytes: SupportsIndex | None
    compute_dtype: ComputeDtype
    progress: Progress | None
    predictions: Int64 | None


@dataclass(frozen=True)
class Head:
    """The losses, the operands that their logits are made of, and how."""

    problem: CrossEntropyProblem
    operands: Operands
    products: Products
    sizes: Sizes
    progress: Progress | None
    predictions: Predictions | None

    @classmethod
    def of(
        cls,
        operands: Operands,
        labels: ArrayLike,
        plan: Planner,
        numbers: int = 1,
        whole_rows: bool = False,
        *,
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        **options: Unpack[CrossEntropyOptions],
    ) -> Head:
        """`numbers` and `whole_rows` as in `sizes`."""
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, got {type(progress).__name__}")
        problem = checked_cross_entropy(operands.shape, (1,), labels, plan, **options)
        problem.labels.require_classes(problem.batch, operands.shape[1])
        place = None
        if predictions is not None:
            read = {name: operands.get(name) for name in NAMES}
            place = Predictions(predictions, operands.shape[0], **read, labels=labels, **options)
        taken = sizes(operands, block_bytes, numbers=numbers, whole_rows=whole_rows)
        # PyTorch's products copy what is read-only.
        at_once = taken.at_once if compute_dtype is None else taken.held
        products = Products(operands.work, at_once, taken.held, _product(operands, compute_dtype))
        return cls(replace(problem, flushing=True), operands, products, taken, progress, place)

    @property
    def has_whole_rows(self) -> bool:
        """Whether a block has all classes."""
        return self.sizes.classes == self.operands.shape[1]

    def counting_blocks(self) -> Iterator[slice | Int64]:
        """The rows that count, a block at a time; those that do not cost nothing. Progress is told after each."""
        if self.predictions is not None:
            self.predictions.begin()
        whole = self.problem.labels.counting(slice(0, self.operands.shape[0]))
        done, total = 0, count(whole)
        for part in parts(whole, self.sizes.rows):
            yield part
            done += count(part)
            if self.progress is not None:
                self.progress(done, total)

    def buffer(self) -> Floating:
        """A place for the logits of a block."""
        return np.empty((self.sizes.rows, self.sizes.classes), self.operands.work)

    def logits(self, rows: Any, classes: slice, out: Floating) -> None:
        """The logits of some rows of hidden, for some classes, go to `out`."""
        self.products.logits(rows, self.operands.weight[classes], out)
        if self.operands.bias is not None:
            np.add(out, self.operands.bias[classes], out=out)

    def reduced(self, losses: Float64) -> RowValues:
        """The losses of the rows as the result that was asked for."""
        return self.problem.plan.result(losses, losses.shape, self.operands.work)


def _product(operands: Operands, compute_dtype: ComputeDtype) -> MatrixProduct:
    if compute_dtype is None:
        return in_numpy
    if compute_dtype != "bfloat16":
        raise ValueError(f"compute_dtype is {compute_dtype!r}; it must be None or 'bfloat16'")
    if operands.sparse or operands.weight.dtype.name not in ("float32", "bfloat16"):
        what = "sparse" if operands.sparse else f"of dtype {operands.weight.dtype}"
        raise TypeError(f"compute_dtype='bfloat16' is for dense float32 and bfloat16; hidden is {what}")
    return in_bfloat16()
