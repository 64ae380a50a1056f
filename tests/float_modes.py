"""Floating-point modes in which a program may call, set for this thread."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from softgrad import _native

# The control bits of the processor: subnormals are zero, as operands and as results; round to plus infinity.
MODES = {
    "x86_64": {"flush": 0x1F80 | 0x8040, "upward": 0x1F80 | 0x4000},
    "aarch64": {"flush": 1 << 24, "upward": 1 << 22},
}[{"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())]


@contextmanager
def caller_in(mode: str) -> Iterator[None]:
    assert _native.enter_ieee_mode() is None
    _native.set_float_mode(MODES[mode])
    try:
        yield
    finally:
        assert _native.enter_ieee_mode() == MODES[mode], "the caller's mode was not restored"
