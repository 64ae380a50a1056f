"""The operators of a loss of rows: the losses, their gradients, and their first and second derivatives along vectors.

None of them reduces. A batch of vmap is one more dimension of rows for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from softgrad.losses._base import Loss
from softgrad.torch._batches import in_front, one_by_one
from softgrad.torch._reduction import Reduction
from softgrad.torch._registration import Operator
from softgrad.torch._rows import like, total
from softgrad.torch._tensors import LOSS_DTYPES, array, tensor


class TensorDerivatives(ABC):
    """The derivatives of a loss by the tensors beside the logits, made of operators that have derivatives.

    The losses themselves, without a vector, or their derivatives along one or two vectors, are derived by tensors.
    Those that have no derivative are refused.
    """

    @abstractmethod
    def gradients(
        self, needs: Sequence[bool], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Sequence[Tensor | None]:
        """The gradients by those tensors that need one, times upstream."""

    @abstractmethod
    def rates(self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], *rest: Any) -> Tensor:
        """The rates of the rows, with tangents of the tensors."""

    @abstractmethod
    def gradients_of_rates(
        self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Tensor:
        """The gradients by x of `rates` times upstream."""


def no_derivative(name: str, needs: Sequence[bool], tensors: Sequence[str]) -> NotImplementedError:
    names = [each.split()[1] for each, needed in zip(tensors, needs, strict=True) if needed]
    return NotImplementedError(f"{name} has no derivative by {' and '.join(names)}: detach it")


class LossOperators(ABC):
    """The operators of a loss.

    Their arguments are the logits x, vectors of their shape, what arrives from above for each loss where the schema has
    `upstream`, and the `rest`: the tensors and the numbers that the schema of the loss names.
    """

    loss: ClassVar[Loss]
    tensors: tuple[str, ...]
    """The tensors of `rest`, the targets first, as a schema has them."""
    shared: tuple[str, ...] = ()
    """Names of tensors that are one for all rows."""
    numbers: str
    """Its numbers, as a schema has them."""
    by_tensors: TensorDerivatives | None = None
    """None: the loss has no derivatives by them."""

    def __init__(self) -> None:
        name, rest = self.loss.name, ", ".join((*self.tensors, self.numbers))
        self.losses: Operator[Tensor] = Operator(
            f"{name}(Tensor x, {rest}) -> Tensor",
            cpu=partial(self._cpu, self.loss, 0, False),
            fake=self.losses_like,
            vmap=partial(self._of_batch, lambda: self.losses, 1),
            backward=self._losses_backward,
            jvp=self._losses_jvp,
        )
        self.gradients: Operator[Tensor] = Operator(
            f"{name}_grad(Tensor x, Tensor upstream, {rest}) -> Tensor",
            cpu=partial(self._cpu, self.loss.grad, 0, True),
            fake=like,
            vmap=partial(self._of_batch, lambda: self.gradients, 2),
            backward=self._gradients_backward,
            jvp=self._gradients_jvp,
        )
        self.rates: Operator[Tensor] = Operator(
            f"{name}_jvp(Tensor x, Tensor v, {rest}) -> Tensor",
            cpu=partial(self._cpu, self.loss.jvp, 1, False),
            fake=lambda x, _, *rest: self.losses_like(x, *rest),
            vmap=partial(self._of_batch, lambda: self.rates, 2),
            backward=self._rates_backward,
            jvp=self._rates_jvp,
        )
        self.products: Operator[Tensor] = Operator(
            f"{name}_hvp(Tensor x, Tensor v, Tensor upstream, {rest}) -> Tensor",
            cpu=partial(self._cpu, self.loss.hvp, 1, True),
            fake=like,
            vmap=partial(self._of_batch, lambda: self.products, 3),
            backward=self._products_backward,
            jvp=self._products_jvp,
        )

    @abstractmethod
    def keywords(self, *rest: Any) -> dict[str, Any]:
        """`rest` but for the targets, as options of the core's verbs."""

    @abstractmethod
    def dims(self, *rest: Any) -> list[int]:
        """The dimensions of the classes."""

    @abstractmethod
    def in_batch(self, *rest: Any) -> tuple[Any, ...]:
        """The numbers of `rest` for logits with one more dimension in front."""

    @abstractmethod
    def label_weights(self, x: Tensor, *rest: Any) -> Tensor:
        """The weight of each row in the mean: 0 where it does not count."""

    @abstractmethod
    def third(self, x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any) -> Tensor:
        """The third derivatives of the losses by x along two vectors, times upstream."""

    def reduced(self, x: Tensor, rest: Sequence[Any], plan: Reduction) -> Tensor:
        """What becomes of the losses."""
        return plan.result(self.losses(x, *rest), lambda: self.label_weights(x, *rest))

    def reduced_gradient(self, x: Tensor, upstream: Tensor, rest: Sequence[Any], plan: Reduction) -> Tensor:
        """The gradient of that, times what arrives from above."""
        rows = plan.upstream(upstream, lambda: self.label_weights(x, *rest), self.row_shape(x, *rest))
        return self.gradients(x, rows, *rest)

    # Kernels.

    def _cpu(self, verb: Callable[..., Any], vectors: int, has_upstream: bool, *arguments: Any) -> Tensor:
        x, *along = arguments[: 1 + vectors]
        rest = arguments[1 + vectors + has_upstream :]
        options = self.keywords(*rest)
        if has_upstream:
            options["upstream"] = array(arguments[1 + vectors])
        return tensor(verb(array(x), array(rest[0]), *map(array, along), reduction="none", **options))

    def losses_like(self, x: Tensor, *rest: Any) -> Tensor:
        """An empty tensor for the losses."""
        return x.new_empty(self.row_shape(x, *rest), dtype=LOSS_DTYPES[x.dtype])

    def row_shape(self, x: Tensor, *rest: Any) -> list[int]:
        dims = self.dims(*rest)
        return [size for dim, size in enumerate(x.shape) if dim not in dims]

    def _of_batch(
        self, operator: Callable[[], Operator[Tensor]], leading: int, size: int, in_dims: Sequence[Any], *given: Any
    ) -> tuple[Any, Any]:
        numbers = leading + len(self.tensors)
        shared = [False] * leading + [each in self.shared for each in self.tensors] + [False] * (len(given) - numbers)
        if any(one and dim is not None for one, dim in zip(shared, in_dims, strict=True)):
            return one_by_one(operator(), size, in_dims, *given)
        batched = in_front(size, in_dims, given)
        kept = [old if one else new for old, new, one in zip(given, batched, shared, strict=True)]
        return operator()(*kept[:numbers], *self.in_batch(*kept[numbers:])), 0

    # Derivatives of each operator. A loss is the product of a vector and a gradient, and so on: what is summed over the
    # classes is the rate of a row.

    def _sums(self, product: Tensor, rest: Sequence[Any]) -> Tensor:
        dims = self.dims(*rest)
        dtype = LOSS_DTYPES[product.dtype]
        return product.sum(dims, dtype=dtype) if dims else product.to(dtype)

    def _ones(self, x: Tensor, rest: Sequence[Any]) -> Tensor:
        return self.losses_like(x, *rest).fill_(1.0)

    def _by_tensors(self, concerned: Sequence[bool]) -> TensorDerivatives:
        if self.by_tensors is None:
            raise no_derivative(self.loss.name, concerned, self.tensors)
        return self.by_tensors

    def _tensor_gradients(
        self, needs: Sequence[bool], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, rest: Sequence[Any]
    ) -> Sequence[Tensor | None]:
        asked = needs[-len(rest) :][: len(self.tensors)]
        return self._by_tensors(asked).gradients(asked, x, vectors, upstream, *rest) if any(asked) else ()

    def _tensor_rates(
        self, t: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], rest: Sequence[Any]
    ) -> Tensor | None:
        tangents = t[-len(rest) :][: len(self.tensors)]
        moved = [each is not None for each in tangents]
        return self._by_tensors(moved).rates(tangents, x, vectors, *rest) if any(moved) else None

    def _gradients_of_tensor_rates(
        self,
        t: Sequence[Tensor | None],
        x: Tensor,
        vectors: Sequence[Tensor],
        upstream: Tensor,
        rest: Sequence[Any],
    ) -> Tensor | None:
        tangents = t[-len(rest) :][: len(self.tensors)]
        moved = [each is not None for each in tangents]
        if not any(moved):
            return None
        return self._by_tensors(moved).gradients_of_rates(tangents, x, vectors, upstream, *rest)

    def _losses_backward(self, a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
        x, *rest = a
        return self.gradients(x, u, *rest) if needs[0] else None, *self._tensor_gradients(needs, x, (), u, rest)

    def _losses_jvp(self, a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
        x, *rest = a
        return total(
            None if t[0] is None else self.rates(x, t[0], *rest),
            self._tensor_rates(t, x, (), rest),
        )

    def _gradients_backward(self, a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
        x, upstream, *rest = a
        return (
            self.products(x, u, upstream, *rest) if needs[0] else None,
            self.rates(x, u, *rest) if needs[1] else None,
            *self._tensor_gradients(needs, x, (u,), upstream, rest),
        )

    def _gradients_jvp(self, a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
        x, upstream, *rest = a
        return total(
            None if t[0] is None else self.products(x, t[0], upstream, *rest),
            None if t[1] is None else self.gradients(x, t[1], *rest),
            self._gradients_of_tensor_rates(t, x, (), upstream, rest),
        )

    def _rates_backward(self, a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
        x, v, *rest = a
        return (
            self.products(x, v, u, *rest) if needs[0] else None,
            self.gradients(x, u, *rest) if needs[1] else None,
            *self._tensor_gradients(needs, x, (v,), u, rest),
        )

    def _rates_jvp(self, a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
        x, v, *rest = a
        return total(
            None if t[0] is None else self._sums(v * self.products(x, t[0], self._ones(x, rest), *rest), rest),
            None if t[1] is None else self.rates(x, t[1], *rest),
            self._tensor_rates(t, x, (v,), rest),
        )

    def _products_backward(self, a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
        x, v, upstream, *rest = a
        return (
            self.third(x, (u, v), upstream, *rest) if needs[0] else None,
            self.products(x, u, upstream, *rest) if needs[1] else None,
            self._sums(u * self.products(x, v, self._ones(x, rest), *rest), rest) if needs[2] else None,
            *self._tensor_gradients(needs, x, (u, v), upstream, rest),
        )

    def _products_jvp(self, a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
        x, v, upstream, *rest = a
        return total(
            None if t[0] is None else self.third(x, (t[0], v), upstream, *rest),
            None if t[1] is None else self.products(x, t[1], upstream, *rest),
            None if t[2] is None else self.products(x, v, t[2], *rest),
            self._gradients_of_tensor_rates(t, x, (v,), upstream, rest),
        )
