"""No temporary of the size of the input: the peak of every call, in a process of its own, at two numbers of rows.

What a call takes beyond its arguments and results is the few MiB of its blocks, its threads, and code that it touches
for the first time (5 to 10 MiB, by the machine); four times the rows add to that a few numbers a row. Measured, not
guessed: see memory_cases.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import softgrad as sg
from tests.memory_cases import CLASSES, ENVIRONMENT, LEFT_OUT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="getrusage and fork are of Unix"),
]
ROOT = Path(__file__).parents[1]
MIB = 2**20
FEW, MANY = 1024, 4096
# The arrays are 8 MiB (float16) to 32 MiB (float64); truth values of their shape are 4 MiB, and 1 MiB with few rows.
PEAK, GROWTH = 24 * MIB, 1 * MIB
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
axes = pytest.mark.parametrize("axis", ["last", "first"])


@cache
def measured(dtype: str, axis: str, rows: int) -> dict[str, int]:
    """Bytes by case."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.memory_cases", dtype, axis, str(rows)],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@dtypes
@axes
def test_peak_beyond_arguments_and_results(axis, dtype):
    few, many = measured(dtype, axis, FEW), measured(dtype, axis, MANY)
    calls = [name for name in many if "." in name]
    for name in calls:
        print(f"{many[name] / MIB:6.2f} MiB, {(many[name] - few[name]) / MIB:+5.2f} from {FEW} to {MANY} rows: {name}")
    large = [name for name in calls if many[name] > PEAK]
    growing = [name for name in calls if many[name] - few[name] > GROWTH]
    assert (large, growing) == ([], [])


@dtypes
@axes
def test_temporaries_are_seen(axis, dtype):
    """Both bounds are crossed by what they are there to find."""
    few, many = measured(dtype, axis, FEW), measured(dtype, axis, MANY)
    assert many["a copy"] >= 8 * CLASSES * MANY
    assert many["a copy"] > PEAK
    assert many["truth values"] - few["truth values"] > 2 * GROWTH


def test_every_verb_is_measured():
    cases = set(measured("float32", "last", FEW))
    for name in set(sg.registry()) - LEFT_OUT:
        verbs = {"__call__", *sg.registry()[name].derivatives} - LEFT_OUT
        assert {f"{name}.{verb}" for verb in verbs} <= cases
