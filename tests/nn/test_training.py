"""Training: the same bits from the same seeds, the record of it, and how it ends when it cannot go on."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from softgrad import nn
from tests.oracles.inputs import fresh_rng

EPS = np.finfo(float).eps


def rows(count: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """Three classes around three points."""
    rng = np.random.default_rng(8)
    y = np.arange(count) % 3
    return rng.normal(size=(count, 2)) + 3.0 * np.array([[0.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])[y], y


def small(dtype: type = np.float64) -> nn.Network:
    layers = [
        nn.Linear(2, 8, seed=0, dtype=dtype),
        nn.BatchNorm(8, dtype=dtype),
        nn.ReLU(),
        nn.Dropout(0.2, seed=1),
        nn.Linear(8, 3, seed=2, dtype=dtype),
    ]
    return nn.Network(layers, nn.SoftmaxLoss())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [lambda: nn.SGD(lr=0.1, momentum=0.9), lambda: nn.Adam(lr=0.05)], ids=["SGD", "Adam"])
def test_the_same_seeds_give_the_same_bits(make, dtype):
    X, y = rows()
    X = X.astype(dtype)

    def trained(seed):
        network = small(dtype)
        history = network.fit(X, y, optimizer=make(), epochs=5, batch_size=4, seed=seed, validation=(X, y))
        return history, network.state

    (history, state), (again, same), (_, other) = trained(0), trained(0), trained(1)
    assert history == again
    for name, array in state.items():
        np.testing.assert_array_equal(array, same[name], strict=True)
    assert np.any(state["0.weight"] != other["0.weight"])


def test_it_learns():
    X, y = rows(60)
    network = small()
    history = network.fit(X, y, optimizer=nn.SGD(lr=0.1, momentum=0.9), epochs=60, batch_size=10, seed=0)
    assert history.loss[0] > 0.5 > 0.2 > history.loss[-1]
    assert network.evaluate(X, y)[1] >= 0.97


def test_a_linear_network_finds_the_least_squares():
    rng = fresh_rng()
    X = rng.normal(size=(40, 3))
    y = rng.normal(size=(40, 2))
    network = nn.Network([nn.Linear(3, 2, seed=0)], nn.Quadratic())
    network.fit(X, y, optimizer=nn.SGD(lr=0.3), epochs=2000)
    solution = np.linalg.lstsq(np.c_[X, np.ones(40)], y)[0]
    found = np.vstack([network.parameters["0.weight"].T, network.parameters["0.bias"]])
    assert np.abs(found - solution).max() <= 1000 * EPS * np.abs(solution).max()


def test_the_history_is_what_a_loop_by_hand_sees():
    """The last batch is smaller: its loss counts by its rows."""
    X, y = rows()
    network, same = small(), small()
    history = network.fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=2, batch_size=5, seed=3, validation=(X[:7], y[:7]))
    optimizer, rng = nn.SGD(lr=0.1), np.random.default_rng(3)
    for epoch in range(2):
        order = rng.permutation(22)
        total = correct = 0.0
        for batch in np.split(order, [5, 10, 15, 20]):
            outputs = same.forward(X[batch])
            total += len(batch) * same.loss_layer.forward(outputs, y[batch])
            correct += np.sum(outputs.argmax(axis=1) == y[batch])
            same.backward()
            optimizer.step(same)
        assert history.loss[epoch] == pytest.approx(total / 22, rel=16 * EPS, abs=0.0)
        assert history.accuracy[epoch] == pytest.approx(correct / 22, rel=16 * EPS, abs=0.0)
        assert (history.validation_loss[epoch], history.validation_accuracy[epoch]) == same.evaluate(X[:7], y[:7])
    assert len(history.loss) == len(history.validation_accuracy) == 2
    for name, array in network.state.items():
        np.testing.assert_array_equal(array, same.state[name])


class Seen(nn.Layer):
    """Writes down which rows pass."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def _forward(self, x):
        self.batches.append(x[:, 0].astype(int).tolist())
        return x, None

    def _backward(self, kept, gradient):  # noqa: ARG002
        return gradient


def batches_of(batch_size, seed, epochs=3):
    seen = Seen()
    X = np.arange(10.0).reshape(-1, 1)
    network = nn.Network([seen, nn.Linear(1, 1, seed=0)], nn.Quadratic())
    network.fit(X, X, optimizer=nn.SGD(lr=1e-3), epochs=epochs, batch_size=batch_size, seed=seed)
    return seen.batches


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (10, [10]), (99, [10]), (1, [1] * 10)])
def test_every_epoch_sees_every_row_once_in_another_order(batch_size, sizes):
    batches = batches_of(batch_size, 0)
    assert [len(batch) for batch in batches] == sizes * 3
    rows = np.concatenate(batches).reshape(3, 10)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(10), (3, 1)))
    assert len({tuple(epoch) for epoch in rows} | {tuple(range(10))}) == 4


def test_all_rows_at_once_stay_in_their_order():
    assert batches_of(None, None) == [list(range(10))] * 3


def test_going_on_is_as_good_as_not_having_stopped():
    X, y = rows()
    network, same = small(), small()
    optimizer, other = nn.Adam(lr=0.05), nn.Adam(lr=0.05)
    history = network.fit(X, y, optimizer=optimizer, epochs=6)
    parts = [same.fit(X, y, optimizer=other, epochs=epochs) for epochs in (2, 4)]
    assert history.loss == parts[0].loss + parts[1].loss
    for name, array in network.state.items():
        np.testing.assert_array_equal(array, same.state[name])


def test_the_history_without_accuracy_and_validation():
    X, y = rows()
    network = nn.Network([nn.Linear(2, 3, seed=0)], nn.Quadratic())
    history = network.fit(X, np.eye(3)[y], optimizer=nn.SGD(lr=0.01), epochs=2)
    assert len(history.loss) == 2
    assert history.accuracy == history.validation_loss == history.validation_accuracy == []
    history = network.fit(X, np.eye(3)[y], optimizer=nn.SGD(lr=0.01), epochs=2, validation=(X, np.eye(3)[y]))
    assert len(history.validation_loss) == 2
    assert history.accuracy == history.validation_accuracy == []


def test_the_mode_is_left_as_it_was():
    X, y = rows()
    network = small()
    network.eval()
    network.fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=1)
    assert not any(layer.training for layer in network.layers)
    assert np.any(network.state["1.running_mean"] != 0.0)


def test_a_loss_that_is_not_finite_ends_the_training():
    """The row with the NaN is in the third batch of the first epoch."""
    X, y = rows()
    X[np.random.default_rng(0).permutation(22)[9], 1] = np.nan
    network, same = small(), small()
    with pytest.raises(FloatingPointError, match=r"^the loss is nan in epoch 1 of 5, batch 3 of 6$"):
        network.fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=5, batch_size=4, seed=0)
    order = np.random.default_rng(0).permutation(22)
    optimizer = nn.SGD(lr=0.1)
    for batch in (order[:4], order[4:8]):
        same.loss(X[batch], y[batch])
        same.backward()
        optimizer.step(same)
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(array, same.parameters[name])
        assert np.all(np.isfinite(array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_training_that_diverges_says_where(dtype):
    X = np.array([[1.0], [2.0]], dtype)
    network = nn.Network([nn.Linear(1, 1, seed=0, dtype=dtype)], nn.Quadratic())
    with (
        np.errstate(over="ignore"),
        pytest.raises(FloatingPointError, match=r"the loss is inf in epoch \d+ of 9999, batch 1"),
    ):
        network.fit(X, X, optimizer=nn.SGD(lr=100.0), epochs=9999)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs is 0; it must be at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs is 1.5; it must be an integer"),
        ({"batch_size": 0, "seed": 0}, ValueError, "batch_size is 0; it must be at least 1"),
        ({"batch_size": 2.0, "seed": 0}, TypeError, "batch_size is 2.0; it must be an integer"),
        ({"batch_size": 4}, ValueError, "batch_size is 4 and seed is None; a seed gives the order of the rows"),
        ({"y": [0, 1]}, ValueError, "X has 22 rows and y has 2; they must be as many"),
        ({"X": np.ones((0, 2)), "y": []}, ValueError, "X has shape (0, 2); it needs at least one row"),
        ({"y": 1}, ValueError, "y has shape (); it needs at least one row"),
        (
            {"validation": (np.ones((3, 2)), [0])},
            ValueError,
            "validation[0] has 3 rows and validation[1] has 1; they must be as many",
        ),
    ],
)
def test_arguments(options, error, message):
    X, y = rows()
    network = small()
    before = network.parameters["0.weight"].copy()
    with pytest.raises(error, match=re.escape(message)):
        network.fit(**{"X": X, "y": y, "optimizer": nn.SGD(lr=0.1), "epochs": 1} | options)
    np.testing.assert_array_equal(network.parameters["0.weight"], before)


def test_the_bar_shows_epochs_and_losses(capsys):
    X, y = rows()
    history = small().fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=3, validation=(X, y), progress=True)
    shown = capsys.readouterr()
    assert "3/3" in shown.err
    assert f"loss {history.loss[-1]:.4g}, validation {history.validation_loss[-1]:.4g}" in shown.err
    assert shown.out == ""


def test_without_the_bar_nothing_is_shown(capsys):
    X, y = rows()
    small().fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=3)
    assert capsys.readouterr() == ("", "")


def test_a_bar_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    X, y = rows()
    network = small()
    before = network.parameters["0.weight"].copy()
    with pytest.raises(ImportError, match=re.escape('progress=True needs rich: pip install "softgrad[nn]"')):
        network.fit(X, y, optimizer=nn.SGD(lr=0.1), epochs=3, progress=True)
    np.testing.assert_array_equal(network.parameters["0.weight"], before)
