"""`python -m benchmarks._train_command` runs every way to train, each to its end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_way_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks._train_command", "--megabytes", "1"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    lines = re.findall(r"^  (\S.*?) +([\d.]+) s +(\d+) MiB$", finished.stdout, re.MULTILINE)
    assert [what for what, *_ in lines] == 2 * [
        "softgrad train",
        "softgrad train --stream",
        "softgrad train --stream --cache",
        "pandas and scikit-learn",
        "polars and scikit-learn",
    ]
    assert all(float(seconds) > 0.0 and int(memory) > 10 for _, seconds, memory in lines)
