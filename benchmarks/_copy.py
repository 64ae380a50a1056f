"""A copy on two threads: what memory allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np

from benchmarks._contender import Contender
from benchmarks._peers import Array, Peer

# Handing over half of a smaller array takes longer than copying it.
_LEAST_BYTES = 1 << 20


@cache
def _helper() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def copy_in_halves(target: Array, source: Array) -> None:
    """Copy with a helper thread, NumPy leaving the interpreter's lock to it."""
    if source.nbytes < _LEAST_BYTES:
        np.copyto(target, source)
        return
    middle = len(source) // 2
    helped = _helper().submit(np.copyto, target[middle:], source[middle:])
    np.copyto(target[:middle], source[:middle])
    helped.result()


def copies(sources: Sequence[Array], targets: Sequence[Array], peers: Mapping[str, Peer]) -> Contender:
    """PyTorch's copy on two threads, or two of NumPy's where PyTorch is not installed."""
    pairs = list(zip(targets, sources, strict=True))
    if "PyTorch" in peers:
        return peers["PyTorch"].contender("copy", pairs)
    return Contender([partial(copy_in_halves, *pair) for pair in pairs])
