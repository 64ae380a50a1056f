"""The pass over blocks of rows and classes, for rows of logits that do not fit.

The logits are made twice: once for the logsumexp of each block of classes, then for its part of the loss and gradient.
There a block has one column more, with the logsumexp of all classes outside of it: the softmax over both is that over
all classes, and the kernel does not know that it sees a part of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._contracts import Float64, Floating, Int64
from softgrad._negligible import clear_negligible
from softgrad.losses._cross_entropy_problem import CrossEntropyProblem
from softgrad.losses._labels import ProbabilityLabels
from softgrad.losses._linear_cross_entropy._gradients import Sums
from softgrad.losses._linear_cross_entropy._head import Head
from softgrad.losses._linear_cross_entropy._sizes import count


def losses(head: Head, sums: Sums | None) -> Float64:
    """The loss of each row; the gradients of the reduced loss are added to `sums`."""
    found = np.zeros(head.problem.batch)
    buffers = _Buffers.of(head)
    for part in head.counting_blocks():
        rows = head.operands.rows(part)
        block = _RowBlock(head, part, head.problem.rows(part), rows, buffers.rows(count(part)))
        found[part] = block.losses(sums)
        if sums is not None:
            sums.end_block(part)
    return found


@dataclass(frozen=True)
class _Buffers:
    """One of each for all blocks."""

    products: Floating
    """Logits as BLAS makes them; then their gradient."""
    logits: Float64
    """What the options make of the logits, with the column for the other classes."""
    targets: Float64

    @classmethod
    def of(cls, head: Head) -> _Buffers:
        shape = head.sizes.rows, head.sizes.classes + 1
        return cls(head.buffer(), np.empty(shape), np.empty(shape))

    def rows(self, number: int) -> _Buffers:
        return _Buffers(self.products[:number], self.logits[:number], self.targets[:number])

    def classes(self, number: int) -> _Buffers:
        return _Buffers(self.products[:, :number], self.logits[:, : number + 1], self.targets[:, : number + 1])


@dataclass(frozen=True)
class _RowBlock:
    """Some rows, all of which count."""

    head: Head
    part: slice | Int64
    problem: CrossEntropyProblem
    rows: Any
    buffers: _Buffers

    # NaN is the result of a row that holds one, and no reason to warn.
    @np.errstate(invalid="ignore")
    def losses(self, sums: Sums | None) -> Float64:
        inside = np.stack([self._logsumexp(classes) for classes in self._classes()])
        outside = _of_the_others(inside)
        total = np.zeros(len(self.buffers.logits))
        for classes, others in zip(self._classes(), outside, strict=True):
            total += self._losses_of(classes, others, sums)
        if self.problem.z_loss != 0.0:
            penalty = self.problem.z_loss * np.square(np.logaddexp.reduce(inside))
            weights = self.problem.labels.row_weights(class_weights_inside=True)
            total += penalty if weights is None else penalty * weights
        return total

    def _classes(self) -> Iterator[slice]:
        last, width = self.head.operands.shape[1], self.head.sizes.classes
        return (slice(start, min(start + width, last)) for start in range(0, last, width))

    def _logsumexp(self, classes: slice) -> Float64:
        buffers = self._transformed(classes)
        if self.head.predictions is not None:
            mask = None if self.problem.mask is None else self.problem.mask[:, classes]
            self.head.predictions.see(self.part, buffers.products, mask, classes.start)
        transformed = buffers.logits[:, :-1]
        found = np.empty(len(transformed))
        _native.logsumexp(transformed, found, (1,), None)
        return found

    def _transformed(self, classes: slice) -> _Buffers:
        """The logits of some classes, and what the options make of them; classes that are left out are at -inf."""
        problem, buffers = self.problem, self.buffers.classes(classes.stop - classes.start)
        self.head.logits(self.rows, classes, buffers.products)
        z = buffers.logits[:, :-1]
        z[...] = buffers.products
        if problem.softcap != np.inf:
            z /= problem.softcap
            np.tanh(z, out=z)
            z *= problem.softcap
        z /= problem.temperature
        if problem.mask is not None:
            z[~problem.mask[:, classes]] = -np.inf
        return buffers

    def _losses_of(self, classes: slice, others: Float64, sums: Sums | None) -> Float64:
        """The part of the losses that targets in these classes have; the gradient by their logits goes to `sums`."""
        buffers = self._transformed(classes)
        buffers.logits[:, -1] = others
        self._write_targets(classes, buffers.targets)
        # The penalty on the logsumexp is added once, but every block has its gradient.
        found = self._problem_with(buffers.targets, 0.0).row_losses(buffers.logits, None)
        if sums is None:
            return found
        totals = self.problem.labels.totals((1,), self.problem.mask)
        np.subtract(1.0 if totals is None else totals, buffers.targets.sum(axis=1), out=buffers.targets[:, -1])
        slope = self._slope(buffers.products)
        self._problem_with(buffers.targets, self.problem.z_loss).row_losses(buffers.logits, buffers.logits)
        gradient = buffers.logits[:, :-1]
        gradient *= slope
        if self.problem.mask is not None:
            gradient[~self.problem.mask[:, classes]] = 0.0
        clear_negligible(gradient, self.problem.row_factors(), buffers.products.dtype)
        buffers.products[...] = gradient
        sums.add(buffers.products, self.rows, self.head.operands.weight, classes.start)
        return found

    def _write_targets(self, classes: slice, out: Float64) -> None:
        """The targets of some classes, class weights and smoothing in them; that of the others is 0."""
        labels, mask = self.problem.labels, self.problem.mask
        class_weights = 1.0 if labels.class_weight is None else labels.class_weight[classes]
        inside = out[:, :-1]
        out[:, -1] = 0.0
        labels.write(classes, inside)
        if labels.smoothing != 0.0:
            inside *= 1.0 - labels.smoothing
            if mask is None:
                inside += labels.smoothing / self.head.operands.shape[1]
            else:
                inside += mask[:, classes] * (labels.smoothing / mask.sum(axis=1))[:, None]
        inside *= class_weights

    def _problem_with(self, targets: Float64, z_loss: float) -> CrossEntropyProblem:
        """The problem of the block, whose logits are transformed and whose targets are whole."""
        given = self.problem.labels
        plain = ProbabilityLabels(None, given.sample_weight, 0.0, given.label_weights, targets, (1,))
        return replace(self.problem, labels=plain, mask=None, softcap=np.inf, temperature=1.0, z_loss=z_loss)

    def _slope(self, logits: Floating) -> NDArray[Any] | float:
        """The derivative of the transformed logits by those that BLAS made."""
        if self.problem.softcap == np.inf:
            return 1.0 / self.problem.temperature
        with np.errstate(over="ignore"):
            slope = np.cosh(np.divide(logits, self.problem.softcap, dtype=np.float64))
        np.square(slope, out=slope)
        slope *= self.problem.temperature
        return np.divide(1.0, slope, out=slope)


def _of_the_others(inside: Float64) -> Float64:
    """The logsumexp of all other blocks of classes, from that of each, (blocks, rows)."""
    nothing = np.full((1, inside.shape[1]), -np.inf)
    before = np.concatenate([nothing, np.logaddexp.accumulate(inside[:-1])])
    after = np.concatenate([np.logaddexp.accumulate(inside[:0:-1])[::-1], nothing])
    outside: Float64 = np.logaddexp(before, after)
    return outside
