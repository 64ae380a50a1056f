"""Compiles the core for systems whose Python is not here: `python -m tools.wheels.foreign [SYSTEM...]`.

Whether it compiles is all this shows: the Python module over it is built, and the tests are run, by
.github/workflows/wheels.yml.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tools.wheels._interpreters import ROOT
from tools.wheels._targets import compiler
from tools.wheels._tools import WheelError, require_tools, run

ZIG_TARGETS = {
    "macos-arm64": "aarch64-macos",
    "macos-x86_64": "x86_64-macos",
    "windows-x86_64": "x86_64-windows-gnu",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.wheels.foreign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("system", nargs="*", choices=ZIG_TARGETS, default=list(ZIG_TARGETS), help="all without it")
    systems = parser.parse_args().system
    require_tools()
    for system in systems:
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | compiler(ZIG_TARGETS[system])
            run(["cmake", "-S", str(ROOT), "-B", folder, "-G", "Ninja", "-DSOFTGRAD_CORE_ALONE=ON"], environment)
            run(["cmake", "--build", folder], environment)
            print(f"{system}: {len(list(Path(folder).rglob('*.cpp.o*')))} sources compiled", flush=True)


if __name__ == "__main__":
    try:
        main()
    except WheelError as error:
        sys.exit(f"python -m tools.wheels.foreign: {error}")
