"""The data sets that come with scikit-learn, and what the command loads to train on one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from softgrad.cli.built_in import BUILT_IN, built_in
from softgrad.cli.model_file import load_model
from softgrad.linear_model import SoftmaxRegression
from tests.cli.conftest import command, succeeds


def loaded(name: str) -> Any:
    return getattr(datasets, f"load_{name}")()


@pytest.mark.parametrize("name", BUILT_IN)
def test_they_are_what_scikit_learn_loads(name: str) -> None:
    batch, bunch = built_in(name, "kind"), loaded(name)
    labels = bunch.target if name == "digits" else bunch.target_names[bunch.target]
    assert batch.schema.names == [*map(str, bunch.feature_names), "kind"]
    assert batch.column("kind").to_pylist() == labels.tolist()
    for place, column in enumerate(bunch.data.T):
        read = batch.column(place).to_numpy()
        assert read.dtype == column.dtype == np.float64
        np.testing.assert_array_equal(read, column)


@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced", "label_smoothing": 0.125, "C": 0.5}])
def test_the_command_fits_as_the_estimator_does(options: dict[str, Any]) -> None:
    named = {"class_weight": "--class-weight", "label_smoothing": "--label-smoothing", "C": "-C"}
    asked = [word for name, value in options.items() for word in (named[name], value)]
    succeeds("train", "wine", "--test-fraction", 0, "--model", "m", *asked)
    model, bunch = load_model(Path("m")), loaded("wine")
    means, scales = np.array([(column.mean, column.scale) for column in model.columns]).T  # type: ignore[union-attr]
    estimator = SoftmaxRegression(**options).fit_stream([((bunch.data - means) / scales, bunch.target)])
    np.testing.assert_array_equal(model.coef, estimator.coef_)
    np.testing.assert_array_equal(model.intercept, estimator.intercept_)
    assert np.abs(model.coef).min() > 0.0


@pytest.mark.parametrize(
    ("arguments", "light"),
    [
        (["train", "iris"], ["pandas"]),
        (["describe", "iris"], ["pandas"]),
        (["predict", "m", "iris"], []),
        (["evaluate", "m", "iris"], ["pandas"]),
    ],
)
def test_commands_load_nothing_heavy(arguments: list[str], light: list[str]) -> None:
    if "m" in arguments:
        succeeds("train", "iris", "--model", "m")
    heavy = ["sklearn", "scipy.stats", "scipy.optimize", "matplotlib", *light]
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('loaded', {{*{heavy!r}}} & {{*sys.modules}}))\n"
        f"sys.argv = ['softgrad', *{arguments!r}]\n"
        "from softgrad.cli import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "setosa" in result.stdout
    assert result.stdout.splitlines()[-1] == "loaded set()"


@pytest.mark.slow
def test_training_on_one_takes_little_more_than_its_imports() -> None:
    """What everything is made of takes a quarter of a second to import; a training of 150 rows at most a second."""

    def seconds(program: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(program, capture_output=True, check=True)
        return time.perf_counter() - start

    # Other work on the machine makes single runs longer, none shorter.
    imports = [sys.executable, "-c", "import numpy, pyarrow, scipy.sparse, typer"]
    runs = [(seconds(imports), seconds(command("train", "iris"))) for _ in range(7)]
    base, training = (min(times) for times in zip(*runs, strict=True))
    assert training < 4 * base
