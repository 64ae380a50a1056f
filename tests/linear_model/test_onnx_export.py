"""`to_onnx`: onnxruntime computes from the file what the estimator says and what the definition says."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from softgrad.linear_model import SoftmaxRegression, to_onnx
from softgrad.linear_model._export import _onnx
from tests.linear_model import bounds
from tests.oracles.inputs import fresh_rng

DATA = {load.__name__[5:]: load for load in (load_breast_cancer, load_digits, load_iris, load_wine)}
# Of the oldest onnxruntime that the extra `test` takes.
NEWEST_OF_THE_RUNTIME = 26
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


@cache
def fitted(name: str, scaled: bool) -> tuple[np.ndarray, SoftmaxRegression]:
    X, y = DATA[name](return_X_y=True)
    if scaled:
        X = StandardScaler().fit_transform(X)
    return X, SoftmaxRegression().fit(X, y)


def run(path: Path, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], {"X": X})
    return label, probabilities


def exact(model: SoftmaxRegression, X: np.ndarray) -> np.ndarray:
    """The probabilities by their definition, at 50 digits."""
    with mpmath.workdps(50):
        rows = []
        for x in X:
            logits = [
                mpmath.fdot(map(mpmath.mpf, map(float, w)), map(float, x)) + float(b)
                for w, b in zip(model.coef_, model.intercept_, strict=True)
            ]
            powers = [mpmath.exp(z) for z in logits]
            rows.append([float(power / mpmath.fsum(powers)) for power in powers])
    return np.array(rows)


def rounding(model: SoftmaxRegression, X: np.ndarray, dtype: str) -> np.ndarray:
    """What roundings of the coefficients, the intercepts and the sums may do to the probabilities of each row."""
    return bounds.of_probabilities(np.abs(X.astype(np.float64)), model.coef_, model.intercept_, dtype)


def by_hand(coef: Any, intercept: Any, classes: Any) -> SoftmaxRegression:
    model = SoftmaxRegression()
    model.coef_, model.intercept_ = np.array(coef, np.float64), np.array(intercept, np.float64)
    model.classes_, model.n_features_in_ = np.asarray(classes), model.coef_.shape[1]
    return model


@each_dtype
@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "raw"])
@pytest.mark.parametrize("name", DATA)
def test_agrees_with_the_estimator_and_with_the_definition(name: str, scaled: bool, dtype: str, tmp_path: Path) -> None:
    X, model = fitted(name, scaled)
    X = X.astype(dtype)
    to_onnx(model, tmp_path / "model.onnx", dtype=dtype)
    label, probabilities = run(tmp_path / "model.onnx", X)
    assert probabilities.dtype == dtype
    assert probabilities.shape == (len(X), len(model.classes_))
    step = len(X) // 15
    truth = exact(model, X[::step])
    assert np.all(np.abs(probabilities[::step] - truth) <= rounding(model, X[::step], dtype))
    expected = model.predict_proba(X.astype(np.float64))
    bound = rounding(model, X, dtype) + rounding(model, X, "float64")
    assert np.all(np.abs(probabilities - expected) <= bound)
    decided = bounds.decided(expected, bound)
    np.testing.assert_array_equal(label[decided], model.predict(X)[decided])
    assert decided.mean() > 0.9
    assert probabilities.std() > 0.1


@each_dtype
@pytest.mark.parametrize("opset", range(_onnx.OLDEST_OPSET, onnx.defs.onnx_opset_version() + 1))
def test_every_opset_says_the_same(opset: int, dtype: str, tmp_path: Path) -> None:
    X, model = fitted("digits", True)
    X = X[::10].astype(dtype)
    to_onnx(model, tmp_path / "m.onnx", dtype=dtype, opset=opset)
    (imported,) = onnx.load(tmp_path / "m.onnx").opset_import
    assert imported.version == opset
    expected = model.predict_proba(X.astype(np.float64))
    bound = rounding(model, X, dtype) + rounding(model, X, "float64")
    decided = bounds.decided(expected, bound)
    assert decided.mean() > 0.9
    runs = [ReferenceEvaluator(onnx.load(tmp_path / "m.onnx")).run(["label", "probabilities"], {"X": X})]
    if opset <= NEWEST_OF_THE_RUNTIME:
        runs.append(run(tmp_path / "m.onnx", X))
    for label, probabilities in runs:
        assert probabilities.dtype == dtype
        assert np.all(np.abs(probabilities - expected) <= bound)
        np.testing.assert_array_equal(label[decided], expected.argmax(axis=1)[decided])


@each_dtype
def test_large_logits_do_not_overflow(dtype: str, tmp_path: Path) -> None:
    rng = fresh_rng()
    # The first feature shifts all logits alike, beyond what an exponential holds.
    model = by_hand([[9, 3, 0], [9, 0, 2], [9, -3, 1], [9, 1, -4]], [0, 1, 2, 3], range(4))
    X = rng.integers(-2, 3, (60, 3)).astype(dtype)
    X[0, 1:] = 0.0
    X[:, 0] = rng.choice([-10_000.0, 10_000.0], 60)
    to_onnx(model, tmp_path / "model.onnx", dtype=dtype)
    label, probabilities = run(tmp_path / "model.onnx", X)
    # The logits are whole numbers, so only the softmax rounds.
    truth = exact(model, X)
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(probabilities, truth, rtol=64 * np.finfo(dtype).eps, atol=64 * tiny)
    np.testing.assert_array_equal(label, truth.argmax(axis=1))
    assert np.any((truth > 0.1) & (truth < 0.9))
    assert np.abs(X @ model.coef_.T).max() > 10.0 * np.log(np.finfo(dtype).max)


@pytest.mark.parametrize(("classes", "kind"), [
    (np.array([-7, 2**40]), np.int64),
    (np.array([3, 4], np.uint8), np.int64),
    (np.array([0.5, 2.0], np.float32), np.float64),
    (np.array([False, True]), np.bool_),
    (np.array(["a", "zürich\n猫"]), np.object_),
    (np.array(["a", "b\0"], dtype=object), np.object_),
], ids=lambda value: getattr(value, "dtype", value.__class__).__class__.__name__)  # fmt: skip
def test_labels_of_every_kind(classes: np.ndarray, kind: type, tmp_path: Path) -> None:
    to_onnx(by_hand([[1.0], [-1.0]], [0.0, 0.0], classes), tmp_path / "m.onnx")
    label, probabilities = run(tmp_path / "m.onnx", np.array([[1.0], [-1.0], [-1.0], [0.0]]))
    assert label.dtype == kind
    # The last row is a tie, which the first class wins.
    assert label.tolist() == [classes[0], classes[1], classes[1], classes[0]]
    likely = 1.0 / (1.0 + np.exp(-2.0))
    np.testing.assert_allclose(probabilities[:, 1], [1.0 - likely, likely, likely, 0.5], rtol=0, atol=16 * bounds.EPS)


@each_dtype
def test_no_rows(dtype: str, tmp_path: Path) -> None:
    to_onnx(by_hand(np.eye(3), np.zeros(3), range(3)), tmp_path / "m.onnx", dtype=dtype)
    label, probabilities = run(tmp_path / "m.onnx", np.empty((0, 3), dtype))
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(X, y)
    model.feature_names_in_ = np.array(["a", 'b"', "c", "ü"], dtype=object)
    to_onnx(model, tmp_path / "m.onnx", dtype="float32")
    loaded = onnx.load(tmp_path / "m.onnx")
    assert [(entry.domain, entry.version) for entry in loaded.opset_import] == [("", 13)]
    assert loaded.ir_version == 8
    (port,) = loaded.graph.input
    assert json.loads(port.doc_string) == ["a", 'b"', "c", "ü"]
    shape = port.type.tensor_type.shape.dim
    assert (port.name, shape[0].dim_param, shape[1].dim_value) == ("X", "n", 4)
    assert [port.name for port in loaded.graph.output] == ["label", "probabilities"]
    to_onnx(model, str(tmp_path / "again.onnx"), dtype="float32")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()


@pytest.mark.parametrize(("opset", "ir_version"), [(13, 8), (15, 8), (18, 8), (19, 9), (20, 9), (21, 10), (26, 13)])
def test_the_file_format_is_the_oldest_of_the_opset(opset: int, ir_version: int, tmp_path: Path) -> None:
    to_onnx(by_hand([[1.0], [-1.0]], [0.0, 0.0], [0, 1]), tmp_path / "m.onnx", opset=np.int64(opset))
    loaded = onnx.load(tmp_path / "m.onnx")
    assert (loaded.opset_import[0].version, loaded.ir_version) == (opset, ir_version)


def refused(model: Any, path: Path, error: type[Exception], match: str, **options: Any) -> None:
    """An error, and the file that was there is there still."""
    path.write_bytes(b"before")
    with pytest.raises(error, match=match):
        to_onnx(model, path, **options)
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    model = by_hand([[1.0, 2.0], [3.0, 1e39]], [0.0, 0.0], ["a", "b"])
    refused(LogisticRegression(), path, TypeError, "model is a LogisticRegression; a SoftmaxRegression is needed")
    refused(SoftmaxRegression(), path, NotFittedError, "not fitted")
    refused(model, path, ValueError, r"dtype is 'float16'; it must be one of \('float64', 'float32'\)", dtype="float16")
    newest = onnx.defs.onnx_opset_version()
    for opset in (12, newest + 1, -1, True, 13.0, "13", None):
        allowed = f"an integer from 13, the first with what the model needs, to {newest}, the newest of onnx"
        refused(model, path, ValueError, rf"opset is {opset!r}; it must be {allowed} {onnx.__version__}", opset=opset)
    refused(model, path, ValueError, r"coef_\[1, 1\] is 1e\+39, beyond the range of float32", dtype="float32")
    model.coef_[1, 1] = np.nan
    refused(model, path, ValueError, r"coef_\[1, 1\] is nan")
    model.coef_[1, 1] = 0.0
    model.intercept_[0] = np.inf
    refused(model, path, ValueError, r"intercept_\[0\] is inf")
    model.intercept_[0] = 0.0
    model.classes_ = np.array([b"a", b"b"])
    refused(model, path, TypeError, r"classes_ holds \|S1 labels")
    model.classes_ = np.array([1, "b"], dtype=object)
    refused(model, path, TypeError, "classes_ holds object labels")
    model.classes_ = np.array([1, 2**63], dtype=np.uint64)
    refused(model, path, ValueError, f"classes_ holds {2**63}; ONNX labels are int64")
    model.classes_ = np.array([0, 1])
    monkeypatch.setattr(_onnx, "MOST_BYTES_OF_WEIGHTS", 31)
    refused(model, path, ValueError, "coef_ takes 32 bytes as float64; an ONNX file holds less than 2147483648")
    with pytest.raises(FileNotFoundError):
        to_onnx(by_hand([[1.0], [2.0]], [0.0, 0.0], [0, 1]), tmp_path / "none" / "m.onnx")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'an ONNX file needs the package onnx: pip install "softgrad\[onnx\]"'):
        to_onnx(by_hand([[1.0], [2.0]], [0.0, 0.0], [0, 1]), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
