"""The command that trains a file under a limit of memory runs, at a small size, and sees a wrong optimum."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import benchmarks
import numpy as np
import pytest
from benchmarks._out_of_core import MOST_DIFFERENCE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

ROOT = Path(benchmarks.__path__[0]).parent


def out_of_core(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks._out_of_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_three_steps(tmp_path: Path) -> None:
    whole = out_of_core("--folder", tmp_path, "--gigabytes", 0.05)
    assert whole.returncode == 0, whole.stderr
    assert "file: 0.05" in whole.stdout
    assert "memory: limit 2 GB of addresses" in whole.stdout
    difference = re.search(r"relative difference (\S+)", whole.stdout)
    assert difference is not None
    assert float(difference[1]) <= MOST_DIFFERENCE

    with np.load(tmp_path / "streamed.npz") as streamed:
        coef, intercept = streamed["coef"], streamed["intercept"]
    # The relative gap is then about the square of this.
    np.savez(tmp_path / "streamed.npz", coef=coef + 1e-3 * np.eye(*coef.shape), intercept=intercept)
    wrong = out_of_core("check", "--folder", tmp_path)
    assert wrong.returncode == 1
    assert f"the two differ by more than {MOST_DIFFERENCE:.0e}" in wrong.stderr


def test_the_limit_is_one(tmp_path: Path) -> None:
    """One command under two limits; what is refused first under the lower one depends on the libraries."""
    assert out_of_core("make", "--folder", tmp_path, "--gigabytes", 0.05).returncode == 0
    result = tmp_path / "streamed.npz"
    for limit, is_enough in ((0.5, False), (2.0, True)):
        trained = out_of_core("train", "--folder", tmp_path, "--limit", limit)
        assert (trained.returncode == 0) == is_enough, trained.stderr
        assert result.exists() == is_enough
