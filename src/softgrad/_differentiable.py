"""A function and its derivatives as one object, and the registry of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from softgrad._float_mode import in_ieee_mode

_registry: dict[str, Differentiable] = {}

# The verbs a member may have, besides being called; `softgrad.reference` spells them NAME_VERB.
DERIVATIVES = ("vjp", "jvp", "hvp", "jacobian", "grad", "value_and_grad", "hessian", "hessian_diagonal")


class Differentiable(ABC):
    """A function of arrays whose derivatives are its methods.

    A subclass defines ``__call__`` and the derivatives it has; creating its one instance enters it in the registry,
    where the tests, the gradient checks and the documentation find it.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, native_call: bool = False, **options: Any) -> None:
        """`native_call`: nothing but the core, which has a mode of its own, works on numbers when it is called."""
        super().__init_subclass__(**options)
        for verb in DERIVATIVES if native_call else ("__call__", *DERIVATIVES):
            if verb in cls.__dict__:
                setattr(cls, verb, in_ieee_mode(cls.__dict__[verb]))

    def __init__(self) -> None:
        if self.name in _registry:
            raise ValueError(f"two functions are called {self.name!r}")
        _registry[self.name] = self

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    @abstractmethod
    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Random arguments the function takes, the arrays it is differentiated by in `dtype`: for tests and checks."""

    @property
    def derivatives(self) -> tuple[str, ...]:
        """The names of the derivative methods it has."""
        return tuple(verb for verb in DERIVATIVES if hasattr(self, verb))

    def __repr__(self) -> str:
        return f"<softgrad.{self.name}>"


def registry() -> MappingProxyType[str, Differentiable]:
    """All differentiable functions of the library by name, read-only.

    Returns
    -------
    mapping of str to Differentiable

    Examples
    --------
    >>> import softgrad as sg
    >>> sg.registry()["softmax"] is sg.softmax
    True
    >>> sg.softmax.derivatives
    ('vjp', 'jvp', 'hvp', 'jacobian')
    """
    return MappingProxyType(_registry)
