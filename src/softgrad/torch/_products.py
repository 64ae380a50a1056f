"""Operators that are linear in a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from softgrad.torch._registration import Kernel, Operator
from softgrad.torch._rows import total, with_batch_in_front

# Given the point, the vector, and what arrives from above or the tangent of the point; then the rest of the arguments.
Derivative = Callable[..., Tensor]


def product(
    schema: str,
    cpu: Kernel,
    fake: Kernel,
    *,
    transposed: Callable[[], Operator[Tensor]],
    by_point: Derivative,
    along_point: Derivative,
) -> Operator[Tensor]:
    """The operator of a product of a vector with a matrix that depends on a point: its first two arguments are these.

    Parameters
    ----------
    transposed : callable
        The operator of the product with the transposed matrix.
    by_point, along_point : callable
        The gradient by the point, and the derivative along a change of it.
    """

    def backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
        point, vector, *rest = a
        return (
            by_point(point, vector, u, *rest) if needs[0] else None,
            transposed()(point, u, *rest) if needs[1] else None,
        )

    def jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
        point, vector, *rest = a
        return total(
            None if t[0] is None else along_point(point, vector, t[0], *rest),
            None if t[1] is None else operator(point, t[1], *rest),
        )

    operator: Operator[Tensor] = Operator(
        schema, cpu=cpu, fake=fake, vmap=with_batch_in_front(lambda: operator), backward=backward, jvp=jvp
    )
    return operator
