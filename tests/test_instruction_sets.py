"""Each instruction set in a process of its own: the bounds hold on all, the bits agree on those with FMA."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import softgrad as sg

ROOT = Path(__file__).parents[1]
AVAILABLE = sg.show_config()["available_instruction_sets"]
KNOWN = ("avx512", "avx2", "baseline", "neon", "generic")
WITH_FMA = tuple(name for name in ("avx2", "avx512") if name in AVAILABLE)


def run(level, *command):
    environment = {**os.environ, "SOFTGRAD_ISA": level}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@cache
def probe(level):
    finished = run(level, "-m", "tests.oracles.probe")
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_the_levels_are_known():
    assert AVAILABLE
    assert set(AVAILABLE) <= set(KNOWN)


CPUINFO = Path("/proc/cpuinfo")
FLAGS = {
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512vl", "avx512bw"},
}


@pytest.mark.skipif(not CPUINFO.exists() or "baseline" not in AVAILABLE, reason="Linux on x86-64 alone lists flags")
def test_the_levels_are_those_of_the_processor_as_the_system_lists_them():
    flags = set(next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")).split())
    assert {level for level, needed in FLAGS.items() if needed <= flags} == set(AVAILABLE) - {"baseline"}


@pytest.mark.parametrize("level", AVAILABLE)
def test_the_bounds_hold(level):
    report = probe(level)
    assert report["instruction_set"] == level
    assert len(report["worst"]) == 14
    beyond = {name: worst for name, worst in report["worst"].items() if not worst <= 1.0}
    assert not beyond, f"errors as a multiple of the bound: {beyond}"
    # Nothing can be exact everywhere: a probe that compared a thing with itself would say so.
    assert all(worst > 0.1 for worst in report["worst"].values())


def test_levels_with_fma_give_the_same_bits():
    hashes = {level: probe(level)["bits"] for level in WITH_FMA}
    assert len(set(hashes.values())) <= 1, hashes


def test_the_best_level_is_the_default():
    environment = {name: value for name, value in os.environ.items() if name != "SOFTGRAD_ISA"}
    for chosen in (environment, environment | {"SOFTGRAD_ISA": ""}):
        finished = subprocess.run(
            [sys.executable, "-c", "import softgrad as sg; print(sg.show_config()['instruction_set'])"],
            env=chosen,
            capture_output=True,
            text=True,
            check=True,
        )
        assert finished.stdout.strip() == AVAILABLE[0]


@pytest.mark.parametrize("level", ["nonsense", "AVX2", "avx2 ", *(name for name in KNOWN if name not in AVAILABLE)])
def test_a_level_that_is_not_there_is_a_clear_error(level):
    finished = run(level, "-c", "import softgrad as sg; sg.softmax([1.0, 2.0]); print('computed')")
    assert finished.returncode == 1
    assert "computed" not in finished.stdout
    message = finished.stderr.strip().splitlines()[-1]
    assert "Error" in message
    assert "SOFTGRAD_ISA" in message
    assert repr(level) in message
    for name in AVAILABLE:
        assert name in message
