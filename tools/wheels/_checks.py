"""What must hold of a wheel before anyone installs it."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

from tools.wheels._targets import GLIBC, Target
from tools.wheels._tools import WheelError, run

MOST_BYTES = 3_000_000
REQUIRED = ("softgrad/py.typed", "softgrad/_core.pyi", "dist-info/licenses/LICENSE")


def tagged(wheel: Path, target: Target, folder: Path) -> Path:
    """The wheel with the tag of the oldest systems that auditwheel finds it to run on."""
    command = [sys.executable, "-m", "auditwheel", "repair", "--patcher", "none", "--only-plat", "--plat", "auto"]
    run([*command, "--wheel-dir", str(folder), str(wheel)])
    (result,) = folder.glob("*.whl")
    if not target.takes(result.name):
        raise WheelError(f"{result.name} is not for every {target.processor} Linux with glibc {GLIBC}")
    return result


def check(wheel: Path) -> None:
    size = wheel.stat().st_size
    if size > MOST_BYTES:
        raise WheelError(f"{wheel.name} has {size} bytes; at most {MOST_BYTES} are allowed")
    with zipfile.ZipFile(wheel) as archive:
        if found := faults(archive.namelist()):
            raise WheelError(f"{wheel.name}: {'; '.join(found)}")
    if "-abi3-" in wheel.name:
        run([sys.executable, "-m", "abi3audit", "--strict", str(wheel)])


def faults(names: list[str]) -> list[str]:
    """What is missing among the files of a wheel, and what does not belong there."""
    found = [f"no {end}" for end in REQUIRED if not any(name.endswith(end) for name in names)]
    compiled = [name for name in names if re.search(r"\.(so|pyd|dll|dylib)$", name)]
    if len(compiled) != 1 or not compiled[0].startswith("softgrad/_core."):
        found.append(f"compiled is {', '.join(compiled) or 'nothing'}, not softgrad/_core alone")
    folders = {name.split("/")[0] for name in names}
    found += [f"{folder} does not belong there" for folder in sorted(folders) if not folder.startswith("softgrad")]
    return found
