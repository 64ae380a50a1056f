"""Runs tests on a wheel for 64-bit ARM, on this machine: `python -m tools.wheels.emulate WHEEL TEST...`.

qemu runs Debian's own Python for that processor, which is downloaded and unpacked into a temporary folder, not
installed. For a machine with Debian and its package qemu-user. Tests that start processes of their own fail here, where
the system does not know that it is to emulate them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.wheels._interpreters import ROOT
from tools.wheels._targets import GLIBC
from tools.wheels._tools import WheelError, run

EMULATOR = "qemu-aarch64"


def _unpack_debian(folder: Path) -> Path:
    """Debian's Python for ARM with all it needs, in a folder of its own."""
    state, cache, root = (folder / name for name in ("state", "cache", "root"))
    for made in (state / "lists" / "partial", cache / "archives" / "partial", root):
        made.mkdir(parents=True)
    (state / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(cache),
    }
    apt = ["apt-get", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    run([*apt, "update"])
    # NumPy is C++, and its wheels take the library of the system.
    run([*apt, "install", "--yes", "--download-only", "--no-install-recommends", "python3", "libstdc++6"])
    for package in sorted((cache / "archives").glob("*.deb")):
        run(["dpkg-deb", "--extract", str(package), str(root)])
    return root


def _install(wheel: Path, version: str, site: Path) -> None:
    """pip of this machine chooses among the wheels for the other."""
    newest = int(GLIBC.removeprefix("2."))
    systems = [f"manylinux_2_{minor}_aarch64" for minor in range(17, newest + 1)] + ["manylinux2014_aarch64"]
    platforms = [word for system in systems for word in ("--platform", system)]
    pip = [sys.executable, "-m", "pip", "install", "--target", str(site), "--only-binary", ":all:", *platforms]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    run([*pip, "--python-version", version, "--implementation", "cp", str(wheel), *groups["wheel-tests"]])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.wheels.emulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wheel", type=Path, metavar="WHEEL", help="as python -m tools.wheels builds it")
    parser.add_argument("tests", nargs="+", metavar="TEST", help="files and folders of tests")
    arguments = parser.parse_args()
    if not shutil.which(EMULATOR):
        raise WheelError(f"{EMULATOR} is not there: `apt-get install qemu-user`")
    with tempfile.TemporaryDirectory() as work:
        root, site = _unpack_debian(Path(work)), Path(work) / "site"
        python = [EMULATOR, "-L", str(root), str(root / "usr" / "bin" / "python3")]
        version = run([*python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]).strip()
        _install(arguments.wheel, version, site)
        environment = os.environ | {"PYTHONPATH": f"{site}:{ROOT}"}
        command = [*python, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *arguments.tests]
        sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    try:
        main()
    except WheelError as error:
        sys.exit(f"python -m tools.wheels.emulate: {error}")
