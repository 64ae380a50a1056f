"""`python -m tests.fuzz TARGET [OPTION ...]`: libFuzzer on one of the readers, with options of its own.

The last input stays in a temporary folder.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path
from types import FunctionType

import atheris

from tests.fuzz.targets import TARGETS


def main(name: str, *options: str) -> None:
    target = TARGETS[name]
    # The hook of atheris for imports does not see into an editable installation.
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and str(function.__module__).startswith("softgrad"):
            atheris.instrument_func(function)
    # libFuzzer ends the process, and what Python would do then is not done.
    folder = Path(tempfile.mkdtemp(prefix="softgrad-fuzz-"))

    def one_input(data: bytes) -> None:
        target(data, folder)

    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


main(*sys.argv[1:])
