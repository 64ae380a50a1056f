"""A column of any type is described, and taken as text or refused by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.feather

from tests.cli.conftest import run
from tests.linear_model.files.random_columns import random_column, random_type
from tests.oracles.inputs import fresh_rng

NAMED = re.compile("column 'x|--text x: ").search


def test_a_column_of_any_type(in_folder: Path) -> None:
    rng = fresh_rng()
    taken = refused = 0
    for number in range(40):
        column = random_column(rng, random_type(rng), 12)
        path = in_folder / f"{number}.feather"
        pa.feather.write_feather(pa.table({"x": column, "z": range(12), "y": ["a", "b"] * 6}), str(path))
        described = run("describe", path.name)
        assert described.status == 0 or (described.status == 2 and NAMED(described.stderr)), (column.type, described)
        trained = run("train", path.name, "--target", "y", "--text", "x", "--test-fraction", 0)
        assert trained.status == 0 or (trained.status == 2 and NAMED(trained.stderr)), (column.type, trained)
        taken, refused = taken + (trained.status == 0), refused + (trained.status == 2)
    assert min(taken, refused) >= 5
