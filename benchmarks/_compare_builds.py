"""Commits of this repository, each built into a folder of its own."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path


class NotBuilt(Exception):
    """There is no such commit, or it does not build; in words."""


@dataclass(frozen=True)
class Commit:
    """A commit, as it was asked for and by its hash."""

    name: str
    sha: str

    @property
    def shown(self) -> str:
        return self.sha[:10] if self.sha.startswith(self.name) else f"{self.name} ({self.sha[:10]})"


def commits(root: Path, names: list[str]) -> list[Commit]:
    """The commits of these names, in whatever way git is told of one."""
    return [Commit(name, _sha(root, name)) for name in names]


def _sha(root: Path, name: str) -> str:
    _git(root, "rev-parse", "--git-dir")
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    except NotBuilt:
        raise NotBuilt(f"{name!r} is no commit of this repository: give a hash, a branch, a tag, HEAD ...") from None


def uncommitted(root: Path) -> list[str]:
    """The files that are not as in HEAD, of those that git knows."""
    return _git(root, "diff", "--name-only", "HEAD").decode().splitlines()


def build(root: Path, commit: Commit, folder: Path) -> Path:
    """Build the package of a commit, with the compiler and the tools of this environment; the folder it is then in."""
    source, package = folder / "source", folder / "package"
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", "--format=tar", commit.sha))) as archive:
        archive.extractall(source, filter="data")
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    _run(
        f"{commit.shown} does not build",
        [sys.executable, "-m", "pip", "install", *options, "--target", str(package), str(source)],
        source,
    )
    return package


def _git(root: Path, *arguments: str) -> bytes:
    return _run(f"git {arguments[0]} failed", ["git", *arguments], root)


def _run(failed: str, command: list[str], folder: Path) -> bytes:
    try:
        finished = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise NotBuilt(f"{failed}: {command[0]} is not on the PATH") from None
    if finished.returncode != 0:
        raise NotBuilt(f"{failed}:\n{(finished.stdout + finished.stderr).decode(errors='replace')}")
    return finished.stdout
