"""Saved networks: what comes back is what was saved, and no other file is believed."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from softgrad import nn


def network(dtype: type = np.float64, seed: int = 0, hidden: int = 3) -> nn.Network:
    layers = [
        nn.Linear(2, hidden, seed=seed, dtype=dtype),
        nn.BatchNorm(hidden, dtype=dtype),
        nn.Tanh(),
        nn.Linear(hidden, 2, seed=seed + 1, dtype=dtype),
    ]
    return nn.Network(layers, nn.SoftmaxLoss())


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def trained(request) -> nn.Network:
    net = network(request.param)
    X = np.array([[0.0, 1.0], [2.0, 0.5], [1.0, 3.0], [-1.0, 0.0]], request.param)
    net.fit(X, [0, 1, 0, 1], optimizer=nn.SGD(lr=0.3), epochs=5)
    return net


def copy_of(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in state.items()}


def assert_same(state: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert state.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array, strict=True)


def refused(path: Path, message: str, net: nn.Network | None = None) -> None:
    """`load` says so, and changes nothing."""
    net = net or network()
    before = copy_of(net.state)
    with pytest.raises(ValueError, match=re.escape(message)):
        net.load(path)
    assert_same(net.state, before)


def test_bit_for_bit(trained, tmp_path):
    path = tmp_path / "network.safetensors"
    dtype = trained.state["0.weight"].dtype
    # Numbers that a text would not keep.
    trained.parameters["0.bias"][...] = [-0.0, np.nextafter(dtype.type(0), dtype.type(1)), np.nan]
    assert np.any(trained.state["1.running_mean"] != 0.0)
    trained.save(path)
    other = network(dtype, seed=9)
    arrays = other.state
    other.load(path)
    assert_same(other.state, trained.state)
    assert {name: array.tobytes() for name, array in other.state.items()} == {
        name: array.tobytes() for name, array in trained.state.items()
    }
    assert all(other.state[name] is array for name, array in arrays.items())


def test_any_reader_of_safetensors_can_read_it(trained, tmp_path):
    path = tmp_path / "network.safetensors"
    trained.save(path)
    assert_same(dict(sorted(load_file(path).items())), dict(sorted(trained.state.items())))
    with safe_open(path, framework="np") as file:
        description = json.loads(file.metadata()["softgrad.nn"])
    assert description["format"] == 1
    assert description["layers"] == [repr(layer) for layer in trained.layers]


def test_the_same_state_gives_the_same_file(trained, tmp_path):
    for name in "ab":
        trained.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_path_may_be_text_and_an_array_of_any_memory_order(tmp_path):
    net = network()
    net.layers[0].parameters["weight"] = np.asfortranarray(net.layers[0].parameters["weight"])
    net.save(str(tmp_path / "network"))
    other = network(seed=9)
    other.load(str(tmp_path / "network"))
    assert_same(other.state, net.state)


def test_what_was_kept_for_backward_is_forgotten(tmp_path):
    net = network()
    net.save(tmp_path / "network")
    net.loss([[0.0, 1.0], [2.0, 3.0]], [0, 1])
    net.load(tmp_path / "network")
    with pytest.raises(RuntimeError, match="backward follows forward"):
        net.backward()


def test_a_network_without_parameters(tmp_path):
    net = nn.Network([nn.ReLU()], nn.Quadratic())
    net.save(tmp_path / "network")
    net.load(tmp_path / "network")
    refused(tmp_path / "network", "layer 0 (Linear(2, 3)) is ReLU() there")


def test_a_file_of_another_network(tmp_path):
    path = tmp_path / "network"
    network().save(path)
    refused(path, f"{path} does not fit: layer 0 (Linear(2, 4)) is Linear(2, 3) there", network(hidden=4))
    others = network().layers
    shorter = nn.Network(others[:3], nn.SoftmaxLoss())
    refused(path, f"{path} does not fit: it has 4 layers, the network 3", shorter)
    longer = nn.Network([*network().layers, nn.Tanh()], nn.SoftmaxLoss())
    refused(path, f"{path} does not fit: it has 4 layers, the network 5", longer)
    first, second, _, last = network().layers
    refused(path, "layer 2 (ReLU()) is Tanh() there", nn.Network([first, second, nn.ReLU(), last], nn.SoftmaxLoss()))
    message = "weight of layer 0 (Linear(2, 3)) is float32 (3, 2), float64 (3, 2) there"
    refused(path, message, network(np.float32))


def test_layers_of_ones_own_that_look_alike(tmp_path):
    """They say no more of themselves than their name; their arrays differ all the same."""

    class Scale(nn.Layer):
        def __init__(self, **parameters):
            super().__init__(**parameters)

    def net(**parameters):
        return nn.Network([Scale(**parameters)], nn.Quadratic())

    path = tmp_path / "network"
    net(a=np.ones(2)).save(path)
    net(a=np.zeros(2)).load(path)
    refused(path, "a of layer 0 (Scale()) is float64 (3,), float64 (2,) there", net(a=np.ones(3)))
    refused(path, "it holds ['0.a'], the network ['0.b']", net(b=np.ones(2)))


def tampered(content: bytes, change) -> bytes:
    """The header is JSON after eight bytes with its length."""
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])
    change(header, data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def change_description(change):
    def on_header(header, _):
        description = json.loads(header["__metadata__"]["softgrad.nn"])
        header["__metadata__"]["softgrad.nn"] = json.dumps(change(description))

    return on_header


def flip_a_bit(_, data):
    data[17] ^= 1


def swap_names(header, _):
    mean, var = "1.running_mean", "1.running_var"
    header[mean], header[var] = header[var], header[mean]


def call_it_bfloat16(header, _):
    header["0.weight"] |= {"dtype": "BF16", "shape": [3, 8]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flip_a_bit, "is damaged: its checksum does not match"),
        (swap_names, "is damaged: its checksum does not match"),
        (call_it_bfloat16, "is no file of a network: 0.weight is BF16, not F32 or F64"),
        (change_description(lambda d: d | {"sha256": "0" * 64}), "is damaged: its checksum does not match"),
        (change_description(lambda d: d | {"layers": d["layers"][:2]}), "is damaged: its checksum does not match"),
        (change_description(lambda d: d | {"format": 2}), "it has format 2; this softgrad reads format 1"),
        (change_description(lambda d: {"format": 1, "layers": d["layers"]}), "its metadata has no 'sha256'"),
        (change_description(lambda _: {}), "its metadata has no 'format'"),
        (change_description(lambda _: [1]), "its metadata cannot be read"),
        (lambda header, _: header["__metadata__"].clear(), "its metadata has no 'softgrad.nn'"),
        (lambda header, _: header["__metadata__"].update({"softgrad.nn": "{"}), "its metadata cannot be read"),
        (lambda _, data: data.pop(), "is no file of a network"),
    ],
)
def test_a_file_that_was_changed(change, message, tmp_path):
    path = tmp_path / "network"
    network().save(path)
    content = path.read_bytes()
    path.write_bytes(tampered(content, lambda header, data: None))  # noqa: ARG005
    network().load(path)
    path.write_bytes(tampered(content, change))
    refused(path, message)
    refused(path, str(path))


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_a_file_that_was_cut(length, tmp_path):
    path = tmp_path / "network"
    network().save(path)
    path.write_bytes(path.read_bytes()[:length])
    refused(path, f"{path} is no file of a network")


def test_files_of_others(tmp_path):
    path = tmp_path / "network"
    path.write_bytes(b"weights, honestly")
    refused(path, f"{path} is no file of a network")
    path.write_bytes(save({"0.weight": np.ones((3, 2))}))
    refused(path, f"{path} is no file of a network: its metadata has no 'softgrad.nn'")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        network().load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        network().save(tmp_path / "nowhere" / "network")


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "network"
    network().save(path)
    before = path.read_bytes()

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        network(seed=9).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["network"]


def test_whoever_reads_the_old_file_keeps_it(tmp_path):
    path = tmp_path / "network"
    network().save(path)
    before = path.read_bytes()
    with path.open("rb") as file:
        network(seed=9).save(path)
        assert file.read() == before
    assert path.read_bytes() != before


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "network")
    network().save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    network().load(tmp_path / "network")


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    message = re.escape('saving and loading need safetensors: pip install "softgrad[nn]"')
    with pytest.raises(ImportError, match=message):
        network().save(tmp_path / "network")
    with pytest.raises(ImportError, match=message):
        network().load(tmp_path / "network")
    assert list(tmp_path.iterdir()) == []
