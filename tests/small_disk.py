"""Functions of the tests in a process of their own, with a small disk that it alone sees, and that is soon full."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
# Root there is who runs the tests, whoever that is.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
# Besides TMPDIR and the working folder.
FOR_TEMPORARY_FILES = ["/tmp", "/var/tmp", "/usr/tmp"]


def _can_mount() -> bool:
    try:
        mount = [*NAMESPACE, "mount", "-t", "tmpfs", "softgrad", "/tmp"]
        tried = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


needs_small_disk = pytest.mark.skipif(
    not _can_mount(), reason="a disk of its own needs Linux, unshare of util-linux, and user and mount namespaces"
)


def on_small_disk(
    function: Callable[..., Any],
    folder: Path,
    kibibytes: int,
    *arguments: object,
    kept: Sequence[Path] = (),
    alone: bool = False,
) -> Any:
    """What a function gives for the folder and the arguments, which are texts there; JSON can hold it.

    Parameters
    ----------
    function : callable
        Of a module of the tests, which is imported when the disk is there.
    folder : Path
        Where the disk is mounted, whatever is there.
    kibibytes : int
        The size of the disk.
    *arguments : object
    kept : sequence of Path
        Folders below `folder` that can be seen nevertheless.
    alone : bool
        Whether temporary files can be in no other of the usual folders.
    """
    command = [*NAMESPACE, sys.executable, "-W", "error", "-m", "tests.small_disk"]
    mounts = [str(folder), str(kibibytes), json.dumps(list(map(str, kept))), json.dumps(alone)]
    called = [function.__module__, function.__name__, *map(str, arguments)]
    ended = subprocess.run([*command, *mounts, *called], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def fill(folder: Path, room: int) -> Path:
    """Take all of the disk but so many KiB, a multiple of 4; the file that does it, which may be removed."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - room * 1024)
    return filler


def _mount(folder: Path, kibibytes: int, kept: Sequence[Path]) -> None:
    # By their names they are hidden by the disk.
    handles = [os.open(path, os.O_RDONLY) for path in kept]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "softgrad", folder], check=True)
    for path, handle in zip(kept, handles, strict=True):
        path.mkdir(parents=True)
        bind = ["mount", "--no-canonicalize", "--rbind", f"/proc/self/fd/{handle}", str(path)]
        subprocess.run(bind, pass_fds=[handle], check=True)
        os.close(handle)


def _main() -> None:
    folder, kibibytes, kept, alone, module, name, *arguments = sys.argv[1:]
    if json.loads(alone):
        for path in filter(os.path.isdir, FOR_TEMPORARY_FILES):
            subprocess.run(["mount", "--rbind", path, path], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
    _mount(Path(folder), int(kibibytes), list(map(Path, json.loads(kept))))
    function = getattr(importlib.import_module(module), name)
    print("\n" + json.dumps(function(Path(folder), *arguments)))


if __name__ == "__main__":
    _main()
