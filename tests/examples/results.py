"""The result of each experiment, computed once for all tests."""

from __future__ import annotations

import functools
from typing import Any

from softgrad.cli.experiment import load


@functools.cache
def result_of(name: str) -> Any:
    return load(name)()
