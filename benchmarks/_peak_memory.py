"""Measures one call in a process of its own: `python -m benchmarks._peak_memory LIBRARY WORK ROWS CLASSES`.

Prints the bytes by which resident memory rose while the call ran, less those of the arrays that it returns and made.
"""

from __future__ import annotations

import argparse
import mmap
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._inputs import logits
from benchmarks._peers import PEERS, Array

_PROCESS = Path("/proc/self")
_WIDTH = 1024

Arrays = tuple[Array, ...]
CHUNKED = "linear_cross_entropy.value_and_grad, chunked"


def _inputs(work: str, rows: int, classes: int) -> Arrays:
    rng = np.random.default_rng(0)
    labels = rng.integers(classes, size=rows)
    if work.startswith("linear"):
        return logits(rng, (rows, _WIDTH)), logits(rng, (classes, _WIDTH)), labels
    x = logits(rng, (rows, classes))
    if work == "softmax.vjp":
        return x, logits(rng, x.shape)
    return (x, labels) if work.startswith("cross_entropy") else (x,)


# Each returns the arrays of its result. What can work in place does.
SOFTGRAD: dict[str, Callable[..., Any]] = {
    "softmax": lambda x: sg.softmax(x, out=x),
    "log_softmax": lambda x: sg.log_softmax(x, out=x),
    "logsumexp": sg.logsumexp,
    "softmax.vjp": sg.softmax.vjp,
    "cross_entropy": sg.cross_entropy,
    "cross_entropy.value_and_grad": lambda x, labels: sg.cross_entropy.value_and_grad(x, labels, out=x),
    "cross_entropy.hvp": lambda x, labels: sg.cross_entropy.hvp(x, labels, x),
    "linear_cross_entropy.value_and_grad": lambda *arrays: sg.linear_cross_entropy.value_and_grad(*arrays)[1][:2],
}


def _of_peer(library: str, work: str) -> Callable[..., Any]:
    peer = PEERS[library][0]()
    call = peer.functions[work]
    options: dict[str, Any] = {} if work.startswith("linear") else {"axis": -1}
    out = (None,) if work in ("softmax", "log_softmax", "logsumexp") else ()

    def called(*arrays: Array) -> Any:
        result = call(*map(peer.given, arrays), *out, **options)
        return tuple(map(peer.taken, result)) if isinstance(result, tuple) else peer.taken(result)

    return called


def _resident(figure: str) -> int:
    status = (_PROCESS / "status").read_text()
    found = re.search(rf"^{figure}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {figure}")
    return 1024 * int(found[1])


def _made(result: Any, inputs: Arrays) -> int:
    results = result if isinstance(result, tuple) else (result,)
    arrays = [np.asarray(each) for each in results]
    return sum(each.nbytes for each in arrays if not any(np.shares_memory(each, given) for given in inputs))


def extra_bytes(call: Callable[..., Any], inputs: Arrays) -> int:
    before = _resident("VmRSS")
    # Sets the highest resident memory back to what is resident.
    (_PROCESS / "clear_refs").write_text("5")
    result = call(*inputs)
    # Resident memory is counted in pages: less than one cannot be told from none.
    return max(mmap.PAGESIZE, _resident("VmHWM") - before - _made(result, inputs))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", metavar="LIBRARY", choices=["softgrad", *PEERS])
    parser.add_argument("work", choices=[*SOFTGRAD, CHUNKED])
    parser.add_argument("rows", type=int)
    parser.add_argument("classes", type=int)
    arguments = parser.parse_args()
    work = arguments.work
    call = SOFTGRAD[work] if arguments.name == "softgrad" else _of_peer(arguments.name, work)
    inputs = _inputs(work, arguments.rows, arguments.classes)
    # Loads code and starts threads. A copy, since what works in place would work on the inputs.
    call(*_inputs(work, 2, 10))
    print(extra_bytes(call, inputs))


if __name__ == "__main__":
    main()
