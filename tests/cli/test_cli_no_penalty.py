"""`softgrad train -C inf`: the model of least loss, in memory and from a stream; what separates is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from softgrad.cli.model_file import load_model
from softgrad.linear_model import SoftmaxRegression
from tests.cli.conftest import animals, run, succeeds, write

DATA = ("animals.csv", "--target", "kind", "--test-fraction", 0)


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_the_weights_of_least_loss(stream: tuple[str, ...]) -> None:
    table = animals()
    write(table, Path("animals.csv"))
    result = succeeds("train", *DATA, "-C", "inf", "--model", "model", "--json", *stream).json
    assert result["C"] == "inf"
    assert result["converged"] is True
    model = load_model(Path("model"))
    assert model.training["C"] == "inf"
    colours = np.array(table.column("colour").to_pylist())[:, None] == sorted(set(table.column("colour").to_pylist()))
    numbers = [table.column(name).to_numpy(zero_copy_only=False).astype(float) for name in ("weight", "legs", "wild")]
    X = np.column_stack([*numbers, colours])
    expected = SoftmaxRegression(C=np.inf, tol=1e-12).fit(X, table.column("kind").to_pylist())
    penalised = SoftmaxRegression().fit(X, table.column("kind").to_pylist())
    tol = SoftmaxRegression().tol
    assert result["loss_curve"][-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * tol, abs=0.0)
    assert result["training_loss"] < expected.loss_curve_[-1] * (1 + 2 * tol) < penalised.loss_curve_[-1]


def test_the_report_says_that_there_is_no_penalty() -> None:
    write(animals(), Path("animals.csv"))
    succeeds("train", *DATA, "-C", "inf", "--report", "report.html")
    text = Path("report.html").read_text(encoding="utf-8")
    assert "inf: no penalty" in text


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_what_separates_has_the_names_of_the_table(stream: tuple[str, ...]) -> None:
    table = animals()
    spots = pa.array(
        ["spotted" if kind == "newt" and row % 3 else "plain" for row, kind in enumerate(table["kind"].to_pylist())]
    )
    write(table.append_column("coat", spots), Path("animals.csv"))
    outcome = run("train", *DATA, "-C", "inf", "--model", "model", *stream)
    assert outcome.status == 2
    message = outcome.stderr.splitlines()[-1]
    assert message.startswith("softgrad: the training failed: the classes are separable: C=inf has no optimum")
    assert "for class 'newt'" in message
    assert "feature 'coat = " in message
    assert not Path("model").exists()
