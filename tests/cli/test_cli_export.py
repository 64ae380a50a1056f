"""`softgrad export`: onnxruntime computes from the file what `softgrad predict` writes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sklearn.datasets import load_digits

import softgrad
from softgrad.cli.columns import NumberColumn
from softgrad.cli.model_file import load_model
from softgrad.linear_model._export import _onnx as onnx_export
from tests.cli.conftest import animals, fails, set_cell, succeeds, with_column, write
from tests.linear_model import bounds

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "report.md"
NUMBERS, TEXTS = ["weight", "legs", "wild"], ["home", "colour"]


def zoo(rows: int = 300) -> pa.Table:
    """The animals with a second text column between the numbers."""
    home = np.array(["", " den", "nest\u0301"])[np.arange(rows) % 3]
    return animals(rows).add_column(1, "home", pa.array(home.tolist()))


def inputs(table: pa.Table, dtype: str) -> dict[str, np.ndarray]:
    """Numbers, NaN where missing, and texts without the blanks around them, empty where missing."""
    return {
        "X": np.column_stack([table.column(name).cast(pa.float64()).to_numpy() for name in NUMBERS]).astype(dtype),
        "text": np.array(
            [[(text or "").strip() for text in table.column(name).to_pylist()] for name in TEXTS], object
        ).T,
    }


def run(path: str, feed: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], feed)
    return label, probabilities


def rounding(model: str, data: str, dtype: str) -> np.ndarray:
    """What roundings may do to the probabilities of each row."""
    loaded, table = load_model(Path(model)), pyarrow.parquet.read_table(data)
    magnitudes = np.zeros((table.num_rows, 0))
    for column in loaded.columns:
        if isinstance(column, NumberColumn):
            numbers = table.column(column.name).cast(pa.float64()).to_numpy()
            given = numbers if column.fill is None else np.where(np.isnan(numbers), column.fill, numbers)
            # A number is rounded as it stands, and so is the mean that is taken away from it.
            block = (np.abs(given - column.mean) + 2.0 * abs(column.mean))[:, None] / column.scale
        else:
            block = np.ones((table.num_rows, column.width))
        magnitudes = np.hstack([magnitudes, block])
    bound = bounds.of_probabilities(magnitudes, loaded.coef, loaded.intercept, dtype, roundings=4)
    return bound + bounds.of_probabilities(magnitudes, loaded.coef, loaded.intercept, "float64", roundings=4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_and_texts(dtype: str) -> None:
    write(zoo(), Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--model", "zoo")
    outcome = succeeds("export", "zoo", "zoo.onnx", "--dtype", dtype)
    assert outcome.stdout.splitlines() == [
        f"input X: {dtype}, n x 3",
        "input text: text, n x 2",
        "output label: text, n",
        f"output probabilities: {dtype}, n x 3",
        "model written to zoo.onnx",
    ]
    # Texts that the training has not seen, and numbers far from it.
    table = set_cell(set_cell(set_cell(zoo(), "colour", 1, "mauve"), "home", 1, "cave"), "weight", 2, 1e4)
    write(table, Path("new.parquet"))
    succeeds("predict", "zoo", "new.parquet", "-o", "new.csv")
    expected = pyarrow.csv.read_csv("new.csv")
    label, probabilities = run("zoo.onnx", inputs(table, dtype))
    bound = rounding("zoo", "new.parquet", dtype)
    decided = bounds.decided(probabilities, bound)
    assert decided.mean() > 0.9
    assert label[decided].tolist() == expected.column("prediction").to_numpy()[decided].tolist()
    assert set(label) == {"cat", "newt", "yak"}
    for place, name in enumerate(["cat", "newt", "yak"]):
        column = expected.column(f"probability_{name}").to_numpy()
        assert np.all(np.abs(probabilities[:, place] - column) <= bound[:, 0])
        assert column.std() > 0.1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("missing", ["mean", "median", "most-frequent"])
def test_what_takes_the_place_of_a_missing_value(missing: str, dtype: str) -> None:
    """It is in the file: a NaN and an empty text stand for what is missing, as null does for the command."""
    table = zoo()
    homes = ["den", "nest\u0301", "den"] * 100
    table = with_column(table, "home", homes)
    for row, name in enumerate([*NUMBERS, *TEXTS] * 4, start=1):
        table = set_cell(table, name, row, None)
    write(table, Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--missing", missing, "--model", "zoo")
    succeeds("export", "zoo", "zoo.onnx", "--dtype", dtype)
    succeeds("predict", "zoo", "zoo.parquet", "-o", "zoo.csv")
    expected = pyarrow.csv.read_csv("zoo.csv")
    truth = np.column_stack([expected.column(f"probability_{name}") for name in ("cat", "newt", "yak")])
    label, probabilities = run("zoo.onnx", inputs(table, dtype))
    bound = rounding("zoo", "zoo.parquet", dtype)
    assert np.isfinite(probabilities).all()
    assert np.all(np.abs(probabilities - truth) <= bound)
    decided = bounds.decided(truth, bound)
    assert decided[:20].mean() > 0.9
    assert label[decided].tolist() == expected.column("prediction").to_numpy()[decided].tolist()


def test_an_empty_text_that_the_training_had_is_itself() -> None:
    """A Parquet file tells it from a missing one, which is null."""
    table = set_cell(zoo(), "home", 4, None)
    write(table, Path("zoo.parquet"))
    succeeds(
        "train", "zoo.parquet", "--target", "kind", "--missing", "most-frequent", "--test-fraction", 0, "--model", "m"
    )
    succeeds("export", "m", "m.onnx")
    assert load_model(Path("m")).columns[1].categories[0] == ""
    whole = set_cell(table, "home", 4, "")
    write(whole, Path("whole.parquet"))
    succeeds("predict", "m", "whole.parquet", "-o", "p.csv")
    expected = pyarrow.csv.read_csv("p.csv").column("probability_cat").to_numpy()
    found = run("m.onnx", inputs(whole, "float64"))[1][:, 0]
    assert np.all(np.abs(found - expected) <= rounding("m", "whole.parquet", "float64")[:, 0])


def test_without_a_fill_what_is_missing_stays_so() -> None:
    write(zoo(), Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--missing", "drop", "--model", "zoo")
    succeeds("export", "zoo", "zoo.onnx")
    assert not {"Where", "IsNaN"} & {node.op_type for node in onnx.load("zoo.onnx").graph.node}
    feed = inputs(zoo(), "float64")
    feed["X"][0, 0] = np.nan
    probabilities = run("zoo.onnx", feed)[1]
    assert np.isnan(probabilities[0]).all()
    assert np.isfinite(probabilities[1:]).all()


@pytest.mark.parametrize("opset", [19, 20, 21, 23, 26])
def test_every_opset_says_the_same(opset: int) -> None:
    write(zoo(), Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--model", "zoo")
    succeeds("export", "zoo", "oldest.onnx")
    succeeds("export", "zoo", "zoo.onnx", "--opset", opset)
    assert [entry.version for entry in onnx.load("zoo.onnx").opset_import] == [opset]
    expected_label, expected = run("oldest.onnx", inputs(zoo(), "float64"))
    label, probabilities = run("zoo.onnx", inputs(zoo(), "float64"))
    bound = rounding("zoo", "zoo.parquet", "float64")
    assert np.all(np.abs(probabilities - expected) <= 2.0 * bound)
    decided = bounds.decided(expected, 2.0 * bound)
    assert decided.mean() > 0.9
    assert label[decided].tolist() == expected_label[decided].tolist()
    assert expected.std() > 0.1


@pytest.mark.parametrize(("columns", "versions"), [(["weight", "legs"], (13, 8)), (["colour"], (19, 9))], ids=str)
def test_the_oldest_opset_that_has_what_the_model_needs(columns: list[str], versions: tuple[int, int]) -> None:
    write(zoo().select([*columns, "kind"]), Path("data.parquet"))
    succeeds("train", "data.parquet", "--target", "kind", "--model", "model")
    succeeds("export", "model", "model.onnx")
    loaded = onnx.load("model.onnx")
    assert (loaded.opset_import[0].version, loaded.ir_version) == versions
    newest = onnx.defs.onnx_opset_version()
    for opset in (versions[0] - 1, newest + 1):
        assert fails("export", "model", "model.onnx", "--opset", opset) == (
            f"model cannot be exported as float64: opset is {opset}; it must be an integer from {versions[0]}, the "
            f"first with what the model needs, to {newest}, the newest of onnx {onnx.__version__}"
        )
    assert onnx.load("model.onnx") == loaded


def test_the_file_says_which_columns_it_takes() -> None:
    write(zoo(), Path("zoo.parquet"))
    succeeds("train", "zoo.parquet", "--target", "kind", "--model", "zoo")
    succeeds("export", "zoo", "zoo.onnx")
    loaded = onnx.load("zoo.onnx")
    assert {entry.key: entry.value for entry in loaded.metadata_props} == {
        "softgrad": softgrad.__version__,
        "target": "kind",
        "columns_of_X": json.dumps(NUMBERS),
        "columns_of_text": json.dumps(TEXTS),
        "classes": json.dumps(["cat", "newt", "yak"]),
    }
    assert [(port.name, json.loads(port.doc_string)) for port in loaded.graph.input] == [
        ("X", NUMBERS),
        ("text", TEXTS),
    ]
    first = Path("zoo.onnx").read_bytes()
    succeeds("export", "zoo", "zoo.onnx")
    assert Path("zoo.onnx").read_bytes() == first


def test_numbers_alone() -> None:
    X, y = load_digits(return_X_y=True)
    succeeds("train", "digits", "--model", "digits.safetensors")
    write(pa.table({f"pixel_{i // 8}_{i % 8}": X[:, i] for i in range(64)}), Path("digits.parquet"))
    succeeds("predict", "digits.safetensors", "digits.parquet", "-o", "p.csv")
    expected = pyarrow.csv.read_csv("p.csv")
    truth = np.column_stack([expected.column(f"probability_{k}").to_numpy() for k in range(10)])
    for dtype in ("float64", "float32"):
        succeeds("export", "digits.safetensors", "digits.onnx", "--dtype", dtype)
        label, probabilities = run("digits.onnx", {"X": X.astype(dtype)})
        bound = rounding("digits.safetensors", "digits.parquet", dtype)
        assert np.all(np.abs(probabilities - truth) <= bound)
        assert label.dtype == np.int64
        decided = bounds.decided(truth, bound)
        assert decided.mean() > 0.9
        assert label[decided].tolist() == expected.column("prediction").to_numpy()[decided].tolist()
        assert np.mean(label == y) > 0.97


def test_texts_alone_and_truth_values_as_classes() -> None:
    table = pa.table({"word": ["a", "b", "a", "b"] * 10, "y": [True, False, True, False] * 10})
    write(table, Path("words.parquet"))
    succeeds("train", "words.parquet", "--target", "y", "--model", "words", "--test-fraction", 0)
    assert succeeds("export", "words", "words.onnx").stdout.startswith(
        "input text: text, n x 1\noutput label: bool, n\n"
    )
    label, probabilities = run("words.onnx", {"text": np.array([["a"], ["b"], ["c"], ["a "]], dtype=object)})
    assert label.tolist()[:2] == [True, False]
    assert probabilities[0, 1] == pytest.approx(probabilities[1, 0], rel=bounds.TOL, abs=0.0)
    assert probabilities[0, 1] > 0.9
    # Texts that were not seen are all zeros: what is left are the intercepts.
    assert probabilities[2].tolist() == probabilities[3].tolist() == pytest.approx([0.5, 0.5], abs=bounds.TOL)


def test_the_guide() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for table in [zoo(), zoo().select(["colour", "kind"]), zoo().drop_columns(TEXTS)]:
        write(table, Path("data.parquet"))
        succeeds("train", "data.parquet", "--target", "kind", "--model", "model.safetensors")
        succeeds("export", "model.safetensors", "model.onnx")
        found: dict[str, np.ndarray] = {}
        exec(compile(program, str(GUIDE), "exec"), found)
        succeeds("predict", "model.safetensors", "data.parquet", "-o", "p.csv")
        assert found["label"].tolist() == pyarrow.csv.read_csv("p.csv").column("prediction").to_pylist()


def test_errors(trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = trained
    assert fails("export", model, "m.bin") == "m.bin: the name of an ONNX model must end in .onnx"
    assert fails("export", model, "m.onnx", "--dtype", "half") == "--dtype is half; it must be float64 or float32"
    assert fails("export", "none", "m.onnx") == "no such file: none"
    assert "does not exist" in fails("export", model, "none/m.onnx")
    table = with_column(animals(), "weight", (animals().column("weight").to_numpy() * 1e-60).tolist())
    write(table, Path("small.parquet"))
    succeeds("train", "small.parquet", "--target", "kind", "--model", "small")
    message = fails("export", "small", "m.onnx", "--dtype", "float32")
    assert message.startswith("small cannot be exported as float32: scale[0] is ")
    assert message.endswith("e-59, beyond the range of float32")
    succeeds("export", "small", "kept.onnx")
    before = Path("kept.onnx").read_bytes()
    fails("export", "small", "kept.onnx", "--dtype", "float32")
    assert Path("kept.onnx").read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(onnx_export, "MOST_BYTES_OF_WEIGHTS", 1)
        assert "an ONNX file holds less than" in fails("export", model, "m.onnx")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnx", None)
        assert fails("export", model, "m.onnx") == 'an ONNX file needs the package onnx: pip install "softgrad[onnx]"'
    assert not Path("m.onnx").exists()
