"""What one library does at one shape: its inputs, its calls, and whether what they give is right."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._harness import rotations
from benchmarks._inputs import assert_close, check_rows, logits
from benchmarks._peers import Array, Peer
from benchmarks._shapes_accuracy import worst_error
from benchmarks.cross_entropy import check_value_and_grad, mean_loss
from softgrad import reference

# An array of more entries repeats its rows, so that drawing and checking it takes little of the time.
_MOST_DRAWN = 1_000_000

Block = tuple[Array, Array, Array]


def softgrad() -> Peer:
    """softgrad behind the face of its peers: where it can, it writes into an array that is there."""
    return Peer(
        {
            "softmax": lambda x, out, *, axis: sg.softmax(x, axis=axis, out=out),
            "log_softmax": lambda x, out, *, axis: sg.log_softmax(x, axis=axis, out=out),
            "logsumexp": lambda x, _out, *, axis: sg.logsumexp(x, axis=axis),
            "cross_entropy": sg.cross_entropy,
            "cross_entropy.value_and_grad": lambda x, labels, out, *, axis: sg.cross_entropy.value_and_grad(
                x, labels, axis=axis, out=out
            ),
            "softmax.vjp, output": lambda output, cotangent, out, *, axis: sg.softmax.vjp(
                None, cotangent, output=output, axis=axis, out=out
            ),
            "log_softmax.vjp, output": lambda output, cotangent, out, *, axis: sg.log_softmax.vjp(
                None, cotangent, output=output, axis=axis, out=out
            ),
        }
    )


def _drawn_rows(entries: int, classes: int) -> int:
    return max(1, min(entries, _MOST_DRAWN) // classes)


def _repeats(entries: int) -> int:
    return max(1, entries // _MOST_DRAWN)


def rows_of(entries: int, classes: int) -> int:
    """How many rows an array of about so many entries has; one at least."""
    return _drawn_rows(entries, classes) * _repeats(entries)


@lru_cache(maxsize=1)
def _blocks(entries: int, classes: int, seed: int) -> list[Block]:
    """Logits, labels and cotangents, as often as they are taken in turn; the same in every process."""
    rng = np.random.default_rng([seed, entries, classes])
    rows = _drawn_rows(entries, classes)
    shape = (rows, classes)
    return [
        (logits(rng, shape), rng.integers(classes, size=rows), logits(rng, shape))
        for _ in range(rotations(4 * entries))
    ]


class Work:
    """A function of a library at one shape."""

    def __init__(self, library: str, peer: Peer, function: str, entries: int, classes: int, seed: int) -> None:
        self._library, self._function = library, function
        self._repeats = _repeats(entries)
        blocks = _blocks(entries, classes, seed)
        self._block = blocks[0]
        self.contender = peer.contender(function, [self._arguments(block) for block in blocks], axis=-1)

    def _arguments(self, block: Block) -> tuple[Array | None, ...]:
        x, labels, cotangent = block
        function = self._function
        if function in ("cross_entropy", "cross_entropy.value_and_grad"):
            arrays: tuple[Array, ...] = (x, labels)
        elif function.endswith(".vjp, output"):
            arrays = (getattr(sg, function.partition(".")[0])(x), cotangent)
        else:
            arrays = (x,)
        given = tuple(np.tile(array, (self._repeats, *[1] * (array.ndim - 1))) for array in arrays)
        if function == "cross_entropy" or (function.startswith("cross_entropy") and self._library != "softgrad"):
            return given
        # JAX writes into no array of its caller's.
        result = given[0][:, 0] if function == "logsumexp" else given[0]
        return *given, None if self._library == "JAX" else np.empty(result.shape, result.dtype)

    def _result(self) -> Any:
        """The result of the first inputs, its arrays cut to the last repetition of the rows."""
        result = self.contender.result()
        if self._function == "cross_entropy":
            return result
        if self._function == "cross_entropy.value_and_grad":
            return result[0], self._last(result[1])
        return self._last(result)

    def _last(self, array: Array) -> Array:
        rows = len(self._block[0])
        assert len(array) == rows * self._repeats, f"the result has {len(array)} rows, not {rows * self._repeats}"
        return array[-rows:]

    def check(self) -> None:
        """Raise AssertionError unless the result is right."""
        x, labels, cotangent = self._block
        result = self._result()
        if self._function == "cross_entropy":
            assert_close("the loss", result, mean_loss(x, labels), x.dtype)
        elif self._function == "cross_entropy.value_and_grad":
            # The mean is over as many times more rows.
            check_value_and_grad(x, labels, -1)((result[0], result[1] * self._repeats))
        else:
            name, is_product, _ = self._function.partition(".vjp, output")
            definition = getattr(reference, f"{name}_vjp" if is_product else name)
            check_rows(self._function, definition, (x, cotangent) if is_product else (x,))(result)

    def error(self) -> float:
        """The worst error of the result, in ulp."""
        return worst_error(self._function, self._result(), *self._block, self._repeats)
