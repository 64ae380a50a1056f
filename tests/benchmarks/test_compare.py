"""Two commits are compared as git has them, each with its own build; a slower one is seen, noise is called noise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import __main__ as command
from benchmarks import _compare
from benchmarks._compare import QUICK_STARTS, Compared, measured, table
from benchmarks._compare_builds import Commit, NotBuilt, build, commits, uncommitted

import softgrad
from softgrad import _core

# A build that needs no network and no compiler: a wheel of one file, the version of the commit.
_BACKEND = """
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "softgrad-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.write("softgrad.py")
        wheel.writestr("softgrad-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: softgrad\\nVersion: 1\\n")
        wheel.writestr("softgrad-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("softgrad-1.dist-info/RECORD", "")
    return name
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_SLOW_SOFTMAX = """
import time
_fast_softmax = softmax

def softmax(*arguments, **options):
    time.sleep(2e-3)
    return _fast_softmax(*arguments, **options)
"""
_WRONG_SOFTMAX = """
_right_softmax = softmax

def softmax(x, **options):
    return _right_softmax(2.0 * x, **options)
"""


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    said = subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return said.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits with a tag each, and a change that is not committed."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (root / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    for version in ("1", "2", "3"):
        (root / "softgrad.py").write_text(f"version = {version}\n", encoding="utf-8")
        if version != "3":
            git(root, "add", ".")
            git(root, "commit", "--quiet", "--message", version)
            git(root, "tag", f"v{version}")
    return root


def test_a_commit_is_named_as_git_knows_it(repository: Path) -> None:
    first, second = git(repository, "rev-parse", "v1"), git(repository, "rev-parse", "HEAD")
    assert first != second
    names = ["v1", "HEAD~1", first, first[:12], "HEAD"]
    found = commits(repository, names)
    assert [commit.sha for commit in found] == [first, first, first, first, second]
    assert [commit.shown for commit in found[1:3]] == [f"HEAD~1 ({first[:10]})", first[:10]]


@pytest.mark.parametrize("name", ["v3", "", "HEAD:softgrad.py", "--help", "HEAD^{tree}"])
def test_what_is_no_commit_is_named(name: str, repository: Path) -> None:
    with pytest.raises(NotBuilt, match=f"^{re.escape(repr(name))} is no commit of this repository"):
        commits(repository, ["HEAD", name])


def test_a_folder_without_a_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(NotBuilt, match=r"(?s)git rev-parse failed:.*not a git repository"):
        commits(tmp_path, ["HEAD"])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotBuilt, match="git is not on the PATH"):
        commits(tmp_path, ["HEAD"])


def test_the_files_with_changes_are_named(repository: Path) -> None:
    assert uncommitted(repository) == ["softgrad.py"]
    git(repository, "checkout", "--quiet", "softgrad.py")
    assert uncommitted(repository) == []


@pytest.fixture
def command_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command with arguments, in the repository, without its hold on two cores."""
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository))
    monkeypatch.setattr(command, "keep_to_two_cores", lambda: None)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
        command.main()

    return run


def test_nothing_is_built_where_one_is_no_commit(
    command_there: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_compare, "build", pytest.fail)
    with pytest.raises(SystemExit, match=r"^--compare: 'nothing' is no commit of this repository"):
        command_there("--compare", "HEAD", "nothing")


@pytest.mark.slow
def test_the_command_says_what_it_measured(
    command_there: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built: list[str] = []

    def copied(_root: Path, commit: Commit, folder: Path) -> Path:
        built.append(commit.name)
        return copy_of_softgrad(folder, _SLOW_SOFTMAX if commit.name == "v2" else "")

    monkeypatch.setattr(_compare, "build", copied)
    command_there("small_calls", "--compare", "v1", "v2", "--quick", "--seed", "5")
    said, warned = capsys.readouterr()
    assert built == ["v1", "v2"]
    assert warned == "changes that are not committed are not measured: softgrad.py\n"
    assert re.search(r"^A: v1 \(\w{10}\)\nB: v2 \(\w{10}\)$", said, re.MULTILINE)
    assert re.search(r"^\| softmax 1 x 10 .*% slower *\|$", said, re.MULTILINE)
    command_there("small_calls", "--compare", "v1", "HEAD~1", "--quick")
    # They are one commit.
    assert built == ["v1", "v2", "v1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "HEAD"], "argument --compare: expected 2 arguments"),
        (["--compare", "HEAD", "HEAD", "--json", "figures.json"], "--compare writes no figures"),
        (["--compare", "HEAD", "HEAD", "--write"], "--write measures nothing"),
        (["memory", "--compare", "HEAD", "HEAD"], "no question 'memory'; there are softmax, cross_entropy"),
    ],
)
def test_the_command_refuses_what_it_would_ignore(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_each_build_is_of_what_was_committed(repository: Path, tmp_path: Path) -> None:
    built = [build(repository, commit, tmp_path / commit.name) for commit in commits(repository, ["v1", "v2"])]
    assert [(folder / "softgrad.py").read_text() for folder in built] == ["version = 1\n", "version = 2\n"]
    (repository / "backend.py").write_text("raise RuntimeError('no compiler')\n")
    git(repository, "commit", "--quiet", "--all", "--message", "broken")
    (broken,) = commits(repository, ["HEAD"])
    with pytest.raises(NotBuilt, match=r"(?s)^HEAD \(\w{10}\) does not build:.*no compiler"):
        build(repository, broken, tmp_path / "broken")


def copy_of_softgrad(folder: Path, added: str = "") -> Path:
    """The package as it is here, with lines more."""
    package = folder / "softgrad"
    shutil.copytree(Path(softgrad.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    if not (package / Path(_core.__file__).name).exists():
        shutil.copy(_core.__file__, package)
    with (package / "__init__.py").open("a", encoding="utf-8") as module:
        module.write(added)
    return folder


@pytest.mark.slow
def test_a_slower_build_is_seen_and_named(tmp_path: Path) -> None:
    packages = {"A": copy_of_softgrad(tmp_path / "A"), "B": copy_of_softgrad(tmp_path / "B", _SLOW_SOFTMAX)}
    slow, *others = measured(packages, "softmax", 5, quick=True)
    assert [each.work for each in (slow, *others)] == ["softmax 16 x 50", "log_softmax 16 x 50", "logsumexp 16 x 50"]
    assert len(slow.before) == len(slow.after) == QUICK_STARTS
    assert min(slow.after) >= 2e-3 > max(slow.before)
    assert slow.verdict.endswith("% slower")
    for each in others:
        assert max(each.after) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("question", command.COMPARED)
def test_every_question_has_work_for_both(question: str, tmp_path: Path) -> None:
    packages = dict.fromkeys("AB", copy_of_softgrad(tmp_path))
    compared = measured(packages, question, 5, quick=True)
    assert compared
    for each in compared:
        assert min(*each.before, *each.after) > 0.0
        assert len(each.ratios) == QUICK_STARTS


@pytest.mark.slow
def test_a_build_with_another_result_is_named(tmp_path: Path) -> None:
    packages = {"A": copy_of_softgrad(tmp_path / "A"), "B": copy_of_softgrad(tmp_path / "B", _WRONG_SOFTMAX)}
    with pytest.raises(RuntimeError, match=r"(?s)^B failed:.*AssertionError: softmax is .* is right"):
        measured(packages, "softmax", 5, quick=True)


def test_a_difference_is_one_that_each_start_has() -> None:
    assert Compared("w", [1.0, 2.0, 3.0], [1.1, 2.5, 3.3]).verdict == "B is 10.0 % slower"
    assert Compared("w", [1.0, 2.0, 3.0], [0.5, 1.5, 2.4]).verdict == "B is 25.0 % faster"
    assert Compared("w", [1.0, 2.0, 3.0], [9.0, 1.9, 9.0]).verdict == "within the noise"
    assert Compared("w", [1.0, 2.0, 3.0], [1.0, 2.1, 3.1]).verdict == "within the noise"


def test_the_table_has_the_spread_of_the_ratios() -> None:
    header, _, row = table([Compared("some work", [1e-3, 2e-3, 4e-3], [1.1e-3, 2.5e-3, 4.4e-3])]).splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")] == [
        "work", "A", "B", "B / A", "of the starts", "verdict"
    ]  # fmt: skip
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "some work", "2.00 ms", "2.50 ms", "1.100", "1.100 - 1.250", "B is 10.0 % slower"
    ]  # fmt: skip
