"""linear_cross_entropy in blocks of any size: the same to rounding, within the memory that was given, interruptible."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from softgrad.losses import LinearGradients
from softgrad.losses._linear_cross_entropy._operands import Operands
from softgrad.losses._linear_cross_entropy._sizes import sizes
from tests.losses.test_linear_cross_entropy import COMBINATIONS, assert_agrees, draw, dtypes, option_values
from tests.oracles.bounds import DTYPES, FLOAT32, FLOAT64
from tests.oracles.inputs import fresh_rng

ROOT = Path(__file__).parents[2]
MIB = 2**20
# (N, D, V), and a bound that 64 rows of logits exceed in either dtype.
OF_CLASSES = (70, 6, 150)
FEW_BYTES = 8192


def taken(size, dtype, block_bytes, **options):
    rows, features, classes = size
    operands = Operands.of(np.zeros((rows, features), dtype), np.zeros((classes, features), dtype), None)
    return sizes(operands, block_bytes, **options)


def in_cycle(combinations):
    """Every other one in each dtype: all of them in both take a quarter of a minute."""
    return [(DTYPES[(i + j) % 2], *each) for i, each in enumerate(combinations) for j in range(2 if i % 7 == 0 else 1)]


@pytest.mark.parametrize(("dtype", "kind", "names"), in_cycle(COMBINATIONS), ids=str)
def test_options_in_blocks_of_classes(names, kind, dtype):
    rng = fresh_rng()
    assert taken(OF_CLASSES, dtype, FEW_BYTES).classes < OF_CLASSES[2] / 2
    operands = draw(rng, OF_CLASSES, dtype, kind)
    values = option_values(rng, operands)
    assert_agrees(operands, {name: values[name] for name in names}, block_bytes=FEW_BYTES)


@dtypes
def test_blocks_of_classes_in_every_form(dtype):
    """All options at once, a loss for each row, gradients one by one."""
    rng = fresh_rng()
    operands = draw(rng, OF_CLASSES, dtype)
    values = option_values(rng, operands)
    everything = {name: value for name, value in values.items() if name != "normalizer"}
    everything |= {"reduction": "none", "upstream": rng.standard_normal(OF_CLASSES[0])}
    assert_agrees(operands, everything, block_bytes=FEW_BYTES)
    for name in ("hidden", "weight", "bias"):
        assert_agrees(operands, {}, wrt=(name,), block_bytes=FEW_BYTES)


@dtypes
def test_confident_rows_keep_their_digits_in_blocks_of_classes(dtype):
    """A loss below the last bit of 1, from classes of other blocks, and a gradient of the label's class as small."""
    hidden, weight = np.ones((80, 1), dtype), np.zeros((1000, 1), dtype)
    weight[700] = 44.0
    labels = np.full(80, 700)
    losses, grads = sg.linear_cross_entropy.value_and_grad(
        hidden, weight, labels, block_bytes=FEW_BYTES, reduction="none"
    )
    tiny, eps = np.log1p(999.0 * np.exp(-44.0)), np.finfo(dtype).eps
    assert tiny < np.finfo(FLOAT64).eps
    np.testing.assert_allclose(losses, tiny, rtol=16 * eps)
    np.testing.assert_allclose(grads.weight[700], -80.0 * tiny, rtol=64 * eps)
    np.testing.assert_allclose(grads.weight[:700], 80.0 * np.exp(-44.0), rtol=128 * eps)


@dtypes
def test_classes_at_infinity_in_blocks_of_classes(dtype):
    """Whole blocks of classes at -inf, a row of nothing else, a NaN and a +inf, each only in its row."""
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, OF_CLASSES, dtype)
    labels %= 20
    bias[20:] = -np.inf
    options = {"reduction": "none", "block_bytes": FEW_BYTES}
    losses, grads = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, **options)
    few, few_grads = sg.linear_cross_entropy.value_and_grad(hidden, weight[:20], labels, bias[:20], reduction="none")
    eps = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(losses, few, rtol=eps)
    np.testing.assert_array_equal(grads.weight[20:], 0.0)
    np.testing.assert_allclose(grads.hidden, few_grads.hidden, rtol=0, atol=eps * np.max(np.abs(few_grads.hidden)))
    # One feature alone decides: rows of +inf, NaN and -inf in all classes.
    hidden, weight = np.zeros((70, 1), dtype), np.ones((150, 1), dtype)
    hidden[3], hidden[4], hidden[5] = np.inf, np.nan, -np.inf
    losses = sg.linear_cross_entropy(hidden, weight, labels, **options)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(losses)), [3, 4, 5])
    np.testing.assert_allclose(np.delete(losses, [3, 4, 5]), np.log(150.0), rtol=eps)
    bias = np.zeros(150, dtype)
    bias[7] = -np.inf
    losses = sg.linear_cross_entropy(np.zeros((70, 1), dtype), weight, np.arange(70), bias, **options)
    np.testing.assert_array_equal(np.flatnonzero(np.isinf(losses)), [7])


def sizes_of_terms(operands):
    """The largest sum of the sizes of what each gradient is the sum of."""
    hidden, weight, labels, bias = operands
    logits = hidden.astype(np.float64) @ weight.T.astype(np.float64) + bias
    by_logits = np.abs(reference.cross_entropy_grad(logits, labels))
    terms = (by_logits @ np.abs(weight), by_logits.T @ np.abs(hidden), by_logits.sum(axis=0))
    return [float(np.max(each)) for each in terms]


def roundings(operands):
    """Of a component of a gradient, in units of eps and the size of its terms: eight, and those of the logits.

    A logit is off by eps times the sizes of its terms, and with it, relatively, every term of its row.
    """
    hidden, weight, _, bias = operands
    return 8.0 + float(np.max(np.abs(hidden) @ np.abs(weight).T + np.abs(bias)))


BLOCKS = [20_000, 80_000, 300_000, 2 * MIB, 64 * MIB]


@dtypes
def test_the_size_of_the_blocks_changes_no_more_than_roundings(dtype):
    rng = fresh_rng()
    size = (1500, 24, 400)
    operands = draw(rng, size, dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(*operands)
    scales, eps, allowed = sizes_of_terms(operands), np.finfo(dtype).eps, roundings(operands)
    assert len({taken(size, dtype, block_bytes) for block_bytes in BLOCKS}) == len(BLOCKS)
    for block_bytes in BLOCKS:
        other, others = sg.linear_cross_entropy.value_and_grad(*operands, block_bytes=block_bytes)
        np.testing.assert_allclose(other, loss, rtol=8 * eps)
        for one, another, scale in zip(gradients, others, scales, strict=True):
            assert np.max(np.abs(one - another)) <= allowed * eps * scale


@dtypes
def test_the_size_of_the_batches_changes_no_more_than_roundings(dtype):
    """Micro-batches of any sizes, accumulated, with the normaliser of all."""
    rng = fresh_rng()
    operands = draw(rng, (1500, 24, 400), dtype)
    hidden, weight, labels, bias = operands
    loss, gradients = sg.linear_cross_entropy.value_and_grad(*operands)
    sums = LinearGradients(None, np.zeros_like(weight), np.zeros_like(bias))
    by_hidden, total, cuts = [], 0.0, [0, 1, 300, 617, 1400, 1500]
    for start, stop in itertools.pairwise(cuts):
        rows = slice(start, stop)
        place = np.zeros((stop - start, 24), dtype)
        part, given = sg.linear_cross_entropy.value_and_grad(
            hidden[rows],
            weight,
            labels[rows],
            bias,
            normalizer=1500.0,
            out=sums._replace(hidden=place),
            accumulate=True,
        )
        assert given.weight is sums.weight
        total += float(part)
        by_hidden.append(place)
    scales, eps, allowed = sizes_of_terms(operands), np.finfo(dtype).eps, roundings(operands)
    np.testing.assert_allclose(total, loss, rtol=8 * eps)
    for one, another, scale in zip(gradients, sums._replace(hidden=np.concatenate(by_hidden)), scales, strict=True):
        assert np.max(np.abs(one - another)) <= allowed * eps * scale


def test_what_is_taken_at_a_time():
    large = (8192, 512, 128_256)
    for block_bytes, bound in ((None, 128 * MIB), (MIB, MIB), (16 * MIB, 16 * MIB), (2**40, 256 * MIB)):
        found = taken(large, FLOAT32, block_bytes)
        whole = found.classes == large[2]
        assert found.rows * found.classes * (4 if whole else 28) <= bound
        assert found.rows * found.classes * (4 if whole else 28) > bound / 2
        assert whole == (block_bytes not in (MIB, 16 * MIB))
    # Few classes: many rows, in cache.
    assert taken((10**6, 64, 10), FLOAT64, None).rows == 8 * MIB // 80
    # Few rows: no more than there are.
    assert taken((3, 64, 1000), FLOAT64, None)[:2] == (3, 1000)
    # No product of more than a second on a slow core.
    for size in (large, (10**6, 4096, 10), (8192, 16384, 262_144)):
        found = taken(size, FLOAT32, None)
        assert found.rows * min(found.at_once, found.classes) * size[1] <= 2**32
        assert min(found.held, found.classes) * size[1] * 4 <= 8 * MIB


@pytest.mark.parametrize(("value", "error"), [(4095, ValueError), (-1, ValueError), (1e6, TypeError), ("1", TypeError)])
def test_block_bytes_is_checked(value, error):
    hidden, weight, labels, bias = draw(fresh_rng(), (5, 2, 3), FLOAT64)
    out = LinearGradients(np.full((5, 2), 7.0), None, None)
    with pytest.raises(error, match="block_bytes"):
        sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, block_bytes=value, out=out)
    np.testing.assert_array_equal(out.hidden, 7.0)


def test_second_order_says_what_a_row_needs():
    hidden, weight, labels, bias = draw(fresh_rng(), (5, 2, 3000), FLOAT64)
    vectors = (None, weight, None)
    for verb, numbers in (("jvp", 2), ("hvp", 3)):
        method = getattr(sg.linear_cross_entropy, verb)
        with pytest.raises(ValueError, match=f"block_bytes is 4096; what a row needs here is {numbers * 24000}"):
            method(hidden, weight, labels, bias, vectors, block_bytes=4096)
        method(hidden, weight, labels, bias, vectors, block_bytes=numbers * 24000)


@pytest.mark.parametrize("block_bytes", [30_000, FEW_BYTES])
def test_progress(block_bytes):
    """Told after each block, of the rows that count; what it raises comes through."""
    hidden, weight, labels, bias = draw(fresh_rng(), OF_CLASSES, FLOAT32)
    labels[10:20] = -1
    told = []
    options = {"ignore_index": -1, "block_bytes": block_bytes}
    sg.linear_cross_entropy(hidden, weight, labels, bias, progress=lambda *at: told.append(at), **options)
    assert len(told) > 1
    assert told[-1] == (60, 60)
    assert all(0 < done < later for (done, _), (later, _) in itertools.pairwise(told))
    assert {total for _, total in told} == {60}

    def stop(done, total):
        raise RuntimeError(f"{done} of {total}")

    for call in (sg.linear_cross_entropy.value_and_grad, sg.linear_cross_entropy):
        with pytest.raises(RuntimeError, match=r"\d+ of 60"):
            call(hidden, weight, labels, bias, progress=stop, **options)
    vectors = (None, None, bias)
    for verb in (sg.linear_cross_entropy.jvp, sg.linear_cross_entropy.hvp):
        with pytest.raises(RuntimeError, match="60 of 60"):
            verb(hidden, weight, labels, bias, vectors, progress=stop, ignore_index=-1)
    with pytest.raises(TypeError, match="progress must be callable, got int"):
        sg.linear_cross_entropy(hidden, weight, labels, bias, progress=1)


MEASURED = """
import sys
import numpy as np
import softgrad as sg
from tests.memory_cases import extra
rows, features, classes, block_bytes = (int(each) for each in sys.argv[1:])
rng = np.random.default_rng(0)
hidden, weight = (rng.random(shape, np.float32) - 0.5 for shape in ((rows, features), (classes, features)))
weight /= np.float32(features)
labels, bias = rng.integers(classes, size=rows), np.zeros(classes, np.float32)
# Resident before: zeros that nobody has touched are no memory yet.
out = tuple(np.ones_like(each) for each in (hidden, weight, bias))
sg.linear_cross_entropy.value_and_grad(hidden[:2], weight[:9], labels[:2] % 9, bias[:9])

def call():
    loss, _ = sg.linear_cross_entropy.value_and_grad(
        hidden, weight, labels, bias, out=out, block_bytes=block_bytes or None
    )
    print(float(loss), flush=True)

print(extra(call))
"""


def extra_bytes(*arguments):
    """Of one call in a process of its own, with the loss of it."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    loss, found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    # Logits near 0: every class is about as probable.
    assert 0.9 < float(loss) / np.log(arguments[2]) < 1.1
    return int(found)


@pytest.mark.skipif(sys.platform == "win32", reason="getrusage is of Unix")
@pytest.mark.parametrize("block_bytes", [4 * MIB, 16 * MIB])
def test_peak_memory_of_a_bound(block_bytes):
    """Logits of 78 MiB; beside the block, of classes or of rows, there are 8 MiB of scratch and code."""
    size = (1024, 16, 20_000)
    assert (taken(size, FLOAT32, block_bytes).classes == size[2]) == (block_bytes == 16 * MIB)
    assert extra_bytes(*size, block_bytes) <= block_bytes + 20 * MIB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="getrusage is of Unix")
def test_peak_memory_at_the_size_of_a_language_model():
    """At most 5% of the logits' 4.2 GB beyond inputs and gradients."""
    rows, features, classes = 8192, 512, 128_256
    assert extra_bytes(rows, features, classes, 0) <= 0.05 * 4 * rows * classes


INTERRUPTED = """
import time
import numpy as np
import softgrad as sg
rows, features, classes = 16384, 512, 60000
hidden, weight = np.zeros((rows, features), np.float32), np.zeros((classes, features), np.float32)
labels = np.zeros(rows, np.int64)
print("begins", flush=True)
try:
    sg.linear_cross_entropy.value_and_grad(hidden, weight, labels)
except KeyboardInterrupt:
    print("stopped", flush=True)
print(float(sg.linear_cross_entropy(np.ones((2, 1)), np.zeros((2, 1)), [0, 1])), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interruption_is_heard_within_a_second():
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begins\n"
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "stopped\n"
        assert time.monotonic() - sent < 1.0
        # The process goes on.
        assert float(process.stdout.readline()) == np.log(2.0)
        assert process.wait() == 0


@dtypes
def test_ignored_rows_cost_nothing(dtype, monkeypatch):
    """Of many blocks of rows of which few count, those that count are taken together."""
    rng = fresh_rng()
    hidden, weight, labels, bias = draw(rng, (900, 4, 30), dtype)
    kept = rng.random(900) < 0.1
    labels[~kept] = -1
    seen = []
    original = Operands.rows
    monkeypatch.setattr(Operands, "rows", lambda self, part: seen.append(original(self, part)) or seen[-1])
    block_bytes = 64 * 30 * dtype.itemsize
    sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, ignore_index=-1, block_bytes=block_bytes)
    assert sum(map(len, seen)) == np.count_nonzero(kept)
    assert len(seen) == -(-np.count_nonzero(kept) // 64)
