"""The command that builds wheels finds its interpreters, refuses what is wrong, and leaves nothing where it fails.

.ci/run builds a wheel, and runs the README's first command from it.
"""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from tools.wheels import __main__ as command
from tools.wheels import _build, _checks, _interpreters, _targets, _tools
from tools.wheels._checks import MOST_BYTES, check, faults
from tools.wheels._interpreters import find, version_of, wanted_versions
from tools.wheels._targets import TARGETS
from tools.wheels._tools import WheelError

ROOT = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPLETE = ["softgrad/__init__.py", "softgrad/py.typed", "softgrad/_core.pyi", "softgrad/_core.abi3.so"]
COMPLETE += ["softgrad-1.0.0.dist-info/METADATA", "softgrad-1.0.0.dist-info/licenses/LICENSE"]


def write_wheel(file: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return file


def test_every_supported_cpython_has_a_wheel() -> None:
    classifiers = "\n".join(CONFIGURATION["project"]["classifiers"])
    supported = [(3, int(minor)) for minor in re.findall(r":: 3\.(\d+)$", classifiers, re.MULTILINE)]
    versions = wanted_versions()
    assert versions == supported[: len(versions)]
    assert versions[-1] == (3, 12), "the first whose stable ABI nanobind takes"


def test_the_running_interpreter_is_found() -> None:
    running = sys.version_info[:2]
    assert version_of(find(running)) == running


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(WheelError, match=r"no CPython 3\.99 on the PATH .* --python"):
        find((3, 99))


def test_a_program_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv has one on the PATH for each version that is not selected."""
    name = "python{}.{}".format(*sys.version_info[:2])
    shim = tmp_path / name
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    there = tmp_path / "versions" / "any" / "bin" / name
    there.parent.mkdir(parents=True)
    there.symlink_to(sys.executable)
    monkeypatch.setattr(_interpreters.sys, "executable", str(shim))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find(sys.version_info[:2]) == str(there)


@pytest.mark.parametrize(
    ("program", "message"),
    [("exit 3", "no Python that runs: .* exit status 3"), ("echo pypy 3 11", "is pypy; wheels are built with CPython")],
)
def test_what_is_no_cpython_is_refused(tmp_path: Path, program: str, message: str) -> None:
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\n{program}\n")
    file.chmod(0o755)
    with pytest.raises(WheelError, match=f"{file} {message}" if program.startswith("echo") else message):
        version_of(str(file))


def test_a_missing_tool_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tools, "MODULES", ("sys", "no_such_tool", "no_other_tool"))
    with pytest.raises(WheelError, match=r"has no no_such_tool, no_other_tool: `pip install --group wheels`"):
        _tools.require_tools()


def test_the_tools_are_those_of_the_group() -> None:
    named = {re.split(r"[<>=]", requirement)[0] for requirement in CONFIGURATION["dependency-groups"]["wheels"]}
    assert named == {*_tools.MODULES, "cibuildwheel"}


def test_a_command_that_fails_says_what_it_printed() -> None:
    with pytest.raises(WheelError, match=r"(?s)the reason.*ended with status 3"):
        _tools.run([sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"])


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(WheelError, match="no-such-program is not on the PATH"):
        _tools.run(["no-such-program", "--version"])


def test_flags_of_the_user_do_not_reach_a_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = {}
    monkeypatch.setattr(_build, "run", lambda _, environment: seen.update(environment))
    monkeypatch.setattr(_targets, "zig", lambda: "zig")
    monkeypatch.setenv("CXXFLAGS", "-march=native")
    monkeypatch.setenv("KEPT", "as it is")
    write_wheel(tmp_path / "softgrad.whl", [])
    _build.build_wheel(tmp_path, sys.executable, TARGETS["linux-aarch64"], tmp_path)
    assert "CXXFLAGS" not in seen
    assert seen["KEPT"] == "as it is"
    assert seen["SOFTGRAD_ZIG_TARGET"] == "aarch64-linux-gnu.2.28"


def test_a_complete_wheel_has_no_fault(tmp_path: Path) -> None:
    assert faults(COMPLETE) == []
    check(write_wheel(tmp_path / "softgrad-1.0.0-cp311-cp311-linux.whl", COMPLETE))


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ([name for name in COMPLETE if "py.typed" not in name], "no softgrad/py.typed"),
        ([name for name in COMPLETE if "LICENSE" not in name], "no dist-info/licenses/LICENSE"),
        ([name for name in COMPLETE if ".so" not in name], "compiled is nothing, not softgrad/_core alone"),
        (
            [*COMPLETE, "softgrad.libs/libstdc++.so"],
            "compiled is softgrad/_core.abi3.so, softgrad.libs/libstdc++.so, not softgrad/_core alone",
        ),
        ([*COMPLETE, "tests/test_softmax.py"], "tests does not belong there"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, names: list[str], fault: str) -> None:
    assert faults(names) == [fault]
    wheel = write_wheel(tmp_path / "softgrad-1.0.0-cp311-cp311-linux.whl", names)
    with pytest.raises(WheelError, match=re.escape(f"{wheel.name}: {fault}")):
        check(wheel)


def test_a_wheel_is_at_most_as_large_as_the_readme_says(tmp_path: Path) -> None:
    assert f"of at most {MOST_BYTES // 10**6} MB each" in (ROOT / "README.md").read_text(encoding="utf-8")
    wheel = tmp_path / "softgrad.whl"
    wheel.write_bytes(bytes(MOST_BYTES + 1))
    with pytest.raises(WheelError, match=f"softgrad.whl has {MOST_BYTES + 1} bytes; at most {MOST_BYTES} are allowed"):
        check(wheel)


@pytest.mark.parametrize(
    ("tag", "taken"),
    [
        ("manylinux_2_28_x86_64", True),
        ("manylinux_2_17_x86_64", True),
        ("manylinux_2_29_x86_64", False),
        ("manylinux_2_28_aarch64", False),
        ("linux_x86_64", False),
    ],
)
def test_a_tag_of_newer_systems_or_another_processor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str, taken: bool
) -> None:
    name = f"softgrad-1.0.0-cp312-abi3-{tag}.whl"
    monkeypatch.setattr(_checks, "run", lambda _: write_wheel(tmp_path / name, []))
    if taken:
        assert _checks.tagged(Path("raw.whl"), TARGETS["linux-x86_64"], tmp_path).name == name
    else:
        with pytest.raises(WheelError, match=f"{name} is not for every x86_64 Linux with glibc 2.28"):
            _checks.tagged(Path("raw.whl"), TARGETS["linux-x86_64"], tmp_path)


@pytest.mark.parametrize("names", [COMPLETE, COMPLETE[:-1]], ids=["passes", "fails"])
def test_nothing_is_left_unless_all_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    made = write_wheel(tmp_path / "softgrad-1.0.0-cp311-cp311-manylinux_2_28_x86_64.whl", names)
    sdist = tmp_path / "softgrad-1.0.0.tar.gz"
    sdist.write_bytes(b"")
    for name, value in (("build_sdist", sdist), ("unpacked", None), ("build_wheel", made), ("tagged", made)):
        monkeypatch.setattr(command, name, lambda *_, value=value: value)
    monkeypatch.setattr(command, "require_tools", lambda: None)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["wheels", "--out", str(out), "--python", sys.executable])
    if names == COMPLETE:
        command.main()
        assert {file.name for file in out.iterdir()} == {made.name, sdist.name}
    else:
        with pytest.raises(WheelError, match="no dist-info/licenses/LICENSE"):
            command.main()
        assert not out.exists()


def test_a_wrong_interpreter_is_found_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "require_tools", lambda: None)
    monkeypatch.setattr(command, "build_sdist", lambda _: pytest.fail("something was built"))
    monkeypatch.setattr(sys, "argv", ["wheels", "--out", str(tmp_path), "--python", sys.executable, "no-such-python"])
    with pytest.raises(WheelError, match="no-such-python is no Python that runs"):
        command.main()


def test_an_interpreter_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho cpython 3 9\n")
    old.chmod(0o755)
    monkeypatch.setattr(command, "require_tools", lambda: None)
    monkeypatch.setattr(command, "build_sdist", lambda _: pytest.fail("something was built"))
    monkeypatch.setattr(sys, "argv", ["wheels", "--out", str(tmp_path), "--python", str(old)])
    with pytest.raises(WheelError, match=r"is CPython 3\.9; softgrad needs 3\.11 or later"):
        command.main()


def test_the_workflow_asks_for_what_is_there() -> None:
    text = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    systems = yaml.safe_load(text)["jobs"]["wheels"]["strategy"]["matrix"]["os"]
    assert {system.split("-")[0] for system in systems} == {"ubuntu", "macos", "windows"}
    groups = CONFIGURATION["dependency-groups"]
    assert set(re.findall(r"--group (\S+)", text)) <= set(groups)
    assert _targets.TOOLCHAIN.relative_to(ROOT).as_posix() in text
    settings = CONFIGURATION["tool"]["cibuildwheel"]
    assert set(settings["test-groups"]) <= set(groups)
    program, *tests = settings["test-command"].split()
    assert program == "pytest"
    assert [test for test in tests if not (ROOT / test).exists()] == []
