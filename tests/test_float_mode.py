"""The caller's floating-point mode changes no bit: flushed subnormals, another direction of rounding, on any thread."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import softgrad as sg
from softgrad._float_mode import in_ieee_mode
from tests.float_modes import MODES, caller_in
from tests.oracles.bounds import DTYPES, FLOAT32
from tests.oracles.inputs import fresh_rng

MEMBERS = dict(sg.registry())
VERBS = [(name, verb) for name, member in MEMBERS.items() for verb in ("__call__", *member.derivatives)]
modes = pytest.mark.parametrize("mode", MODES)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
# Enough rows for two threads.
ROWS, CLASSES = 2048, 67


def shown() -> list[str]:
    """What this thread makes of results that are subnormal, or are not representable: strings, since its mode shows."""
    numbers = np.array([np.finfo(np.float64).smallest_normal, 1.0])
    return [(numbers[:1] * 0.5)[0].hex(), (numbers[1:] / 3.0)[0].hex()]


def test_the_modes_of_this_test_are_modes() -> None:
    ieee = shown()
    for mode, changed in (("flush", [True, False]), ("upward", [False, True])):
        with caller_in(mode):
            there = shown()
        assert [a != b for a, b in zip(ieee, there, strict=True)] == changed


def logits_with_subnormal_probabilities(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    """A class of probability near 1 in each row, and classes around where probabilities turn subnormal."""
    edge = float(np.log(np.finfo(dtype).smallest_normal))
    x = edge + rng.uniform(-8.0, 8.0, (ROWS, CLASSES))
    x[np.arange(ROWS), rng.integers(CLASSES, size=ROWS)] = 0.0
    return x.astype(dtype)


def arguments_of(name: str, rng: np.random.Generator, dtype: np.dtype) -> tuple[tuple, dict]:
    x = logits_with_subnormal_probabilities(rng, dtype)
    labels = x.argmax(axis=1)
    tiny = np.finfo(dtype).smallest_normal
    if name == "quadratic":
        # Losses that are subnormal, of differences that are not; and the other way round.
        sizes = np.where(np.arange(ROWS)[:, None] % 2, np.sqrt(tiny) / CLASSES, tiny / 4)
        return ((sizes * rng.uniform(0.5, 1.0, x.shape)).astype(dtype), np.zeros_like(x)), {}
    if name == "binary_cross_entropy":
        return (x, np.zeros_like(x)), {}
    if name == "kl_divergence":
        return (x, logits_with_subnormal_probabilities(rng, dtype)), {}
    if name == "linear_cross_entropy":
        # Hidden rows that pick out a row of logits each. Gradients by these that are small enough to be subnormal are
        # 0 before they are multiplied: it is the hidden rows that make them so.
        small = 2.0**-36
        x[x < 0.0] += dtype.type(30.0 * np.log(2.0))
        hidden = np.eye(CLASSES, dtype=dtype)[np.arange(ROWS) % CLASSES] * dtype.type(small)
        weight, bias = np.ascontiguousarray(x[:CLASSES].T / dtype.type(small)), np.zeros(CLASSES, dtype)
        return (hidden, weight, labels[np.arange(ROWS) % CLASSES], bias), {}
    if name == "focal":
        # At a label that is the maximum its gradient is that of cross_entropy times the square of 1 - p: 0.
        return (x, x.argmin(axis=1)), {}
    if name in ("cross_entropy", "token_logprobs"):
        return (x, labels), {}
    return (x,), {}


def vectors_of(name: str, verb: str, arguments: tuple, dtype: np.dtype) -> tuple:
    x = arguments[0]
    if name == "linear_cross_entropy" and verb in ("jvp", "hvp"):
        return ((np.ones_like(x), np.ones_like(arguments[1]), np.ones(CLASSES, dtype)),)
    vector = np.linspace(0.5, 2.0, x.size, dtype=dtype).reshape(x.shape)
    if name == "token_logprobs" and verb == "vjp":
        return ((np.ones(ROWS, dtype), np.ones(ROWS, dtype)),)
    cotangent = np.ones(ROWS, dtype) if name == "logsumexp" else vector
    if not hasattr(MEMBERS[name], "value_and_grad"):
        return {"vjp": (cotangent,), "jvp": (vector,), "hvp": (cotangent, vector)}.get(verb, ())
    return (vector,) if verb in ("jvp", "hvp") else ()


def arrays_of(result: object) -> list[np.ndarray]:
    if isinstance(result, tuple):
        return [array for part in result for array in arrays_of(part)]
    if isinstance(result, sg.DiagonalPlusRankOne):
        return [result.diagonal(), result @ np.ones(result.shape[:-1])]
    return [] if result is None else [np.asarray(result)]


@pytest.mark.parametrize("threads", [1, 2])
@modes
@dtypes
@pytest.mark.parametrize(("name", "verb"), VERBS)
def test_no_bit_depends_on_the_callers_mode(name, verb, dtype, mode, threads):
    member = MEMBERS[name]
    arguments, options = arguments_of(name, fresh_rng(), dtype)
    if hasattr(member, "value_and_grad") and verb in ("__call__", "jvp", "value_and_grad"):
        options["reduction"] = "none"
    if verb == "jacobian" and name != "logsumexp":
        arguments = tuple(each[:64] for each in arguments)
    vectors = vectors_of(name, verb, arguments, dtype)
    function = getattr(member, verb)
    with sg.num_threads(threads):
        expected = arrays_of(function(*arguments, *vectors, **options))
        with caller_in(mode):
            found = function(*arguments, *vectors, **options)
        found = arrays_of(found)
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.tobytes() == other.tobytes()


@dtypes
def test_the_arguments_have_subnormal_results(dtype):
    """Where nothing is subnormal the test above sees nothing."""
    tiny = np.finfo(dtype).smallest_normal
    for name, verb in VERBS:
        if verb != "grad" and (name, verb) not in {
            ("softmax", "__call__"),
            ("sigmoid", "__call__"),
            ("logsumexp", "vjp"),
        }:
            continue
        arguments, options = arguments_of(name, fresh_rng(), dtype)
        if verb == "grad":
            options["reduction"] = "sum"
        result = getattr(MEMBERS[name], verb)(*arguments, *vectors_of(name, verb, arguments, dtype), **options)
        sizes = np.abs(np.concatenate([array.reshape(-1) for array in arrays_of(result)]))
        assert np.any((sizes > 0.0) & (sizes < tiny)), name


def test_workers_that_a_flushing_thread_starts():
    """A new thread has the mode of the one that starts it, so this takes a process whose workers are not there yet."""
    program = f"""
import numpy as np, softgrad as sg
from softgrad import _native
x = np.zeros((4096, 1000), np.float32)
x[:, 1] = -95.0
x[:, 2:] = -np.inf
sg.set_num_threads(2)
_native.set_float_mode({MODES["flush"]})
p = sg.softmax(x)
_native.enter_ieee_mode()
print(np.count_nonzero(p[:, 1]))
"""
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.split() == ["4096"]


def test_hardmax_tells_a_subnormal_from_zero():
    x = np.array([[0.0, np.finfo(np.float64).smallest_subnormal, 0.0]])
    with caller_in("flush"):
        found = sg.hardmax(x)
    np.testing.assert_array_equal(found, [[0.0, 1.0, 0.0]])


@modes
def test_the_mode_is_restored_after_an_error(mode):
    with caller_in(mode):
        with pytest.raises(ValueError, match="labels"):
            sg.cross_entropy(np.zeros((2, 3)), np.array([0, 3]))
        with pytest.raises(ValueError, match="target probability"):
            sg.cross_entropy(np.zeros((2, 3)), np.full((2, 3), -1.0))


@modes
def test_the_hessian_object_works_in_ieee_mode(mode):
    x = logits_with_subnormal_probabilities(fresh_rng(), FLOAT32)[:64]
    hessian = sg.cross_entropy.hessian(x, x.argmax(axis=1), reduction="sum")
    right = np.ones_like(x)
    uses = [
        hessian.diagonal,
        hessian.toarray,
        lambda: hessian @ right,
        lambda: hessian.solve(right, damping=float(np.finfo(np.float32).smallest_normal)),
    ]
    for use in uses:
        expected = use()
        with caller_in(mode):
            found = use()
        assert found.tobytes() == expected.tobytes()


def test_the_mode_is_entered_once_and_left_once():
    """A verb that calls another one, as grad calls value_and_grad, stays in IEEE mode to its end."""
    seen = []

    @in_ieee_mode
    def inner():
        seen.append(shown())

    @in_ieee_mode
    def outer():
        inner()
        seen.append(shown())

    ieee = shown()
    with caller_in("flush"):
        outer()
        after = shown()
    assert seen == [ieee, ieee]
    assert after != ieee
