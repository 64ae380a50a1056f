"""Builds and checks the wheels and the source distribution: `python -m tools.wheels --out DIR`.

The wheels are built from the source distribution, by the Clang of the ziglang package, for Linux with glibc 2.28 or
newer: one for CPython 3.11, and one of the stable ABI for all CPythons from 3.12 on. Nothing is left in DIR unless all
of it passes: auditwheel confirms the tag of each wheel, abi3audit its stable ABI; it has its licence and its types, no
tests, and at most 3 MB. macOS and Windows need their own machines: .github/workflows/wheels.yml.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.wheels._build import build_sdist, build_wheel, unpacked
from tools.wheels._checks import check, tagged
from tools.wheels._interpreters import find, version_of, wanted_versions
from tools.wheels._targets import TARGETS
from tools.wheels._tools import WheelError, require_tools


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.wheels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="where all goes; made if not there")
    parser.add_argument(
        "--python",
        nargs="+",
        metavar="PYTHON",
        help="the interpreters to build for; without it, one is looked for for each wheel",
    )
    parser.add_argument(
        "--target", nargs="+", choices=TARGETS, default=["linux-x86_64"], help="linux-x86_64 without it"
    )
    return parser.parse_args()


def _built(pythons: list[str], targets: list[str], work: Path) -> Iterator[Path]:
    sdist = build_sdist(work)
    yield sdist
    source = unpacked(sdist, work)
    for name in targets:
        for python in pythons:
            print("building for {}, CPython {}.{}".format(name, *version_of(python)), flush=True)
            raw, final = (Path(tempfile.mkdtemp(dir=work)) for _ in range(2))
            wheel = tagged(build_wheel(source, python, TARGETS[name], raw), TARGETS[name], final)
            check(wheel)
            yield wheel


def main() -> None:
    arguments = _arguments()
    require_tools()
    versions = wanted_versions()
    pythons = arguments.python or [find(version) for version in versions]
    for python in pythons:
        if (version := version_of(python)) < versions[0]:
            raise WheelError(
                "{} is CPython {}.{}; softgrad needs {}.{} or later".format(python, *version, *versions[0])
            )
    with tempfile.TemporaryDirectory() as work:
        files = list(_built(pythons, arguments.target, Path(work)))
        arguments.out.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, arguments.out)
    for file in files:
        size = (arguments.out / file.name).stat().st_size
        print(f"{arguments.out / file.name}: {size / 1e6:.2f} MB")
    print("checked: tags by auditwheel, stable ABI by abi3audit, contents and size")


if __name__ == "__main__":
    try:
        main()
    except WheelError as error:
        sys.exit(f"python -m tools.wheels: {error}")
