"""The generators draw what their names say: a family of equal zeros would make every accuracy test pass."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import inputs
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import FAMILIES, GROUP, LANES, STRETCH, elementwise_inputs, fresh_rng, lengths

SHAPE = (7, 300)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_shape_dtype_and_spread(name, dtype):
    x = FAMILIES[name](fresh_rng(), SHAPE, dtype)
    assert x.shape == SHAPE
    assert x.dtype == dtype
    assert np.all(np.isfinite(x.max(axis=1)))
    assert not np.any(np.isnan(x))
    assert np.unique(x).size > (6 if name in ("equal", "ties") else 100)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_of_one_class_can_be_drawn(name, dtype):
    assert np.all(np.isfinite(FAMILIES[name](fresh_rng(), (3, 1), dtype)))


@pytest.mark.parametrize("scale", [1, 5, 30])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_normal_families_have_both_signs_and_their_scale(scale, dtype):
    x = FAMILIES[f"normal {scale}"](fresh_rng(), SHAPE, dtype)
    assert 0.9 * scale < x.std() < 1.1 * scale
    assert np.all(x.min(axis=1) < 0.0)
    assert np.all(x.max(axis=1) > 0.0)


@pytest.mark.parametrize("offset", ["50", "-50", "1e4", "-1e4", "1e6", "-1e6"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_offset_families_sit_at_their_offset(offset, dtype):
    x = FAMILIES[f"offset {offset}"](fresh_rng(), SHAPE, dtype).astype(np.float64)
    assert abs(x.mean() - float(offset)) < 1.0
    assert 4.0 < x.std() < 6.0


@pytest.mark.parametrize("gap", [10, 17, 20, 40, 80])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_confident_families_have_their_gap(gap, dtype):
    x = np.sort(FAMILIES[f"confident {gap}"](fresh_rng(), SHAPE, dtype), axis=1)
    np.testing.assert_allclose(x[:, -1] - x[:, -2], gap, rtol=2 * np.finfo(dtype).eps)


def test_confident_maxima_are_at_various_places():
    x = FAMILIES["confident 17"](fresh_rng(), (50, 300), np.dtype(np.float32))
    assert np.unique(np.argmax(x, axis=1)).size > 25


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_special_families(dtype):
    rng = fresh_rng()
    info = np.finfo(dtype)
    assert np.all(np.ptp(FAMILIES["equal"](rng, SHAPE, dtype), axis=1) == 0.0)
    ties = FAMILIES["ties"](rng, SHAPE, dtype)
    assert np.all(np.sum(ties == ties.max(axis=1, keepdims=True), axis=1) > 1)
    masked = FAMILIES["masked"](rng, SHAPE, dtype)
    assert 0.2 < np.mean(masked == -np.inf) < 0.45
    underflow = FAMILIES["underflow"](rng, SHAPE, dtype).astype(np.longdouble)
    p = np.exp(underflow - underflow.max(axis=1, keepdims=True))
    assert np.sum((p < info.smallest_normal) & (p > info.smallest_subnormal)) > 0.5 * p.size
    wide = FAMILIES["wide"](rng, SHAPE, dtype).astype(np.longdouble)
    assert np.all(np.exp(wide.max(axis=1)) > info.max)
    assert np.all(wide.min(axis=1) < -wide.max(axis=1) / 2)
    halfway = FAMILIES["halfway"](rng, SHAPE, dtype).astype(np.float64)
    fraction = np.abs(halfway / np.log(2.0) % 1.0 - 0.5)
    # At most 30 times what the family moves each by: normal, of the size of the eps of float32.
    assert np.all(fraction < 30 * 8 * np.finfo(np.float32).eps)
    assert np.any(fraction > 0.0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_lengths_reach_every_border(dtype):
    for size in (LANES[dtype], GROUP[dtype], STRETCH):
        assert {size - 1, size, size + 1} <= set(lengths(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_elementwise_inputs_cover_the_dtype(dtype):
    x = elementwise_inputs(fresh_rng(), dtype)
    info = np.finfo(dtype)
    finite = x[np.isfinite(x)]
    assert x.dtype == dtype
    assert np.any((np.abs(x) < info.smallest_normal) & (x != 0.0))
    assert np.abs(finite).max() > info.max / 1e3
    assert {np.inf, -np.inf, 0.0} <= set(x[-12:].tolist())
    assert 0.3 < np.mean(x > 0.0) < 0.7


def test_the_seed_is_printed_and_can_be_given(monkeypatch, capsys):
    def drawn(seed, test):
        monkeypatch.setenv("SOFTGRAD_TEST_SEED", seed)
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{test} (call)")
        return fresh_rng().random()

    first = drawn("12345", "a.py::test_a")
    assert "SOFTGRAD_TEST_SEED=12345" in capsys.readouterr().out
    second, of_another = drawn("12345", "a.py::test_a"), drawn("12345", "a.py::test_b")
    assert len({first, second, of_another, drawn("12346", "a.py::test_a")}) == 4
    inputs._asked_by_test.clear()
    assert [drawn("12345", "a.py::test_a") for _ in range(2)] == [first, second]
