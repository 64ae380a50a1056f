"""What must be installed besides."""

from __future__ import annotations

import importlib.util


def require(extra: str, package: str | None = None) -> None:
    package = package or extra
    if importlib.util.find_spec(package) is None:
        raise ImportError(f'{package} is not installed: pip install "softgrad[{extra}]"')
