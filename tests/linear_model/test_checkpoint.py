"""A fit that was interrupted goes on from its checkpoint, with the same bits; no other checkpoint is taken for it."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save
from sklearn.exceptions import ConvergenceWarning

from softgrad._checksum import checksum
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces
from softgrad.linear_model._solvers._checkpoint import load_checkpoint, save_checkpoint
from softgrad.linear_model._solvers._iteration import Pair, Point, State
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng

FIT = {"C": 0.1, "classes": ["a", "b"], "names of the features": None}


class Interrupted(Exception):
    pass


def interrupt_after(iterations: int) -> Any:
    def callback(report: Any) -> None:
        if report.iteration == iterations:
            raise Interrupted

    return callback


def some_state(pairs: int | None = 2) -> State:
    rng = fresh_rng()
    theta, gradient, *drawn = rng.standard_normal((2 + 2 * (pairs or 0), 3, 4))
    point = Point(theta, 0.5 + rng.random(), gradient)
    kept = None if pairs is None else list(map(Pair, drawn[::2], drawn[1::2]))
    return State(point, [1.0, point.value], [0.1 + rng.random()], np.inf, 1e-310, 3, kept, rng.random())


def assert_same(found: State, expected: State) -> None:
    assert found._replace(point=None, pairs=None) == expected._replace(point=None, pairs=None)
    assert found.point.value == expected.point.value
    np.testing.assert_array_equal(found.point.theta, expected.point.theta)
    np.testing.assert_array_equal(found.point.gradient, expected.point.gradient)
    assert (found.pairs is None) == (expected.pairs is None)
    np.testing.assert_array_equal(found.pairs or [], expected.pairs or [])


@pytest.mark.parametrize("pairs", [None, 0, 1, 3])
def test_a_state_comes_back_as_it_was(pairs: int | None, tmp_path: Path) -> None:
    state = some_state(pairs)
    save_checkpoint(tmp_path / "fit", FIT, state)
    assert_same(load_checkpoint(tmp_path / "fit", FIT), state)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("C", 0.2, "C is 0.1 there, 0.2 here"),
    ("classes", ["a", "c"], r"classes is \['a', 'b'\] there, \['a', 'c'\] here"),
    ("more", True, "more is None there, True here"),
])  # fmt: skip
def test_another_fit_is_named(name: str, value: Any, message: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "fit", FIT, some_state())
    with pytest.raises(ValueError, match=f"belongs to another fit: {message}"):
        load_checkpoint(tmp_path / "fit", FIT | {name: value})


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "fit"
    state = some_state()
    save_checkpoint(path, FIT, state)
    whole = path.read_bytes()
    for position in fresh_rng().choice(len(whole), size=300, replace=False).tolist():
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        try:
            found = load_checkpoint(path, FIT)
        except ValueError:
            continue
        # Spaces of the header may change.
        assert_same(found, state)


@pytest.mark.parametrize("length", [0, 7, 200, -1])
def test_half_a_file_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    save_checkpoint(path, FIT, some_state())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="is not a usable checkpoint of softgrad"):
        load_checkpoint(path, FIT)


@pytest.mark.parametrize(("metadata", "message"), [
    (None, "no entry softgrad-checkpoint"),
    ({"softgrad-checkpoint": "{"}, "its description cannot be read"),
    ({"softgrad-checkpoint": "[]"}, "its description cannot be read"),
    ({"softgrad-checkpoint": "{}"}, "the checksum does not match"),
])  # fmt: skip
def test_other_safetensors_are_refused(metadata: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    names = ["changes", "gradient", "numbers", "objectives", "promises", "steps", "theta"]
    (tmp_path / "fit").write_bytes(save({name: np.ones(4) for name in names}, metadata))
    with pytest.raises(ValueError, match=message):
        load_checkpoint(tmp_path / "fit", FIT)
    (tmp_path / "fit").write_bytes(save({"coef": np.ones(4)}, {"softgrad-checkpoint": "{}"}))
    with pytest.raises(ValueError, match=r"holds the tensors \['coef'\]"):
        load_checkpoint(tmp_path / "fit", FIT)


@pytest.mark.parametrize(("name", "tensor", "message"), [
    ("numbers", np.array([0.5, 1.0, 1.0, np.nan, 0.0, 0.0]), "iterations without a decrease is nan"),
    ("numbers", np.array([np.inf, 1.0, 1.0, 3.0, 0.0, 0.0]), "its objective is inf"),
    ("numbers", np.ones(5), r"numbers has shape \(5,\), not \(6,\)"),
    ("numbers", np.float64(1.0), r"numbers has shape \(\), not \(6,\)"),
    ("gradient", np.ones((4, 3)), r"gradient has shape \(4, 3\), not \(3, 4\)"),
    ("steps", np.float64(1.0), r"steps has shape \(\), not \(0, 3, 4\)"),
    ("changes", np.ones((1, 3, 4)), r"changes has shape \(1, 3, 4\), not \(2, 3, 4\)"),
    ("objectives", np.ones((1, 2)), r"objectives has shape \(1, 2\), not \(2,\)"),
    ("theta", np.ones((3, 4), np.float32), "theta is F32, not F64"),
])  # fmt: skip
def test_tensors_that_are_no_state_are_refused(name: str, tensor: Any, message: str, tmp_path: Path) -> None:
    """Whoever makes a file can make its checksum, too."""
    tensors, description = content_of_one(tmp_path / "fit")
    forge(tmp_path / "fit", {**tensors, name: tensor}, description)
    with pytest.raises(ValueError, match=f"fit is not a usable checkpoint of softgrad: .*{message}"):
        load_checkpoint(tmp_path / "fit", FIT)


@pytest.mark.parametrize("fit", [None, [], "C"])
def test_a_checkpoint_of_no_fit_is_refused(fit: object, tmp_path: Path) -> None:
    tensors, description = content_of_one(tmp_path / "fit")
    forge(tmp_path / "fit", tensors, {**description, "problem": fit})
    with pytest.raises(ValueError, match=r"fit is not a usable checkpoint of softgrad: its problem is .*, no object"):
        load_checkpoint(tmp_path / "fit", FIT)


def content_of_one(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors and the description of a checkpoint, which is there then."""
    save_checkpoint(path, FIT, some_state())
    with safe_open(path, framework="np") as file:
        description = json.loads(file.metadata()["softgrad-checkpoint"])
    return load(path.read_bytes()), description


def forge(path: Path, tensors: dict[str, Any], description: dict[str, Any]) -> None:
    tensors = {name: np.asarray(tensor) for name, tensor in tensors.items()}
    content = {name: entry for name, entry in description.items() if name != "sha256"}
    content["sha256"] = checksum(tensors, content)
    path.write_bytes(save(tensors, {"softgrad-checkpoint": json.dumps(content)}))


@pytest.mark.parametrize("written", [2, 4])
def test_another_format_is_refused(written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from softgrad.linear_model._solvers import _checkpoint

    monkeypatch.setattr(_checkpoint, "_FORMAT", written)
    save_checkpoint(tmp_path / "fit", FIT, some_state())
    monkeypatch.undo()
    with pytest.raises(ValueError, match=f"it has format {written}, this softgrad reads 3"):
        load_checkpoint(tmp_path / "fit", FIT)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Batches of 100 rows, worked on in pieces of 256; too many unknowns for the whole Hessian."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    X, y = data_sets.random(fresh_rng(), rows=700, features=20, classes=10, strength=3.0)
    return [(X[start : start + 100], y[start : start + 100]) for start in range(0, len(y), 100)]


def assert_same_bits(model: SoftmaxRegression, expected: SoftmaxRegression) -> None:
    for name in ("coef_", "intercept_"):
        found, whole = getattr(model, name), getattr(expected, name)
        assert found.tobytes() == whole.tobytes()
    assert model.loss_curve_ == expected.loss_curve_
    assert (model.n_iter_, model.relative_gap_) == (expected.n_iter_, expected.relative_gap_)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_resumed_fit_has_the_bits_of_a_whole_one(source: list[Any], share: float, tmp_path: Path) -> None:
    """Interrupted by L-BFGS, or at the end by Newton's method."""
    whole = SoftmaxRegression(C=10.0).fit_stream(source)
    assert whole.solver_ == "lbfgs-gram"
    assert whole.n_iter_ > 4
    iterations = 1 + round(share * (whole.n_iter_ - 2))
    checkpoint = tmp_path / "fit"
    with pytest.raises(Interrupted):
        SoftmaxRegression(C=10.0, callback=interrupt_after(iterations)).fit_stream(source, checkpoint=checkpoint)
    seen: list[int] = []
    resumed = SoftmaxRegression(C=10.0, callback=lambda report: seen.append(report.iteration))
    resumed.fit_stream(source, checkpoint=checkpoint, resume=True)
    assert_same_bits(resumed, whole)
    # The iteration in which it was interrupted is made again, and none before it.
    assert seen == list(range(iterations, whole.n_iter_ + 1))
    # The end is not kept; the last iteration is made again.
    again = SoftmaxRegression(C=10.0).fit_stream(source, checkpoint=checkpoint, resume=True)
    assert_same_bits(again, whole)


@pytest.mark.parametrize("parameters", [
    {"class_weight": "balanced", "fit_intercept": False},
    {"l1_ratio": 0.5, "C": 0.1},
    {"label_smoothing": 0.1},
    {"solver": "newton-gram"},
    {"solver": "newton-diagonal"},
    {"solver": "lbfgs-diagonal"},
])  # fmt: skip
def test_whatever_the_parameters(source: list[Any], parameters: dict[str, Any], tmp_path: Path) -> None:
    whole = SoftmaxRegression(tol=1e-3, **parameters).fit_stream(source)
    model = SoftmaxRegression(tol=1e-3, callback=interrupt_after(2), **parameters)
    with pytest.raises(Interrupted):
        model.fit_stream(source, checkpoint=tmp_path / "fit")
    resumed = SoftmaxRegression(tol=1e-3, **parameters)
    assert_same_bits(resumed.fit_stream(source, checkpoint=tmp_path / "fit", resume=True), whole)


def test_polishing_is_done_again_from_its_start(source: list[Any], tmp_path: Path) -> None:
    single = [(X.astype(np.float32), y) for X, y in source]
    parameters = {"polish": True, "tol": 1e-10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = SoftmaxRegression(**parameters).fit_stream(single)
        unpolished = SoftmaxRegression(tol=1e-10).fit_stream(single)
    assert whole.n_iter_ > unpolished.n_iter_
    model = SoftmaxRegression(callback=interrupt_after(whole.n_iter_), **parameters)
    with pytest.raises(Interrupted):
        model.fit_stream(single, checkpoint=tmp_path / "fit")
    resumed = SoftmaxRegression(**parameters).fit_stream(single, checkpoint=tmp_path / "fit", resume=True)
    assert_same_bits(resumed, whole)


def test_more_iterations_from_where_they_ended(source: list[Any], tmp_path: Path) -> None:
    whole = SoftmaxRegression().fit_stream(source)
    checkpoint = tmp_path / "fit"
    with pytest.warns(match="max_iter=3 iterations were not enough"):
        SoftmaxRegression(max_iter=3).fit_stream(source, checkpoint=checkpoint)
    assert_same_bits(SoftmaxRegression().fit_stream(source, checkpoint=checkpoint, resume=True), whole)


def test_a_checkpoint_of_another_fit(source: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "fit"
    with pytest.raises(Interrupted):
        SoftmaxRegression(callback=interrupt_after(2)).fit_stream(source, checkpoint=path)
    before = path.read_bytes()
    X, y = source[3]
    touched = X.copy()
    touched[17, 5] = np.nextafter(touched[17, 5], np.inf)
    changed_value, changed_label = list(source), list(source)
    changed_value[3] = (touched, y)
    changed_label[3] = (X, np.where(np.arange(len(y)) == 17, (y + 1) % 10, y))
    for parameters, rows, what in [
        ({"C": 2.0}, source, "C is 1.0 there, 2.0 here"),
        ({"l1_ratio": 0.5}, source, "l1_ratio is 0.0 there, 0.5 here"),
        ({"fit_intercept": False}, source, "fit_intercept is True there, False here"),
        ({"class_weight": {3: 2.0}}, source, "class weights is "),
        ({}, source[:-1], "number of rows is 700 there, 600 here"),
        ({}, changed_value, "digest of the data is "),
        ({}, changed_label, "digest of the data is "),
        ({}, source[::-1], "digest of the data is "),
    ]:
        with pytest.raises(ValueError, match=f"belongs to another fit: {what}"):
            SoftmaxRegression(**parameters).fit_stream(rows, checkpoint=path, resume=True)
    assert path.read_bytes() == before


def test_where_a_checkpoint_can_be(source: list[Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*none to resume from"):
        SoftmaxRegression().fit_stream(source, checkpoint=tmp_path / "none", resume=True)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        SoftmaxRegression().fit_stream(source, checkpoint=tmp_path / "no" / "fit")
    (tmp_path / "there").write_text("a file that nobody wants to lose")
    with pytest.raises(FileExistsError, match="is there already: resume from it, or remove it"):
        SoftmaxRegression().fit_stream(source, checkpoint=tmp_path / "there")
    assert (tmp_path / "there").read_text() == "a file that nobody wants to lose"


@contextmanager
def no_file_longer_than(length: int) -> Iterator[None]:
    """A write fails when some of the file has been written, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_old_checkpoint_survives_a_full_disk(source: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "fit"
    with pytest.raises(Interrupted):
        SoftmaxRegression(callback=interrupt_after(3)).fit_stream(source, checkpoint=path)
    before = path.read_bytes()
    with no_file_longer_than(4096), pytest.raises(OSError, match=r"File too large: '.*fit'$"):
        SoftmaxRegression().fit_stream(source, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["fit"]
    resumed = SoftmaxRegression().fit_stream(source, checkpoint=path, resume=True)
    assert_same_bits(resumed, SoftmaxRegression().fit_stream(source))


PROGRAM = """
import sys
import numpy as np
from softgrad._checksum import checksum
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces
_pieces._PIECE_BYTES = 1
data, checkpoint, result, l1_ratio = sys.argv[1:]
report = lambda report: print(report.iteration, flush=True)
model = SoftmaxRegression(C=10.0, l1_ratio=float(l1_ratio), callback=report)
kept = {} if checkpoint == "none" else {"checkpoint": checkpoint, "resume": "resumed" in result}
model.fit_stream(data, "y", **kept)
np.savez(result, coef=model.coef_, intercept=model.intercept_, curve=model.loss_curve_)
"""


@pytest.mark.slow
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_killed_in_the_middle_and_resumed(l1_ratio: float, tmp_path: Path) -> None:
    """SIGKILL at a moment nobody chose, in processes of their own."""
    X, y = data_sets.random(fresh_rng(), rows=1500, features=25, classes=6, strength=3.0)
    data, checkpoint = tmp_path / "data.parquet", tmp_path / "fit"
    columns = {f"x{i}": column for i, column in enumerate(X.T)}
    pyarrow.parquet.write_table(pa.table({**columns, "y": y}), data, row_group_size=700)

    def start(kept: object, result: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(data), str(kept), str(tmp_path / result), str(l1_ratio)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    process = start(checkpoint, "interrupted")
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 3:
            time.sleep(float(fresh_rng().uniform(0.0, 0.05)))
            process.send_signal(signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with safe_open(checkpoint, framework="np") as file:
        assert json.loads(file.metadata()["softgrad-checkpoint"])["problem"]["C"] == 10.0
        assert len(file.get_tensor("objectives")) >= 3

    resumed = list(map(int, start(checkpoint, "resumed").communicate(timeout=60)[0].split()))
    whole = list(map(int, start("none", "whole").communicate(timeout=60)[0].split()))
    assert 3 <= resumed[0] < resumed[-1] == whole[-1]
    found, expected = (np.load(tmp_path / f"{name}.npz") for name in ("resumed", "whole"))
    for name in ("coef", "intercept", "curve"):
        assert found[name].tobytes() == expected[name].tobytes(), name


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("way", ["the same name", "symbolic link", "hard link"])
def test_a_checkpoint_that_is_the_source(way: str, resume: bool, tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("x,y\n1,a\n2,b\n")
    place = source if way == "the same name" else tmp_path / "fit"
    if way == "symbolic link":
        place.symlink_to(source)
    elif way == "hard link":
        place.hardlink_to(source)
    with pytest.raises(ValueError, match=f"the checkpoint {place} and the source {source} are the same file"):
        SoftmaxRegression().fit_stream(source, "y", checkpoint=place, resume=resume)
    assert source.read_text() == "x,y\n1,a\n2,b\n"
