"""What the tests of the command share: a way to run it, and small data with a known answer."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from softgrad.cli.app import app
from softgrad.cli.division import Division

SEED = 20240611


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def value(self, name: str) -> str:
        """What follows `name` on its line of stdout."""
        found = [line[len(name) + 1 :] for line in self.stdout.splitlines() if line.startswith(name + " ")]
        assert len(found) == 1, (name, self.stdout)
        return found[0]


def run(*arguments: object) -> Outcome:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return Outcome(result.exit_code, result.stdout, result.stderr)


def succeeds(*arguments: object) -> Outcome:
    outcome = run(*arguments)
    assert outcome.status == 0, outcome
    return outcome


def fails(*arguments: object) -> str:
    """The one line on stderr of a run that ends with status 2 and has printed nothing else."""
    outcome = run(*arguments)
    assert outcome.status == 2, outcome
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("softgrad: ")
    assert outcome.stderr.count("\n") == 1
    assert "Traceback" not in outcome.stderr
    return outcome.stderr[len("softgrad: ") : -1]


def animals(rows: int = 300, seed: int = SEED) -> pa.Table:
    """Two numbers, a truth value and a text that together decide the kind, mostly."""
    generator = np.random.default_rng(seed)
    weight = generator.normal(50.0, 20.0, rows)
    legs = generator.integers(0, 9, rows)
    wild = generator.random(rows) < 0.5
    colours = np.array(["black", "red, dark", 'the "white"'])
    colour = generator.integers(0, 3, rows)
    scores = np.column_stack([0.1 * weight, 1.5 * legs, 3.0 * wild + 2.0 * colour]) + generator.gumbel(size=(rows, 3))
    kinds = np.array(["cat", "newt", "yak"])[scores.argmax(axis=1)]
    return pa.table(
        {
            "weight": weight,
            "legs": legs,
            "wild": wild,
            "colour": pa.array(colours[colour].tolist()),
            "kind": pa.array(kinds.tolist()),
        }
    )


def write(table: pa.Table, path: Path) -> Path:
    """Write in the format that the name ends in, gzipped if it ends in .gz."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix in (".csv", ".tsv"):
        options = pyarrow.csv.WriteOptions(delimiter="," if plain.suffix == ".csv" else "\t")
        pyarrow.csv.write_csv(table, plain, options)
    elif plain.suffix == ".parquet":
        pyarrow.parquet.write_table(table, plain)
    else:
        pyarrow.feather.write_feather(table, str(plain))
    if path != plain:
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return path


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def set_cell(table: pa.Table, name: str, row: int, value: Any) -> pa.Table:
    """The table with one value exchanged; rows count from 1 as in messages."""
    values = table.column(name).to_pylist()
    values[row - 1] = value
    return with_column(table, name, values)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model file and the data that it was trained on, all of them; tests only read them."""
    folder = tmp_path_factory.mktemp("trained")
    data = write(animals(), folder / "animals.csv")
    model = folder / "animals.safetensors"
    succeeds("train", data, "--target", "kind", "--test-fraction", 0, "--model", model)
    return model, data


def for_training(labels: Sequence[object], fraction: float, seed: int) -> np.ndarray:
    """Which rows of a column of labels the command trains on."""
    kinds = sorted(set(labels), key=repr)
    return Division(fraction, seed).train(kinds, np.array([kinds.index(label) for label in labels]))


def command(*arguments: object) -> list[str]:
    """The command line for a process of its own."""
    return [sys.executable, "-m", "softgrad.cli", *map(str, arguments)]
