"""The losses on top: their gradients against differences, and their values against what was worked out by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

import softgrad as sg
from softgrad import nn
from tests.oracles.inputs import fresh_rng

ROWS, CLASSES = 5, 3
EPS = np.finfo(float).eps


def probabilities(rng):
    x = rng.uniform(0.1, 1.0, (ROWS, CLASSES))
    return x / x.sum(axis=1, keepdims=True)


def logits(rng):
    return 2.0 * rng.normal(size=(ROWS, CLASSES))


def labels(rng):
    return rng.integers(0, CLASSES, ROWS)


# The loss, and what draws its outputs and its targets.
LOSSES = {
    "Quadratic": (nn.Quadratic, logits, logits),
    "SoftmaxLoss": (nn.SoftmaxLoss, logits, labels),
    "SoftmaxLoss, probabilities": (nn.SoftmaxLoss, logits, probabilities),
    "MultinomialLogistic": (nn.MultinomialLogistic, probabilities, labels),
    "BinaryCrossEntropy": (nn.BinaryCrossEntropy, logits, probabilities),
}
losses = pytest.mark.parametrize("name", LOSSES)


def problem(name):
    make, outputs, targets = LOSSES[name]
    rng = fresh_rng()
    return make(), outputs(rng), targets(rng)


def backward_of(loss, outputs, targets):
    loss.forward(outputs, targets)
    return loss.backward()


def test_every_loss_is_tried():
    public = {getattr(nn, name) for name in nn.__all__}
    known = {cls for cls in public if isinstance(cls, type) and issubclass(cls, nn.Loss)} - {nn.Loss}
    assert {make for make, _, _ in LOSSES.values()} == known


@losses
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient(dtype, name):
    loss, outputs, targets = problem(name)
    outputs = outputs.astype(dtype)
    report = sg.check_gradient(
        lambda outputs, targets: loss.forward(outputs, targets),
        outputs,
        targets,
        grad=lambda outputs, targets: backward_of(loss, outputs, targets),
    )
    assert report.passed, str(report)


@losses
def test_float32_against_float64(name):
    loss, outputs, targets = problem(name)
    single = outputs.astype(np.float32)
    value, gradient = loss.forward(single, targets), loss.backward()
    assert value.dtype == gradient.dtype == np.float32
    eps = np.finfo(np.float32).eps
    assert abs(value - loss.forward(single.astype(float), targets)) <= 4 * eps * value
    assert np.abs(gradient - loss.backward()).max() <= 4 * eps * np.abs(gradient).max()


@losses
def test_the_mean_of_the_rows(name):
    loss, outputs, targets = problem(name)
    alone = [loss.forward(outputs[[row]], targets[[row]]) for row in range(ROWS)]
    gradients = [backward_of(loss, outputs[[row]], targets[[row]])[0] / ROWS for row in range(ROWS)]
    assert min(alone) > 0.0
    assert loss.forward(outputs, targets) == pytest.approx(np.mean(alone), rel=8 * EPS, abs=0.0)
    assert np.abs(loss.backward() - gradients).max() <= 8 * EPS * np.abs(gradients).max()


def test_by_hand():
    quadratic = nn.Quadratic()
    assert quadratic.forward([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]) == 1.5
    np.testing.assert_array_equal(quadratic.backward(), [[0.5, 1.0], [0.0, -0.5]])
    textbook = nn.MultinomialLogistic()
    assert textbook.forward([[0.25, 0.75], [0.5, 0.5]], [0, 1]) == pytest.approx(np.log(8.0) / 2, rel=8 * EPS, abs=0.0)
    np.testing.assert_array_equal(textbook.backward(), [[-2.0, 0.0], [0.0, -1.0]])
    softmax = nn.SoftmaxLoss()
    assert softmax.forward(np.log([[1.0, 3.0]]), [0]) == pytest.approx(np.log(4.0), rel=8 * EPS, abs=0.0)
    np.testing.assert_allclose(softmax.backward(), [[-0.75, 0.75]], rtol=4 * EPS)
    binary = nn.BinaryCrossEntropy()
    # Sigmoids 1/2 and 3/4.
    assert binary.forward([[0.0, np.log(3.0)]], [[1, 0]]) == pytest.approx(np.log(8.0), rel=8 * EPS, abs=0.0)
    np.testing.assert_allclose(binary.backward(), [[-0.5, 0.75]], rtol=4 * EPS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_layers_and_one_agree_where_nothing_is_lost(dtype):
    rng = fresh_rng()
    x, targets = logits(rng).astype(dtype), labels(rng)
    softmax, textbook, fused = nn.Softmax(), nn.MultinomialLogistic(), nn.SoftmaxLoss()
    eps = float(np.finfo(dtype).eps)
    two, one = textbook.forward(softmax.forward(x), targets), fused.forward(x, targets)
    assert two == pytest.approx(one, rel=0.0, abs=16 * eps * max(1.0, float(one)))
    np.testing.assert_allclose(softmax.backward(textbook.backward()), fused.backward(), rtol=0.0, atol=16 * eps)


def test_what_two_layers_lose():
    softmax, textbook, fused = nn.Softmax(), nn.MultinomialLogistic(), nn.SoftmaxLoss()
    hopeless = np.array([[0.0, 800.0]])
    assert textbook.forward(softmax.forward(hopeless), [0]) == np.inf
    np.testing.assert_array_equal(textbook.backward(), [[-np.inf, 0.0]])
    assert np.isnan(softmax.backward(textbook.backward())).all()
    assert fused.forward(hopeless, [0]) == 800.0
    np.testing.assert_array_equal(fused.backward(), [[-1.0, 1.0]])
    # The probability is there, its reciprocal is not.
    tiny = softmax.forward(np.array([[0.0, 100.0]], np.float32))
    assert tiny[0, 0] > 0.0
    last_bit = float(np.finfo(np.float32).smallest_subnormal / tiny[0, 0])
    assert textbook.forward(tiny, [0]) == pytest.approx(100.0, abs=last_bit)
    assert textbook.backward()[0, 0] == -np.inf
    sure = np.array([[40.0, 0.0]])
    assert textbook.forward(softmax.forward(sure), [0]) == 0.0
    assert fused.forward(sure, [0]) == pytest.approx(np.exp(-40.0), rel=8 * EPS, abs=0.0)


def test_accuracy():
    outputs = np.array([[0.0, 1.0], [2.0, 1.0], [3.0, 3.0], [0.0, 5.0]])
    for loss in (nn.SoftmaxLoss(), nn.MultinomialLogistic()):
        assert loss.accuracy(outputs, [1, 0, 0, 0]) == 0.75
        assert loss.accuracy(outputs, outputs) is None
    assert nn.Quadratic().accuracy(outputs, [1, 0, 0, 0]) is None
    binary = nn.BinaryCrossEntropy()
    assert binary.accuracy(np.array([[-1.0], [0.0], [0.5], [3.0]]), [[0], [0], [1], [0]]) == 0.75
    assert binary.accuracy(np.array([[-1.0], [2.0]]), [[False], [True]]) == 1.0
    assert binary.accuracy(np.array([[-1.0]]), [[0.25]]) is None


@pytest.mark.parametrize(
    ("outputs", "targets", "error", "message"),
    [
        (np.ones((2, 3)), [0, 3], ValueError, "targets[1] is 3; outputs have 3 classes (0 to 2)"),
        (np.ones((2, 3)), [-1, 0], ValueError, "targets[0] is -1; outputs have 3 classes (0 to 2)"),
        (np.ones((2, 3)), [0.0, 1.0], TypeError, "targets have dtype float64"),
        (
            np.ones((2, 3)),
            [0],
            ValueError,
            "outputs of shape (2, 3) and targets of shape (1,); it takes (n, K) and (n,)",
        ),
        (np.ones(3), [0, 1, 2], ValueError, "outputs of shape (3,) and targets of shape (3,)"),
    ],
)
def test_targets_that_do_not_fit_probabilities(outputs, targets, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nn.MultinomialLogistic().forward(outputs, targets)


def test_targets_that_do_not_fit_logits():
    with pytest.raises(ValueError, match=r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)"):
        nn.SoftmaxLoss().forward(np.ones((2, 3)), [0, 3])
    with pytest.raises(ValueError, match=r"targets"):
        nn.BinaryCrossEntropy().forward(np.ones((2, 3)), [0, 1])
    with pytest.raises(ValueError, match=r"targets\[1, 0\] is 2"):
        nn.BinaryCrossEntropy().forward(np.ones((2, 1)), [[0], [2]])
    with pytest.raises(ValueError, match=r"targets"):
        nn.Quadratic().forward(np.ones((2, 1)), [0, 1])


@losses
def test_there_must_be_rows(name):
    loss, outputs, targets = problem(name)
    with pytest.raises(ValueError, match=re.escape(f"{loss!r} got outputs of shape (0, 3); it needs at least one row")):
        loss.forward(outputs[:0], targets[:0])


@losses
def test_backward_follows_forward(name):
    loss, outputs, targets = problem(name)
    message = re.escape(f"{loss!r} has no forward to go back through")
    with pytest.raises(RuntimeError, match=message):
        loss.backward()
    loss.forward(outputs, targets)
    loss.backward()
    with pytest.raises(ValueError, match="row"):
        loss.forward(outputs[:0], targets[:0])
    with pytest.raises(RuntimeError, match=message):
        loss.backward()


def test_a_loss_of_ones_own_that_is_not_finished():
    class Nothing(nn.Loss):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not define _value_and_grad"):
        Nothing().forward([[1.0]], [0])
