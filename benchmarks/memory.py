"""Memory: what a call holds beyond its inputs and results

The highest resident memory of a process during one large call, less what was resident before and what the call
returns. These are the figures of the system (Linux), which see native memory too. Each call has a process of its own,
where a call of two rows has loaded the code before. float32; softmax, log_softmax and cross_entropy.value_and_grad of
softgrad work in place. The roofline does not apply; the figures are in MiB, one measurement each.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks._harness import Bench
from benchmarks._peak_memory import CHUNKED, SOFTGRAD
from benchmarks._results import Row, Spread

_ROOT = Path(__file__).parents[1]
# Scratch of the threads, and the noise of the figures.
_NOTHING = 0.05


def _extra_bytes(library: str, work: str, rows: int, classes: int) -> Spread:
    command = [sys.executable, "-m", "benchmarks._peak_memory", library, work, str(rows), str(classes)]
    finished = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Spread.of([float(finished.stdout)])


def memory_row(bench: Bench, work: str, rows: int, classes: int) -> Row:
    """What a call of that size takes, and what its peers do."""
    linear = work.startswith("linear")
    # JAX compiles for each shape, in memory that would be counted.
    peers = {
        name: _extra_bytes(name, work, rows, classes)
        for name, peer in bench.peers.items()
        if work in peer.functions and name != "JAX"
    }
    if linear and "PyTorch" in peers:
        peers["PyTorch, chunked"] = _extra_bytes("PyTorch", CHUNKED, rows, classes)
    return Row(
        f"memory of {work} {rows} x {classes}",
        _extra_bytes("softgrad", work, rows, classes),
        floors={"logits": Spread.of([4.0 * rows * classes])},
        peers=peers,
        unit="B",
        at_most={} if linear else {"logits": _NOTHING},
        at_least={"PyTorch": 8.0} if linear else {},
    )


def rows(bench: Bench) -> Iterator[Row]:
    shape = (64, 1000) if bench.quick else (2048, 32000)
    return (memory_row(bench, work, *shape) for work in SOFTGRAD)
