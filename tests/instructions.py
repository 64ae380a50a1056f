"""How many instructions the core takes for a call, counted by callgrind: a measure that no other process disturbs.

`python -m tests.instructions` writes them to tests/instructions.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from softgrad import _core

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_suffix(".json")
# Valgrind knows no AVX-512.
INSTRUCTION_SETS = ("avx2", "baseline")
MOST_CHANGE = 0.03
_COMPILERS = {"Clang": rb"clang version ([\d.]+)", "GCC": rb"GCC: \([^)]*\) ([\d.]+)"}
# One thread does all the work; and what Python hashes falls into the same places in each run.
_ENVIRONMENT = {"SOFTGRAD_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def compiler() -> str:
    """Who compiled the core, as it says itself; the start-up code that Clang links is of GCC."""
    core = Path(_core.__file__).read_bytes()
    for name, words in _COMPILERS.items():
        versions = {version.decode() for version in re.findall(words, core)}
        if versions:
            return " and ".join(f"{name} {version}" for version in sorted(versions))
    raise RuntimeError(f"{_core.__file__} does not say which compiler it is of")


def counts(instruction_set: str) -> dict[str, int]:
    """The instructions of the core in one call of each case; not those of Python, NumPy and the C library."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise RuntimeError("valgrind counts the instructions, and is not on the PATH: install it")
    with tempfile.TemporaryDirectory() as folder:
        options = ("-q", "--tool=callgrind", "--dump-before=getppid", "--dump-line=no")
        finished = subprocess.run(
            [
                valgrind,
                *options,
                f"--callgrind-out-file={folder}/part",
                sys.executable,
                "-m",
                "tests.instruction_cases",
            ],
            cwd=ROOT,
            env={**os.environ, **_ENVIRONMENT, "SOFTGRAD_ISA": instruction_set},
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise RuntimeError(f"the calls failed with {instruction_set}:\n{finished.stdout}{finished.stderr}")
        # Before the first mark, a call, what is between two cases, a call, ...
        parts = sorted(Path(folder).glob("part.*"), key=lambda part: int(part.suffix[1:]))[1::2]
        names = finished.stdout.splitlines()
        return {
            name: own_instructions(part.read_text(encoding="utf-8"), os.path.realpath(_core.__file__))
            for name, part in zip(names, parts, strict=True)
        }


def own_instructions(profile: str, library: str) -> int:
    """What a profile of callgrind has for the functions of one library, without those that they call.

    Raises
    ------
    ValueError
        There is none.
    """
    names: dict[str, str] = {}
    inside, of_callee, total = False, False, 0
    for line in profile.splitlines():
        if named := re.fullmatch(r"(c?)ob=(\(\d+\))(?: (.+))?", line):
            called, number, name = named.groups()
            if name is not None:
                names[number] = name
            if not called:
                inside = names[number] == library
        elif line.startswith("calls="):
            # The line after it has the cost of the function that is called.
            of_callee = True
        elif re.match(r"[\d+*-]", line):
            if inside and not of_callee:
                total += int(line.split()[1])
            of_callee = False
    if not total:
        raise ValueError(f"no instruction of {library} was counted")
    return total


def changes(before: Mapping[str, int], counted: Mapping[str, int]) -> list[str]:
    """A line for each case whose instructions are more or fewer, by more than `MOST_CHANGE`, or that is not in both."""
    lines = [f"{name}: not counted before" for name in counted.keys() - before.keys()]
    lines += [f"{name}: not counted any more" for name in before.keys() - counted.keys()]
    for name in before.keys() & counted.keys():
        change = counted[name] - before[name]
        if abs(change) > MOST_CHANGE * before[name]:
            share = 100.0 * change / before[name]
            lines.append(f"{name}: {before[name]} instructions before, {counted[name]} counted ({share:+.1f} %)")
    return sorted(lines)


def main() -> None:
    table = {"compiler": compiler(), "counts": {name: counts(name) for name in INSTRUCTION_SETS}}
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
