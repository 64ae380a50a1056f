"""The committed tables are what the generator writes, and it agrees with values worked out by hand."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from tests.oracles import generate
from tests.oracles import multiprecision as mp
from tests.oracles.bounds import DTYPES

NAMES = [
    "cross_entropy_options",
    *(f"{kind}_{dtype.name}" for kind in ("sigmoid", "softmax") for dtype in DTYPES),
]


def test_every_table_is_committed_and_no_other():
    assert sorted(path.stem for path in generate.TABLES.glob("*.json")) == NAMES
    assert sum(path.stat().st_size for path in generate.TABLES.glob("*.json")) < 450_000


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_softmax_entries_regenerate(dtype):
    entries = generate.read(f"softmax_{dtype.name}")
    assert {entry["family"] for entry in entries} == set(generate.FAMILIES)
    for entry in entries[::3] + entries[1::3]:
        assert {"family": entry["family"]} | generate.softmax_entry(entry["x"]) == entry


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sigmoid_entries_regenerate(dtype):
    for entry in generate.read(f"sigmoid_{dtype.name}"):
        assert generate.sigmoid_entry(entry["x"]) == entry


def test_option_entries_regenerate():
    entries = generate.read("cross_entropy_options")
    assert [(entry["labels"], entry["options"]) for entry in entries] == generate.option_sets()
    for entry in entries[::9]:
        assert generate.options_entry(entry["logits"], entry["labels"], entry["options"]) == entry


def test_every_option_changes_the_loss():
    entries = generate.read("cross_entropy_options")
    plain = next(entry for entry in entries if entry["labels"] == generate.LABELS and not entry["options"])
    for name in generate.OPTIONS:
        alone = next(entry for entry in entries if list(entry["options"]) == [name])
        # All four rows count and weigh 1, so dividing by their number is what "weights" does.
        assert (alone["loss"] == plain["loss"]) == (name == "normalizer"), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_inputs_are_exact_in_the_dtype(dtype):
    for entry in generate.read(f"softmax_{dtype.name}"):
        values = [float.fromhex(each) for each in entry["x"]]
        np.testing.assert_array_equal(generate.from_hex(entry["x"], dtype).astype(np.float64), values)


def test_values_worked_out_by_hand():
    with mpmath.workdps(50):
        third = mp.ctx.mpf(1) / 3
        assert mp.softmax([5.0, 5.0, 5.0]) == [third, third, third]
        assert abs(mp.logsumexp([0.0, 0.0]) - mp.ctx.ln2) < mp.ctx.mpf(10) ** -49
        assert mp.sigmoid(0.0) == mp.ctx.mpf(1) / 2
        assert abs(mp.loss([0.0, 200.0], 1) / mp.ctx.exp(-200) - 1) < mp.ctx.mpf(10) ** -45
        assert abs(mp.target_gradient([0.0, 200.0], 1) / mp.ctx.exp(-200) + 1) < mp.ctx.mpf(10) ** -45


def test_numerical_gradient_agrees_with_the_formula():
    logits = [0.5, -1.25, 3.0]
    _, gradient = mp.cross_entropy(mp.Problem([logits], [1], {}))
    expected = mp.softmax(logits)
    expected[1] = mp.target_gradient(logits, 1)
    for actual, exact in zip(gradient[0], expected, strict=True):
        assert abs(actual - exact) < mp.ctx.mpf(10) ** -30
