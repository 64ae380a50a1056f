"""A row has the same bits whatever the threads, its place in the batch, the layout and the machine; in place or not.

Of linear_cross_entropy that is held for the threads alone: its logits are those of the BLAS, which may add up in
another order for another number of rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import softgrad as sg
from tests.bit_cases import CASES, DTYPES, IN_PLACE, SHAPES, Rows, bits, draw, means
from tests.oracles.inputs import fresh_rng
from tests.test_instruction_sets import WITH_FMA

ROOT = Path(__file__).parents[1]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
cases = pytest.mark.parametrize("name", CASES)


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = sg.get_num_threads()
    yield
    sg.set_num_threads(before)


def assert_same_bits(actual, expected, what):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype, what
        assert one.shape == other.shape, what
        if one.tobytes() == other.tobytes():
            continue
        integer = np.dtype(f"u{one.itemsize}")
        one, other = (np.atleast_1d(np.ascontiguousarray(each)) for each in (one, other))
        different = one.view(integer) != other.view(integer)
        place = tuple(int(i) for i in np.argwhere(different)[0])
        raise AssertionError(
            f"{what}: {np.count_nonzero(different)} of {one.size} differ, at {place} {one[place]!r}, {other[place]!r}"
        )


def assert_no_constant(results):
    """A function that returned zeros would have the same bits everywhere."""
    for each in results:
        assert np.unique(np.asarray(each).astype(np.float64)).size > 2


@dtypes
@cases
def test_threads(name, dtype):
    rng = fresh_rng()
    for shape in ((20011, 3), (400, 333), (5, 30011)):
        rows = draw(rng, shape, dtype)
        sg.set_num_threads(1)
        expected = CASES[name](rows)
        assert_no_constant(expected)
        for threads in (2, 3, 7):
            sg.set_num_threads(threads)
            assert_same_bits(CASES[name](rows), expected, f"{threads} threads, {shape}")


@dtypes
@cases
def test_alone_and_in_any_batch(name, dtype):
    rng = fresh_rng()
    for shape in SHAPES:
        rows = draw(rng, shape, dtype)
        expected = CASES[name](rows)
        count = shape[0]
        for i in {0, 1, count // 2, count - 1}:
            assert_same_bits(
                CASES[name](rows.rows(i)), [np.asarray(each)[i] for each in expected], f"row {i} of {shape} alone"
            )
            one = slice(i, i + 1)
            assert_same_bits(CASES[name](rows.rows(one)), [each[one] for each in expected], f"row {i} as a batch")
        for part in (slice(1, None), slice(0, count - 1), slice(count // 3, 2 * count // 3 + 1)):
            assert_same_bits(CASES[name](rows.rows(part)), [each[part] for each in expected], f"{part} of {shape}")
        order = rng.permutation(count)
        assert_same_bits(CASES[name](rows.rows(order)), [each[order] for each in expected], f"{shape} in another order")
        many = np.tile(np.arange(count), 4)
        assert_same_bits(CASES[name](rows.rows(many)), [each[many] for each in expected], f"{shape} four times")


def spread(array):
    wide = np.zeros((2 * array.shape[0], 3 * array.shape[1]), array.dtype)
    wide[::2, 1::3] = array
    return wide[::2, 1::3]


def unaligned_start(array):
    """One element after the start of an allocation: no vector is aligned."""
    memory = np.zeros(array.size + 1, array.dtype)
    memory[1:] = array.ravel()
    return memory[1:].reshape(array.shape)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": spread,
    "rows reversed": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "classes reversed": lambda array: np.ascontiguousarray(array[:, ::-1])[:, ::-1],
    "both reversed, Fortran": lambda array: np.asfortranarray(array[::-1, ::-1])[::-1, ::-1],
    "unaligned": unaligned_start,
}


@dtypes
@cases
def test_layouts(name, dtype):
    rng = fresh_rng()
    for shape in SHAPES:
        rows = draw(rng, shape, dtype)
        expected = CASES[name](rows)
        for layout, change in LAYOUTS.items():
            assert_same_bits(CASES[name](rows.laid_out(change)), expected, f"{layout}, {shape}")
        # One operand in another layout than the others.
        mixed = rows._replace(x=np.asfortranarray(rows.x), q=spread(rows.q))
        assert_same_bits(CASES[name](mixed), expected, f"mixed, {shape}")
        read_only = rows.laid_out(np.copy)
        for field in read_only:
            field.flags.writeable = False
        assert_same_bits(CASES[name](read_only), expected, f"read-only, {shape}")


@dtypes
@cases
def test_class_axis_first(name, dtype):
    rng = fresh_rng()
    for shape in SHAPES:
        rows = draw(rng, shape, dtype)
        expected = CASES[name](rows)
        first = rows.laid_out(lambda array: np.ascontiguousarray(array.T))
        actual = [np.asarray(each).T for each in CASES[name](first, axis=0)]
        assert_same_bits(actual, expected, f"{shape}, classes first")
        turned = rows.laid_out(lambda array: array.T)
        assert_same_bits(
            [np.asarray(each).T for each in CASES[name](turned, axis=0)], expected, f"{shape}, a transposed view"
        )


@dtypes
@cases
def test_class_axis_in_the_middle(name, dtype):
    """(N, C, H): rows n and h of the batch."""
    rng = fresh_rng()
    for classes in (3, 10, 67, 700):
        rows = draw(rng, (12, classes), dtype)
        expected = CASES[name](rows)
        middle = Rows(
            *(np.ascontiguousarray(np.moveaxis(each.reshape(3, 4, classes), -1, 1)) for each in rows[:4]),
            rows.labels.reshape(3, 4),
            rows.weight.reshape(3, 4),
            rows.w,
        )
        actual = []
        for each in CASES[name](middle, axis=1):
            each = np.asarray(each)
            actual.append(each.reshape(12) if each.ndim == 2 else np.moveaxis(each, 1, -1).reshape(12, classes))
        assert_same_bits(actual, expected, f"{classes} classes")


@dtypes
@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_and_into_any_output(name, dtype):
    rng = fresh_rng()
    for shape in SHAPES:
        rows = draw(rng, shape, dtype)
        expected = CASES[name](rows)
        for layout, change in {"contiguous": np.copy, **LAYOUTS}.items():
            place = change(np.copy(rows.x))
            results = CASES[name](rows._replace(x=place), out=place)
            assert results[-1] is place
            assert_same_bits(results, expected, f"in place, {layout}, {shape}")
            out = change(np.full(shape, 7.0).astype(dtype))
            assert_same_bits(CASES[name](rows, out=out), expected, f"into {layout}, {shape}")


@dtypes
def test_the_mean_over_rows(dtype):
    """It depends on the rows and their order, and on nothing else."""
    rng = fresh_rng()
    for shape in (*SHAPES, (5003, 10)):
        rows = draw(rng, shape, dtype)
        sg.set_num_threads(1)
        expected = means(rows)
        for threads in (2, 3, 7):
            sg.set_num_threads(threads)
            assert_same_bits(means(rows), expected, f"{threads} threads, {shape}")
        for layout, change in LAYOUTS.items():
            assert_same_bits(means(rows.laid_out(change)), expected, f"{layout}, {shape}")
        first = rows.laid_out(lambda array: np.ascontiguousarray(array.T))
        turned = [each if np.ndim(each) == 0 else each.T for each in means(first, axis=0)]
        # The elements of binary_cross_entropy come in another order there.
        assert_same_bits(turned[:-2], expected[:-2], f"classes first, {shape}")


@dtypes
def test_threads_of_linear_cross_entropy(dtype):
    rng = fresh_rng()
    hidden, weight = (rng.standard_normal(shape).astype(dtype) for shape in ((300, 24), (90, 24)))
    labels = rng.integers(90, size=300)
    found = []
    for threads in (1, 2, 7):
        sg.set_num_threads(threads)
        loss, gradients = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, label_smoothing=0.1)
        found.append((loss, gradients.hidden, gradients.weight))
    assert_same_bits(found[1], found[0], "2 threads")
    assert_same_bits(found[2], found[0], "7 threads")


@cache
def digests(level):
    finished = subprocess.run(
        [sys.executable, "-m", "tests.bit_cases"],
        cwd=ROOT,
        env={**os.environ, "SOFTGRAD_ISA": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["instruction_set"] == level
    return report["digests"]


@pytest.mark.parametrize("level", WITH_FMA[1:])
def test_instruction_sets_with_fma(level):
    one, other = digests(WITH_FMA[0]), digests(level)
    assert len(one) == (len(CASES) + 1) * len(DTYPES) * len(SHAPES)
    assert len(set(one.values())) == len(one)
    different = [name for name, digest in one.items() if other[name] != digest]
    assert not different, different


def test_the_same_call_twice():
    """In one process and in two: nothing depends on memory left over from before."""
    rng = np.random.default_rng(5)
    rows = draw(rng, (40, 77), np.dtype(np.float32))
    before = {name: bits(case(rows)) for name, case in CASES.items()}
    for name, case in reversed(CASES.items()):
        assert bits(case(rows)) == before[name], name
    assert digests(WITH_FMA[0]) == digests.__wrapped__(WITH_FMA[0])
