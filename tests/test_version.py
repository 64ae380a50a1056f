"""The version stands in src/softgrad/_version.py alone; what else names it follows."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

import softgrad
from tests.cli.conftest import succeeds

ROOT = Path(__file__).parent.parent


def test_it_is_that_of_the_installed_package() -> None:
    assert importlib.metadata.version("softgrad") == softgrad.__version__


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", softgrad.__version__)


def test_it_is_shown() -> None:
    assert softgrad.show_config()["version"] == softgrad.__version__
    assert succeeds("--version").stdout == f"softgrad {softgrad.__version__}\n"


def test_it_is_the_one_to_cite() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == softgrad.__version__


def test_the_build_has_none_of_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]


def test_the_import_looks_up_no_metadata() -> None:
    program = "import sys, numpy; before = set(sys.modules); import softgrad; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "softgrad._version" in loaded
    assert {name for name in loaded if name.startswith("importlib.metadata")} == set()
