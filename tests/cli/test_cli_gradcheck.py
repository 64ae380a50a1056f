"""`softgrad gradcheck`: the table, its exit status, JSON, the picture, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import softgrad
from tests.cli.conftest import fails, run, succeeds
from tests.oracles.bounds import HALF_OF_THE_DIGITS

ROW = re.compile(r"^(\w+) +(\w+(?: \w+)?) +(b?float\d\d) +(\d\.\de[-+]\d\d)  (pass|fail|inconclusive)$", re.MULTILINE)


def test_a_table_of_one_function() -> None:
    outcome = succeeds("gradcheck", "sigmoid")
    rows = ROW.findall(outcome.stdout)
    assert [row[:3] for row in rows] == [
        ("sigmoid", verb, dtype) for dtype in ("float64", "float32") for verb in softgrad.sigmoid.derivatives
    ]
    assert all(verdict == "pass" for *_, verdict in rows)
    # Half an eps of float32 is what rounding leaves, half of one of float64 less than differences can see.
    for *_, dtype, error, _ in rows:
        assert 0.0 < float(error) < (HALF_OF_THE_DIGITS if dtype == "float64" else 4 * np.finfo(np.float32).eps)
    assert re.fullmatch("function +derivative +dtype +worst relative error +verdict", outcome.stdout.splitlines()[0])
    assert outcome.stdout.splitlines()[-1] == f"{len(rows)} of {len(rows)} passed (seed 0)"


@pytest.mark.slow
def test_all_of_the_registry_passes() -> None:
    rows = ROW.findall(succeeds("gradcheck").stdout)
    assert {(name, verb.split()[0], dtype) for name, verb, dtype, *_ in rows} == {
        (name, verb, dtype)
        for name, member in softgrad.registry().items()
        for verb in member.derivatives
        for dtype in ("float64", "float32")
    }


def test_json() -> None:
    result = succeeds("gradcheck", "logsumexp", "--json", "--dtype", "float32", "--seed", 7).json
    assert result["seed"] == 7
    assert result["passed"] is True
    assert [check["derivative"] for check in result["checks"]] == list(softgrad.logsumexp.derivatives)
    for check in result["checks"]:
        assert (check["function"], check["dtype"], check["verdict"]) == ("logsumexp", "float32", "pass")
        assert check["analytic"] == pytest.approx(check["numeric"], rel=8 * float(np.finfo(np.float32).eps), abs=0.0)
        assert len(check["index"]) == 2


def test_the_seed_decides_the_arguments() -> None:
    first, same, other = (
        [check["analytic"] for check in succeeds("gradcheck", "sigmoid", "--json", "--seed", seed).json["checks"]]
        for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_two_bytes(dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    rows = ROW.findall(succeeds("gradcheck", "sigmoid", "--dtype", dtype).stdout)
    assert {row[2] for row in rows} == {dtype}


def test_a_wrong_derivative_is_shown_and_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    right = type(softgrad.sigmoid).vjp

    def wrong(self: Any, x: Any, cotangent: Any) -> Any:
        result = right(self, x, cotangent)
        result[1, 2] *= 1.01
        return result

    monkeypatch.setattr(type(softgrad.sigmoid), "vjp", wrong)
    outcome = run("gradcheck", "sigmoid", "--dtype", "float64")
    assert outcome.status == 1
    verdicts = {verb: verdict for _, verb, _, _, verdict in ROW.findall(outcome.stdout)}
    assert verdicts["vjp"] == "fail"
    assert verdicts["jvp"] == "pass"
    assert "fail: the gradient is wrong at index [1, 2] (central differences, float64)" in outcome.stdout
    as_json = run("gradcheck", "sigmoid", "--dtype", "float64", "--json")
    assert as_json.status == 1
    assert as_json.json["passed"] is False
    assert as_json.json["checks"][0]["index"] == [1, 2]
    assert as_json.json["checks"][0]["worst_error"] == pytest.approx(
        0.01 / 1.01, rel=HALF_OF_THE_DIGITS / 0.01, abs=0.0
    )


def test_a_derivative_that_is_nan_is_valid_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(softgrad.sigmoid), "vjp", lambda _self, x, _cotangent: np.full_like(x, np.nan))
    outcome = run("gradcheck", "sigmoid", "--dtype", "float64", "--json")
    assert outcome.status == 1
    assert (outcome.json["checks"][0]["analytic"], outcome.json["checks"][0]["worst_error"]) == ("nan", "inf")


def test_the_picture() -> None:
    outcome = succeeds("gradcheck", "sigmoid", "--dtype", "float64", "--plot", "v.png")
    assert outcome.value("plot") == "written to v.png"
    pixels = np.asarray(Image.open("v.png").convert("RGB")).astype(int)
    assert pixels.shape[0] > 400
    # The blue of the central differences and the orange of the extrapolated ones.
    for color in ((31, 119, 180), (255, 127, 14)):
        assert np.sum(np.abs(pixels - color).sum(axis=2) < 30) > 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no such function: nothing (there are sigmoid, "),
        (["sigmoid", "--dtype", "int8"], "--dtype is int8; it may be float64, float32, float16, bfloat16"),
        (["sigmoid", "--seed", "-1"], "--seed is -1; it must be from 0 to 4294967295"),
        (["--plot", "v.png"], "--plot v.png: of which function? There are sigmoid, "),
        (["sigmoid", "--plot", "v.jpg"], "--plot v.jpg: the picture is a PNG, its name must end in .png"),
        (["sigmoid", "--plot", "no/v.png"], "cannot write no/v.png: the folder "),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(arguments: list[str], message: str) -> None:
    assert fails("gradcheck", *arguments).startswith(message)
    assert list(Path().iterdir()) == []
