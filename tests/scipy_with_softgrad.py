"""A pytest plugin: SciPy's own tests of softmax, log_softmax and logsumexp get softgrad's functions.

The one difference in the signatures that is bridged here is the default of `axis`, which is None in SciPy.
"""

from __future__ import annotations

from typing import Any

import softgrad as sg


def softmax(x: Any, axis: Any = None) -> Any:
    return sg.softmax(x, axis=axis)


def log_softmax(x: Any, axis: Any = None) -> Any:
    return sg.log_softmax(x, axis=axis)


def logsumexp(a: Any, axis: Any = None, **options: Any) -> Any:
    return sg.logsumexp(a, axis=axis, **options)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        for function in (softmax, log_softmax, logsumexp):
            if not hasattr(item.module, function.__name__):
                raise RuntimeError(f"{item.module.__name__} does not use {function.__name__}")
            setattr(item.module, function.__name__, function)
