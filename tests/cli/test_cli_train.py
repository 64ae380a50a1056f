"""`softgrad train`: what it prints, what it writes, and that the numbers are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.preprocessing import StandardScaler

import softgrad
from softgrad.linear_model import SoftmaxRegression
from tests.cli.conftest import animals, for_training, run, set_cell, succeeds, with_column, write
from tests.oracles.bounds import EPS, HALF_OF_THE_DIGITS

README = Path(__file__).parents[2] / "README.md"


def test_digits() -> None:
    outcome = succeeds("train", "digits")
    accuracy = re.search(r"^test accuracy (0\.\d{4})$", outcome.stdout, re.MULTILINE)
    assert accuracy is not None, outcome.stdout
    assert float(accuracy[1]) >= 0.95
    assert f"`{accuracy[0]}`" in README.read_text(encoding="utf-8")
    check = re.search(r"^gradient check: worst relative error (\d\.\de-\d\d)$", outcome.stdout, re.MULTILINE)
    assert check is not None, outcome.stdout
    assert 0.0 < float(check[1]) < HALF_OF_THE_DIGITS
    assert outcome.value("rows") == "1797 (1439 for training, 358 for the test)"
    assert outcome.value("features") == "64"
    assert outcome.value("classes") == "10"
    assert int(outcome.value("iterations")) >= 1
    assert re.fullmatch(r"\d+\.\d\d s", outcome.value("time"))
    assert outcome.value("solver")


def test_digits_agrees_with_scikit_learn() -> None:
    result = succeeds("train", "digits", "--json", "--seed", 3, "-C", 0.5, "--test-fraction", 0.25).json
    X, y = load_digits(return_X_y=True)
    chosen = for_training(y.tolist(), 0.25, 3)
    train, test = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    scaler = StandardScaler().fit(X[train])
    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000).fit(scaler.transform(X[train]), y[train])
    predicted = model.predict(scaler.transform(X[test]))
    assert result["test_accuracy"] == np.mean(predicted == y[test])
    assert result["confusion_matrix"] == confusion_matrix(y[test], predicted).tolist()
    expected = log_loss(y[test], model.predict_proba(scaler.transform(X[test])))
    # The objective is within the tolerance of the optimum, what the model says of other rows within its root.
    assert result["test_loss"] == pytest.approx(expected, rel=0.1 * SoftmaxRegression().tol ** 0.5, abs=0.0)
    assert result["converged"] is True
    assert result["warning"] is None


@pytest.mark.parametrize(("name", "rows", "features", "labels"), [
    ("iris", 150, 4, ["setosa", "versicolor", "virginica"]),
    ("wine", 178, 13, ["class_0", "class_1", "class_2"]),
    ("digits", 1797, 64, list(range(10))),
])  # fmt: skip
def test_built_in_data_sets(name: str, rows: int, features: int, labels: list[object]) -> None:
    outcome = succeeds("train", name, "--json")
    result = outcome.json
    assert (result["rows"], result["features"], result["classes"]) == (rows, features, labels)
    assert result["train_rows"] + result["test_rows"] == rows
    # Of each class a fifth, rounded up or down.
    assert abs(result["test_rows"] - 0.2 * rows) < len(labels)
    assert result["test_accuracy"] > 0.9
    assert result["gradient_check"] < HALF_OF_THE_DIGITS
    assert np.sum(result["confusion_matrix"]) == result["test_rows"]
    assert np.trace(result["confusion_matrix"]) / result["test_rows"] == result["test_accuracy"]
    curve = result["loss_curve"]
    assert len(curve) == result["iterations"] + 1
    assert curve[-1] < 0.5 * curve[0]


def test_json_is_all_of_stdout_and_the_rest_is_on_stderr() -> None:
    outcome = succeeds("train", "iris", "--json")
    assert outcome.stdout.count("\n") == 1
    assert isinstance(json.loads(outcome.stdout), dict)
    assert "gradient check: worst relative error" in outcome.stderr
    assert "test accuracy" in outcome.stderr
    assert "confusion matrix" in outcome.stderr


def test_progress_is_plain_lines_without_a_terminal() -> None:
    outcome = succeeds("train", "iris")
    lines = outcome.stderr.splitlines()
    assert len(lines) == int(outcome.value("iterations"))
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"iteration {number}, objective [\d.]+, gap \d\.\de[+-]\d\d", line), line
    assert "\x1b" not in outcome.stdout + outcome.stderr


def test_confusion_matrix_in_text() -> None:
    outcome = succeeds("train", "iris", "--seed", 1)
    lines = outcome.stdout.splitlines()
    start = lines.index("confusion matrix, test rows (rows: true class, columns: predicted)")
    assert lines[start + 1].split() == ["setosa", "versicolor", "virginica"]
    rows = [line.split() for line in lines[start + 2 : start + 5]]
    assert [row[0] for row in rows] == ["setosa", "versicolor", "virginica"]
    assert [sum(map(int, row[1:])) for row in rows] == [10, 10, 10]


@pytest.mark.parametrize("classes", [20, 21])
def test_the_confusion_matrix_ends_at_twenty_classes(classes: int, in_folder: Path) -> None:
    labels = np.repeat(np.arange(classes), 4)
    write(pa.table({"x": labels + 0.1 * np.arange(len(labels)), "y": labels}), in_folder / "many.csv")
    arguments = ("train", "many.csv", "--target", "y", "--test-fraction", 0)
    text = succeeds(*arguments).stdout
    assert ("confusion matrix, training rows" in text) == (classes == 20)
    assert ("confusion matrix not shown: 21 classes, more than 20" in text) == (classes == 21)
    assert (succeeds(*arguments, "--json").json["confusion_matrix"] is None) == (classes == 21)


def test_the_same_seed_gives_the_same_model_bit_for_bit(in_folder: Path) -> None:
    write(animals(), in_folder / "animals.csv")
    for name, seed in [("a", 5), ("b", 5), ("c", 6)]:
        succeeds("train", "animals.csv", "--target", "kind", "--seed", seed, "--model", name)
    a, b, c = ((in_folder / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_no_test_part() -> None:
    outcome = succeeds("train", "iris", "--test-fraction", 0)
    assert "test accuracy" not in outcome.stdout
    assert "confusion matrix, training rows" in outcome.stdout
    result = succeeds("train", "iris", "--test-fraction", 0, "--json").json
    assert "test_loss" not in result
    assert result["test_rows"] == 0
    assert result["train_rows"] == 150
    assert np.sum(result["confusion_matrix"]) == 150


def test_preprocessing_learns_from_the_training_rows_alone(in_folder: Path) -> None:
    """An outlier and a text in the test part must not move the training loss."""
    table = animals()
    write(table, in_folder / "animals.csv")
    before = succeeds("train", "animals.csv", "--target", "kind", "--json").json
    y = table.column("kind").to_pylist()
    test_row = int(np.flatnonzero(~for_training(y, 0.2, 0))[0]) + 1
    changed = set_cell(set_cell(table, "weight", test_row, 1e9), "colour", test_row, "purple")
    write(changed, in_folder / "animals.csv")
    after = succeeds("train", "animals.csv", "--target", "kind", "--json").json
    for name in ("training_loss", "training_accuracy", "features", "loss_curve"):
        assert after[name] == before[name]
    assert after["test_loss"] != before["test_loss"]


def test_a_constant_column_and_truth_values(in_folder: Path) -> None:
    table = animals()
    plain = table.drop_columns(["wild"])
    extended = plain.append_column("constant", pa.array([0.1] * table.num_rows))
    write(plain, in_folder / "plain.csv")
    write(extended, in_folder / "constant.csv")
    write(with_column(table, "wild", [int(v) for v in table.column("wild").to_pylist()]), in_folder / "ones.parquet")
    write(table, in_folder / "truth.parquet")
    write(table, in_folder / "truth.csv")
    losses = {
        path.name: succeeds("train", path, "--target", "kind", "--json").json["training_loss"]
        for path in in_folder.iterdir()
    }
    assert losses["constant.csv"] == pytest.approx(losses["plain.csv"], rel=2**22 * EPS, abs=0.0)
    assert losses["truth.parquet"] == losses["ones.parquet"]
    assert losses["truth.csv"] == pytest.approx(losses["ones.parquet"], rel=2**22 * EPS, abs=0.0)
    assert losses["truth.csv"] < losses["plain.csv"]


def test_not_converged_is_said_plainly() -> None:
    outcome = succeeds("train", "wine", "--max-iter", 1)
    assert re.search(r"^warning: not converged: .*1 iterations", outcome.stdout, re.MULTILINE), outcome.stdout
    result = succeeds("train", "wine", "--max-iter", 1, "--json").json
    assert result["converged"] is False
    assert "max_iter=1" in result["warning"]


def test_weaker_penalty_fits_closer() -> None:
    losses = [succeeds("train", "wine", "-C", c, "--json").json["training_loss"] for c in (0.01, 1, 100)]
    assert losses[0] > 2.0 * losses[1] > 4.0 * losses[2]


@pytest.mark.parametrize("options", [(), ("--stream",)], ids=str)
def test_a_class_of_one_row_is_trained_on_and_said(options: tuple[str, ...], in_folder: Path) -> None:
    write(set_cell(animals(), "kind", 7, "unicorn"), in_folder / "animals.csv")
    outcome = succeeds("train", "animals.csv", "--target", "kind", "--test-fraction", 0.5, *options)
    assert "warning: 1 of 4 classes have no row in the test: unicorn\n" in outcome.stdout
    assert outcome.value("classes") == "4"
    whole = succeeds("train", "animals.csv", "--target", "kind", "--test-fraction", 0, *options)
    assert "in the test" not in whole.stdout


@pytest.mark.parametrize(("labels", "expected"), [
    ([3, -1, 7], [-1, 3, 7]),
    ([3.0, -1.0, 7.0], [-1, 3, 7]),
    ([True, False, True], [False, True]),
    (["b", "a", "c c"], ["a", "b", "c c"]),
])  # fmt: skip
def test_kinds_of_target(labels: list[object], expected: list[object], in_folder: Path) -> None:
    x = np.arange(60) % 3 + 0.01 * np.arange(60)
    write(pa.table({"x": x, "y": pa.array(labels * 20)}), in_folder / "data.parquet")
    result = succeeds("train", "data.parquet", "--target", "y", "--json").json
    assert result["classes"] == expected
    assert [type(label) for label in result["classes"]] == [type(label) for label in expected]


def test_plot(in_folder: Path) -> None:
    outcome = succeeds("train", "iris", "--plot", "iris.png")
    assert "plot written to iris.png" in outcome.stdout
    with Image.open(in_folder / "iris.png") as image:
        assert image.format == "PNG"
        assert image.width >= 1000
        assert image.height >= 400
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert len(colours) > 100
    assert 20_000 < (in_folder / "iris.png").stat().st_size < 500_000
    assert [path.name for path in in_folder.iterdir()] == ["iris.png"]


def test_plot_with_names_that_look_like_markup(in_folder: Path) -> None:
    names = {"cat": "$x^", "newt": "[red]", "yak": "猫\n" + "long " * 10}
    table = animals()
    write(with_column(table, "kind", [names[kind] for kind in table.column("kind").to_pylist()]), in_folder / "a.csv")
    outcome = succeeds("train", "a.csv", "--target", "kind", "--plot", "a$.png", "--model", "m")
    assert (in_folder / "a$.png").stat().st_size > 20_000
    assert "[red]" in outcome.stdout
    assert "猫\\nlong" in outcome.stdout


def test_an_existing_model_is_replaced_through_a_link(in_folder: Path) -> None:
    (in_folder / "real").write_text("old")
    (in_folder / "link").symlink_to("real")
    succeeds("train", "iris", "--model", "link")
    assert (in_folder / "link").is_symlink()
    assert (in_folder / "real").stat().st_size > 500
    assert {path.name for path in in_folder.iterdir()} == {"real", "link"}


def test_interrupted(monkeypatch: pytest.MonkeyPatch, in_folder: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("softgrad.cli.training.fit_rows", interrupt)
    outcome = run("train", "iris", "--model", "m")
    assert outcome.status == 130
    assert outcome.stderr == "softgrad: interrupted\n"
    assert list(in_folder.iterdir()) == []


def test_a_wrong_gradient_stops_the_training(monkeypatch: pytest.MonkeyPatch, in_folder: Path) -> None:
    loss = type(softgrad.linear_cross_entropy)
    right = loss.value_and_grad

    def wrong(self: object, *arguments: object, **options: object) -> tuple[object, object]:
        value, grads = right(self, *arguments, **options)
        return value, grads if grads.weight is None else grads._replace(weight=grads.weight * 1.001)

    monkeypatch.setattr(loss, "value_and_grad", wrong)
    outcome = run("train", "iris", "--model", "m")
    assert outcome.status == 2
    assert "gradient check: worst relative error 1.0e-03" in outcome.stdout
    assert outcome.stderr.startswith("softgrad: the gradient is wrong on this machine, nothing was trained")
    assert list(in_folder.iterdir()) == []
