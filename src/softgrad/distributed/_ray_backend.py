"""Ray as a backend of joblib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import ray
from ray.util.joblib.ray_backend import RayBackend

# Ray sends what is smaller inside its messages.
_STORED_BYTES = 100 * 1024


class SharingRayBackend(RayBackend):  # type: ignore[misc]
    """Ray's own, except that a large argument is put into the object store once in a call of `Parallel`.

    Ray's pool does so for the tasks of joblib before 1.3 alone.
    """

    default_n_jobs = -1

    def start_call(self) -> None:
        super().start_call()
        # By identity, which the argument beside it keeps from being another's.
        self._stored: dict[int, tuple[object, ray.ObjectRef]] = {}

    def stop_call(self) -> None:
        self._stored = {}
        super().stop_call()

    def submit(self, func: Any, callback: Callable[[Any], object] | None = None) -> Any:
        func.items = [
            (_with_values, (task, *map(self._stand_in, arguments)), {k: self._stand_in(v) for k, v in options.items()})
            for task, arguments, options in func.items
        ]
        return super().submit(func, callback)

    def _stand_in(self, argument: object) -> object:
        if sys.getsizeof(argument) < _STORED_BYTES:
            return argument
        if id(argument) not in self._stored:
            self._stored[id(argument)] = (argument, ray.put(argument))
        return self._stored[id(argument)][1]


def _with_values(task: Callable[..., Any], *arguments: object, **options: object) -> Any:
    return task(*map(_value, arguments), **{name: _value(option) for name, option in options.items()})


def _value(argument: object) -> object:
    return ray.get(argument) if isinstance(argument, ray.ObjectRef) else argument
