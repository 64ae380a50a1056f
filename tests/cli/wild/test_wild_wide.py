"""Files of many columns: a row, and even the header, is longer than a block of the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.wild.running import run


@pytest.mark.parametrize("columns", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_eight_rows(columns: int) -> None:
    names = [f"a column of which there are very many as in genetics: {number}" for number in range(columns)]
    rows = [",".join([*(str(number * row % 7) for number in range(columns)), "ab"[row % 2]]) for row in range(8)]
    header = ",".join([*names, "kind"])
    assert len(header) > 2**20 or columns < 20_000
    Path("data.csv").write_text("\n".join([header, *rows, ""]))
    for model, options in (("inside", ()), ("streamed", ("--stream",))):
        outcome = run("train", "data.csv", "--target", "kind", "--max-iter", 2, "--model", model, *options)
        assert outcome.status == 0, outcome
        assert f"features {columns}\n" in outcome.stdout
        assert f"... and {columns - 40} columns more\n" in outcome.stdout
    assert Path("inside").read_bytes() == Path("streamed").read_bytes()
