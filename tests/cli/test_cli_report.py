"""`softgrad train --report`: the structure of the page, that text of the data stays text, that its numbers are true."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.metrics import precision_recall_fscore_support

import softgrad
from softgrad.cli.columns import NumberColumn, TextColumn
from softgrad.cli.html_report import charts, images, measures
from softgrad.cli.model_file import load_model
from softgrad.linear_model import SoftmaxRegression
from softgrad.reference import linear_cross_entropy_grad
from tests.cli.conftest import animals, fails, for_training, run, set_cell, succeeds, with_column, write
from tests.cli.report_page import Element, read
from tests.oracles.bounds import EPS, HALF_OF_THE_DIGITS, printed
from tests.oracles.inputs import fresh_rng

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\" onload='alert(1)' &lt;b&gt; \x1b\n.",
]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Element, Any, Path]:
    """The report of digits, what the command says of the same training, and its model file."""
    folder = tmp_path_factory.mktemp("digits")
    outcome = succeeds("train", "digits", "--report", folder / "r.html", "--model", folder / "m", "--json")
    assert f"report written to {folder / 'r.html'}" in outcome.stderr
    return read(folder / "r.html"), outcome.json, folder / "m"


@cache
def digits_part() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and classes, and the rows of the test part."""
    X, y = load_digits(return_X_y=True)
    return X, y, np.flatnonzero(~for_training(y.tolist(), 0.2, 0))


def digits_probabilities(model: Path) -> np.ndarray:
    trained = load_model(model)
    X, _, test = digits_part()
    mean, scale = np.array([[column.mean, column.scale] for column in trained.columns]).T
    logits = (X[test] - mean) / scale @ trained.coef.T + trained.intercept
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def pixels_of(image: Element) -> np.ndarray:
    content = base64.b64decode(image.attributes["src"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.mode == "RGBA"
        return np.asarray(opened).astype(int)


def test_head_line_and_data(digits: tuple[Element, Any, Path]) -> None:
    page, result, _ = digits
    head = page.one("header").facts()
    assert head["test accuracy"] == f"{result['test_accuracy']:.4f}"
    assert head["test loss"] == f"{result['test_loss']:.4g}"
    assert page.one("h1").text == page.one("head").one("title").text == "softgrad: digits"
    data = page.section("data")
    assert (
        data.facts() | {"rows": "1797", "for training": "1439", "for the test": "358", "classes": "10"} == data.facts()
    )
    _, y, test = digits_part()
    rows = data.table("Rows of each class")[1:]
    assert [(name, int(both), int(shown)) for name, both, shown, _ in rows] == [
        (str(k), int(np.sum(np.delete(y, test) == k)), int(np.sum(y[test] == k))) for k in range(10)
    ]


def test_means_of_the_classes_as_images(digits: tuple[Element, Any, Path]) -> None:
    X, y, test = digits_part()
    X, y = np.delete(X, test, axis=0), np.delete(y, test)
    drawn = digits[0].section("data").all("img")
    assert len(drawn) == 10
    for k, image in enumerate(drawn):
        shade = 255 * X[y == k].mean(axis=0) / 16
        np.testing.assert_allclose(pixels_of(image)[..., 3].ravel(), shade, rtol=0, atol=printed(0, 255.0))


def test_gradient_of_the_whole_objective(digits: tuple[Element, Any, Path]) -> None:
    page, _, file = digits
    trained = load_model(file)
    X, y, test = digits_part()
    mean, scale = np.array([[column.mean, column.scale] for column in trained.columns]).T
    X, y = (np.delete(X, test, axis=0) - mean) / scale, np.delete(y, test)
    for at_start, found in zip(
        (True, False), re.findall(r" (\d\.\de-\d\d)\b", page.section("gradient").all("p")[-1].text), strict=True
    ):
        coef = np.zeros_like(trained.coef) if at_start else trained.coef
        intercept = np.log(np.bincount(y)) if at_start else trained.intercept
        powers = np.exp(X @ coef.T + intercept)
        surplus = powers / powers.sum(axis=1, keepdims=True) - np.eye(10)[y]
        gradient = surplus.T @ X / len(y) + coef / len(y)
        assert float(found) == pytest.approx(np.abs(gradient).max(), rel=printed(1), abs=0.0)
    assert float(found) < SoftmaxRegression().tol


def test_gradient_check_is_that_of_the_trained_model(digits: tuple[Element, Any, Path]) -> None:
    page, _, file = digits
    head, verdict, *numbers = page.section("gradient").table("The worst component")
    assert head[1:] == ["coefficients", "intercepts"]
    assert verdict[1:] == ["pass", "pass"]
    found = np.array([row[1:] for row in numbers], dtype=float).T
    trained = load_model(file)
    X, y, test = digits_part()
    mean, scale = np.array([[column.mean, column.scale] for column in trained.columns]).T
    train = np.delete(np.arange(len(y)), test)
    chosen = train[np.random.default_rng(0).choice(len(train), size=32, replace=False)]
    arrays = ((X[chosen] - mean) / scale, trained.coef, y[chosen], trained.intercept)
    gradients = linear_cross_entropy_grad(*arrays)
    for (error, analytic, numeric, estimate), gradient in zip(found, (gradients.weight, gradients.bias), strict=True):
        assert np.abs(gradient - analytic).min() < printed(8) * np.abs(analytic)
        assert numeric == pytest.approx(analytic, rel=HALF_OF_THE_DIGITS, abs=0.0)
        assert 0.0 < error < HALF_OF_THE_DIGITS
        assert 0.0 < estimate < HALF_OF_THE_DIGITS * np.abs(analytic)


def test_a_wrong_gradient_is_shown_as_wrong(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = softgrad.check_gradient
    calls = 0

    def sabotaged(function: Any, *arrays: Any, wrt: int) -> softgrad.GradientReport:
        """After the two checks before the training, with a gradient that is a tenth too large."""
        nonlocal calls
        calls += 1
        if calls <= 2:
            return whole(function, *arrays, wrt=wrt)
        name = ("hidden", "weight", "labels", "bias")[wrt]

        def grad(*given: Any) -> Any:
            return 1.1 * getattr(function.value_and_grad(*given, wrt=(name,))[1], name)

        return whole(lambda *given: function(*given), *arrays, grad=grad, wrt=wrt)

    monkeypatch.setattr(softgrad, "check_gradient", sabotaged)
    succeeds("train", "iris", "--report", "r.html")
    section = read(in_folder / "r.html").section("gradient")
    _, verdict, errors, *_ = section.table("The worst component")
    assert verdict[1:] == ["fail", "fail"]
    assert all(0.05 < float(error) < 0.2 for error in errors[1:])
    assert len(section.all("p", "warning")) == 2


def test_loss_curve(digits: tuple[Element, Any, Path]) -> None:
    page, result, _ = digits
    section = page.section("training")
    titles = [each.text for each in section.one("svg").all("title")]
    assert titles == [f"iteration {i}: {loss:.6g}" for i, loss in enumerate(result["loss_curve"])]
    places = [(float(each.attributes["cx"]), float(each.attributes["cy"])) for each in section.one("svg").all("circle")]
    across, down = np.array(places).T
    # Places have two decimals, and each difference is of two or of four of them.
    np.testing.assert_allclose(
        np.diff(across), (across[-1] - across[0]) / result["iterations"], rtol=0, atol=4 * printed(2, across[-1])
    )
    # Logarithmic, the objective falls by more than a decade; the picture's y grows downwards.
    fall = np.log(result["loss_curve"][0] / np.array(result["loss_curve"]))
    height = down[-1] - down[0]
    np.testing.assert_allclose(
        (down - down[0]) / height, fall / fall[-1], rtol=0, atol=4 * printed(2, down[-1]) / height
    )
    facts = section.facts()
    assert (facts["iterations"], facts["solver"]) == (str(result["iterations"]), result["solver"])
    assert (facts["C"], facts["converged"]) == ("1", "yes")
    assert re.search(r"Why this solver: \w.*\.$", section.text)
    assert not section.all("p", "warning")


def test_confusion_matrix_and_scores_of_the_classes(digits: tuple[Element, Any, Path]) -> None:
    page, result, file = digits
    rows = page.section("confusion").table("True class down")
    assert rows[0][1:] == [row[0] for row in rows[1:]] == [str(k) for k in range(10)]
    assert [[int(count) for count in row[1:]] for row in rows[1:]] == result["confusion_matrix"]
    _, y, test = digits_part()
    predicted = digits_probabilities(file).argmax(axis=1)
    expected = np.array(precision_recall_fscore_support(y[test], predicted)[:3])
    scores = page.section("classes").table("Precision, recall and F1")[1:]
    np.testing.assert_allclose(
        [[float(v) for v in row[1:4]] for row in scores[:-1]], expected.T, rtol=0, atol=printed(3)
    )
    np.testing.assert_allclose([float(v) for v in scores[-1][1:4]], expected.mean(axis=1), rtol=0, atol=printed(3))
    assert [int(row[5]) for row in scores[:-1]] == np.bincount(predicted).tolist()
    assert float(page.one("header").facts()["mean F1 of the classes"]) == pytest.approx(
        expected[2].mean(), abs=printed(4)
    )


def test_calibration(digits: tuple[Element, Any, Path]) -> None:
    page, _, file = digits
    _, y, test = digits_part()
    probabilities = digits_probabilities(file)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(probabilities, y[test], strict=True):
        confidence = max(row)
        place = min(k for k in range(10) if confidence <= (k + 1) / 10)
        bins.setdefault(place, []).append((confidence, row.argmax() == label))
    error = sum(abs(sum(right for _, right in rows) - sum(c for c, _ in rows)) for rows in bins.values()) / len(test)
    section = page.section("reliability")
    assert section.one("strong").text == f"{error:.4f}" == page.one("header").facts()["calibration error"]
    assert [(row[0], int(row[1]), float(row[2]), float(row[3])) for row in section.table("Bins")[1:]] == [
        (
            f"{k / 10:.1f} to {(k + 1) / 10:.1f}",
            len(bins[k]),
            round(float(np.mean([c for c, _ in bins[k]])), 3),
            round(float(np.mean([right for _, right in bins[k]])), 3),
        )
        for k in sorted(bins)
    ]
    assert len(section.one("svg").all("circle")) == len(bins)


def test_most_confident_mistakes(digits: tuple[Element, Any, Path]) -> None:
    page, _, file = digits
    X, y, test = digits_part()
    probabilities = digits_probabilities(file)
    wrong = [i for i in range(len(test)) if probabilities[i].argmax() != y[test[i]]]
    wrong.sort(key=lambda i: -probabilities[i].max())
    section = page.section("mistakes")
    rows = section.table(f"{min(len(wrong), 12)} of {len(wrong)}")[1:]
    assert [row[:3] for row in rows] == [
        [str(test[i] + 1), str(y[test[i]]), str(probabilities[i].argmax())] for i in wrong[:12]
    ]
    for row, i in zip(rows, wrong, strict=False):
        assert float(row[3]) == pytest.approx(probabilities[i].max(), abs=printed(4))
        assert float(row[4]) == pytest.approx(probabilities[i, y[test[i]]], rel=printed(1), abs=0.0)
    for image, i in zip(section.all("img"), wrong, strict=False):
        np.testing.assert_array_equal(pixels_of(image)[..., 3].ravel(), np.rint(255 * X[test[i]] / 16).astype(int))


def test_weights_as_images(digits: tuple[Element, Any, Path]) -> None:
    page, _, file = digits
    coef = load_model(file).coef
    drawn = page.section("weights").all("img")
    assert len(drawn) == 10
    for image, weights in zip(drawn, coef, strict=True):
        pixels = pixels_of(image).reshape(64, 4)
        assert pixels_of(image).shape == (8, 8, 4)
        shade = 255 * np.abs(weights) / np.abs(coef).max()
        np.testing.assert_allclose(pixels[:, 3], shade, rtol=0, atol=printed(0, 255.0))
        seen = pixels[:, 3] > 0
        assert np.all((pixels[seen, :3] == images.POSITIVE).all(axis=1) == (weights[seen] > 0))
        high = int(weights.argmax())
        assert (
            f"the largest is {weights[high]:+.3f} in row {high // 8 + 1}, column {high % 8 + 1}"
            in image.attributes["alt"]
        )


def test_text_of_the_data_stays_text(in_folder: Path) -> None:
    names = dict(zip(["cat", "newt", "yak"], HOSTILE, strict=True))
    table = animals()
    table = with_column(table, "kind", [names[kind] for kind in table.column("kind").to_pylist()])
    table = with_column(table, "colour", [HOSTILE[i % 3] for i in range(table.num_rows)])
    columns = ["<svg onload=alert(1)>", "legs", "</table>", "c&c", '"k"']
    write(table.rename_columns(columns), in_folder / "<i>.parquet")
    succeeds("train", "<i>.parquet", "--target", '"k"', "--report", "r.html")
    # The reader refuses every element and attribute that is not ours.
    page = read(in_folder / "r.html")
    assert page.one("h1").text == "softgrad: <i>.parquet"
    shown = [text.replace("\x1b", "\\x1b").replace("\n", "\\n") for text in HOSTILE]
    assert sorted(row[0] for row in page.section("data").table("Rows of each class")[1:]) == sorted(shown)
    assert page.section("data").facts()["target"] == '"k"'
    assert page.section("data").table("Numbers")[1][0] == columns[0]
    weights = page.section("weights").text
    assert all(f"c&c = {text}" in weights for text in shown)
    assert all(text in page.section("confusion").text for text in shown)


def test_what_is_odd_about_the_data_is_said(in_folder: Path) -> None:
    table = with_column(animals(), "wild", [True] * 300)
    write(table.append_column("row", pa.array(range(300))), in_folder / "animals.csv")
    told = succeeds("train", "animals.csv", "--target", "kind", "--report", "r.html", "--json").json
    section = read(in_folder / "r.html").section("data")
    assert [each.text for each in section.all("p", "note")] == [*told["notes"], *told["warnings"]]
    wild, row = told["warnings"]
    assert wild.startswith("column 'wild' is constant")
    assert row.startswith("column 'row' counts the rows")


def test_weights_and_columns_that_are_no_pixels(in_folder: Path) -> None:
    write(animals(), in_folder / "animals.parquet")
    succeeds("train", "animals.parquet", "--target", "kind", "--report", "r.html", "--model", "m")
    page, model = read(in_folder / "r.html"), load_model(in_folder / "m")
    train = for_training(animals().column("kind").to_pylist(), 0.2, 0)
    weight = animals().column("weight").to_numpy()
    head, row = page.section("data").table("Numbers, all rows")[:2]
    assert head == ["column", "lowest", "mean in training", "highest", "missing"]
    shown = (weight.min(), weight[train].mean(), weight.max())
    assert row == ["weight", *(f"{value:.4g}" for value in shown), "0"]
    colours = animals().column("colour").to_pylist()
    trained = [colour for colour, counts in zip(colours, train, strict=True) if counts]
    most = max(set(trained), key=trained.count)
    share = f"{trained.count(most) / len(trained):.3f}"
    assert page.section("data").table("Texts")[1] == ["colour", "3", most, share, "0"]
    names = ["weight", "legs", "wild", *(f"colour = {text}" for text in sorted(set(colours)))]
    for k, name in enumerate(["cat", "newt", "yak"]):
        order = np.argsort(-np.abs(model.coef[k]))
        rows = page.section("weights").table(f"Class {name}")[1:]
        assert [row[:2] for row in rows] == [[names[i], f"{model.coef[k, i]:+.3f}"] for i in order]
    assert not page.all("img")


def test_what_spoke_for_a_mistake(in_folder: Path) -> None:
    write(animals(), in_folder / "animals.parquet")
    succeeds("train", "animals.parquet", "--target", "kind", "--report", "r.html", "--model", "m", "--test-fraction", 0)
    model = load_model(in_folder / "m")
    _, true, predicted, *_, evidence = read(in_folder / "r.html").section("mistakes").all("tr")[1].children
    number = int(read(in_folder / "r.html").section("mistakes").table("12 of")[1][0])
    entry = {name: animals().column(name)[number - 1].as_py() for name in ("weight", "legs", "wild", "colour")}
    place = {name: k for k, name in enumerate(["cat", "newt", "yak"])}
    difference = model.coef[place[predicted.text]] - model.coef[place[true.text]]
    spoke = {"intercept": model.intercept[place[predicted.text]] - model.intercept[place[true.text]]}
    start = 0
    for column in model.columns:
        if isinstance(column, TextColumn):
            spoke[f"colour = {entry['colour']}"] = difference[start + column.categories.index(entry["colour"])]
        else:
            spoke[column.name] = difference[start] * (float(entry[column.name]) - column.mean) / column.scale
        start += column.width
    best = sorted((name for name in spoke if spoke[name] > 0.0), key=lambda name: -spoke[name])[:3]
    assert [each.text for each in evidence.all("div")] == [f"{name} ({spoke[name]:+.2f})" for name in best]
    # Together they decide for the predicted class.
    assert sum(spoke.values()) > 0.0


def wide(rows: int, texts: int) -> pa.Table:
    """Numbers and two texts of many different ones, that decide the kind, and weights of the rows."""
    rng = fresh_rng()
    numbers, words = rng.standard_normal((rows, 2)), rng.integers(0, texts, (rows, 2))
    scores = numbers @ rng.standard_normal((2, 3)) + rng.standard_normal((texts, 3))[words].sum(axis=1)
    kinds = np.array(["ant", "bee", "cat"])[(scores + rng.gumbel(size=(rows, 3))).argmax(axis=1)]
    return pa.table(
        {
            "x": numbers[:, 0],
            "z": 100.0 * numbers[:, 1] + 7.0,
            "u": [f"u{word:03}" for word in words[:, 0].tolist()],
            "v": [f"v{word:03}" for word in words[:, 1].tolist()],
            "weight": rng.uniform(0.5, 3.0, rows),
            "kind": kinds.tolist(),
        }
    )


def test_sparse_features_and_weights(in_folder: Path) -> None:
    """The gradient of the objective that was minimised: with row weights, class weights and smoothed labels."""
    table = set_cell(set_cell(wide(400, 30), "z", 5, None), "u", 9, None)
    write(table, in_folder / "wide.parquet")
    options = ("--sample-weight", "weight", "--class-weight", "balanced", "--label-smoothing", 0.2, "--missing", "mean")
    arguments = ("--target", "kind", "--test-fraction", 0, "-C", 0.5, "--model", "m", "--report", "r.html")
    result = succeeds("train", "wide.parquet", *arguments, *options, "--json").json
    page, model = read(in_folder / "r.html"), load_model(in_folder / "m")
    blocks = []
    for column in model.columns:
        cells = [column.fill if cell is None else cell for cell in table.column(column.name).to_pylist()]
        if isinstance(column, NumberColumn):
            blocks.append((np.array(cells)[:, None] - column.mean) / column.scale)
        else:
            blocks.append(np.array(cells)[:, None] == np.array(column.categories))
    X = np.hstack(blocks).astype(float)
    assert X.shape == (400, result["features"]) == (400, 62)
    y = np.searchsorted(["ant", "bee", "cat"], table.column("kind").to_pylist())
    weights = table.column("weight").to_numpy()
    # Each class weighs as much as the others, all of them together as much as the rows.
    weights = weights * (weights.sum() / 3 / np.array([weights[y == k].sum() for k in range(3)]))[y]
    targets = 0.8 * np.eye(3)[y] + 0.2 / 3
    shares = weights @ targets / weights.sum()
    found = re.findall(r" (\d\.\de-\d\d)\b", page.section("gradient").all("p")[-1].text)
    for shown, coef, intercept in zip(
        found, (0.0 * model.coef, model.coef), (np.log(shares), model.intercept), strict=True
    ):
        powers = np.exp(X @ coef.T + intercept)
        surplus = powers / powers.sum(axis=1, keepdims=True) - targets
        gradient = ((weights[:, None] * surplus).T @ X + coef / 0.5) / weights.sum()
        assert float(shown) == pytest.approx(np.abs(gradient).max(), rel=printed(1), abs=0.0)
    assert float(found[1]) < 1e-3 * float(found[0])
    missing = {row[0]: row[-1] for name in ("Numbers", "Texts") for row in page.section("data").table(name)[1:]}
    assert missing == {"x": "0", "z": "1", "u": "1", "v": "0"}
    assert "of 32 training rows at the trained model" in page.section("gradient").text
    assert page.section("gradient").table("The worst component")[1][1:] == ["pass", "pass"]
    number, true, predicted, *_, evidence = page.section("mistakes").all("tr")[1].children
    row = int(number.text) - 1
    assert table.column("kind")[row].as_py() == true.text
    pull = (model.coef[["ant", "bee", "cat"].index(predicted.text)] - model.coef[y[row]]) * X[row]
    names = ["x", "z", *(f"{column.name} = {text}" for column in model.columns[2:] for text in column.categories)]
    strongest = evidence.all("div")[0].text
    assert strongest.startswith((names[int(pull.argmax())], "intercept"))


def test_a_gradient_check_of_some_of_many_features(in_folder: Path) -> None:
    table = wide(1200, 400)
    table = table.append_column("w", pa.array(reversed(table.column("v").to_pylist())))
    write(table, in_folder / "wide.parquet")
    succeeds("train", "wide.parquet", "--target", "kind", "--drop", "weight", "--report", "r.html")
    section = read(in_folder / "r.html").section("gradient")
    # The first 32 rows have nearly as many different texts as cells, 64 of which are checked.
    (left_out,) = re.findall(r"of 32 training rows without (\d+) of their features at the trained model", section.text)
    assert 16 < int(left_out) <= 2 + 3 * 32 - 64
    assert section.table("The worst component")[1][1:] == ["pass", "pass"]


def test_many_classes(in_folder: Path) -> None:
    rng = np.random.default_rng(5)
    y = np.repeat(np.arange(20), 12)
    X = rng.standard_normal((20, 64))[y] + 4.0 * rng.standard_normal((len(y), 64))
    y[-2:] = 20
    write(pa.table({**{str(i): X[:, i] for i in range(64)}, "y": y}), in_folder / "d.csv")
    weak = ("-C", 1e-3)
    succeeds("train", "d.csv", "--target", "y", "--report", "r.html", "--test-fraction", 0, "--model", "m", *weak)
    page = read(in_folder / "r.html")
    image = page.section("confusion").one("img")
    succeeds("predict", "m", "d.csv", "-o", "p.csv")
    predicted = pyarrow.csv.read_csv("p.csv").column("prediction").to_numpy()
    confusion = np.zeros((21, 21), int)
    np.add.at(confusion, (y, predicted), 1)
    shade = np.sqrt(confusion / confusion.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(pixels_of(image)[..., 3], 255 * shade, rtol=0, atol=printed(0, 255.0))
    rows = page.section("confusion").table("Most frequent confusions")[1:]
    assert len(rows) == 20
    counts = [int(row[2]) for row in rows]
    assert counts == sorted(confusion[~np.eye(21, dtype=bool)].tolist(), reverse=True)[: len(rows)]
    assert all(confusion[int(row[0]), int(row[1])] == int(row[2]) for row in rows)
    for section in (page.section("data"), page.section("weights")):
        assert "Shown are the 20 classes with the most training rows, of 21." in section.text
        assert [figure.one("figcaption").text for figure in section.all("figure")] == [str(k) for k in range(20)]
    assert len(page.section("classes").table("Precision")) == 1 + 21 + 1


def test_no_test_part_no_mistakes_and_classes_without_rows(in_folder: Path) -> None:
    table = pa.table({"x": [0.0, 1.0, 0.1, 1.1] * 5, "y": ["a", "b", "a", "b"] * 5})
    write(table, in_folder / "easy.csv")
    succeeds("train", "easy.csv", "--target", "y", "--test-fraction", 0, "--report", "r.htm", "-C", 1e6)
    page = read(in_folder / "r.htm")
    assert page.one("header").facts()["training accuracy"] == "1.0000"
    assert "None: all 20 training rows are right." in page.section("mistakes").text
    assert page.section("confusion").table("True class down, predicted across; 20 training rows")[1:] == [
        ["a", "10", "0"],
        ["b", "0", "10"],
    ]
    # The only row of a class is not in the test part.
    write(set_cell(animals(), "kind", 7, "unicorn"), in_folder / "animals.csv")
    succeeds("train", "animals.csv", "--target", "kind", "--test-fraction", 0.5, "--report", "r.html")
    page = read(in_folder / "r.html")
    rows = {row[0]: row[1:] for row in page.section("classes").table("Precision")[1:]}
    assert rows["unicorn"][1] == "none"
    assert "None: there are no rows" in page.section("classes").text
    assert float(rows["mean, total"][1]) == pytest.approx(
        np.mean([float(rows[k][1]) for k in ("cat", "newt", "yak")]), abs=2 * printed(3)
    )


def test_not_converged_is_said(in_folder: Path) -> None:
    succeeds("train", "wine", "--max-iter", 1, "--report", "r.html")
    section = read(in_folder / "r.html").section("training")
    assert section.facts()["converged"] == "no"
    assert section.one("p", "warning").text.startswith("Not converged: ")


@pytest.mark.parametrize(("names", "expected"), [
    ([f"pixel_{i}_{j}" for i in range(8) for j in range(8)], (8, 8)),
    ([f"{i}x{j}" for i in range(1, 5) for j in range(1, 7)], (4, 6)),
    ([f"pixel{i}" for i in range(1, 785)], (28, 28)),
    ([str(i) for i in range(16)], (4, 4)),
    ([f"Px {i}" for i in range(25)], (5, 5)),
    ([str(i) for i in range(9)], None),
    ([str(i) for i in range(17)], None),
    ([str(i) for i in range(2, 18)], None),
    ([str(i) for i in reversed(range(16))], None),
    ([f"pixel_{j}_{i}" for i in range(4) for j in range(4)], None),
    ([*(f"pixel_{i // 4}_{i % 4}" for i in range(15)), "pixel_3"], None),
    ([f"x{i}" for i in range(16)], None),
    ([f"{i} cm" for i in range(16)], None),
])  # fmt: skip
def test_which_features_are_pixels(names: list[str], expected: tuple[int, int] | None) -> None:
    columns = [NumberColumn(name, 0.0, 1.0) for name in names]
    grid = images.grid_of(columns)
    assert (None if grid is None else (grid.rows, grid.columns)) == expected
    if expected:
        assert images.grid_of([*columns[:-1], TextColumn(names[-1], ("a",))]) is None


def test_errors(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        fails("train", "iris", "--report", "r.pdf") == "--report r.pdf: the report is HTML, its name must end in .html"
    )
    assert "the folder" in fails("train", "iris", "--report", "none/r.html")
    (in_folder / "r.html").write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    outcome = run("train", "iris", "--report", "r.html")
    assert outcome.status == 1
    assert outcome.stderr.splitlines()[-1].startswith("softgrad: cannot write r.html: No space left on device; free ")
    assert [(path.name, path.read_text()) for path in in_folder.iterdir()] == [("r.html", "before")]


def test_neither_report_nor_onnx_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys; from softgrad.cli import train; from softgrad.linear_model import to_onnx;"
        "print({'softgrad.cli.html_report', 'onnx'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_a_bin_ends_with_its_highest_confidence() -> None:
    first = np.array([0.5, 0.500001, 0.7, 1.0])
    bins = measures.reliability(np.column_stack([first, 1.0 - first]), np.array([0, 0, 1, 0]))
    assert [(entry.low, entry.high, entry.rows, entry.right) for entry in bins] == [
        (0.4, 0.5, 1, 1),
        (0.5, 0.6, 1, 1),
        (0.6, 0.7, 1, 0),
        (0.9, 1.0, 1, 1),
    ]


def test_intervals_are_wilsons() -> None:
    for rows, right in [(1, 0), (1, 1), (7, 3), (300, 299), (300, 300)]:
        low, high = measures.Bin(0.0, 0.1, rows, right, 0.05).interval
        expected = binomtest(right, rows).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=8 * EPS)


def test_ticks_are_round_and_few() -> None:
    rng = fresh_rng()
    for _ in range(300):
        low = float(10.0 ** rng.uniform(-6.0, 6.0))
        for axis in (
            charts.Axis(-low, low * float(rng.uniform(0.1, 3.0)), 0, 1),
            charts.Axis(low, low * float(10.0 ** rng.uniform(1.1, 30.0)), 0, 1, logarithmic=True),
        ):
            ticks = axis.ticks()
            assert 2 <= len(ticks) <= 12, axis
            assert ticks == sorted(set(ticks))
            assert all(axis.low <= tick <= axis.high for tick in ticks)
            # At most two digits that are not 0.
            assert all(tick == pytest.approx(float(f"{tick:.1e}"), rel=8 * EPS, abs=8 * EPS * low) for tick in ticks), (
                ticks
            )
    assert charts.loss_curve([0.5]).count("<circle") == 1
    assert charts.loss_curve([0.5, 0.5, 0.5]).count("<circle") == 3
