"""Random files: in memory and by --stream the same model to the bit, or the same refusal in one line.

SOFTGRAD_WILD_FILES says how many; 100,000 take three hours.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from softgrad.linear_model._data import _pieces, _text_file
from tests.cli.conftest import Outcome
from tests.cli.wild.random_files import RandomFile, random_file
from tests.cli.wild.running import run
from tests.oracles.inputs import fresh_rng

# What takes about three minutes.
FILES = int(os.environ.get("SOFTGRAD_WILD_FILES", "1500"))
WHOLE = 1 << 20


@pytest.mark.slow
def test_random_files(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = fresh_rng().integers(2**63, size=FILES)
    # Else a block has many rows, however short they are.
    monkeypatch.setattr(_text_file, "_ROWS_OF_BLOCK", 1)
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    trained = 0
    for seed in seeds.tolist():
        file = random_file(np.random.default_rng(seed))
        trained += check(file, monkeypatch, f"file of seed {seed}: {file}")
    # Files that are all refused would agree as well.
    assert trained > FILES // 4


def check(file: RandomFile, monkeypatch: pytest.MonkeyPatch, told: str) -> bool:
    """Whether it trains."""
    data = Path(file.name)
    data.write_bytes(file.content)
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", file.block_bytes)
    inside, model = train(file)
    streamed, model_of_stream = train(file, "--stream", *(["--cache"] if file.cached else []))
    assert inside.status in (0, 2), (told, inside)
    assert (inside.status, inside.stderr) == (streamed.status, streamed.stderr), (told, inside, streamed)
    assert without_time(inside) == without_time(streamed), told
    assert model == model_of_stream, told
    assert (model is None) == (inside.status == 2), (told, inside)
    if model is None:
        assert (inside.stdout, inside.stderr.count("\n")) == ("", 1), (told, inside)
    else:
        Path("model").write_bytes(model)
        for command in ("predict", "evaluate"):
            assert run(command, "model", data).status in (0, 2), (told, command)
    assert run("describe", data).status in (0, 2), told
    # The delimiter is found in the first block.
    if "--delimiter" in file.arguments:
        monkeypatch.setattr(_text_file, "_BLOCK_BYTES", WHOLE)
        whole, model_of_whole = train(file)
        assert (whole.status == 0) == (inside.status == 0), (told, whole, inside)
        if model is not None and model_of_whole is not None:
            assert understood(model) == understood(model_of_whole), told
    return model is not None


def train(file: RandomFile, *options: str) -> tuple[Outcome, bytes | None]:
    """The outcome, and the model if there is one."""
    model = Path("model")
    model.unlink(missing_ok=True)
    outcome = run("train", file.name, *file.arguments, "--max-iter", 1, "--model", model, *options)
    return outcome, model.read_bytes() if model.exists() else None


def without_time(outcome: Outcome) -> list[str]:
    return [line for line in outcome.stdout.splitlines() if not line.startswith("time ")]


def understood(model: bytes) -> list[Any]:
    """The classes, and what each column is taken as; how rows are cut changes the bits of sums alone."""
    description = json.loads(load(model)["description"].tobytes())
    columns = [
        {name: column[name] for name in ("name", "categories", "truths") if name in column}
        for column in description["columns"]
    ]
    return [description["classes"], *columns]
