"""What the reference refuses, and laws that hold by the meaning of the names."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import reference
from tests.oracles.bounds import EPS

X = np.array([[0.5, 2.0, -1.0], [3.0, 3.0, 1.0]])


def test_label_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)"):
        reference.cross_entropy(X, [0, 3])
    with pytest.raises(ValueError, match=r"labels\[0\] is -1"):
        reference.cross_entropy_grad(X, [-1, 2])


def test_ignore_index_is_looked_at_before_the_range():
    assert reference.cross_entropy(X, [-1, 2], ignore_index=-1) == reference.cross_entropy(X[1:], [2])


def test_ignore_index_needs_indices():
    with pytest.raises(ValueError, match="probabilities"):
        reference.cross_entropy(X, np.full((2, 3), 1 / 3), ignore_index=0)


@pytest.mark.parametrize("options", [{"reduction": "average"}, {"normalizer": "rows"}])
def test_unknown_names(options):
    with pytest.raises(ValueError, match="must be"):
        reference.cross_entropy(X, [0, 1], **options)


def test_normalizers():
    losses = reference.cross_entropy(X, [0, 1], reduction="none", sample_weight=[1.0, 3.0])
    total = losses.sum()
    by_name = {"weights": 4.0, "count": 2.0, 5.0: 5.0}
    for normalizer, divisor in by_name.items():
        loss = reference.cross_entropy(X, [0, 1], sample_weight=[1.0, 3.0], normalizer=normalizer)
        assert loss == total / divisor


def test_index_labels_and_one_hot_rows_weigh_the_same():
    options = {"class_weight": [1.0, 0.25, 4.0], "label_smoothing": 0.2, "sample_weight": [0.5, 2.0]}
    one_hot = np.eye(3)[[2, 0]]
    np.testing.assert_allclose(
        reference.cross_entropy(X, [2, 0], **options),
        reference.cross_entropy(X, one_hot, **options),
        rtol=8 * EPS,
    )


def test_hardmax_takes_the_first_maximum_and_spreads_nan():
    np.testing.assert_array_equal(reference.hardmax(X), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(reference.hardmax([-np.inf, -np.inf]), [1, 0])
    np.testing.assert_array_equal(reference.hardmax([1.0, np.inf, np.inf]), [0, 1, 0])
    np.testing.assert_array_equal(reference.hardmax([1.0, np.nan]), [np.nan, np.nan])


def test_sigmoid_at_the_ends():
    x = np.array([-np.inf, -1e300, 0.0, 1e300, np.inf, np.nan])
    np.testing.assert_array_equal(reference.sigmoid(x), [0, 0, 0.5, 1, 1, np.nan])
    np.testing.assert_array_equal(reference.log_sigmoid(x), [-np.inf, -1e300, -np.log(2.0), 0, 0, np.nan])


def test_inputs_are_left_alone():
    x = X.copy()
    x.flags.writeable = False
    for name in ("softmax", "log_softmax", "logsumexp", "hardmax", "sigmoid", "log_sigmoid"):
        getattr(reference, name)(x)
    reference.cross_entropy_grad(x, [0, 1], softcap=2.0, temperature=3.0)
    np.testing.assert_array_equal(x, X)


def test_all_names_resolve():
    for name in reference.__all__:
        assert getattr(reference, name).__doc__, name
