"""`softgrad train --select-C`: the C that scikit-learn's cross-validation finds, and the model trained with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from softgrad.linear_model import SoftmaxRegression
from tests.cli.conftest import animals, fails, for_training, run, succeeds, write
from tests.oracles.bounds import EPS, printed
from tests.oracles.inputs import fresh_rng


def test_the_C_of_scikit_learn() -> None:
    result = succeeds("train", "wine", "--select-C", "--seed", 4, "--json", "--model", "chosen").json
    X, y = load_wine(return_X_y=True)
    rows = np.flatnonzero(for_training([f"class_{label}" for label in y], 0.2, 4))
    features = StandardScaler().fit(X[rows]).transform(X[rows])
    Cs, scores = np.array(result["C_scores"]).T
    np.testing.assert_allclose(Cs, np.logspace(-4, 4, 10), rtol=16 * EPS)
    for C, score in zip(Cs, scores, strict=True):
        # With the default solver of scikit-learn it takes twice as long on a busy machine.
        peer = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8)
        expected = cross_val_score(peer, features, y[rows], cv=5, scoring="neg_log_loss").mean()
        # The objective of a fit is within its tolerance of the optimum, its scores of other rows within the root.
        assert score == pytest.approx(expected, rel=SoftmaxRegression().tol ** 0.5, abs=0.0)
    assert result["C"] == Cs[np.argmax(scores)]
    succeeds("train", "wine", "-C", result["C"], "--seed", 4, "--model", "given")
    chosen, given = (succeeds("predict", name, write_wine()).stdout for name in ("chosen", "given"))
    assert chosen == given


def write_wine() -> Path:
    bunch = load_wine()
    return write(pa.table(dict(zip(bunch.feature_names, bunch.data.T, strict=True))), Path("wine.csv"))


def test_it_is_told() -> None:
    data = write(animals(), Path("animals.csv"))
    outcome = succeeds("train", data, "--target", "kind", "--select-C")
    assert outcome.value("C").endswith(", of 10 by the mean log-probability over 5 folds")
    report = succeeds("train", data, "--target", "kind", "--select-C", "--report", "report.html", "--json")
    assert float(outcome.value("C").split(",")[0]) == pytest.approx(report.json["C"], rel=printed(5), abs=0.0)


def test_the_folds_have_the_weights_and_the_fills_of_the_training(in_folder: Path) -> None:
    """Sparse features, row weights, class weights and smoothed labels: what is chosen among is what is trained."""
    rng, rows = fresh_rng(), 100
    shades = rng.integers(0, 8, rows)
    table = pa.table(
        {
            "x": [None if row % 20 == 0 else value for row, value in enumerate(rng.standard_normal(rows).tolist())],
            "shade": [f"shade {shade}" for shade in shades.tolist()],
            "importance": rng.uniform(0.1, 5.0, rows),
            "kind": np.where(shades + rng.normal(0.0, 2.0, rows) > 4, "a", "b").tolist(),
        }
    )
    data = write(table, in_folder / "data.parquet")
    plain = ("--missing", "mean", "--test-fraction", 0)
    weighted = (*plain, "--sample-weight", "importance", "--class-weight", "balanced", "--label-smoothing", 0.1)
    scores = set()
    for options in ((*plain, "--drop", "importance"), weighted):
        chosen = succeeds("train", data, "--target", "kind", "--select-C", *options, "--json", "--model", "chosen").json
        succeeds("train", data, "--target", "kind", "-C", chosen["C"], *options, "--model", "given")
        for name in ("coef", "intercept"):
            np.testing.assert_array_equal(load_file("chosen")[name], load_file("given")[name])
        scores.add(tuple(score for _, score in chosen["C_scores"]))
    assert len(scores) == 2


def test_what_it_does_not_go_with() -> None:
    data = write(animals(), Path("animals.csv"))
    arguments = ("train", data, "--target", "kind", "--select-C")
    assert fails(*arguments, "-C", 1) == "-C 1.0 and --select-C: which of the two?"
    assert "which --stream avoids" in fails(*arguments, "--stream")


def test_a_class_of_too_few_rows() -> None:
    write(pa.table({"x": range(40), "kind": ["a", "b", "c"] * 12 + ["d"] * 4}), Path("data.csv"))
    outcome = run("train", "data.csv", "--target", "kind", "--select-C", "--test-fraction", 0)
    assert outcome.status == 0
    assert "warning: The least populated class in y has only 4 members" in outcome.stdout
