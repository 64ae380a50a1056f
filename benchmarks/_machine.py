"""The machine that is measured, and the two cores of it that are used."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("softgrad", "numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "torch", "jax", "optax")
_CPUS = Path("/sys/devices/system/cpu")


def available_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def keep_to_two_cores() -> None:
    """Leave this process two CPUs that do not share a core: every library then takes two threads by itself.

    To be called before NumPy is imported, whose BLAS counts the CPUs when it is loaded. Where the system cannot do it
    all CPUs stay.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    by_core: dict[str, int] = {}
    for cpu in available_cpus():
        siblings = _CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        by_core.setdefault(siblings.read_text() if siblings.exists() else str(cpu), cpu)
    os.sched_setaffinity(0, list(by_core.values())[:2])


def cache_bytes() -> int:
    """The size of the last level of cache; 32 MiB where the system does not tell."""
    sizes = [file.read_text() for file in _CPUS.glob("cpu0/cache/index*/size")]
    kibibytes = [int(match[1]) for size in sizes if (match := re.fullmatch(r"(\d+)K\s*", size))]
    return 1024 * max(kibibytes, default=32 * 1024)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        model = re.search(r"^model name\s*:\s*(.+)$", information.read_text(encoding="utf-8"), re.MULTILINE)
        if model:
            return model[1]
    return platform.processor() or platform.machine()


def description() -> dict[str, str]:
    """Processor, cores, cache and system in words."""
    from softgrad import show_config

    return {
        "processor": f"{_processor()} ({platform.machine()})",
        "cores used": str(len(available_cpus())),
        "last level of cache": f"{cache_bytes() / 2**20:g} MiB",
        "instruction set": show_config()["instruction_set"],
        "system": platform.system(),
        "Python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """The versions of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
