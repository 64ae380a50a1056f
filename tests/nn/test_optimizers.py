"""The steps of the optimizers, against what was worked out by hand and against their definitions."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from softgrad import nn
from tests.oracles.inputs import fresh_rng

EPS = np.finfo(float).eps
OPTIMIZERS = {
    "SGD": lambda: nn.SGD(lr=0.1),
    "SGD, momentum": lambda: nn.SGD(lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda: nn.Adam(lr=0.1, weight_decay=0.01),
}
optimizers = pytest.mark.parametrize("name", OPTIMIZERS)


class Point:
    """One parameter, and its gradient."""

    def __init__(self, values, dtype=np.float64):
        self.parameters = {"x": np.array(values, dtype)}
        self.gradients = {"x": np.zeros_like(self.parameters["x"])}

    def step(self, optimizer, gradient):
        self.gradients["x"][...] = gradient
        optimizer.step(self)
        return self.parameters["x"]


def test_gradient_descent_by_hand():
    point = Point([1.0, -2.0])
    np.testing.assert_array_equal(point.step(nn.SGD(lr=0.5), [4.0, 1.0]), [-1.0, -2.5])


def test_momentum_by_hand():
    """Velocities 2, 0.5 * 2 + 4 = 5, 0.5 * 5 + 0 = 2.5."""
    point, optimizer = Point([0.0]), nn.SGD(lr=0.25, momentum=0.5)
    assert [point.step(optimizer, gradient).item() for gradient in (2.0, 4.0, 0.0)] == [-0.5, -1.75, -2.375]


def test_weight_decay_by_hand():
    """It is added to the gradient, so the velocity has it too: 0.25 * 4 = 1, then 0.5 * 1 + 0.25 * 2 = 1."""
    point, optimizer = Point([4.0]), nn.SGD(lr=2.0, momentum=0.5, weight_decay=0.25)
    assert [point.step(optimizer, 0.0).item() for _ in range(2)] == [2.0, 0.0]
    np.testing.assert_array_equal(point.gradients["x"], [0.0])


def test_weight_decay_shrinks_biases_too():
    layer = nn.Linear(2, 2, seed=0)
    layer.parameters["bias"][...] = 3.0
    nn.SGD(lr=0.5, weight_decay=0.5).step(layer)
    np.testing.assert_array_equal(layer.parameters["bias"], [2.25, 2.25])


def test_descent_on_a_parabola_follows_its_formula():
    """On c x^2 / 2 every step multiplies x by 1 - lr c."""
    point, optimizer = Point([1.0, 1.0]), nn.SGD(lr=0.1)
    curvature = np.array([1.0, 5.0])
    for _ in range(30):
        point.step(optimizer, curvature * point.parameters["x"])
    np.testing.assert_allclose(point.parameters["x"], (1 - 0.1 * curvature) ** 30, rtol=100 * EPS)


def test_the_first_step_of_adam_has_the_length_of_the_learning_rate():
    point = Point([1.0, 1.0, 1.0])
    point.step(nn.Adam(lr=0.25, eps=1e-300), [1e6, -1e-6, 0.0])
    np.testing.assert_allclose(point.parameters["x"], [0.75, 1.25, 1.0], rtol=4 * EPS)


def test_eps_of_adam_stands_outside_the_root():
    """The first means are 3 and 9: a step of 3 / (3 + 1)."""
    assert Point([0.0]).step(nn.Adam(lr=1.0, eps=1.0), 3.0).item() == pytest.approx(-0.75, rel=16 * EPS, abs=0.0)


def adam_by_its_definition(x, gradients, lr, betas, eps, weight_decay):
    """Algorithm 1 of Kingma and Ba for one number, with the means as sums over all gradients so far."""
    seen = []
    for gradient in gradients:
        seen.append(gradient + weight_decay * x)
        t = len(seen)
        first = math.fsum((1 - betas[0]) * betas[0] ** (t - i) * g for i, g in enumerate(seen, 1))
        second = math.fsum((1 - betas[1]) * betas[1] ** (t - i) * g * g for i, g in enumerate(seen, 1))
        first /= 1 - betas[0] ** t
        second /= 1 - betas[1] ** t
        x -= lr * first / (math.sqrt(second) + eps)
    return x


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_by_its_definition(weight_decay):
    rng = fresh_rng()
    start, gradients = rng.normal(size=4), rng.normal(size=(40, 4)) * [1.0, 10.0, 1e-3, 1.0] + [0.0, 0.0, 0.0, 2.0]
    options = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": weight_decay}
    point, optimizer = Point(start), nn.Adam(**options)
    for gradient in gradients:
        point.step(optimizer, gradient)
    expected = [adam_by_its_definition(start[i], gradients[:, i], **options) for i in range(4)]
    assert np.all(np.abs(point.parameters["x"] - start) > 0.0)
    # 40 steps of at most about lr each, whose errors weight decay passes on.
    assert np.abs(point.parameters["x"] - expected).max() <= 40 * 64 * EPS


@optimizers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_change_in_place_and_keep_their_dtype(dtype, name):
    point, optimizer = Point([1.0, 2.0], dtype), OPTIMIZERS[name]()
    array = point.parameters["x"]
    for _ in range(2):
        before = array.copy()
        assert point.step(optimizer, [1.0, -1.0]) is array
        assert array.dtype == dtype
        assert array[0] < before[0]
        assert array[1] > before[1]
        np.testing.assert_array_equal(point.gradients["x"], [1.0, -1.0])


@optimizers
def test_one_optimizer_remembers_each_parameter_by_itself(name):
    rng = fresh_rng()
    first, second = rng.normal(size=(2, 6, 3))
    shared = OPTIMIZERS[name]()
    a, b = Point(np.zeros(3)), Point(np.zeros(3))
    for one, other in zip(first, second, strict=True):
        a.step(shared, one)
        b.step(shared, other)
    for point, gradients in ((a, first), (b, second)):
        alone, optimizer = Point(np.zeros(3)), OPTIMIZERS[name]()
        for gradient in gradients:
            alone.step(optimizer, gradient)
        np.testing.assert_array_equal(point.parameters["x"], alone.parameters["x"])


@optimizers
def test_a_gradient_of_zeros_changes_nothing_without_weight_decay(name):
    optimizer = OPTIMIZERS[name]()
    optimizer.weight_decay = 0.0
    np.testing.assert_array_equal(Point([1.0, -3.0]).step(optimizer, 0.0), [1.0, -3.0])


def test_the_learning_rate_may_change_between_steps():
    point, optimizer = Point([0.0]), nn.SGD(lr=1.0)
    point.step(optimizer, 1.0)
    optimizer.lr = 0.5
    assert point.step(optimizer, 1.0).item() == -1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.SGD(lr=0.0), "lr is 0.0; it must be positive and finite"),
        (lambda: nn.SGD(lr=np.inf), "lr is inf; it must be positive and finite"),
        (lambda: nn.SGD(lr=np.nan), "lr is nan; it must be positive and finite"),
        (lambda: nn.SGD(lr=1.0, momentum=1.0), "momentum is 1.0; it must be in [0, 1)"),
        (lambda: nn.SGD(lr=1.0, momentum=-0.5), "momentum is -0.5; it must be in [0, 1)"),
        (lambda: nn.SGD(lr=1.0, weight_decay=-1.0), "weight_decay is -1.0; it must be finite and not negative"),
        (lambda: nn.Adam(lr=-1.0), "lr is -1.0; it must be positive and finite"),
        (lambda: nn.Adam(betas=(1.0, 0.5)), "betas[0] is 1.0; it must be in [0, 1)"),
        (lambda: nn.Adam(betas=(0.5, np.nan)), "betas[1] is nan; it must be in [0, 1)"),
        (lambda: nn.Adam(eps=0.0), "eps is 0.0; it must be positive and finite"),
        (lambda: nn.Adam(weight_decay=np.inf), "weight_decay is inf; it must be finite and not negative"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_an_optimizer_of_ones_own_that_is_not_finished():
    class Nothing(nn.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not define _update"):
        Point([1.0]).step(Nothing(lr=1.0), 1.0)
