"""Logits of a linear head that are made once something but their loss needs them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# What tells of a tensor without its numbers.
_DESCRIPTIONS = {getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "layout", "ndim")}
_DESCRIPTIONS |= {Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__}


class Transformation(NamedTuple):
    """What becomes of logits x before their loss: `outer` x, or with a tanh `outer` tanh(`inner` x)."""

    outer: Fraction = Fraction(1)
    inner: Fraction | None = None

    def followed_by(self, name: str, numbers: tuple[Any, ...]) -> Transformation | None:
        """Both this and a function of tensors of that name; None where they are not of this form together."""
        if name == "tanh" and self.inner is None:
            return Transformation(Fraction(1), self.outer)
        if name in ("float", "contiguous"):
            return self
        if name not in ("mul", "div") or type(numbers[0]) not in (int, float) or not 0.0 < numbers[0] < float("inf"):
            return None
        number = Fraction(numbers[0])
        return self._replace(outer=self.outer * number if name == "mul" else self.outer / number)

    @property
    def options(self) -> dict[str, float]:
        """For which softcap tanh(x / softcap) / temperature is this."""
        if self.inner is None:
            return {"temperature": float(1 / self.outer)}
        return {"softcap": float(1 / self.inner), "temperature": float(1 / (self.inner * self.outer))}


class _Source(NamedTuple):
    """What the numbers are made of, as it was when the head was called, and all that has been done to them since."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    versions: list[int]
    tracked: bool
    autocast: torch.dtype | None
    steps: tuple[tuple[Callable[..., Tensor], tuple[Any, ...]], ...] = ()

    def make(self) -> Tensor:
        if _versions(self.hidden, self.weight, self.bias) != self.versions:
            raise RuntimeError(
                "the loss did without the logits, and the weights of their head have changed since, as by a step of an "
                "optimizer; read the logits before"
            )
        autocast = torch.autocast("cpu", self.autocast, enabled=self.autocast is not None)
        with torch.set_grad_enabled(self.tracked), autocast:
            logits = nn.functional.linear(self.hidden, self.weight, self.bias)
            for function, numbers in self.steps:
                logits = function(logits, *numbers)
        return logits


def _versions(*tensors: Tensor | None) -> list[int]:
    # In inference mode nothing is counted.
    return [each._version for each in tensors if each is not None and not each.is_inference()]


class DeferredLogits(Tensor):
    """hidden @ weight.T + bias and what follows: a tensor to everyone, whose numbers the first who needs them makes."""

    source: _Source
    transformation: Transformation
    made: Tensor | None
    """The numbers, once they have been needed; they may have been written to since."""

    @classmethod
    def of(cls, hidden: Tensor, head: nn.Linear) -> DeferredLogits:
        autocast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        versions = _versions(hidden, head.weight, head.bias)
        source = _Source(hidden, head.weight, head.bias, versions, torch.is_grad_enabled(), autocast)
        shape = (*hidden.shape[:-1], head.out_features)
        return cls._described(shape, hidden.dtype if autocast is None else autocast, source, Transformation())

    @classmethod
    def _described(
        cls, shape: tuple[int, ...], dtype: torch.dtype, source: _Source, transformation: Transformation
    ) -> DeferredLogits:
        # One number for all, so that it takes no memory, and NaN, so that whoever looks past this class sees it.
        logits = torch.full((), torch.nan, dtype=dtype).expand(shape).as_subclass(cls)
        logits.source, logits.transformation, logits.made = source, transformation, None
        return logits

    def numbers(self) -> Tensor:
        if self.made is None:
            self.made = self.source.make()
        return self.made

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        if function in _DESCRIPTIONS:
            return super().__torch_function__(function, types, arguments, options)  # type: ignore[no-untyped-call]
        if isinstance(arguments[0], cls) and not options:
            deferred = arguments[0]._then(function, arguments[1:])
            if deferred is not None:
                return deferred
        return function(*_made(arguments), **_made(options or {}))

    def _then(self, function: Any, numbers: tuple[Any, ...]) -> DeferredLogits | None:
        """What a function returns, deferred as well; None where it has to be worked out."""
        transformation = self.transformation.followed_by(function.__name__, numbers)
        if transformation is None or self.made is not None:
            return None
        source = self.source._replace(steps=(*self.source.steps, (function, numbers)))
        dtype = torch.float32 if function.__name__ == "float" else self.dtype
        return self._described(self.shape, dtype, source, transformation)


def _made(given: Any) -> Any:
    """Arguments, with the numbers of logits that are deferred."""
    if isinstance(given, DeferredLogits):
        return given.numbers()
    if isinstance(given, dict):
        return {name: _made(each) for name, each in given.items()}
    return type(given)(_made(each) for each in given) if type(given) in (tuple, list) else given
