"""back-propagation: the gradients are right, and softmax with cross-entropy learns the digits."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import nn
from softgrad.examples import back_propagation
from tests.examples.results import result_of
from tests.oracles.bounds import HALF_OF_THE_DIGITS
from tests.oracles.inputs import fresh_rng

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
    assert list(checks) == [f"{layer}.{parameter}" for layer in (0, 2, 4) for parameter in ("weight", "bias")]
    for name, report in checks.items():
        assert report.passed, (name, report)
        assert 0.0 < report.worst_error < HALF_OF_THE_DIGITS, name


def test_the_check_finds_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Network(back_propagation.layers(), nn.SoftmaxLoss())
    rng = fresh_rng()
    X, y = rng.random((4, 64)), rng.integers(0, 10, 4)
    before = {name: array.copy() for name, array in network.parameters.items()}
    backward = network.layers[-1].backward
    monkeypatch.setattr(network.layers[-1], "backward", lambda gradient: backward(1.001 * gradient))
    for name in ("2.bias", "4.weight"):
        assert back_propagation.check(network, name, X, y).verdict == "fail"
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(array, before[name])
