"""quadratic: half the squared distance of each row, and its gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)

COMBINATIONS = [
    names
    for count in (0, 1, 2)
    for names in itertools.combinations(["sample_weight", "reduction", "normalizer", "upstream"], count)
    if set(names) != {"reduction", "normalizer"}
]


def option_values(rng, rows):
    sample_weight = rng.uniform(0.25, 3.0, rows)
    sample_weight[rows // 2] = 0.0
    return {"sample_weight": sample_weight, "reduction": "sum", "normalizer": "count", "upstream": -1.75}


@dtypes
@pytest.mark.parametrize("names", COMBINATIONS, ids=lambda names: " and ".join(names) or "none")
def test_against_the_reference(names, dtype):
    rng = fresh_rng()
    outputs, targets = rng.standard_normal((2, 60, 7)).astype(dtype)
    values = option_values(rng, 60)
    options = {name: values[name] for name in names}
    plain = {name: value for name, value in options.items() if name != "upstream"}
    loss, gradient = sg.quadratic.value_and_grad(outputs, targets, **options)
    eps = np.finfo(dtype).eps
    assert type(loss) is dtype.type
    assert gradient.dtype == dtype
    np.testing.assert_allclose(loss, reference.quadratic(outputs, targets, **plain), rtol=8 * eps)
    np.testing.assert_allclose(gradient, reference.quadratic_grad(outputs, targets, **options), rtol=4 * eps)
    assert sg.quadratic(outputs, targets, **plain) == loss
    np.testing.assert_array_equal(sg.quadratic.grad(outputs, targets, **options), gradient)


@dtypes
def test_accuracy_of_rows(dtype):
    """Differences of close numbers are exact, sums of squares have one sign: nothing is lost in any regime."""
    rng = fresh_rng()
    for offset, scale in ((0.0, 1.0), (1e4, 1.0), (-1e6, 1e-2), (0.0, 1e10), (0.0, 1e-10)):
        outputs, targets = (offset + scale * rng.standard_normal((2, 50, 9))).astype(dtype)
        difference = outputs.astype(np.longdouble) - targets
        losses = sg.quadratic(outputs, targets, reduction="none")
        assert_within(4, losses, np.sum(difference**2, axis=-1) / 2, what=f"loss at {offset}, {scale}")
        gradient = sg.quadratic.grad(outputs, targets, reduction="sum")
        assert_within(1, gradient, difference, what=f"gradient at {offset}, {scale}")


@dtypes
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 0), (0, 1, 2), None], ids=str)
def test_axes(axis, dtype):
    rng = fresh_rng()
    outputs, targets = rng.standard_normal((2, 3, 4, 5)).astype(dtype)
    eps = 8 * np.finfo(dtype).eps
    losses = sg.quadratic(outputs, targets, axis=axis, reduction="none")
    expected = reference.quadratic(outputs, targets, axis=axis, reduction="none")
    assert np.shape(losses) == np.shape(expected)
    np.testing.assert_allclose(losses, expected, rtol=eps)
    upstream = rng.standard_normal(np.shape(expected))
    weight = rng.uniform(0.5, 2.0, np.shape(expected))
    options = {"axis": axis, "reduction": "none", "upstream": upstream, "sample_weight": weight}
    gradient = sg.quadratic.grad(outputs, targets, **options)
    np.testing.assert_allclose(gradient, reference.quadratic_grad(outputs, targets, **options), rtol=eps)


@dtypes
def test_layouts_and_out(dtype):
    rng = fresh_rng()
    outputs, targets = rng.standard_normal((2, 6, 8)).astype(dtype)
    loss, gradient = sg.quadratic.value_and_grad(outputs, targets)
    read_only = outputs.copy()
    read_only.flags.writeable = False
    for other in (np.asfortranarray(outputs), np.repeat(outputs, 2, axis=1)[:, ::2], read_only):
        other_loss, other_gradient = sg.quadratic.value_and_grad(other, np.asfortranarray(targets))
        assert other_loss == loss
        np.testing.assert_array_equal(other_gradient, gradient)
    spread = np.full((6, 16), 7.0, dtype)
    for out in (np.empty((6, 8), dtype), spread[:, ::2], outputs.copy()):
        source = out if np.array_equal(out, outputs) else outputs
        other_loss, result = sg.quadratic.value_and_grad(source, targets, out=out)
        assert result is out
        assert other_loss == loss
        np.testing.assert_array_equal(out, gradient)
    np.testing.assert_array_equal(spread[:, 1::2], 7.0)


@dtypes
def test_rows_that_do_not_count(dtype):
    outputs = np.array([[np.nan, np.inf], [1.0, 3.0]], dtype)
    targets = np.array([[0.0, np.nan], [0.0, 1.0]], dtype)
    for normalizer, expected in (("weights", 2.5), ("count", 7.5), (3.0, 2.5)):
        loss, gradient = sg.quadratic.value_and_grad(outputs, targets, sample_weight=[0.0, 3.0], normalizer=normalizer)
        assert loss == expected
        np.testing.assert_array_equal(gradient, [[0.0, 0.0], [expected / 2.5, 2.0 * expected / 2.5]])
    loss, gradient = sg.quadratic.value_and_grad(outputs, targets, sample_weight=[0.0, 0.0])
    assert loss == 0.0
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))
    assert sg.quadratic(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype)) == 0.0
    assert sg.quadratic.grad(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype)).shape == (0, 3)


@dtypes
def test_nan_and_infinity_reach_their_row_only(dtype):
    outputs = np.array([[np.nan, 0.0], [-np.inf, 0.0], [1.0, 2.0]], dtype)
    targets = np.zeros((3, 2), dtype)
    np.testing.assert_array_equal(sg.quadratic(outputs, targets, reduction="none"), [np.nan, np.inf, 2.5])
    gradient = sg.quadratic.grad(outputs, targets, reduction="none")
    np.testing.assert_array_equal(gradient, outputs)


def test_integers_and_lists_give_float64():
    assert sg.quadratic([1, 3], [0, 1]) == 2.5
    loss, gradient = sg.quadratic.value_and_grad(np.array([[1, 3]], np.int8), [[0, 1]])
    assert loss.dtype == gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, [[1.0, 2.0]])
    # Unsigned differences must not wrap around.
    np.testing.assert_array_equal(sg.quadratic.grad(np.array([1], np.uint8), np.array([3], np.uint8)), [-2.0])


def test_errors_name_the_culprit_and_write_nothing():
    outputs, targets = np.ones((2, 3)), np.zeros((2, 3))
    out = np.full((2, 3), 7.0)
    cases = [
        (ValueError, "targets has shape", {"targets": np.zeros((3, 2))}),
        (ValueError, "targets has shape", {"targets": np.zeros(3)}),
        (TypeError, "targets has dtype complex", {"targets": targets.astype(complex)}),
        (TypeError, "outputs has dtype object", {"outputs": outputs.astype(object)}),
        (ValueError, r"sample_weight\[1\] is -1", {"sample_weight": [1.0, -1.0]}),
        (ValueError, r"sample_weight\[0\] is nan", {"sample_weight": [np.nan, 1.0]}),
        (ValueError, "sample_weight has shape", {"sample_weight": [1.0, 1.0, 1.0]}),
        (ValueError, "reduction is", {"reduction": "average"}),
        (ValueError, "normalizer is", {"normalizer": "rows"}),
        (ValueError, "upstream has shape", {"upstream": [1.0, 2.0]}),
        (np.exceptions.AxisError, "axis", {"axis": 2}),
    ]
    for error, match, changed in cases:
        arguments = {"outputs": outputs, "targets": targets} | changed
        first, second = arguments.pop("outputs"), arguments.pop("targets")
        with pytest.raises(error, match=match):
            sg.quadratic.value_and_grad(first, second, out=out, **arguments)
        np.testing.assert_array_equal(out, 7.0)
    refused = [
        (ValueError, "out has shape", np.full((3, 2), 7.0)),
        (TypeError, "out has dtype", np.full((2, 3), 7.0, np.float32)),
        (ValueError, "overlap", targets),
        (ValueError, "overlap", outputs[::-1]),
    ]
    for error, match, bad in refused:
        before = bad.copy()
        with pytest.raises(error, match=match):
            sg.quadratic.value_and_grad(outputs, targets, out=bad)
        np.testing.assert_array_equal(bad, before)
