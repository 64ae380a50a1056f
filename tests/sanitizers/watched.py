"""The core built with sanitizers, and tests run on it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.workshop import Mutation, Workshop, tool

# The exit status of a process in which something was found; pytest has others.
FOUND = 99
_OPTIONS = {
    # Python ends without setting all its memory free.
    "ASAN_OPTIONS": f"detect_leaks=0:exitcode={FOUND}",
    "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:exitcode={FOUND}",
    # Python's own allocator gives out parts of larger blocks, whose ends nobody watches.
    "PYTHONMALLOC": "malloc",
}
_RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so"}


class Watched:
    """The package with a core that looks for some kinds of errors, and ends the process at the first.

    Parameters
    ----------
    directory : Path
        Where it is built.
    sanitizers : sequence of {"address", "undefined"}
    mutations : sequence of Mutation
        Errors that `run` can choose from.
    """

    def __init__(self, directory: Path, sanitizers: Sequence[str], mutations: Sequence[Mutation]) -> None:
        self._workshop = Workshop(directory, mutations)
        self._sanitizers = sanitizers
        # Python is not linked with a runtime, which must be there first; one finds what it replaces of the C++ library
        # only if that is there, too.
        names = [*(_RUNTIMES[sanitizer] for sanitizer in sanitizers), "libstdc++.so.6"]
        self._environment = {**_OPTIONS, "LD_PRELOAD": " ".join(map(_library, names))}

    def build(self, instruction_sets: Sequence[str]) -> None:
        """Fill the directory, which exists and is empty."""
        self._workshop.build(instruction_sets=instruction_sets, sanitizers=",".join(self._sanitizers))

    def run(
        self, tests: Sequence[str], instruction_set: str, mutation: Mutation | None = None
    ) -> subprocess.CompletedProcess[str]:
        """pytest in one process, up to the first failure; what a sanitizer says is on stderr."""
        # What goes to the process's own stderr pytest would keep, and lose with it. Left out are tests of the peak of
        # memory and of time, since a sanitizer sets memory free late and takes its time; and those that start processes
        # for other instruction sets, which are not built here.
        left_out = "not peak and not within_a_second and not instruction_set"
        options = ("-n", "0", "-x", "--capture=sys", "-k", left_out)
        return self._workshop.run(
            tests, *options, instruction_set=instruction_set, environment=self._environment, mutation=mutation
        )


def _library(name: str) -> str:
    compiler = tool("c++")
    assert compiler, "the compiler that the core is built with is needed"
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()
