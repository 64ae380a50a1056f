"""The harness times what it is to time, in turns, and refuses wrong results."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from benchmarks._contender import Contender
from benchmarks._copy import copy_in_halves
from benchmarks._harness import Case, Effort, measure, rotations, settle
from benchmarks._inputs import check_rows, logits, probabilities
from benchmarks._machine import available_cpus, cache_bytes, description
from benchmarks._peak_memory import extra_bytes
from benchmarks.cross_entropy import check_value_and_grad

from softgrad import reference
from tests.oracles.inputs import fresh_rng

TWO_ROUNDS = Effort(rounds=2, seconds=0.0)


def always_right(_result: object) -> None:
    pass


def test_what_a_call_needs_before_is_not_timed() -> None:
    """Sleeps may be longer than asked for, never shorter."""
    slow = Contender([partial(time.sleep, 0.02)])
    prepared = Contender([lambda: None], before=[partial(time.sleep, 0.02)])
    row = measure(Case("sleep", slow, always_right, floors={"prepared": prepared}), TWO_ROUNDS)
    assert row.softgrad.first_quartile >= 0.02
    assert row.floors["prepared"].median < 0.01


def test_calls_that_are_timed_together_count_once_each() -> None:
    row = measure(
        Case("sleep", Contender([partial(time.sleep, 0.002)], together=5), always_right), Effort(rounds=1, seconds=0.0)
    )
    assert 0.002 <= row.softgrad.median < 0.008


def test_contenders_take_turns_and_each_begins_a_round() -> None:
    turns: list[str] = []

    def contender(name: str) -> Contender:
        @contextmanager
        def during():
            turns.append(name)
            yield

        return Contender([lambda: None], during=during)

    case = Case("turns", contender("a"), always_right, {"copy": contender("b")}, {"peer": contender("c")})
    measure(case, Effort(rounds=3, seconds=0.0))
    # The results of softgrad and the peer are checked, each contender is tried out; then the rounds.
    assert turns == ["a", "c", *"abc", *"abc", *"bca", *"cab"]


def test_inputs_are_taken_in_turn_with_what_belongs_to_them() -> None:
    order: list[str] = []
    contender = Contender(
        [partial(order.append, name) for name in ("call 0", "call 1")],
        before=[partial(order.append, name) for name in ("before 0", "before 1")],
    )
    measure(Case("order", contender, always_right), TWO_ROUNDS)
    # The first two are those of the check.
    rest = order[2:]
    assert len(rest) >= 8
    assert rest == [["before 0", "call 0", "before 1", "call 1"][place % 4] for place in range(len(rest))]


@pytest.mark.parametrize("wrong", ["softgrad", "PyTorch"])
def test_a_wrong_result_is_an_error_that_names_whose(wrong: str) -> None:
    def check(result: float) -> None:
        assert result == 1.0, "expected 1"

    right, other = Contender([lambda: 1.0]), Contender([lambda: 0.0])
    softgrad, peer = (other, right) if wrong == "softgrad" else (right, other)
    with pytest.raises(AssertionError, match=f"some work: the result of {wrong} is wrong: expected 1"):
        measure(Case("some work", softgrad, check, peers={"PyTorch": peer}), TWO_ROUNDS)


def test_settle_waits_for_the_threads_of_the_process() -> None:
    # It computes without the interpreter's lock, as the worker of a library does.
    thread = threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"password", b"salt", 600_000))
    thread.start()
    # It needs the lock to begin.
    time.sleep(0.05)
    settle()
    thread.join(0.05)
    assert not thread.is_alive()


def test_rotations_fill_a_part_of_the_cache() -> None:
    assert rotations(1) == 16
    assert rotations(cache_bytes() // 8) == 2
    assert rotations(4 * cache_bytes()) == 1


@pytest.mark.parametrize("rows", [1, 2, 3001])
def test_a_copy_in_halves_is_a_copy(rows: int) -> None:
    source = fresh_rng().standard_normal((rows, 1000)).astype(np.float32)
    target = np.zeros_like(source)
    copy_in_halves(target, source)
    np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_rows_are_compared_along_any_axis(axis: int) -> None:
    x = logits(fresh_rng(), (6, 5, 4))
    check = check_rows("softmax", reference.softmax, (x,), axis)
    right = reference.softmax(x, axis=axis)
    check(right.astype(np.float32))
    for wrong in (np.zeros_like(right), 1.001 * right, reference.softmax(x, axis=(axis + 1) % 3)):
        with pytest.raises(AssertionError, match=r"softmax is .* is right"):
            check(wrong)
    check_rows("logsumexp", reference.logsumexp, (x,), axis)(reference.logsumexp(x, axis=axis))


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_a_wrong_loss_or_gradient_is_seen(kind: str) -> None:
    rng = fresh_rng()
    x = logits(rng, (40, 7))
    labels = rng.integers(7, size=40) if kind == "indices" else probabilities(rng, (40, 7))
    check = check_value_and_grad(x, labels, -1)
    loss, gradient = reference.cross_entropy(x, labels), reference.cross_entropy_grad(x, labels)
    check((loss, gradient))
    with pytest.raises(AssertionError, match=r"the loss is .* is right"):
        check((1.001 * loss, gradient))
    for wrong in (np.zeros_like(gradient), 40 * gradient, reference.softmax(x) / 40, gradient * np.nan):
        with pytest.raises(AssertionError, match=r"the gradient is .* is right"):
            check((loss, wrong))


def test_zeros_beside_the_target_of_a_long_row_are_seen() -> None:
    rng = fresh_rng()
    x, labels = logits(rng, (2, 50_000)), rng.integers(50_000, size=2)
    gradient = reference.cross_entropy_grad(x, labels)
    target_only = np.where(np.arange(50_000) == labels[:, None], gradient, 0.0)
    with pytest.raises(AssertionError, match="the gradient is 0 at a place"):
        check_value_and_grad(x, labels, -1)((reference.cross_entropy(x, labels), target_only))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the figures are Linux's")
def test_memory_of_a_temporary_is_seen_and_that_of_a_result_is_not() -> None:
    # More than the C library may take from memory that it has kept.
    size = 1 << 26
    x = np.ones(8, np.float32)

    def with_temporary(x: np.ndarray) -> np.ndarray:
        return np.full(size // 4, 2.0, np.float32)[:8] * x

    def with_result(_x: np.ndarray) -> np.ndarray:
        return np.full(size // 4, 2.0, np.float32)

    assert extra_bytes(with_temporary, (x,)) >= 0.9 * size
    assert extra_bytes(with_result, (x,)) <= 0.1 * size


def test_the_machine_is_described() -> None:
    assert len(available_cpus()) >= 1
    assert cache_bytes() >= 1 << 18
    assert description()["cores used"] == str(len(available_cpus()))
