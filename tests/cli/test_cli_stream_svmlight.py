"""`softgrad train FILE.svmlight --stream`: sparse rows, to the optimum of the rows in memory; errors in one line."""

from __future__ import annotations

import gzip
import signal
import subprocess
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import log_softmax
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from softgrad.cli.model_file import load_model
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _svmlight
from tests.cli.conftest import command, fails, for_training, run, succeeds
from tests.linear_model import data_sets
from tests.oracles.bounds import EPS, HALF_OF_THE_DIGITS
from tests.oracles.inputs import fresh_rng

LABELS = np.array([-1, 1, 7])


class Data(NamedTuple):
    path: Path
    X: scipy.sparse.csr_array
    y: NDArray[np.int64]


def write(path: str, *, rows: int = 900, features: int = 40, zero_based: bool = False) -> Data:
    """Text-like rows: few entries, all of them positive; what scikit-learn reads of the file is the answer."""
    rng = fresh_rng()
    X = scipy.sparse.random_array((rows, features), density=min(0.1, 20 / features), format="csr", rng=rng)
    truth = 3.0 * rng.standard_normal((3, features))
    y = LABELS[(X @ truth.T + rng.gumbel(size=(rows, 3))).argmax(axis=1)]
    y[:3] = LABELS
    plain = Path(path.removesuffix(".gz"))
    dump_svmlight_file(X, y, str(plain), zero_based=zero_based, comment="made by a test")
    loaded = load_svmlight_file(str(plain), n_features=features, zero_based=zero_based)
    if plain != Path(path):
        Path(path).write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return Data(Path(path), scipy.sparse.csr_array(loaded[0]), loaded[1].astype(np.int64))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text blocks that end in the middle of a line."""
    monkeypatch.setattr(_svmlight, "_BLOCK_BYTES", 9973)


@pytest.mark.parametrize(("name", "zero_based"), [("rows.svmlight", False), ("rows.svm.gz", False), ("r.libsvm", True)])
def test_the_optimum_of_the_rows_in_memory(name: str, zero_based: bool) -> None:
    data = write(name, zero_based=zero_based)
    tol, by_default = 1e-12, SoftmaxRegression().tol
    result = succeeds("train", name, "--stream", "--test-fraction", 0, "-C", 3, "--model", "model", "--json").json
    expected = SoftmaxRegression(C=3.0, tol=tol).fit(data.X, data.y)
    found = load_file("model")
    value = data_sets.objective(data.X, data.y, found["coef"], found["intercept"], 3.0)
    assert result["loss_curve"][-1] == pytest.approx(value, rel=64 * EPS, abs=0.0)
    # The command ends at the default tolerance; the weights are off by its root.
    assert -tol < value / expected.loss_curve_[-1] - 1.0 < by_default
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(found["coef"], expected.coef_, rtol=0, atol=10 * by_default**0.5 * scale)
    assert result["classes"] == LABELS.tolist()
    assert (result["target"], result["features"]) == ("label", 40)
    first = 0 if zero_based else 1
    assert [column.name for column in load_model(Path("model")).columns] == [str(first + i) for i in range(40)]


def test_the_scores_are_of_the_rows_that_they_name() -> None:
    data = write("rows.svmlight", rows=2000)
    arguments = ("train", "rows.svmlight", "--stream", "--test-fraction", 0.3, "--seed", 1, "--json")
    result = succeeds(*arguments, "--model", "model").json
    train = for_training(data.y.tolist(), 0.3, 1)
    assert (result["train_rows"], result["test_rows"]) == (train.sum(), (~train).sum())
    found = load_file("model")
    logs = log_softmax(data.X @ found["coef"].T + found["intercept"], axis=1)
    codes = np.searchsorted(LABELS, data.y)
    for part, rows in (("training", train), ("test", ~train)):
        loss = -logs[rows, codes[rows]].mean()
        assert result[f"{part}_loss"] == pytest.approx(loss, rel=64 * EPS, abs=0.0)
        assert result[f"{part}_accuracy"] == pytest.approx(
            (logs.argmax(axis=1) == codes)[rows].mean(), rel=4 * EPS, abs=0.0
        )
    assert np.sum(result["confusion_matrix"]) == result["test_rows"]
    assert np.trace(result["confusion_matrix"]) == pytest.approx(
        result["test_accuracy"] * result["test_rows"], rel=4 * EPS, abs=0.0
    )
    assert result["gradient_check"] < HALF_OF_THE_DIGITS


def test_a_text_block_whose_rows_are_all_for_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    write("rows.svmlight", rows=90)
    arguments = ("train", "rows.svmlight", "--stream", "--test-fraction", 0.5, "--json")
    whole = succeeds(*arguments).json
    # Every block has a line.
    monkeypatch.setattr(_svmlight, "_BLOCK_BYTES", 1)
    result = succeeds(*arguments).json
    assert result["train_rows"] == whole["train_rows"] < 80
    tol = SoftmaxRegression().tol
    assert result["loss_curve"][-1] == pytest.approx(whole["loss_curve"][-1], rel=tol, abs=0.0)


@pytest.mark.parametrize(("name", "zero_based"), [("new.svmlight", False), ("new.svm.gz", False), ("new.libsvm", True)])
def test_predictions_and_scores_of_another_file(name: str, zero_based: bool) -> None:
    """Whose features are fewer: the last are 0 in all its rows."""
    write("rows.libsvm" if zero_based else "rows.svmlight", zero_based=zero_based)
    succeeds("train", "rows.libsvm" if zero_based else "rows.svmlight", "--stream", "--model", "model")
    data = write(name, rows=500, features=35, zero_based=zero_based)
    found = load_file("model")
    logs = log_softmax(data.X @ found["coef"][:, :35].T + found["intercept"], axis=1)
    codes = np.searchsorted(LABELS, data.y)

    succeeds("predict", "model", name, "-o", "predictions.csv")
    with Path("predictions.csv").open() as file:
        assert file.readline().replace('"', "") == "prediction,probability_-1,probability_1,probability_7\n"
        predictions = np.loadtxt(file, delimiter=",")
    np.testing.assert_array_equal(predictions[:, 0], LABELS[logs.argmax(axis=1)])
    np.testing.assert_allclose(predictions[:, 1:], np.exp(logs), rtol=64 * EPS)

    result = succeeds("evaluate", "model", name, "--json").json
    assert result["rows"] == 500
    assert result["target"] == "label"
    assert result["loss"] == pytest.approx(-logs[np.arange(500), codes].mean(), rel=64 * EPS, abs=0.0)
    assert result["accuracy"] == pytest.approx((logs.argmax(axis=1) == codes).mean(), rel=4 * EPS, abs=0.0)
    assert np.sum(result["confusion_matrix"]) == 500


def test_a_file_that_does_not_go_with_the_model() -> None:
    write("rows.svmlight")
    succeeds("train", "rows.svmlight", "--stream", "--max-iter", 1, "--model", "model")
    Path("wide.svm").write_text("1 1:0.5\n7 3:1 41:2\n")
    message = "wide.svm, row 2: the model knows no feature 41, only 1 to 40"
    assert fails("predict", "model", "wide.svm") == message
    assert fails("evaluate", "model", "wide.svm") == message
    Path("zero.svm").write_text("1 0:0.5\n7 3:1\n")
    assert fails("predict", "model", "zero.svm") == "zero.svm, row 1: the model knows no feature 0, only 1 to 40"
    for label in ("2", "1.5"):
        Path("other.svm").write_text(f"1 1:0.5\n{label} 3:1\n")
        said = f"other.svm, label of row 2: {label} is not a class of the model (-1, 1, 7)"
        assert fails("evaluate", "model", "other.svm") == said
    assert "are at the start of its lines" in fails("evaluate", "model", "rows.svmlight", "--target", "kind")
    succeeds("train", "iris", "--model", "flowers")
    message = "rows.svmlight: the model was not trained on an svmlight file; its columns are sepal length (cm), "
    assert fails("predict", "flowers", "rows.svmlight").startswith(message)


@pytest.mark.slow
def test_the_rows_are_never_dense() -> None:
    write("rows.svmlight", rows=800, features=20_000)
    tracemalloc.start()
    succeeds("train", "rows.svmlight", "--stream", "--max-iter", 1, "-C", 1e-3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 800 * 20_000 * 8 / 4


def test_a_checkpoint_of_an_svmlight_file() -> None:
    write("rows.svmlight")
    arguments = ("train", "rows.svmlight", "--stream", "-C", 1e3)
    assert "max_iter=2" in succeeds(*arguments, "--checkpoint", "fit", "--max-iter", 2, "--json").json["warning"]
    other = run(*arguments, "--checkpoint", "fit", "--resume", "--test-fraction", 0.5)
    assert other.status == 2
    assert "the checkpoint fit belongs to another fit: number of rows is" in other.stderr
    succeeds(*arguments, "--checkpoint", "fit", "--resume", "--model", "resumed")
    succeeds(*arguments, "--model", "whole")
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()


BAD = {
    "a bad number": ("1 1:1\n0 2:x\n", "cannot read bad.svm, line 2: could not convert string to float: b'x'"),
    "a value that is not finite": ("1 1:1\n0 2:nan\n", "bad.svm, row 2: feature 2 is nan; it must be finite"),
    "a real label": ("1 1:1\n0.5 2:1\n", "bad.svm, label of row 2: 0.5 is no whole number; regression targets are not"),
    "an infinite label": ("1 1:1\n-inf 2:1\n", "bad.svm, label of row 2: -inf is no whole number; regression targets"),
    "one class": ("1 1:1\n1 2:1\n", "bad.svm: target 'label' has a single class, 1; two are needed"),
    "no rows": ("# nothing\n", "bad.svm has no rows with a feature"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file(case: str) -> None:
    text, message = BAD[case]
    Path("bad.svm").write_text(text)
    outcome = run("train", "bad.svm", "--stream", "--test-fraction", 0)
    assert outcome.status == 2
    assert message in outcome.stderr


@pytest.mark.parametrize("zero_based", [False, True])
@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_a_value_that_is_not_finite(value: str, zero_based: bool) -> None:
    """It is named before the fit, by its row in the file, test rows counted, and by its index as written."""
    write("rows.svmlight", zero_based=zero_based)
    succeeds("train", "rows.svmlight", "--stream", "--max-iter", 1, "--model", "model")
    lines = Path("rows.svmlight").read_text().splitlines(keepends=True)
    head = sum(line.startswith("#") for line in lines)
    lines[head + 799] = f"1 3:0.5 7:{value}\n"
    Path("bad.svm").write_text("".join(lines))
    message = f"bad.svm, row 800: feature 7 is {value}; it must be finite"
    for arguments in (["train", "--stream"], ["predict", "model"], ["evaluate", "model"]):
        assert fails(*arguments, "bad.svm") == message


def test_what_an_svmlight_file_does_not_have() -> None:
    write("rows.svmlight")
    succeeds("train", "rows.svmlight", "--max-iter", 1, "--model", "model")
    unlike = "an svmlight file has labels at the start of its lines and features by number, no columns with names"
    for option, value in [
        ("--target", "kind"),
        ("--sample-weight", "w"),
        ("--label-as", "text"),
        ("--report", "r.html"),
        ("--missing", "drop"),
        ("--unseen", "error"),
    ]:
        for stream in ([], ["--stream"]):
            if (option, stream) != ("--report", ["--stream"]):
                assert fails("train", "rows.svmlight", *stream, option, value) == f"{option} {value}: {unlike}"
    for option in ("--number", "--text"):
        assert fails("train", "rows.svmlight", option, "3") == f"--number or --text 3: {unlike}"
    for option, name in [("--na", "na"), ("--drop", "drop"), ("--columns", "columns"), ("--delimiter", "delimiter")]:
        said = f"rows.svmlight: the option {name} is not for svmlight files"
        assert fails("train", "rows.svmlight", option, ";") == said
    for verb in ("predict", "evaluate"):
        assert (
            fails(verb, "model", "rows.svmlight", "--na", "?")
            == "rows.svmlight: the option na is not for svmlight files"
        )
        said = "--unseen error: rows.svmlight is an svmlight file, which has no texts"
        assert fails(verb, "model", "rows.svmlight", "--unseen", "error") == said
    said = "--cache keeps columns that were parsed; an svmlight file has none"
    assert fails("train", "rows.svmlight", "--stream", "--cache") == said


@pytest.mark.parametrize("fraction", [0, 0.3])
def test_in_memory_it_is_the_same_model(fraction: float) -> None:
    write("rows.svm.gz")
    arguments = ("train", "rows.svm.gz", "--test-fraction", fraction, "--class-weight", "balanced", "--json", "--model")
    results = [succeeds(*arguments, name, *options).json for name, options in (("a", ()), ("b", ("--stream",)))]
    assert Path("a").read_bytes() == Path("b").read_bytes()
    for name in ("loss_curve", "confusion_matrix", "train_rows", "test_rows"):
        assert results[0][name] == results[1][name]


def test_a_name_that_does_not_say_the_format() -> None:
    """The model knows how its file was read; a new file is read so too."""
    Path("rows.txt").write_bytes(write("rows.svmlight").path.read_bytes())
    succeeds("train", "rows.txt", "--format", "svmlight", "--model", "model")
    assert succeeds("predict", "model", "rows.txt").stdout == succeeds("predict", "model", "rows.svmlight").stdout


@pytest.mark.slow
def test_killed_and_interrupted_in_the_middle() -> None:
    write("rows.svmlight", rows=20_000)
    arguments = ("train", "rows.svmlight", "--stream", "-C", 1e4)
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        Path("fit").unlink(missing_ok=True)
        process = subprocess.Popen(command(*arguments, "--checkpoint", "fit"), stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("iteration 2,"):
                process.send_signal(number)
                break
        _, told = process.communicate(timeout=30)
        assert process.returncode == status
        assert "Traceback" not in told
    for options in (["--checkpoint", "fit", "--resume", "--model", "resumed"], ["--model", "whole"]):
        subprocess.run(command(*arguments, *options), check=True, capture_output=True)
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()
