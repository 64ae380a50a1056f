"""The programs of docs/guide/distributed.md."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from softgrad import distributed
from softgrad.distributed._own_place import own_folder
from tests.cli.conftest import succeeds

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "distributed.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.slow
# Of the engines themselves, at their start.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_the_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(PROGRAMS) == 3
    exec("".join(PROGRAMS[:2]), {"__name__": "guide"})
    commands = [shlex.split(line) for line in re.findall(r"^\$ softgrad (.*)$", TEXT, re.MULTILINE)]
    assert [arguments[0] for arguments in commands] == ["train", "evaluate", "predict"]
    for arguments in commands:
        succeeds(*arguments)
    assert sorted(os.listdir("predictions")) == [f"part-0000{number}.csv" for number in range(4)]
    succeeds("train", "digits/*.parquet", "--target", "digit", "--model", "alone.model")
    assert Path("alone.model").read_bytes() == Path("digit.model").read_bytes()


@pytest.mark.slow
def test_the_program_of_folds_runs(tmp_path: Path) -> None:
    # In a process of its own, where Ray has no token yet of a cluster of `ray_rows`; and it leaves files at home.
    with own_folder("ray") as place:
        environment = os.environ | {"HOME": str(tmp_path), "RAY_TMPDIR": place, "RAY_USAGE_STATS_ENABLED": "0"}
        subprocess.run([sys.executable, "-c", PROGRAMS[2]], env=environment, cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", distributed.__all__)
def test_the_page_names_every_function(name: str) -> None:
    assert f"{name}(" in TEXT
