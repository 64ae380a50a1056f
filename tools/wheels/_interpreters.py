"""The CPythons of this machine that the wheels are built with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools.wheels._tools import WheelError

ROOT = Path(__file__).parents[2]
Version = tuple[int, int]


def wanted_versions() -> list[Version]:
    """Each version that softgrad supports, up to that whose wheel serves all newer ones: it has the stable ABI."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = int(configuration["project"]["requires-python"].removeprefix(">=3."))
    stable = int(configuration["tool"]["scikit-build"]["wheel"]["py-api"].removeprefix("cp3"))
    return [(3, minor) for minor in range(oldest, stable + 1)]


def version_of(python: str) -> Version:
    """The version of an interpreter that is asked for by name."""
    program = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    try:
        finished = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise WheelError(f"{python} is no Python that runs: {error}") from error
    name, major, minor = finished.stdout.split()
    if name != "cpython":
        raise WheelError(f"{python} is {name}; wheels are built with CPython")
    return int(major), int(minor)


def find(version: Version) -> str:
    """An interpreter of that version: the running one, one on the PATH, or one of pyenv's."""
    for python in _candidates("python{}.{}".format(*version)):
        try:
            if version_of(python) == version:
                return python
        except WheelError:
            # pyenv puts a program of each name on the PATH, which fails for the versions it does not select.
            continue
    name = "CPython {}.{}".format(*version)
    raise WheelError(f"no {name} on the PATH or among pyenv's versions; install it, or name others by --python")


def _candidates(name: str) -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(name):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/*/bin/{name}")))
