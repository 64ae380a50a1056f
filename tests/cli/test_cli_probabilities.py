"""Trainings whose target is the probabilities of the classes: a column for each class, or one of lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from softgrad.cli.model_file import load_model
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._fit import FitParameters
from tests.cli.conftest import animals, fails, set_cell, succeeds, with_column, write
from tests.cli.test_cli_many_files import split
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

KINDS = ("cat", "newt", "yak")
# Not in the order of the classes.
TARGETS = ("--target", "yak", "--target", "cat", "--target", "newt")


def votes(rows: int = 600) -> np.ndarray:
    """Of each row a distribution over the classes, most of it at its kind."""
    kinds = animals(rows=rows)["kind"].to_numpy()
    return 0.6 * (kinds[:, None] == np.array(KINDS)) + 0.4 * fresh_rng().dirichlet(np.ones(3), rows)


def with_votes(P: np.ndarray, *, lists: bool = False) -> pa.Table:
    table = animals(rows=len(P)).drop_columns("kind")
    if lists:
        return table.append_column("votes", pa.array(P.tolist()))
    for name, column in zip(KINDS, P.T, strict=True):
        table = table.append_column(name, pa.array(column))
    return table


def of_model(path: str) -> tuple[Any, ...]:
    model = load_model(Path(path))
    return model.coef.tobytes(), model.intercept.tobytes(), model.columns


def test_the_optimum_is_that_of_the_estimator() -> None:
    P = votes()
    table = with_votes(P)
    write(table, Path("votes.parquet"))
    succeeds("train", "votes.parquet", *TARGETS, "--drop", "colour", "--test-fraction", 0, "--model", "model")
    X = np.column_stack([table[name].to_numpy().astype(np.float64) for name in ("weight", "legs", "wild")])
    expected = SoftmaxRegression(tol=1e-12).fit((X - X.mean(axis=0)) / X.std(axis=0), P)
    model = load_model(Path("model"))
    assert model.classes.labels == KINDS == model.probability_columns
    # The objective is strongly convex by the penalty, by which a gap bounds the distance of the coefficients.
    gap = FitParameters().tol * expected.loss_curve_[-1]
    assert np.abs(model.coef - expected.coef_).max() <= np.sqrt(2.0 * gap * len(P))
    assert np.abs(model.coef - expected.coef_).max() < np.abs(expected.coef_).max() / 50


def test_certain_probabilities_are_labels() -> None:
    table = animals(rows=600)
    P = (table["kind"].to_numpy()[:, None] == np.array(KINDS)) * 1.0
    write(table, Path("labels.csv"))
    write(with_votes(P), Path("votes.csv"))
    labels = succeeds("train", "labels.csv", "--target", "kind", "--json").json
    told = succeeds("train", "votes.csv", *TARGETS, "--json").json
    for key in ("train_rows", "test_rows", "classes", "columns", "confusion_matrix"):
        assert told[key] == labels[key]
    for key in ("training_loss", "test_loss"):
        assert abs(told[key] - labels[key]) < FitParameters().tol ** 0.5 * labels[key]
    assert (labels["target"], labels["probability_columns"]) == ("kind", [])
    assert (told["target"], told["probability_columns"]) == ("yak, cat, newt", list(KINDS))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_one_model_however_the_rows_are_kept(ending: str) -> None:
    split(with_votes(votes()), "data", ending)
    told = []
    for number, options in enumerate([(), ("--stream",), ("--stream", "--cache")]):
        outcome = succeeds(
            "train", "data", *TARGETS, "--class-weight", "balanced", *options, "--model", number, "--json"
        )
        told.append({key: value for key, value in outcome.json.items() if key not in ("seconds", "model")})
        assert Path(str(number)).read_bytes() == Path("0").read_bytes()
    assert told[0] == told[1] == told[2]


def test_lists_are_the_classes_by_their_places() -> None:
    P = votes()
    write(with_votes(P), Path("columns.parquet"))
    write(with_votes(P, lists=True), Path("lists.parquet"))
    succeeds("train", "columns.parquet", *TARGETS, "--model", "columns")
    # The classes have other names, by which the rows for the test are drawn: without a test the rows are the same.
    for data, options in {"columns": TARGETS, "lists": ("--target", "votes")}.items():
        succeeds("train", f"{data}.parquet", *options, "--test-fraction", 0, "--model", data)
    assert of_model("columns") == of_model("lists")
    assert load_model(Path("lists")).classes.labels == (0, 1, 2)
    scores = [succeeds("evaluate", data, f"{data}.parquet", "--json").json for data in ("columns", "lists")]
    for key in ("rows", "loss", "accuracy", "confusion_matrix"):
        assert scores[0][key] == scores[1][key]
    chosen = ("--columns", "weight", "--columns", "legs")
    assert succeeds("train", "lists.parquet", "--target", "votes", *chosen, "--json").json["features"] == 2


def test_scores_are_those_of_the_probabilities() -> None:
    P = votes()
    write(with_votes(P), Path("votes.parquet"))
    succeeds("train", "votes.parquet", *TARGETS, "--test-fraction", 0, "--model", "model")
    lines = succeeds("predict", "model", "votes.parquet").stdout.splitlines()
    assert lines[0] == '"prediction","probability_cat","probability_newt","probability_yak"'
    predicted = np.array([line.split(",")[1:] for line in lines[1:]], np.float64)
    told = succeeds("evaluate", "model", "votes.parquet", "--json").json
    losses = -(P * np.log(predicted)).sum(axis=1)
    assert abs(told["loss"] - losses.mean()) <= 64 * EPS * np.abs(losses).max()
    assert told["accuracy"] == np.mean(predicted.argmax(axis=1) == P.argmax(axis=1))
    # By labels where they are asked for; the columns of the probabilities need not be there.
    write(animals(rows=600), Path("labels.parquet"))
    labels = succeeds("evaluate", "model", "labels.parquet", "--target", "kind", "--json").json
    assert labels["rows"] == 600
    assert labels["loss"] < told["loss"]
    assert fails("evaluate", "model", "labels.parquet").startswith("labels.parquet has no column 'cat'; ")


def test_rows_without_probabilities() -> None:
    table = with_votes(votes())
    gaps = with_column(
        table, "newt", [None if row % 7 == 3 else value for row, value in enumerate(table["newt"].to_pylist())]
    )
    write(gaps, Path("gaps.csv"))
    whole = table.filter(pa.array(np.arange(600) % 7 != 3))
    write(whole, Path("whole.csv"))
    assert fails("train", "gaps.csv", *TARGETS) == (
        "gaps.csv, column 'newt', row 4: the value is missing; --missing drop of train leaves such rows out"
    )
    told = succeeds("train", "gaps.csv", *TARGETS, "--missing", "drop", "--model", "gaps", "--json").json
    expected = succeeds("train", "whole.csv", *TARGETS, "--missing", "drop", "--model", "whole", "--json").json
    assert (told["train_rows"], told["test_rows"]) == (expected["train_rows"], expected["test_rows"])
    assert abs(told["training_loss"] / expected["training_loss"] - 1.0) < FitParameters().tol ** 0.5


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-0.25, "bad.csv, column 'newt', row 500 is -0.25; a probability is at least 0"),
        (7.0, "bad.csv, row 500: the row of 'cat' to 'yak' adds up to "),
        ("often", "bad.csv, column 'newt', row 500: 'often' is not a number; "),
        (float("inf"), "bad.csv, column 'newt', row 500: 'inf' is infinite; it must be finite"),
    ],
)
def test_what_are_no_probabilities(value: object, said: str) -> None:
    table = with_votes(votes())
    if isinstance(value, str):
        table = with_column(table, "newt", [str(cell) for cell in table["newt"].to_pylist()])
    write(set_cell(table, "newt", 500, value), Path("bad.csv"))
    for options in ((), ("--stream",)):
        assert fails("train", "bad.csv", *TARGETS, *options, "--model", "model").startswith(said)
    assert not Path("model").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "yak", "--target", "cat", "--target", "yak"), "--target yak is said twice"),
        (("--target", "yak", "--target", "dog"), "votes.csv has no column 'dog'; "),
        ((*TARGETS, "--drop", "cat"), "--drop cat: this column of votes.csv is the target or the weight"),
        ((*TARGETS, "--sample-weight", "cat"), "--sample-weight cat: this column of votes.csv is the target"),
        ((*TARGETS, "--select-C"), "--select-C takes labels; --target yak has probabilities"),
        ((*TARGETS, "--report", "r.html"), "--report takes labels; --target yak has probabilities"),
        ((*TARGETS, "--label-as", "text"), "--label-as takes labels; --target yak has probabilities"),
        ((*TARGETS, "--columns", "cat"), "votes.csv has no column besides the target 'yak, cat, newt'"),
    ],
)
def test_what_does_not_go_together(options: tuple[str, ...], said: str) -> None:
    write(with_votes(votes(60)), Path("votes.csv"))
    assert fails("train", "votes.csv", *options).startswith(said)


def test_lists_of_one() -> None:
    write(with_votes(np.ones((60, 1)), lists=True), Path("one.parquet"))
    said = "one.parquet: target 'votes' holds lists of one; two classes are needed"
    assert fails("train", "one.parquet", "--target", "votes") == said


def test_the_model_file_says_which_columns() -> None:
    write(with_votes(votes(60)), Path("votes.csv"))
    succeeds("train", "votes.csv", *TARGETS, "--model", "model")
    succeeds("export", "model", "model.onnx")
    assert load_model(Path("model")).probability_columns == KINDS
