"""back-propagation: the gradients are right, and softmax with cross-entropy learns the digits."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad.examples import back_propagation
from tests.examples.results import result_of

pytestmark = pytest.mark.slow


def test_accuracy() -> None:
    result = result_of("back-propagation")
    softmax, sigmoid = result.accuracies[back_propagation.SOFTMAX], result.accuracies[back_propagation.SIGMOID]
    assert len(softmax) == len(sigmoid) == back_propagation.EPOCHS
    assert softmax[-1] >= 0.95
    # What the title of the picture says.
    assert np.argmax(softmax > 0.9) < 10 < np.argmax(sigmoid > 0.8) < back_propagation.EPOCHS


def test_the_mistakes_are_those_that_the_accuracy_counts() -> None:
    result = result_of("back-propagation")
    assert np.all(result.true != result.taken_for)
    assert (
        len(result.true) == len(result.mistaken) == round(360 * (1.0 - result.accuracies[back_propagation.SOFTMAX][-1]))
    )


def test_every_parameter_was_checked() -> None:
    checks = result_of("back-propagation").checks
    assert [shape for shape, _, _ in checks.values()] == [(64, 64), (64,), (32, 64), (32,), (10, 32), (10,)]
    for name, (_, error, verdict) in checks.items():
        assert verdict == "pass", name
        assert 0.0 < error < 1e-7, name


def test_the_check_finds_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    network = back_propagation.nn.Network(back_propagation.layers(), back_propagation.nn.SoftmaxLoss())
    rng = np.random.default_rng(0)
    X, y = rng.random((4, 64)), rng.integers(0, 10, 4)
    before = {name: array.copy() for name, array in network.parameters.items()}
    backward = network.layers[-1].backward
    monkeypatch.setattr(network.layers[-1], "backward", lambda gradient: backward(1.001 * gradient))
    verdicts = {verdict for _, _, verdict in back_propagation.check(network, X, y).values()}
    assert verdicts == {"fail"}
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(array, before[name])
