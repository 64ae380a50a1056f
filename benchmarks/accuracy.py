"""Measures the worst errors of softgrad and its peers and writes docs/accuracy.md: `python -m benchmarks.accuracy`.

Every instruction set and every installed peer is measured in a process of its own, on the same inputs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.test_scipy_suite import EXCEPTIONS

import softgrad as sg
from benchmarks._accuracy_libraries import PEERS, installed_peers
from benchmarks._accuracy_page import Measurement, beyond, page

ROOT = Path(__file__).parents[1]


def machine() -> str:
    """The processor, the system and the versions, in a line."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [
            line for line in information.read_text(encoding="utf-8").splitlines() if line.startswith("model name")
        ]
        if models:
            processor = f"{models[0].partition(':')[2].strip()} ({platform.machine()}, {len(models)} cores)"
    return (
        f"{processor}, {platform.system()}, Python {platform.python_version()}, NumPy {version('numpy')}, "
        f"softgrad {sg.__version__}"
    )


def measured(library: str, seed: int, **environment: str) -> dict[str, Any]:
    """What `_accuracy_measure` finds in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks._accuracy_measure", library, str(seed)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the inputs; a new one without it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "accuracy.md")
    arguments = parser.parse_args()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)

    softgrad, values = {}, 0
    for name in sg.show_config()["available_instruction_sets"]:
        print(f"softgrad, {name}", flush=True)
        found = measured("softgrad", seed, SOFTGRAD_ISA=name)
        softgrad[name], values = found["worst"], found["values"]
    peers = {}
    installed = installed_peers()
    for name in installed:
        print(name, flush=True)
        peers[f"{name} {version(PEERS[name]).partition('+')[0]}"] = measured(name, seed)["worst"]
    missing = [name for name in PEERS if name not in installed]
    measurement = Measurement(seed, machine(), values, softgrad, peers, missing)
    arguments.out.write_text(page(measurement, EXCEPTIONS), encoding="utf-8")
    print(f"wrote {arguments.out}")
    for line in beyond(measurement):
        print(f"beyond its bound: {line}")


if __name__ == "__main__":
    main()
