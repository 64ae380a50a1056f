"""The source distribution, and a wheel built from what is in it."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

from tools.wheels._interpreters import ROOT, version_of
from tools.wheels._targets import Target
from tools.wheels._tools import run

# Of the user, for this machine: with -march=native a wheel would fail on others.
FLAGS = {"CFLAGS", "CMAKE_ARGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "SKBUILD_CMAKE_ARGS", "SKBUILD_CMAKE_DEFINE"}


def build_sdist(folder: Path) -> Path:
    run([sys.executable, "-m", "build", "--sdist", "--outdir", str(folder), str(ROOT)])
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def unpacked(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def build_wheel(source: Path, python: str, target: Target, folder: Path) -> Path:
    """A wheel as the build leaves it, its tag not checked; `folder` is empty."""
    inherited = {name: value for name, value in os.environ.items() if name not in FLAGS}
    environment = inherited | target.environment(version_of(python))
    run([python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)], environment)
    (wheel,) = folder.glob("*.whl")
    return wheel
