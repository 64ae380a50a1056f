"""A function and its derivatives as one object, and the registry of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from softgrad._float_mode import in_ieee_mode
from softgrad._verbs import called_by, documentation, keyword_only, show_signature, signature

# What a function takes: by position and by name.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_registry: dict[str, Differentiable] = {}

# The verbs a member may have, besides being called; `softgrad.reference` spells them NAME_VERB.
DERIVATIVES = ("vjp", "jvp", "hvp", "jacobian", "grad", "value_and_grad", "hessian", "hessian_diagonal")


class Differentiable(ABC):
    """A function of arrays whose derivatives are its methods.

    A subclass with a ``name`` defines ``__call__`` and the derivatives it has, or takes them from a family; creating
    its one instance enters it in the registry, where the tests, the gradient checks and the documentation find it.

    A family is a subclass without a name. The docstrings of its verbs have ``{formula}``, and its names in braces,
    where those of a member belong; `shown` has what a member says of them.
    """

    name: ClassVar[str]
    shown: ClassVar[Mapping[str, str]] = {}
    names: ClassVar[Mapping[str, str]] = {}
    """What the arguments, and the words in braces, of its family are for a member."""
    options: ClassVar[tuple[Parameter, ...]] = ()
    """What `**options` of a verb stands for."""

    def __init_subclass__(cls, *, native_call: bool = False, options: tuple[Callable[..., Any], ...] = ()) -> None:
        """`native_call`: nothing but the core, which has a mode of its own, works on numbers when it is called.

        `options`: functions whose keyword-only parameters `**options` of a verb stands for.
        """
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            return
        cls.options = (*cls.options, *(option for function in options for option in keyword_only(function)))
        for verb in ("__call__", *DERIVATIVES):
            function = getattr(cls, verb, None)
            if function is None:
                continue
            if native_call and verb == "__call__":
                cls.__call__ = called_by(cls.name, function)  # type: ignore[method-assign]
                continue
            shown = signature(function, cls.names, cls.options)
            called = cls.name if verb == "__call__" else f"{cls.name}.{verb}"
            member = in_ieee_mode(function, partial(_require_arguments, called, shown))
            member.__module__, member.__qualname__ = cls.__module__, f"{cls.__qualname__}.{verb}"
            show_signature(member, shown)
            # Python -OO leaves out docstrings.
            if verb in cls.shown and function.__doc__:
                member.__doc__ = documentation(function.__doc__, {"name": cls.name, **cls.names}, cls.shown[verb])
            setattr(cls, verb, member)

    def __init__(self) -> None:
        if self.name in _registry:
            raise ValueError(f"two functions are called {self.name!r}")
        _registry[self.name] = self

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    @abstractmethod
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        """Random arguments the function takes, the arrays it is differentiated by in `dtype`: for tests and checks."""

    @property
    def derivatives(self) -> tuple[str, ...]:
        """The names of the derivative methods it has."""
        return tuple(verb for verb in DERIVATIVES if hasattr(self, verb))

    def __repr__(self) -> str:
        return f"<softgrad.{self.name}>"

    def __reduce__(self) -> str:
        # Pickled and copied by name: there is one of each, and what it has of the core is no data.
        return self.name


def _require_arguments(called: str, shown: Signature, /, *args: object, **kwargs: object) -> None:
    """Refuse what does not fit the signature by the name that was called, not that of a family or an end of options."""
    try:
        shown.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{called}() {error}") from None


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
