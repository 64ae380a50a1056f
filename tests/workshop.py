"""A copy of the sources to change and to build, and tests run against what was built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import softgrad as sg

ROOT = Path(__file__).parents[1]


def tool(name: str) -> str | None:
    """From the system or, as installed by pip, beside the interpreter."""
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)]))


class Workshop:
    """A copy of the sources, and the package built from it for few instruction sets.

    Parameters
    ----------
    directory : Path
        Where the copy goes; it exists and is empty.
    added_line : str, optional
        A line more for the table of instruction sets.
    instruction_sets : sequence of str, optional
        Those that are kept; by default the one in use here.
    sanitizers : str, optional
        What the compiler's option -fsanitize takes.
    """

    def __init__(
        self, directory: Path, added_line: str = "", instruction_sets: Sequence[str] = (), sanitizers: str = ""
    ) -> None:
        self.directory = directory
        self.package = directory / "src" / "softgrad"
        for name in ("cpp", "src"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        self._optimise_less()
        self._keep_instruction_sets(instruction_sets or [sg.show_config()["instruction_set"]], added_line)
        cmake = tool("cmake")
        assert cmake, "cmake is needed to build the mutated core: install it, or `pip install cmake`"
        self.cmake = cmake
        ninja = tool("ninja")
        generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
        # Debug keeps the names that a sanitizer tells.
        watched = [f"-DSOFTGRAD_SANITIZE={sanitizers}", "-DCMAKE_BUILD_TYPE=Debug"] if sanitizers else []
        self._cmake("-S", ".", "-B", "build", f"-DPython_EXECUTABLE={sys.executable}", *generator, *watched)
        self.build()

    def _optimise_less(self) -> None:
        """A third of the time to compile; the arithmetic is what is written at any level of optimisation."""
        lists = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        assert lists.count("-O3 ") == 1
        (self.directory / "CMakeLists.txt").write_text(lists.replace("-O3 ", "-O1 "), encoding="utf-8")

    def _keep_instruction_sets(self, names: Sequence[str], added_line: str) -> None:
        table = self.directory / "cpp" / "dispatch" / "isa.def"
        lines = table.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if re.match(rf"SOFTGRAD_ISA\(\w+, ({'|'.join(names)}), ", line)]
        assert len(kept) == len(names)
        table.write_text("\n".join([*kept, added_line, ""]), encoding="utf-8")

    def _cmake(self, *arguments: str) -> None:
        finished = subprocess.run(
            [self.cmake, *arguments], cwd=self.directory, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def build(self) -> None:
        self._cmake("--build", "build", "--parallel", "2")
        (core,) = (self.directory / "build").glob("_core.*")
        shutil.copy(core, self.package)

    def run(
        self,
        tests: Sequence[str],
        *options: str,
        instruction_set: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """pytest on the package built here. Without `site` no import hook of an editable installation is in the way."""
        program = (
            "import sys, pytest, softgrad, softgrad._core\n"
            f"for module in (softgrad, softgrad._core):\n"
            f"    assert module.__file__.startswith({str(self.package)!r}), module.__file__\n"
            "sys.exit(pytest.main(sys.argv[1:]))\n"
        )
        path = os.pathsep.join([str(self.package.parent), *(entry for entry in sys.path if entry)])
        given = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "SOFTGRAD_ISA": instruction_set}
        return subprocess.run(
            [sys.executable, "-S", "-c", program, "-q", "-p", "no:cacheprovider", "--tb=line", *options, *tests],
            cwd=ROOT,
            env={**os.environ, **given, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
