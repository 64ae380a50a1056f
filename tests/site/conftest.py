"""The site of the documentation, built once for all tests that look at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import made_once
from tests.site.pages import DOCS

COMMAND = (sys.executable, "-m", "sphinx")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    return made_once(tmp_path_factory, "site", _build)


def _build(folder: Path) -> None:
    result = subprocess.run([*COMMAND, DOCS, folder], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
