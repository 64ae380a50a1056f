"""The systems that wheels are built for on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.wheels._tools import zig

TOOLCHAIN = Path(__file__).parent / "zig.cmake"
# That of the oldest systems which NumPy and pyarrow have their newest wheels for.
GLIBC = "2.28"


@dataclass(frozen=True)
class Target:
    """A Linux of one processor."""

    processor: str

    def takes(self, wheel: str) -> bool:
        """Whether a wheel of that name is for this processor, and for a glibc as old as it may be."""
        tag = re.search(rf"-manylinux_2_(\d+)_{self.processor}\.whl$", wheel)
        return tag is not None and int(tag[1]) <= int(GLIBC.removeprefix("2."))

    def environment(self, version: tuple[int, int]) -> dict[str, str]:
        """What makes a build for CPython `version` one for this target."""
        suffix = f".cpython-{version[0]}{version[1]}-{self.processor}-linux-gnu.so"
        return {
            **compiler(f"{self.processor}-linux-gnu.{GLIBC}"),
            "_PYTHON_HOST_PLATFORM": f"linux-{self.processor}",
            "SETUPTOOLS_EXT_SUFFIX": suffix,
        }


TARGETS = {f"linux-{processor}": Target(processor) for processor in ("x86_64", "aarch64")}


def compiler(zig_target: str) -> dict[str, str]:
    return {"CMAKE_TOOLCHAIN_FILE": str(TOOLCHAIN), "SOFTGRAD_ZIG": zig(), "SOFTGRAD_ZIG_TARGET": zig_target}
