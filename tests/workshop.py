"""A copy of the sources to change and to build, and tests run against what was built.

Several mistakes go into one build, where an environment variable chooses the one that is made: to compile the kernels
takes far longer than to run the tests that see a mistake.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import softgrad as sg

ROOT = Path(__file__).parents[1]

_DECLARATION = "namespace softgrad { extern int mistake; }\n"
# Constants that a mistake changes are made when the core is loaded, and this must be there before.
_DEFINITION = """
namespace softgrad {
int mistake;
__attribute__((constructor(101))) static void choose_mistake() { mistake = std::atoi(std::getenv("SOFTGRAD_MISTAKE")); }
}
"""


def tool(name: str) -> str | None:
    """From the system or, as installed by pip, beside the interpreter."""
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)]))


@dataclass(frozen=True)
class Mutation:
    """A mistake: `right`, which stands once in `source`, becomes `wrong`; one of `tests` must fail where it is made.

    `wrong` is C++ in which MISTAKE is true where the mistake is made, and which is as right as before where it is not.
    """

    name: str
    source: str
    right: str
    wrong: str
    tests: tuple[str, ...]


class Workshop:
    """A copy of the sources, and the package built from it.

    Parameters
    ----------
    directory : Path
        Where the copy is.
    mutations : sequence of Mutation, optional
        What is built in, for `run` to choose from.
    """

    def __init__(self, directory: Path, mutations: Sequence[Mutation] = ()) -> None:
        self.directory = directory
        self.mutations = mutations
        self.package = directory / "src" / "softgrad"

    def build(self, added_line: str = "", instruction_sets: Sequence[str] = (), sanitizers: str = "") -> None:
        """Fill the directory, which exists and is empty.

        Parameters
        ----------
        added_line : str, optional
            A line more for the table of instruction sets.
        instruction_sets : sequence of str, optional
            Those that are kept; by default the one in use here.
        sanitizers : str, optional
            What the compiler's option -fsanitize takes.
        """
        for name in ("cpp", "src"):
            shutil.copytree(ROOT / name, self.directory / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        self._optimise_less()
        self._keep_instruction_sets(instruction_sets or [sg.show_config()["instruction_set"]], added_line)
        self._build_in_mutations()
        cmake = tool("cmake")
        assert cmake, "cmake is needed to build the changed core: install it, or `pip install cmake`"
        ninja = tool("ninja")
        generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
        # Debug keeps the names that a sanitizer tells.
        watched = [f"-DSOFTGRAD_SANITIZE={sanitizers}", "-DCMAKE_BUILD_TYPE=Debug"] if sanitizers else []
        configuration = ["-S", ".", "-B", "build", f"-DPython_EXECUTABLE={sys.executable}", *generator, *watched]
        for step in (configuration, ["--build", "build", "--parallel", "2"]):
            finished = subprocess.run([cmake, *step], cwd=self.directory, capture_output=True, text=True, check=False)
            assert finished.returncode == 0, finished.stdout + finished.stderr
        (core,) = (self.directory / "build").glob("_core.*")
        shutil.copy(core, self.package)

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

    def _build_in_mutations(self) -> None:
        for number, mutation in enumerate(self.mutations, 1):
            source = self.directory / mutation.source
            text = source.read_text(encoding="utf-8")
            assert text.count(mutation.right) == 1, f"{mutation.name} is out of date"
            wrong = mutation.wrong.replace("MISTAKE", f"(softgrad::mistake == {number})")
            source.write_text(_DECLARATION + text.replace(mutation.right, wrong), encoding="utf-8")
        if self.mutations:
            with (self.directory / "cpp" / "dispatch" / "dispatch.cpp").open("a", encoding="utf-8") as file:
                file.write(_DEFINITION)

    def run(
        self,
        tests: Sequence[str],
        *options: str,
        instruction_set: str = "",
        environment: Mapping[str, str] | None = None,
        mutation: Mutation | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """pytest on the package built here. Without `site` no import hook of an editable installation is in the way."""
        program = (
            "import sys, pytest, softgrad, softgrad._core\n"
            f"for module in (softgrad, softgrad._core):\n"
            f"    assert module.__file__.startswith({str(self.package)!r}), module.__file__\n"
            "sys.exit(pytest.main(sys.argv[1:]))\n"
        )
        path = os.pathsep.join([str(self.package.parent), *(entry for entry in sys.path if entry)])
        given = {
            "PYTHONPATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOFTGRAD_ISA": instruction_set,
            "SOFTGRAD_MISTAKE": "0" if mutation is None else str(1 + self.mutations.index(mutation)),
        }
        return subprocess.run(
            [sys.executable, "-S", "-c", program, "-q", "-p", "no:cacheprovider", "--tb=line", *options, *tests],
            cwd=ROOT,
            env={**os.environ, **given, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
