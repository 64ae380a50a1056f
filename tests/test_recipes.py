"""The recipes of CONTRIBUTING.md followed in a copy: a loss and an instruction set more, and the tests that find them.

The loss is quadratic under another name, so that what is tested is the recipe: each file that it names, and no other,
is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from softgrad import _core
from tests.workshop import ROOT, Workshop

# Named by the recipe of a loss to be read or run, not to be written.
READ = {
    "src/softgrad/losses/_base.py",
    "src/softgrad/losses/_problem.py",
    "src/softgrad/_contracts.py",
    "tests/stubs.py",
    "tests/test_registry.py",
}


def recipe(title: str) -> str:
    """A recipe, without the one for a kernel that may follow it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return section.split("A loss that is fused", 1)[0]


def files_named(text: str, name: str) -> set[str]:
    paths = re.findall(r"`((?:src|tests|cpp)/[\w/.]+|\w+\.md)(?:: \w+)?`", text)
    return {path.replace("NAME", name) for path in paths}


def renamed(text: str) -> str:
    return text.replace("quadratic", "toy").replace("Quadratic", "Toy")


class Copy:
    """A copy of the sources with the compiled core in it, and the files that were written there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.written: set[str] = set()
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        shutil.copy(ROOT / "CHANGELOG.md", directory)
        shutil.copy(_core.__file__, directory / "src" / "softgrad")

    def write(self, path: str, text: str) -> None:
        self.written.add(path)
        (self.directory / path).write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        return (self.directory / path).read_text(encoding="utf-8")

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text)

    def insert_before(self, path: str, place: str, text: str) -> None:
        source = self.read(path)
        assert source.count(place) == 1, (path, place)
        self.write(path, source.replace(place, text + place))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Without `site` no import hook of an editable installation is in the way of the copy."""
        paths = [self.directory / "src", self.directory, *(Path(entry) for entry in sys.path if entry)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        return subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.mark.slow
def test_a_loss_is_added_by_its_recipe(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    names = ["toy", *(f"toy_{verb}" for verb in ("grad", "jvp", "hvp", "hessian", "hessian_diagonal"))]
    copy.write("src/softgrad/reference/toy.py", renamed(copy.read("src/softgrad/reference/quadratic.py")))
    exported = f"from softgrad.reference.toy import {', '.join(names)}\n__all__ += {names}\n"
    copy.append("src/softgrad/reference/__init__.py", exported)
    copy.write("src/softgrad/losses/_toy.py", renamed(copy.read("src/softgrad/losses/_quadratic.py")))
    copy.append("src/softgrad/losses/__init__.py", "from softgrad.losses._toy import toy\n__all__ += ['toy']\n")
    copy.append("src/softgrad/__init__.py", "from softgrad.losses import toy\n__all__ += ['toy']\n")
    stub = copy.python("-m", "tests.stubs")
    assert stub.returncode == 0, stub.stderr
    assert "class Toy(" in stub.stdout
    copy.write("src/softgrad/losses/__init__.pyi", stub.stdout)
    listed = copy.python("-m", "tests.public_api")
    assert listed.returncode == 0, listed.stderr
    assert "softgrad.toy.hessian(" in copy.read("tests/public_api.txt")
    copy.written.add("tests/public_api.txt")
    copy.insert_before("tests/test_bad_arrays.py", '    "quadratic":', '    "toy": {"outputs": X, "targets": X},\n')
    source = copy.read("tests/test_float_mode.py")
    copy.write("tests/test_float_mode.py", source.replace('name == "quadratic"', 'name in ("quadratic", "toy")'))
    copy.insert_before(
        "tests/memory_cases.py",
        '        "quadratic":',
        '        "toy": ((other,), {"sample_weight": weight, **on_axis}),\n',
    )
    copy.write("tests/losses/test_toy.py", renamed(copy.read("tests/losses/test_quadratic.py")))
    copy.append("CHANGELOG.md", "- `toy`.\n")
    assert copy.written == files_named(recipe("How to add a loss"), "toy") - READ

    tests = ["tests/test_registry.py", "tests/test_bad_arrays.py", "tests/test_float_mode.py", "tests/test_blocks.py"]
    chosen = [
        "-k",
        "toy or every_function_is_here",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    finished = copy.python("-m", "pytest", *chosen, *tests, "tests/losses/test_toy.py")
    report = finished.stdout + finished.stderr
    assert finished.returncode == pytest.ExitCode.OK, report
    passed = re.search(r"(\d+) passed", report)
    assert passed is not None, report
    # Each verb in each test of the registry and in each floating-point mode.
    assert int(passed[1]) > 100, report


@pytest.mark.slow
def test_an_instruction_set_is_added_by_its_recipe(tmp_path: Path) -> None:
    assert "cpp/dispatch/isa.def" in files_named(recipe("How to add an instruction set"), "toy")
    table = (ROOT / "cpp" / "dispatch" / "isa.def").read_text(encoding="utf-8")
    # The last of each architecture is what every machine of it has.
    name = _core.available_instruction_sets()[-1]
    (architecture, width) = re.findall(rf"SOFTGRAD_ISA\((\w+), {re.escape(name)}, \w+, (\d+),", table)[0]
    workshop = Workshop(tmp_path)
    workshop.build(f'SOFTGRAD_ISA({architecture}, toy, generic, {width}, "", true)', [name])
    tests = ("tests/test_registry.py", "tests/functional/test_edge_cases.py", "tests/test_laws.py")
    finished = workshop.run(tests, "-n", "0", "-k", "not examples", instruction_set="toy")
    assert finished.returncode == pytest.ExitCode.OK, finished.stdout + finished.stderr
    # Nor would a set that is not there be passed over.
    refused = workshop.run(tests, "-n", "0", instruction_set="nonsense")
    assert refused.returncode != pytest.ExitCode.OK
    assert "toy" in refused.stdout + refused.stderr
