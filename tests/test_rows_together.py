"""Rows that go through a kernel together have the bits that each has alone, at every border between the kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest

import softgrad as sg
from tests.bit_cases import DTYPES
from tests.oracles.inputs import fresh_rng
from tests.test_same_bits import assert_same_bits

# Where short rows end and long ones begin (at half as many classes in float64), and vectors that are not full.
CLASSES = (2, 47, 48, 49, 63, 64, 65, 72, 79, 80, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025)


class Given(NamedTuple):
    """Of each row: logits, a vector, a label and probabilities."""

    x: np.ndarray
    v: np.ndarray
    labels: np.ndarray
    q: np.ndarray


FUNCTIONS: dict[str, Callable[[Given], Sequence[np.ndarray]]] = {
    "softmax": lambda rows: [sg.softmax(rows.x)],
    "log_softmax": lambda rows: [sg.log_softmax(rows.x)],
    "logsumexp": lambda rows: [sg.logsumexp(rows.x)],
    "cross_entropy": lambda rows: sg.cross_entropy.value_and_grad(rows.x, rows.labels, reduction="none"),
    "cross_entropy, no gradient": lambda rows: [sg.cross_entropy(rows.x, rows.labels, reduction="none")],
    "cross_entropy, q": lambda rows: sg.cross_entropy.value_and_grad(rows.x, rows.q, reduction="none"),
    "softmax.vjp": lambda rows: [sg.softmax.vjp(rows.x, rows.v)],
    "log_softmax.vjp": lambda rows: [sg.log_softmax.vjp(rows.x, rows.v)],
    "softmax.vjp, output": lambda rows: [sg.softmax.vjp(None, rows.v, output=sg.softmax(rows.x))],
    "log_softmax.vjp, output": lambda rows: [sg.log_softmax.vjp(None, rows.v, output=sg.log_softmax(rows.x))],
    "logsumexp.jvp": lambda rows: [sg.logsumexp.jvp(rows.x, rows.v)],
}


def unlike_rows(rng: np.random.Generator, count: int, classes: int) -> np.ndarray:
    """Rows that take another way than their neighbours, among usual ones."""
    x = 6.0 * rng.standard_normal((count, classes))
    x[1::9] = 0.5  # all are the maximum
    x[2::9, : classes // 2] = np.max(x[2::9], axis=1, keepdims=True)  # half of them are
    x[3::9, rng.integers(classes)] = np.nan
    x[4::9, rng.integers(classes)] = np.inf
    x[5::9] = -np.inf
    x[6::9] += 3000.0  # far from 0
    x[7::9, 1:] = -np.inf
    return x


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_have_the_bits_that_each_has_alone(name: str, dtype: np.dtype) -> None:
    rng = fresh_rng()
    for classes in CLASSES:
        # A pack of the widest vectors, one that is not full, and one row.
        count = 16 + 5 + 1
        rows = Given(
            unlike_rows(rng, count, classes).astype(dtype),
            rng.standard_normal((count, classes)).astype(dtype),
            rng.integers(classes, size=count),
            rng.dirichlet(np.ones(classes), count).astype(dtype),
        )
        together = FUNCTIONS[name](rows)
        assert np.isfinite(np.asarray(together[0][0], np.float64)).all()
        # One whose entries are equal, and two others: of two far ones softmax of a two-byte type is 0 and 1.
        assert np.asarray(together[-1])[[0, 1, 8]].any()
        alone = [FUNCTIONS[name](Given(*(each[i] for each in rows))) for i in range(count)]
        stacked = [np.stack([each[part] for each in alone]) for part in range(len(together))]
        assert_same_bits(together, stacked, f"{name}, {classes} classes, {dtype}")


@pytest.mark.parametrize("classes", CLASSES)
def test_rows_that_do_not_count_leave_the_others_as_they_are(classes: int) -> None:
    rng = fresh_rng()
    x = (6.0 * rng.standard_normal((40, classes))).astype(np.float32)
    labels = rng.integers(classes, size=40)
    _, expected = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    ignored = rng.random(40) < 0.4
    with_nan = np.where(ignored[:, None], np.float32(np.nan), x)
    losses, gradient = sg.cross_entropy.value_and_grad(
        with_nan, np.where(ignored, -100, labels), ignore_index=-100, reduction="none", out=with_nan
    )
    assert (losses[~ignored] > 0).all()
    assert not losses[ignored].any()
    assert not gradient[ignored].any()
    assert_same_bits([gradient[~ignored]], [expected[~ignored]], f"{classes} classes")
