"""The reference definitions on the table of edge cases, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import reference
from tests.oracles.bounds import DTYPES, EPS, FLOAT64, GRADIENT, LOG_SOFTMAX, LOGSUMEXP, LOSS, SOFTMAX
from tests.oracles.edge_cases import edge_cases
from tests.oracles.ulp import assert_within

CASES = [pytest.param(case, id=f"{case.name}, {dtype}") for dtype in DTYPES for case in edge_cases(dtype)]


def row_of(case):
    return np.array(case.x, dtype=np.float64)


def within(bounds, actual, case, field):
    exact = case.long(field)
    # The largest float32 is nothing special in float64: what overflows there is finite here.
    if np.any(np.isinf(exact)) and np.any(np.abs(case.long("x")) == np.finfo(np.float32).max):
        actual = np.asarray(actual).astype(np.float32).astype(np.float64)
    assert_within(bounds[FLOAT64], np.asarray(actual), exact, what=f"{field} of {case.name}")


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("case", CASES)
def test_row(case):
    x = row_of(case)
    within(SOFTMAX, reference.softmax(x, where=case.where), case, "softmax")
    within(LOG_SOFTMAX, reference.log_softmax(x, where=case.where), case, "log_softmax")
    within(LOGSUMEXP, reference.logsumexp(x, where=case.where), case, "logsumexp")
    loss = reference.cross_entropy(x, case.label, where=case.where)
    within(LOSS, loss, case, "loss")
    assert not np.signbit(loss) or np.isnan(loss)
    within(GRADIENT, reference.cross_entropy_grad(x, case.label, where=case.where), case, "gradient")


@pytest.mark.parametrize("case", CASES)
def test_index_and_one_hot_rows_agree(case):
    x = row_of(case)
    one_hot = np.eye(x.size)[case.label]
    np.testing.assert_array_equal(
        reference.cross_entropy(x, one_hot, where=case.where),
        reference.cross_entropy(x, case.label, where=case.where),
    )
    np.testing.assert_array_equal(
        reference.cross_entropy_grad(x, one_hot, where=case.where),
        reference.cross_entropy_grad(x, case.label, where=case.where),
    )


@pytest.mark.parametrize("case", CASES)
def test_an_ignored_row_is_zero_whatever_it_holds(case):
    x = np.stack([row_of(case), np.arange(len(case.x), dtype=np.float64)])
    options = {"ignore_index": -100, "where": None if case.where is None else np.stack([case.where] * 2)}
    alone = {"where": None if case.where is None else np.array([case.where])}
    labels = np.array([-100, case.label])
    assert reference.cross_entropy(x, labels, **options) == reference.cross_entropy(x[1:], labels[1:], **alone)
    gradient = reference.cross_entropy_grad(x, labels, **options)
    np.testing.assert_array_equal(gradient[0], 0.0)
    np.testing.assert_array_equal(gradient[1:], reference.cross_entropy_grad(x[1:], labels[1:], **alone))


def test_no_class():
    x = np.zeros((3, 0))
    assert reference.softmax(x).shape == (3, 0)
    assert reference.log_softmax(x).shape == (3, 0)
    np.testing.assert_array_equal(reference.logsumexp(x), [-np.inf] * 3)
    with pytest.raises(ValueError, match="no classes"):
        reference.cross_entropy(x, np.zeros(3, dtype=int))


def test_no_row():
    x, labels = np.zeros((0, 4)), np.zeros(0, dtype=int)
    assert reference.softmax(x).shape == (0, 4)
    assert reference.logsumexp(x).shape == (0,)
    assert reference.cross_entropy(x, labels) == 0.0
    assert reference.cross_entropy(x, labels, reduction="sum") == 0.0
    assert reference.cross_entropy(x, labels, reduction="none").shape == (0,)
    assert reference.cross_entropy_grad(x, labels).shape == (0, 4)


@pytest.mark.parametrize("normalizer", ["weights", "count", 3.0])
def test_every_row_ignored(normalizer):
    x, labels = np.full((2, 3), np.nan), np.array([7, 7])
    assert reference.cross_entropy(x, labels, ignore_index=7, normalizer=normalizer) == 0.0
    gradient = reference.cross_entropy_grad(x, labels, ignore_index=7, normalizer=normalizer)
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": [0.0, 2.0]},
        {"class_weight": [0.0, 1.0, 1.0]},
        {"class_weight": [0.0, 1.0, 1.0], "label_smoothing": 0.5},
    ],
)
def test_a_row_of_weight_zero_counts_as_ignored(options):
    x, labels = np.array([[np.nan, 1.0, 2.0], [0.5, 1.0, -1.0]]), np.array([0, 2])
    alone = {name: value[1:] if name == "sample_weight" else value for name, value in options.items()}
    for normalizer in ("weights", "count"):
        assert reference.cross_entropy(x, labels, normalizer=normalizer, **options) == reference.cross_entropy(
            x[1:], labels[1:], normalizer=normalizer, **alone
        )
    np.testing.assert_array_equal(reference.cross_entropy_grad(x, labels, **options)[0], 0.0)


def test_probability_zero_at_minus_infinity_costs_nothing():
    x, q = np.array([[0.0, -np.inf, 0.0]]), np.array([[0.25, 0.0, 0.75]])
    assert reference.cross_entropy(x, q) == pytest.approx(np.log(2.0), rel=4 * EPS, abs=0.0)
    np.testing.assert_allclose(reference.cross_entropy_grad(x, q), [[0.25, 0.0, -0.25]], rtol=4 * EPS)


def test_smoothing_is_spread_over_the_allowed_classes_only():
    x = np.array([[0.5, np.nan, -1.0, 2.0]])
    where = np.array([[True, False, True, True]])
    kept = where[0]
    options = {"label_smoothing": 0.3}
    assert reference.cross_entropy(x, [3], where=where, **options) == reference.cross_entropy(
        x[:, kept], [2], **options
    )
    gradient = reference.cross_entropy_grad(x, [3], where=where, **options)
    np.testing.assert_array_equal(gradient[:, kept], reference.cross_entropy_grad(x[:, kept], [2], **options))
    np.testing.assert_array_equal(gradient[:, ~kept], 0.0)


def test_smoothing_over_minus_infinity_without_where_is_infinite():
    x = np.array([[0.0, -np.inf, 0.0]])
    assert reference.cross_entropy(x, [0], label_smoothing=0.3) == np.inf
    # Q p - q with Q = 1.
    np.testing.assert_allclose(
        reference.cross_entropy_grad(x, [0], label_smoothing=0.3), [[0.5 - 0.8, -0.1, 0.5 - 0.1]], rtol=4 * EPS
    )


def test_a_target_on_a_class_left_out_is_infinite_and_its_gradient_zero():
    x, where = np.array([[0.0, 5.0, 0.0]]), np.array([[True, False, True]])
    assert reference.cross_entropy(x, [1], where=where) == np.inf
    np.testing.assert_array_equal(reference.cross_entropy_grad(x, [1], where=where), [[0.5, 0.0, 0.5]])


def test_softcap_makes_infinite_logits_finite():
    x = np.array([[np.inf, -np.inf, 0.0]])
    z = np.array([[4.0, -4.0, 0.0]])
    assert reference.cross_entropy(x, [1], softcap=4.0) == reference.cross_entropy(z, [1])
    np.testing.assert_array_equal(reference.cross_entropy_grad(x, [1], softcap=4.0)[0, :2], 0.0)
