"""Every layer: its gradients against differences, and its values against what was worked out by hand."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import softgrad as sg
from softgrad import nn
from tests.nn.cases import FEATURES, LAYERS, ROWS, away_from_zero
from tests.oracles.inputs import fresh_rng

layers = pytest.mark.parametrize("name", LAYERS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
PARAMETERS = [(name, parameter) for name, make in LAYERS.items() for parameter in make(np.float64).parameters]


def on_a_grid(array):
    """Rounded to eighths: the sums of `Linear` are then exact in float32 too, where they cancel as well."""
    return np.round(8.0 * array) / 8.0


def problem(name, dtype=np.float64):
    """Inputs, and a cotangent that makes one number of the outputs."""
    rng = fresh_rng()
    x = on_a_grid(away_from_zero(rng, (ROWS, FEATURES))).astype(dtype)
    return x, on_a_grid(rng.normal(size=LAYERS[name](dtype).forward(x).shape)).astype(dtype)


def layer_on_a_grid(name, dtype, **given):
    """A layer with one set of parameters and statistics in every dtype, but for those that are given."""
    layer = LAYERS[name](dtype)
    for parameter, array in (layer.parameters | layer.statistics).items():
        array[...] = given.get(parameter, on_a_grid(array))
    return layer


def value_and_gradients(layer, x, cotangent):
    value = np.sum(cotangent * layer.forward(x))
    return value, layer.backward(cotangent), layer.gradients


def test_every_layer_is_tried():
    public = {getattr(nn, name) for name in nn.__all__}
    known = {cls for cls in public if isinstance(cls, type) and issubclass(cls, nn.Layer)} - {nn.Layer}
    assert {type(make(np.float64)) for make in LAYERS.values()} == known


@layers
@dtypes
def test_gradient_by_the_inputs(dtype, name):
    x, cotangent = problem(name, dtype)

    def at(x):
        return value_and_gradients(layer_on_a_grid(name, x.dtype), x, cotangent)

    report = sg.check_gradient(lambda x: at(x)[0], x, grad=lambda x: at(x)[1])
    assert report.passed, str(report)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
@dtypes
def test_gradient_by_a_parameter(dtype, name, parameter):
    x, cotangent = problem(name, dtype)

    def at(value):
        layer = layer_on_a_grid(name, value.dtype, **{parameter: value})
        return value_and_gradients(layer, x.astype(value.dtype), cotangent)

    start = fresh_rng().uniform(0.5, 2.0, LAYERS[name](dtype).parameters[parameter].shape).astype(dtype)
    report = sg.check_gradient(lambda value: at(value)[0], start, grad=lambda value: at(value)[2][parameter])
    assert report.passed, str(report)


@layers
def test_float32_against_float64(name):
    """Numbers of all digits, too; the float64 gradients are those that the differences confirm."""
    rng = fresh_rng()
    x = away_from_zero(rng, (ROWS, FEATURES)).astype(np.float32)
    cotangent = rng.normal(size=LAYERS[name](np.float32).forward(x).shape).astype(np.float32)
    single, double = LAYERS[name](np.float32), LAYERS[name](np.float64)
    for parameter, array in single.parameters.items():
        double.parameters[parameter][...] = array
    for statistic, array in single.statistics.items():
        double.statistics[statistic][...] = array
    outputs, exact = single.forward(x), double.forward(x.astype(np.float64))
    pairs = [(outputs, exact), (single.backward(cotangent), double.backward(cotangent))]
    pairs += [(single.gradients[parameter], double.gradients[parameter]) for parameter in single.parameters]
    for actual, expected in pairs:
        assert actual.dtype == np.float32
        assert expected.dtype == np.float64
        # Rounded products of a few terms, the largest about twice the result.
        assert np.abs(actual - expected).max() <= 16 * np.finfo(np.float32).eps * np.abs(expected).max()


@layers
@dtypes
def test_shapes_and_dtypes(dtype, name):
    x, cotangent = problem(name, dtype)
    layer = LAYERS[name](dtype)
    before = {parameter: (array, array.copy()) for parameter, array in layer.parameters.items()}
    gradients = dict(layer.gradients)
    assert all(np.all(gradient == 0.0) for gradient in gradients.values())
    outputs = layer.forward(x)
    assert outputs.dtype == dtype
    down = layer.backward(cotangent)
    assert (down.dtype, down.shape) == (dtype, x.shape)
    for parameter, (array, values) in before.items():
        assert layer.parameters[parameter] is array
        np.testing.assert_array_equal(array, values)
        assert layer.gradients[parameter] is gradients[parameter]
        assert (gradients[parameter].dtype, gradients[parameter].shape) == (dtype, array.shape)
        assert np.any(gradients[parameter] != 0.0)


@layers
def test_gradients_are_overwritten_not_added_to(name):
    x, cotangent = problem(name)
    layer = LAYERS[name](np.float64)
    layer.forward(x)
    first = layer.backward(cotangent)
    gradients = {parameter: gradient.copy() for parameter, gradient in layer.gradients.items()}
    np.testing.assert_array_equal(layer.backward(cotangent), first)
    for parameter, gradient in gradients.items():
        np.testing.assert_array_equal(layer.gradients[parameter], gradient)


@layers
def test_lists_and_integers_are_taken_as_float64(name):
    rows = [[1, 2, 3, 4], [4, 2, 1, 1]]
    outputs = LAYERS[name](np.float64).forward(rows)
    assert outputs.dtype == np.float64
    np.testing.assert_array_equal(outputs, LAYERS[name](np.float64).forward(np.array(rows, np.float64)))


def test_linear_by_hand():
    layer = nn.Linear(2, 3, seed=0)
    layer.parameters["weight"][...] = [[1, 2], [3, 4], [5, 6]]
    layer.parameters["bias"][...] = [1, 0, -1]
    np.testing.assert_array_equal(layer.forward([[1.0, -1.0], [2.0, 0.0]]), [[0, -1, -2], [3, 6, 9]])
    np.testing.assert_array_equal(layer.backward([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), [[11, 14], [3, 4]])
    np.testing.assert_array_equal(layer.gradients["weight"], [[1, -1], [2, 0], [2, -2]])
    np.testing.assert_array_equal(layer.gradients["bias"], [1, 1, 2])


def test_linear_starts_as_documented():
    layer = nn.Linear(200, 300, seed=7)
    weight = layer.parameters["weight"]
    np.testing.assert_array_equal(weight, nn.Linear(200, 300, seed=7).parameters["weight"])
    np.testing.assert_array_equal(weight, nn.Linear(200, 300, seed=np.random.default_rng(7)).parameters["weight"])
    single = nn.Linear(200, 300, seed=7, dtype=np.float32).parameters["weight"]
    np.testing.assert_array_equal(single, weight.astype(np.float32))
    assert np.any(weight != nn.Linear(200, 300, seed=8).parameters["weight"])
    # Six standard deviations of the variance of 60000 normal numbers.
    assert np.var(weight) == pytest.approx(2.0 / 200, rel=6.0 * np.sqrt(2.0 / weight.size), abs=0.0)
    assert np.all(layer.parameters["bias"] == 0.0)


@pytest.mark.parametrize("rows", [1, 0])
def test_linear_takes_one_row_and_none(rows):
    layer = nn.Linear(2, 3, seed=0)
    outputs = layer.forward(np.ones((rows, 2)))
    assert outputs.shape == (rows, 3)
    layer.backward(np.ones((rows, 3)))
    np.testing.assert_array_equal(layer.gradients["bias"], np.full(3, float(rows)))


@dtypes
@pytest.mark.parametrize("x", [-80.0, -40.0, -20.0, -3.0, -1e-3, 0.0, 0.5, 9.0, 17.0, 40.0, 80.0])
@pytest.mark.parametrize("layer", [nn.Sigmoid(), nn.Tanh()], ids=repr)
def test_sigmoids_keep_their_digits_where_they_are_flat(layer, x, dtype):
    if layer.__class__ is nn.Tanh:
        x /= 2
    with mpmath.workdps(60):
        point = mpmath.mpf(float(dtype(x)))
        slope = mpmath.sech(point) ** 2 if isinstance(layer, nn.Tanh) else 1 / (4 * mpmath.cosh(point / 2) ** 2)
        exact = float(slope)
    assert layer.forward(np.array([[x]], dtype)).dtype == dtype
    actual = layer.backward(np.ones((1, 1), dtype)).item()
    # Two sigmoids of at most 3 ulp each, and their product.
    assert abs(actual - exact) <= 8 * np.finfo(dtype).eps * exact
    assert exact > 0.0


def test_relu_at_its_kink_and_beyond_numbers():
    layer = nn.ReLU()
    x = np.array([[-np.inf, -1.0, -0.0, 0.0, 5e-324, np.inf, np.nan]])
    np.testing.assert_array_equal(layer.forward(x), [[0.0, 0.0, 0.0, 0.0, 5e-324, np.inf, np.nan]])
    np.testing.assert_array_equal(layer.backward(np.full(x.shape, 7.0)), [[0.0, 0.0, 0.0, 0.0, 7.0, 7.0, 7.0]])


def test_softmax_by_hand():
    layer = nn.Softmax()
    outputs = layer.forward(np.log([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(outputs, [[0.125, 0.25, 0.625]], rtol=4 * np.finfo(float).eps)
    # p * (g - <p, g>) with <p, g> = 1
    expected = [[0.125 * 7.0, -0.25, -0.625]]
    np.testing.assert_allclose(layer.backward([[8.0, 0.0, 0.0]]), expected, rtol=16 * np.finfo(float).eps)


def test_dropout_scales_what_stays():
    layer = nn.Dropout(0.25, seed=0)
    x = np.full((200, 300), 3.0)
    outputs = layer.forward(x)
    np.testing.assert_array_equal(np.unique(outputs), [0.0, 4.0])
    # Five standard deviations of the share in 60000 draws.
    assert np.mean(outputs == 0.0) == pytest.approx(0.25, abs=5.0 * np.sqrt(0.25 * 0.75 / x.size))
    np.testing.assert_array_equal(layer.backward(x), outputs)
    assert np.any(layer.forward(x) != outputs)


def test_dropout_is_chosen_by_its_seed():
    x = np.ones((20, 30))
    first = nn.Dropout(0.5, seed=4)
    second = nn.Dropout(0.5, seed=np.random.default_rng(4))
    single = nn.Dropout(0.5, seed=4)
    for _ in range(3):
        outputs = first.forward(x)
        np.testing.assert_array_equal(second.forward(x), outputs)
        np.testing.assert_array_equal(single.forward(x.astype(np.float32)), outputs)
    assert np.any(nn.Dropout(0.5, seed=5).forward(x) != nn.Dropout(0.5, seed=4).forward(x))


def test_dropout_does_nothing_outside_training_and_draws_nothing():
    x = np.ones((20, 30))
    layer, same = nn.Dropout(0.5, seed=4), nn.Dropout(0.5, seed=4)
    layer.training = False
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(2.0 * x), 2.0 * x)
    layer.training = True
    np.testing.assert_array_equal(layer.forward(x), same.forward(x))


def test_what_is_dropped_may_be_infinite():
    layer = nn.Dropout(0.5, seed=0)
    outputs = layer.forward(np.full((4, 4), np.inf))
    assert set(np.unique(outputs)) == {0.0, np.inf}


def test_batch_norm_by_hand():
    layer = nn.BatchNorm(1, eps=1e-300)
    layer.parameters["weight"][...] = 2.0
    layer.parameters["bias"][...] = 1.0
    eps = np.finfo(float).eps
    # Mean 3, variance 6; unbiased, 9.
    outputs = layer.forward([[0.0], [3.0], [6.0]])
    np.testing.assert_allclose(outputs, [[1 - np.sqrt(6)], [1.0], [1 + np.sqrt(6)]], rtol=4 * eps)
    np.testing.assert_allclose(layer.statistics["running_mean"], [0.3], rtol=4 * eps)
    np.testing.assert_allclose(layer.statistics["running_var"], [0.9 + 0.9], rtol=4 * eps)
    down = layer.backward([[1.0], [0.0], [0.0]])
    np.testing.assert_allclose(down, np.array([[1.0], [-2.0], [1.0]]) / (3 * np.sqrt(6)), rtol=16 * eps)
    np.testing.assert_allclose(layer.gradients["weight"], [-np.sqrt(1.5)], rtol=4 * eps)
    np.testing.assert_array_equal(layer.gradients["bias"], [1.0])


def test_batch_norm_outside_training_uses_the_running_statistics():
    layer = nn.BatchNorm(2, eps=1e-300)
    layer.statistics["running_mean"][...] = [1.0, -1.0]
    layer.statistics["running_var"][...] = [4.0, 0.25]
    layer.training = False
    np.testing.assert_array_equal(layer.forward([[3.0, 0.0]]), [[1.0, 2.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0]]), [[0.5, 2.0]])
    np.testing.assert_array_equal(layer.statistics["running_mean"], [1.0, -1.0])
    np.testing.assert_array_equal(layer.statistics["running_var"], [4.0, 0.25])


def test_running_statistics_approach_those_of_the_rows():
    rng = fresh_rng()
    x = rng.normal(3.0, 2.0, size=(50, 4))
    layer = nn.BatchNorm(4)
    for _ in range(500):
        layer.forward(x)
    eps = np.finfo(float).eps
    # What is left of the start is 0.9^500 of it, far below eps.
    np.testing.assert_allclose(layer.statistics["running_mean"], x.mean(axis=0), rtol=64 * eps)
    np.testing.assert_allclose(layer.statistics["running_var"], x.var(axis=0, ddof=1), rtol=64 * eps)


def test_batch_norm_in_float32_keeps_its_digits_far_from_zero():
    """Rows around 10^6 with a spread of 10; sums of them in float32 would lose it."""
    x = (1e6 + 10.0 * fresh_rng().normal(size=(5000, 3))).astype(np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-5)
    error = np.abs(nn.BatchNorm(3, dtype=np.float32).forward(x) - exact)
    assert error.max() <= 2 * np.finfo(np.float32).eps * np.abs(exact).max()


def test_the_gradient_through_batch_norm_has_no_part_along_shift_and_scale():
    """Shifted or scaled rows give the same outputs, so the gradient is orthogonal to both."""
    x, g = fresh_rng().normal(size=(2, 30, 3))
    layer = nn.BatchNorm(3, eps=1e-300)
    layer.forward(x)
    down = layer.backward(g)
    scale = np.abs(down).sum(axis=0)
    assert np.all(scale > 0.1)
    assert np.all(np.abs(down.sum(axis=0)) <= 64 * np.finfo(float).eps * scale)
    assert np.all(np.abs((down * x).sum(axis=0)) <= 64 * np.finfo(float).eps * scale * np.abs(x).max())
