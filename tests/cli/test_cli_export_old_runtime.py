"""What `softgrad export` and `to_onnx` write runs on an onnxruntime of years ago, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from softgrad.linear_model import SoftmaxRegression, to_onnx
from tests.cli.conftest import succeeds, write
from tests.cli.test_cli_export import inputs, rounding, zoo
from tests.linear_model import bounds

pytestmark = pytest.mark.slow

# The oldest for each minor version of Python 3 that works beside NumPy 2.
OLD_RUNTIMES = {11: "1.19.2", 12: "1.19.2", 13: "1.20.1", 14: "1.24.1"}
# What the oldest of them knows; the last they all refuse, which the current one runs.
OPSETS, TOO_NEW = range(13, 22), 26

PROGRAM = """
import json, sys
import numpy as np, onnxruntime
def run(path, X, text):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {port.name: np.array(X, {"tensor(double)": "f8", "tensor(float)": "f4"}[port.type]) if port.name == "X"
            else np.array(text, object) for port in session.get_inputs()}
    label, probabilities = session.run(["label", "probabilities"], feed)
    return {"label": label.tolist(), "probabilities": probabilities.tolist()}
results = []
for item in json.load(sys.stdin):
    try:
        results.append(run(item["path"], item["X"], item["text"]))
    except Exception as error:
        results.append({"error": str(error)})
print(json.dumps({"onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "results": results}))
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with an old onnxruntime beside the NumPy of this one."""
    folder = tmp_path_factory.mktemp("old") / "environment"
    python = folder / "bin" / "python"
    packages = [f"onnxruntime=={old_version()}", f"numpy=={np.__version__}"]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:", *packages],
    ):
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, f"no environment with {' and '.join(packages)}:\n{finished.stderr}"
    return python


def old_version() -> str:
    minor = sys.version_info.minor
    assert minor in OLD_RUNTIMES, f"which onnxruntime is the oldest for Python 3.{minor}?"
    return OLD_RUNTIMES[minor]


def results_of(python: Path, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the old runtime gives for each file and its inputs."""
    finished = subprocess.run(
        [str(python), "-c", PROGRAM], input=json.dumps(items), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    assert (told["onnxruntime"], told["numpy"]) == (old_version(), np.__version__)
    assert len(told["results"]) == len(items)
    return told["results"]


def item(path: str, X: np.ndarray | None = None, text: np.ndarray | None = None) -> dict[str, Any]:
    return {"path": path} | {
        name: None if values is None else values.tolist() for name, values in (("X", X), ("text", text))
    }


def assert_agrees(result: dict[str, Any], labels: np.ndarray, expected: np.ndarray, bound: np.ndarray) -> None:
    assert "error" not in result, result
    assert np.all(np.abs(np.array(result["probabilities"]) - expected) <= bound)
    decided = bounds.decided(expected, bound)
    assert decided.mean() > 0.9
    assert np.array(result["label"])[decided].tolist() == labels[decided].tolist()


def test_a_model_of_numbers(old_python: Path) -> None:
    items, checks = [], []
    for load, names in [(load_iris, np.array(["a", "b", "ç"])), (load_breast_cancer, np.array([False, True]))]:
        X, y = load(return_X_y=True)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        model = SoftmaxRegression().fit(X, names[y])
        for dtype in ("float64", "float32"):
            rounded = X.astype(dtype).astype(np.float64)
            bound = sum(
                bounds.of_probabilities(np.abs(rounded), model.coef_, model.intercept_, each)
                for each in (dtype, "float64")
            )
            for opset in OPSETS:
                path = f"{load.__name__}_{dtype}_{opset}.onnx"
                to_onnx(model, path, dtype=dtype, opset=opset)
                items.append(item(path, rounded))
                checks.append((model.predict(rounded), model.predict_proba(rounded), bound))
    to_onnx(model, "default.onnx")
    to_onnx(model, "too_new.onnx", opset=TOO_NEW)
    *results, refused = results_of(old_python, [*items, item("default.onnx", X), item("too_new.onnx", X)])
    for result, check in zip(results, [*checks, checks[-1]], strict=True):
        assert_agrees(result, *check)
    assert "model IR version" in refused["error"] or "opset" in refused["error"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_model_of_numbers_and_texts(dtype: str, old_python: Path) -> None:
    table = zoo()
    write(table, Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--model", "zoo")
    succeeds("predict", "zoo", "zoo.parquet", "-o", "zoo.csv")
    predictions = pyarrow.csv.read_csv("zoo.csv")
    labels = predictions.column("prediction").to_numpy()
    expected = np.column_stack([predictions.column(f"probability_{name}") for name in ("cat", "newt", "yak")])
    paths = []
    for opset in (None, *(opset for opset in OPSETS if opset >= 19)):
        paths.append(f"zoo_{opset}.onnx")
        chosen = () if opset is None else ("--opset", opset)
        succeeds("export", "zoo", paths[-1], "--dtype", dtype, *chosen)
    feed = inputs(table, dtype)
    for result in results_of(old_python, [item(path, feed["X"], feed["text"]) for path in paths]):
        assert_agrees(result, labels, expected, rounding("zoo", "zoo.parquet", dtype))
