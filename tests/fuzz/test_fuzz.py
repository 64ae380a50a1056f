"""Any bytes are read, or refused by an error that names the file: the corpus, and what libFuzzer makes of it.

The corpus has files of each kind, and those that were once read amiss. Of model files, of which 8,000 are tried in a
second, the slow run tries a million; of tables, of which 600 to 2,000 are, as many as take half a minute. They are the
same in every run, so that a change that fails is at fault. A million of each, others each time, are tried every week
by .github/workflows/fuzz.yml.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
RUNS = {
    **dict.fromkeys(("model", "network", "checkpoint"), 1_000_000),
    "csv": 9_000,
    "svmlight": 25_000,
    "parquet": 50_000,
    "arrow": 30_000,
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus(name: str, tmp_path: Path) -> None:
    files = sorted((CORPUS / name).iterdir())
    read = [TARGETS[name](file.read_bytes(), tmp_path) for file in files]
    # Where all were refused, or all taken, nothing was looked at.
    assert any(read)
    assert TARGETS[name](b"", tmp_path) is False


def test_the_corpus_is_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert sum(file.stat().st_size for file in CORPUS.glob("*/*")) <= 200_000


def test_every_reader_is_fuzzed_each_week() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "fuzz.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]["fuzz"]["strategy"]["matrix"]["target"]) == set(TARGETS)


@pytest.mark.parametrize("error", [ValueError("a cell is wrong"), KeyError("data")])
def test_other_errors_are_found(error: Exception, tmp_path: Path) -> None:
    def read(*_: object) -> None:
        raise error

    with pytest.raises((AssertionError, KeyError)):
        Target("data", read)(b"x", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has wheels for Linux on x86_64 alone")
@pytest.mark.parametrize("name", TARGETS)
def test_what_a_fuzzer_makes(name: str, tmp_path: Path) -> None:
    # Where it adds what takes new ways through the code.
    corpus = shutil.copytree(CORPUS / name, tmp_path / "corpus")
    limits = (f"-runs={RUNS[name]}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=4096")
    command = [sys.executable, "-m", "tests.fuzz", name, "-seed=1", *limits, f"-artifact_prefix={tmp_path}/", corpus]
    # On a disk it takes longer to write an input than to read it.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory:
        environment = {**os.environ, "TMPDIR": in_memory, "PYTHONHASHSEED": "0"}
        finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    told = finished.stderr[-5000:]
    assert finished.returncode == 0, told
    runs = re.search(r"Done (\d+) runs", told)
    assert runs, told
    assert int(runs[1]) >= RUNS[name]
    # Else it does not see which ways the inputs take.
    assert re.search(r"INITED cov: [0-9]+", finished.stderr)
