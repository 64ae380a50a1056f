"""The words of docs/performance.md; the tables stand between them, and above each the docstring of its module."""

HEAD = """\
# Performance

Written by `python -m benchmarks --write` from docs/performance.json, which the command above each table filled; do not
edit.

{conditions}
{missing}How to read the tables:

- *softgrad*: the median of its time, the quartiles in brackets. A shared machine is noisy: the ratios count, and the
  contenders of a row were timed in turns, in one process (`benchmarks/_harness.py`), or in one each, where it says so.
- *roofline*: bytes that must move / (time x bandwidth), the bandwidth being that of a copy on two threads of the same
  array in the same run. In a cache it is the cache's. What only reads may exceed 100 %.
- */ copy* and the like: softgrad's time in units of that of the copy; less is better.
- *NumPy* and the other peers: how many times softgrad's time they take; more is better. Before that their results are
  checked.
- *goal*: what softgrad is held to; beside PyTorch and JAX the same at every shape (`benchmarks/_goals.py`). **missed**
  names those that are not met.

[Every shape](performance-shapes.md) has a page of its own. `python -m benchmarks --compare A B` times two commits of
softgrad side by side.

{verdict}

Why, where one is missed:

- *PyTorch and JAX where rows stay in a cache*, on whatever axis: nobody waits for memory there, and the ratio is that
  of instructions. Their exponential is rounded less carefully ([accuracy.md](accuracy.md)).
- *PyTorch on small arrays*: it uses two threads that spin between calls. softgrad's sleep, and waking one takes longer
  than the call saves ([threads](design/threads.md)).
- *1.50 us*: of a call of a microsecond and a half the median follows the clock of a shared machine, the first quartile
  does not.
- *three products*: products of blocks take longer than the whole ones, since BLAS packs the weight anew for each, and
  beside them are the kernel and the additions ([the linear head](design/linear-head.md)). It is met in some runs and
  not in others.
- *PyTorch, chunked*: three times the products is more than it takes itself; see its column and "three products".
"""

BANDWIDTH = """
### The bandwidth that was measured

Bytes read and written by the copy, for the logits of this table:

"""
