"""The programs that builds and checks need, all of them packages of the group `wheels` in pyproject.toml."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

MODULES = ("build", "ziglang", "auditwheel", "abi3audit")


class WheelError(Exception):
    """Something that ends the command, in words for its user."""


def require_tools() -> None:
    missing = [module for module in MODULES if importlib.util.find_spec(module) is None]
    if missing:
        raise WheelError(
            f"{sys.executable} has no {', '.join(missing)}: `pip install --group wheels` (pip 25.1 or later)"
        )


def zig() -> str:
    (folder,) = importlib.import_module("ziglang").__path__
    return str(Path(folder) / "zig")


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command printed, errors too."""
    if not shutil.which(command[0]):
        raise WheelError(f"{command[0]} is not on the PATH")
    finished = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if finished.returncode:
        raise WheelError(f"{finished.stdout}\n`{' '.join(command)}` ended with status {finished.returncode}")
    return finished.stdout
