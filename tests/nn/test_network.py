"""Whole networks: their gradients against differences, their modes, and what they do not take."""

from __future__ import annotations

import re

import numpy as np
import pytest

import softgrad as sg
from softgrad import nn
from tests.oracles.inputs import fresh_rng

ROWS = 7
LABELS = np.array([0, 1, 2, 2, 1, 0, 2])
TARGETS = {
    "Quadratic": (nn.Quadratic, np.eye(3)[LABELS]),
    "SoftmaxLoss": (nn.SoftmaxLoss, LABELS),
    "BinaryCrossEntropy": (nn.BinaryCrossEntropy, np.eye(3)[LABELS]),
    "Softmax, MultinomialLogistic": (nn.MultinomialLogistic, LABELS),
}
top = pytest.mark.parametrize("name", TARGETS)


def deep(name: str) -> nn.Network:
    """Every kind of layer, the same at every call."""
    layers = [
        nn.Linear(3, 4, seed=1),
        nn.BatchNorm(4),
        nn.Tanh(),
        nn.Dropout(0.3, seed=2),
        nn.Linear(4, 3, seed=3),
        nn.ReLU(),
        nn.Linear(3, 3, seed=4, bias=False),
        nn.Sigmoid(),
        nn.Linear(3, 3, seed=5),
    ]
    if name.startswith("Softmax,"):
        layers.append(nn.Softmax())
    return nn.Network(layers, TARGETS[name][0]())


def inputs() -> np.ndarray:
    return fresh_rng().normal(size=(ROWS, 3))


@top
def test_gradient_by_the_inputs(name):
    targets = TARGETS[name][1]

    def gradient(x):
        network = deep(name)
        network.loss(x, targets)
        return network.backward()

    report = sg.check_gradient(lambda x: deep(name).loss(x, targets), inputs(), grad=gradient)
    assert report.passed, str(report)


@top
def test_gradient_by_every_parameter(name):
    """All parameters in one vector, so that none is left out."""
    x, targets = inputs(), TARGETS[name][1]
    parameters = deep(name).parameters
    splits = np.cumsum([array.size for array in parameters.values()])[:-1]

    def network_with(vector):
        network = deep(name)
        for (parameter, array), part in zip(network.parameters.items(), np.split(vector, splits), strict=True):
            assert parameter in parameters
            array[...] = part.reshape(array.shape)
        return network

    def gradient(vector):
        network = network_with(vector)
        network.loss(x, targets)
        network.backward()
        return np.concatenate([array.reshape(-1) for array in network.gradients.values()])

    start = np.concatenate([array.reshape(-1) for array in parameters.values()])
    report = sg.check_gradient(lambda vector: network_with(vector).loss(x, targets), start, grad=gradient)
    assert report.passed, str(report)


def test_two_layers_by_hand():
    """z = 2 * 3 + 1 = 7, a = 7, output 7 * -1 + 0 = -7, loss 49/2; its gradient by the output is -7."""
    network = nn.Network([nn.Linear(1, 1, seed=0), nn.ReLU(), nn.Linear(1, 1, seed=0)], nn.Quadratic())
    for name, value in {"0.weight": 2.0, "0.bias": 1.0, "2.weight": -1.0, "2.bias": 0.0}.items():
        network.parameters[name][...] = value
    assert network.loss([[3.0]], [[0.0]]) == 24.5
    np.testing.assert_array_equal(network.backward(), [[14.0]])
    gradients = {name: gradient.item() for name, gradient in network.gradients.items()}
    assert gradients == {"0.weight": 21.0, "0.bias": 7.0, "2.weight": -49.0, "2.bias": -7.0}


def test_names_and_arrays_of_the_state():
    network = deep("Quadratic")
    expected = ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias", "6.weight", "8.weight", "8.bias"]
    assert list(network.parameters) == list(network.gradients) == expected
    assert list(network.state) == [*expected, "1.running_mean", "1.running_var"]
    assert network.state["0.weight"] is network.layers[0].parameters["weight"]
    assert network.gradients["8.bias"] is network.layers[8].gradients["bias"]
    assert network.state["1.running_var"] is network.layers[1].statistics["running_var"]


def test_representation():
    network = nn.Network(
        [nn.Linear(2, 3, seed=0, bias=False), nn.BatchNorm(3), nn.Dropout(0.5, seed=0)], nn.Quadratic()
    )
    text = "Network([Linear(2, 3, bias=False), BatchNorm(3, momentum=0.1, eps=1e-05), Dropout(0.5)], Quadratic())"
    assert repr(network) == text


def test_training_mode_is_put_on_and_taken_off():
    network, x = deep("Quadratic"), inputs()
    assert all(layer.training for layer in network.layers)
    assert np.any(network.forward(x) != network.forward(x))
    network.eval()
    assert not any(layer.training for layer in network.layers)
    before = {name: array.copy() for name, array in network.state.items()}
    np.testing.assert_array_equal(network.forward(x), network.forward(x))
    for name, array in before.items():
        np.testing.assert_array_equal(network.state[name], array)
    network.train()
    assert all(layer.training for layer in network.layers)


def test_predict_is_out_of_training_and_leaves_no_trace():
    network, same, x = deep("Quadratic"), deep("Quadratic"), inputs()
    network.layers[1].training = False
    same.layers[1].training = False
    outputs = network.predict(x)
    assert [layer.training for layer in network.layers] == [layer.training for layer in same.layers]
    np.testing.assert_array_equal(network.forward(x), same.forward(x))
    same.eval()
    np.testing.assert_array_equal(outputs, same.forward(x))
    with pytest.raises(ValueError, match="layer 0"):
        network.predict(x[:, :2])
    assert [layer.training for layer in network.layers] == [index != 1 for index in range(9)]


@top
def test_evaluate(name):
    network, x, targets = deep(name), inputs(), TARGETS[name][1]
    loss, accuracy = network.evaluate(x, targets)
    network.eval()
    assert loss == network.loss(x, targets)
    found = network.predict(x).argmax(axis=1) == LABELS
    if name == "Quadratic":
        found = None
    if name == "BinaryCrossEntropy":
        found = (network.predict(x) > 0.0) == (targets == 1.0)
    assert accuracy == (None if found is None else np.mean(found))


@pytest.mark.parametrize(
    "between",
    [
        lambda network, x: network.forward(x),
        lambda network, x: network.predict(x),
        lambda network, x: network.evaluate(x, LABELS),
    ],
    ids=["forward", "predict", "evaluate"],
)
def test_backward_goes_back_through_the_last_loss_or_not_at_all(between):
    network, x = deep("SoftmaxLoss"), inputs()
    with pytest.raises(RuntimeError, match="backward follows forward"):
        network.backward()
    network.loss(x, LABELS)
    network.backward()
    between(network, x)
    with pytest.raises(RuntimeError, match="backward follows forward"):
        network.backward()


def test_predict_keeps_nothing():
    network, x = deep("SoftmaxLoss"), inputs()
    network.loss(x, LABELS)
    outputs = network.predict(x)
    with pytest.raises(RuntimeError, match=re.escape("layer 8 (Linear(3, 3)) has no forward to go back through")):
        network.layers[8].backward(outputs)


def test_float32_stays_float32():
    network = nn.Network(
        [
            nn.Linear(3, 5, seed=0, dtype=np.float32),
            nn.BatchNorm(5, dtype=np.float32),
            nn.Tanh(),
            nn.Dropout(0.5, seed=0),
        ],
        nn.SoftmaxLoss(),
    )
    x = inputs().astype(np.float32)
    assert network.forward(x).dtype == np.float32
    network.loss(x, LABELS)
    assert network.backward().dtype == np.float32
    network.fit(x, LABELS, optimizer=nn.Adam(weight_decay=0.1), epochs=2)
    assert {array.dtype for array in (network.state | network.gradients).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("use", ["forward", "predict"])
def test_errors_name_the_layer_and_the_shapes(use):
    network = nn.Network([nn.Linear(10, 63, seed=0), nn.ReLU(), nn.Linear(64, 32, seed=0)], nn.Quadratic())
    message = "layer 2 (Linear(64, 32)) got inputs of shape (10, 63); it takes (n, 64)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(network, use)(np.zeros((10, 10)))
    message = "layer 0 (Linear(10, 63)) got inputs of dtype float32; its parameters are float64"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        getattr(network, use)(np.zeros((10, 10), np.float32))


@pytest.mark.parametrize(
    ("layers", "loss", "error", "message"),
    [
        ([], nn.Quadratic(), ValueError, "layers is empty; a network has at least one"),
        ([nn.ReLU(), "ReLU"], nn.Quadratic(), TypeError, "layers[1] is 'ReLU'; it must be a Layer"),
        ([nn.ReLU()], nn.Softmax(), TypeError, "loss is Softmax(); it must be a Loss"),
        (
            [nn.ReLU(), *[nn.Tanh()] * 2],
            nn.Quadratic(),
            ValueError,
            "layers[2] is layers[1] again; a layer has one place",
        ),
    ],
)
def test_what_is_no_network(layers, loss, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nn.Network(layers, loss)
