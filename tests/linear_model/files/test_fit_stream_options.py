"""`fit_stream` reads a file as its options say: the model is that of a plain file of the same table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest

from softgrad.distributed import dask_rows, ray_rows
from softgrad.linear_model import ReadOptions, SoftmaxRegression
from tests.linear_model.files.reading import written
from tests.oracles.inputs import fresh_rng


@pytest.fixture
def table() -> list[tuple[float, float, str]]:
    rng = fresh_rng()
    X = (1000 * rng.standard_normal((60, 2))).round(2)
    return [(*row, str(label)) for row, label in zip(X.tolist(), rng.choice(["Zoë", "b"], 60), strict=True)]


@pytest.mark.parametrize("choice", [{"columns": ["c1", "c2"]}, {"drop": ["c4", "c5"]}])
def test_every_option(choice: dict[str, Any], table: list[tuple[float, float, str]], tmp_path: Path) -> None:
    plain = written(tmp_path, "\n".join(["a,b,y", *(f"{a},{b},{y}" for a, b, y in table)]), "plain.csv")
    odd = "\n".join(f"{a:_.2f}; {b:_.2f} ;{y};-;x".replace(".", ",").replace("_", ".") for a, b, y in table)
    path = written(tmp_path, odd.encode("cp1252"), "odd.data")
    options: dict[str, Any] = {
        "format": "tsv",
        "delimiter": ";",
        "decimal": ",",
        "thousands": ".",
        "encoding": "cp1252",
        "header": False,
        **choice,
    }
    expected = SoftmaxRegression().fit_stream(plain, "y")
    for given in (options, ReadOptions(**options)):
        model = SoftmaxRegression().fit_stream(path, "c3", read_options=given)
        assert model.feature_names_in_.tolist() == ["c1", "c2"]
        assert model.classes_.tolist() == ["Zoë", "b"]
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.intercept_, expected.intercept_)
    # Each is needed, but for the delimiter, which is found.
    for name in options.keys() - {"delimiter"}:
        rest = {key: value for key, value in options.items() if key != name}
        with pytest.raises(ValueError, match=r"odd\.data|must be a number|no column of the source|they must differ"):
            SoftmaxRegression().fit_stream(path, "c3", read_options=rest)


def test_weights_are_read_beside_the_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,w,y\n1,x,2,0\n2,x,1,1\n3,x,1,0\n")
    model = SoftmaxRegression().fit_stream(path, "y", sample_weight="w", read_options={"columns": ["a"]})
    X, y, weights = np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 0]), np.array([2.0, 1.0, 1.0])
    expected = SoftmaxRegression().fit_stream([(X, y, weights)])
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def in_memory(path: Path, *names: Any, **options: Any) -> SoftmaxRegression:
    return SoftmaxRegression().fit_stream([pyarrow.csv.read_csv(path)], *names, **options)


def in_a_file(path: Path, *names: Any, **options: Any) -> SoftmaxRegression:
    return SoftmaxRegression().fit_stream(path, *names, **options)


@pytest.mark.parametrize("fit", [in_memory, in_a_file, ray_rows, dask_rows])
@pytest.mark.parametrize(("target", "others", "message"), [
    ("y", {"sample_weight": "y"}, "target and sample_weight both name the column 'y'"),
    (["y", "p"], {"sample_weight": "p"}, "target and sample_weight both name the column 'p'"),
    ("y", {"indices": "y"}, "target and indices both name the column 'y'"),
    ("y", {"indices": "p", "sample_weight": "p"}, "sample_weight and indices both name the column 'p'"),
])  # fmt: skip
def test_a_column_is_for_one_thing(fit: Any, target: Any, others: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a,p,y\n1,0.5,0.5\n2,1,0\n3,0,1\n")
    with pytest.raises(ValueError, match=f"^{message}; each needs one of its own$"):
        fit(path, target, **others)


@pytest.mark.parametrize("role", ["sample_weight", "indices"])
def test_a_column_is_named_by_text(role: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a,y\n1,0\n2,1\n")
    with pytest.raises(TypeError, match=rf"^{role} is array\(\[1., 1.\]\); it must be the name of a column$"):
        in_a_file(path, "y", **{role: np.ones(2)})


def test_options_are_of_files(tmp_path: Path) -> None:
    X, y = np.array([[1.0], [2.0]]), np.array([0, 1])
    with pytest.raises(ValueError, match=r"read_options say how a file is read; source is list, not a path"):
        SoftmaxRegression().fit_stream([(X, y)], read_options={"delimiter": ";"})
    path = written(tmp_path, "1 1:2\n0 1:3\n", "data.svm")
    with pytest.raises(ValueError, match=re.escape("data.svm: the option drop is not for svmlight files")):
        SoftmaxRegression().fit_stream(path, read_options={"drop": ["a"]})
    with pytest.raises(TypeError, match="read_options is str; it must be ReadOptions or a mapping"):
        SoftmaxRegression().fit_stream(path, read_options=";")
