"""cross_entropy over some of the classes, capped and at a temperature: the rows of the table, and the bounds."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles import transformed
from tests.oracles.bounds import DTYPES, EPS, GRADIENT, LOSS
from tests.oracles.inputs import FAMILIES, GROUP, LANES, STRETCH, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
families = pytest.mark.parametrize("family", FAMILIES)
SETTINGS = {
    "where": {},
    "temperature 0.3": {"temperature": 0.3},
    "temperature 7": {"temperature": 7.0},
    "softcap 30": {"softcap": 30.0},
    "softcap 2 at temperature 0.1": {"softcap": 2.0, "temperature": 0.1},
}
settings = pytest.mark.parametrize("setting", SETTINGS)


def draw(rng, family, shape, dtype):
    """Rows, finite labels that take part, and a mask that leaves the maximum of every second row in."""
    x = FAMILIES[family](rng, shape, dtype)
    rows = np.arange(shape[0])
    finite = np.where(np.isfinite(x), x, -np.inf)
    labels = np.argmax(np.where(np.isfinite(x), rng.random(shape), -1.0), axis=1)
    labels = np.where(rows % 3 == 0, np.argmax(finite, axis=1), labels)
    mask = rng.random(shape) < 0.6
    mask[rows[::2], np.argmax(finite, axis=1)[::2]] = True
    mask[rows, labels] = True
    return x, labels, mask


def check(x, labels, mask, what, *, target=None, **options):
    dtype = x.dtype
    given = {name: value for name, value in options.items() if name in ("temperature", "softcap")}
    row = transformed.transformed(x, where=mask, **given)
    by_index = target is None
    if by_index:
        target = one_hot(labels, x.shape[1], np.longdouble)
    z = options.get("z_loss", 0.0)
    losses = sg.cross_entropy(x, labels, where=mask, reduction="none", **options)
    assert_within(LOSS[dtype], losses, transformed.loss(row, target, z), what=f"loss, {what}")
    _, gradient = sg.cross_entropy.value_and_grad(x, labels, where=mask, reduction="sum", **options)
    exact, scale = transformed.gradient(row, target, z)
    # A sum of terms of both signs is measured against the largest; an index has one term a component.
    scale = None if by_index and z == 0.0 else scale
    assert_within(GRADIENT[dtype], gradient, exact, scale=scale, what=f"gradient, {what}")
    np.testing.assert_array_equal(gradient[~mask], 0.0)


@dtypes
@families
@settings
def test_indices(setting, family, dtype):
    rng = fresh_rng()
    for shape in ((150, 3), (60, 10), (4, LANES[dtype] + 1), (3, GROUP[dtype] + 1)):
        x, labels, mask = draw(rng, family, shape, dtype)
        check(x, labels, mask, f"{family}, {shape}", **SETTINGS[setting])


@dtypes
@pytest.mark.parametrize("family", ["normal 5", "confident 17", "equal", "dominant 12"])
def test_many_classes(family, dtype):
    rng = fresh_rng()
    x, labels, mask = draw(rng, family, (2, 3 * STRETCH + 5), dtype)
    for setting, options in SETTINGS.items():
        check(x, labels, mask, f"{family}, {setting}", **options)


@dtypes
@pytest.mark.parametrize(
    "family", ["normal 1", "normal 5", "confident 17", "confident 40", "ties", "masked", "offset 50"]
)
@settings
def test_smoothing_spreads_over_the_classes_that_take_part(setting, family, dtype):
    rng = fresh_rng()
    a = np.longdouble(0.1)
    for shape in ((60, 10), (4, 130)):
        x, labels, mask = draw(rng, family, shape, dtype)
        mask &= np.isfinite(x)
        share = mask / np.sum(mask, axis=1, keepdims=True).astype(np.longdouble)
        target = (1 - a) * one_hot(labels, shape[1], np.longdouble) + a * share
        check(x, labels, mask, f"{family}, {setting}", target=target, label_smoothing=0.1, **SETTINGS[setting])


@dtypes
@pytest.mark.parametrize("family", ["normal 1", "normal 5", "confident 17", "ties"])
@settings
def test_z_loss(setting, family, dtype):
    rng = fresh_rng()
    for shape in ((60, 10), (4, 130)):
        x, labels, mask = draw(rng, family, shape, dtype)
        for z in (1e-4, 0.3):
            check(x, labels, mask, f"{family}, {setting}, z {z}", z_loss=z, **SETTINGS[setting])


@dtypes
@settings
def test_probability_labels(setting, dtype):
    rng = fresh_rng()
    for family in ("normal 5", "confident 17", "masked"):
        x, _, mask = draw(rng, family, (60, 10), dtype)
        q = np.where((rng.random(x.shape) < 0.6) & mask & np.isfinite(x), rng.uniform(0.0, 1.0, x.shape), 0.0)
        q[:, 0] += np.where(mask[:, 0] & np.isfinite(x[:, 0]) & (q.sum(axis=1) == 0), 1.0, 0.0)
        q = q.astype(dtype)
        mask[q.sum(axis=1) == 0] = False
        mask[q.sum(axis=1) == 0, 1] = True
        x[:, 1] = np.where(np.isfinite(x[:, 1]), x[:, 1], 0.0)
        check(x, q, mask, f"{family}, {setting}", target=q.astype(np.longdouble), **SETTINGS[setting])


@dtypes
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@settings
def test_what_is_left_out_may_hold_anything(setting, value, dtype):
    """A class that is left out changes no bit, whatever it holds, and has a gradient of exactly 0; in place as well."""
    rng = fresh_rng()
    for length in (3, 10, 70, 330):
        rows = max(2 * length, 60)
        x = rng.standard_normal((rows, length)).astype(dtype)
        labels = rng.integers(length, size=rows)
        mask = rng.random(x.shape) < 0.5
        mask[np.arange(rows), np.arange(rows) % length] = False
        mask[np.arange(rows), labels] = True
        holding = np.where(mask, x, dtype.type(value))
        q = np.where(mask, rng.uniform(0.0, 1.0, x.shape), 0.0)
        for given in (labels, q):
            options = {**SETTINGS[setting], "where": mask, "label_smoothing": 0.1, "z_loss": 0.01}
            loss, gradient = sg.cross_entropy.value_and_grad(x, given, **options)
            same, other = sg.cross_entropy.value_and_grad(holding, given, **options)
            assert same == loss
            assert other.tobytes() == gradient.tobytes()
            np.testing.assert_array_equal(gradient[~mask], 0.0)
            place = holding.copy()
            sg.cross_entropy.value_and_grad(place, given, out=place, **options)
            assert place.tobytes() == gradient.tobytes()


@dtypes
@settings
def test_a_row_left_out_does_not_count(setting, dtype):
    x = np.array([[np.nan, np.inf, 0.0], [1.0, 2.0, 3.0], [3.0, 1.0, -1.0]], dtype)
    mask = np.array([[False] * 3, [True] * 3, [True, False, True]])
    for labels in (np.array([0, 1, 0]), one_hot([0, 1, 0], 3, dtype)):
        for options in ({}, {"label_smoothing": 0.3}, {"z_loss": 0.5}, {"class_weight": [1.0, 2.0, 3.0]}):
            every = {**SETTINGS[setting], **options}
            losses = sg.cross_entropy(x, labels, where=mask, reduction="none", **every)
            assert losses[0] == 0.0
            assert np.all(losses[1:] > 0.0)
            for normalizer in ("weights", "count"):
                loss, gradient = sg.cross_entropy.value_and_grad(x, labels, where=mask, normalizer=normalizer, **every)
                alone, rows = sg.cross_entropy.value_and_grad(
                    x[1:], labels[1:], where=mask[1:], normalizer=normalizer, **every
                )
                assert loss == alone
                np.testing.assert_array_equal(gradient[0], 0.0)
                np.testing.assert_array_equal(gradient[1:], rows)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0, 1, 2], where=False, **SETTINGS[setting])
    assert loss == 0.0
    assert not np.signbit(loss)
    np.testing.assert_array_equal(gradient, 0.0)
    # A label out of range is an error all the same.
    with pytest.raises(ValueError, match=r"labels\[0\] is 7; logits have 3 classes \(0 to 2\)"):
        sg.cross_entropy(x, [7, 1, 2], where=mask)


@dtypes
@settings
def test_a_target_that_is_left_out_costs_infinity(setting, dtype):
    x = np.array([[0.0, 1.0, 1.0]], dtype)
    mask = np.array([False, True, True])
    slope = 0.5 / SETTINGS[setting].get("temperature", 1.0)
    if "softcap" in SETTINGS[setting]:
        slope /= np.cosh(1.0 / SETTINGS[setting]["softcap"]) ** 2
    for labels in ([0], one_hot([0], 3, dtype)):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, where=mask, **SETTINGS[setting])
        assert loss == np.inf
        np.testing.assert_allclose(gradient, [[0.0, slope, slope]], rtol=8 * np.finfo(dtype).eps)


@dtypes
def test_the_rows_of_the_table(dtype):
    inf = np.inf
    log_2 = dtype.type(np.log(2.0))
    mask = np.array([True, False, True])
    # NaN inside what is left out; -inf that takes part; all that takes part at -inf; a +inf that takes part.
    cases = [
        ([1.0, np.nan, 1.0], 0, log_2, [-0.5, 0.0, 0.5]),
        ([1.0, 9.0, -inf], 0, 0.0, [0.0, 0.0, 0.0]),
        ([1.0, 9.0, -inf], 2, inf, [1.0, 0.0, -1.0]),
    ]
    for row, label, loss, gradient in cases:
        for temperature in (1.0, 0.5, 2.0):
            x = np.array(row, dtype) * dtype.type(temperature)
            found, slope = sg.cross_entropy.value_and_grad(x, label, where=mask, temperature=temperature)
            assert_within(LOSS[dtype], found, loss, what=f"loss of {row}")
            assert not np.signbit(found)
            np.testing.assert_array_equal(slope, np.array(gradient) / temperature)
    for row in ([-inf, 0.0, -inf], [inf, 0.0, 1.0], [np.nan, 0.0, 1.0], [1.0, 0.0, np.nan]):
        found, slope = sg.cross_entropy.value_and_grad(np.array(row, dtype), 0, where=mask)
        assert np.isnan(found)
        assert np.all(np.isnan(slope[mask]))
        assert slope[1] == 0.0


@dtypes
@pytest.mark.parametrize("classes", [3, 70])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"temperature": 2.0}, {"where": True}], ids=str)
def test_nan_wins_over_a_target_at_minus_infinity(options, classes, dtype):
    x = np.zeros((1, classes), dtype)
    x[0, 0], x[0, 2] = -np.inf, np.nan
    for labels in ([0], one_hot([0], classes, dtype)):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, **options)
        assert np.isnan(loss)
        assert np.all(np.isnan(gradient))


@dtypes
def test_smoothing_and_minus_infinity(dtype):
    """Without a mask the mass on a class at -inf costs infinity; left out it costs nothing."""
    x = np.array([[0.0, -np.inf, 0.0]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], label_smoothing=0.3)
    assert loss == np.inf
    np.testing.assert_allclose(gradient, [[0.5 - 0.8, -0.1, 0.5 - 0.1]], rtol=8 * np.finfo(dtype).eps)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], label_smoothing=0.3, where=np.isfinite(x))
    np.testing.assert_allclose(loss, np.log(2.0), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(gradient, [[0.5 - 0.85, 0.0, 0.5 - 0.15]], rtol=8 * np.finfo(dtype).eps)


@dtypes
def test_an_out_that_is_the_mask_is_refused(dtype):
    x = np.zeros((3, 4), dtype)
    mask = x.view(bool)[:, :4]
    with pytest.raises(ValueError, match="out overlaps where"):
        sg.cross_entropy.value_and_grad(np.ones((3, 4), dtype), [0, 1, 2], where=mask, out=x)


def test_linear_cross_entropy_leaves_the_same_classes_out():
    rng = fresh_rng()
    hidden, weight, bias = rng.standard_normal((40, 8)), rng.standard_normal((30, 8)), rng.standard_normal(30)
    logits = hidden @ weight.T + bias
    labels = rng.integers(30, size=40)
    mask = (rng.random((40, 30)) < 0.5) | one_hot(labels, 30, bool)
    mask[7] = False
    options = {"where": mask, "temperature": 0.7, "softcap": 4.0, "z_loss": 0.01, "label_smoothing": 0.1}
    loss, grads = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, **options)
    expected, slope = sg.cross_entropy.value_and_grad(logits, labels, **options)
    np.testing.assert_allclose(loss, expected, rtol=64 * EPS)
    for actual, exact in zip(grads, (slope @ weight, slope.T @ hidden, slope.sum(axis=0)), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=0, atol=64 * EPS * np.max(np.abs(exact)))
    np.testing.assert_array_equal(grads.hidden[7], 0.0)
