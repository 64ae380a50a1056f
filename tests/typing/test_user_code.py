"""The types of the public API as the checkers of users see them; refused.py says what they must not let pass."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing import user_code

FILES = [Path(__file__).with_name(name) for name in ("user_code.py", "refused.py")]
COMMANDS = {
    "mypy": ["-m", "mypy", "--strict", "--config-file=", "."],
    "pyright": ["-m", "pyright", "--pythonpath", sys.executable, "--project", "."],
}


def test_the_code_of_users_runs() -> None:
    user_code.everything()


@pytest.mark.slow
@pytest.mark.parametrize("checker", COMMANDS)
def test_a_checker_accepts_and_refuses_as_it_should(checker: str, tmp_path: Path) -> None:
    """Outside of the project, so that its settings do not count, and softgrad is found where it is installed."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    settings = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, *COMMANDS[checker]]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
