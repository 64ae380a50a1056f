"""Each file trains in memory and with --stream, tells the same as JSON, and is predicted; or is refused in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.conftest import Outcome
from tests.cli.wild import columns, dates, encodings, labels, layouts, numbers, svmlight, types
from tests.cli.wild.case import Case, X, as_bytes, changed, table
from tests.cli.wild.running import run

ROOMS = (numbers, dates, labels, layouts, encodings, columns, types, svmlight)
CASES = [case for room in ROOMS for case in room.CASES]


def test_names_differ() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file(case: Case) -> None:
    if not case.stdin:
        Path(case.file).write_bytes(case.bytes)
    inside, streamed, told = (
        train(case, *options) for options in (("--model", "inside"), ("--model", "streamed", "--stream"), ("--json",))
    )
    if case.error:
        refused(case, inside, streamed, told)
    else:
        understood(case, inside, streamed, told)


def test_the_example_of_a_column_is_its_first_cell() -> None:
    Path("data.csv").write_text(table(x=changed(X, 1, "")))
    columns = run("describe", "data.csv", "--json").json["columns"]
    assert [column["example"] for column in columns] == ["2", "red", "a"]


def train(case: Case, *options: str) -> Outcome:
    target = ("--target", case.target) if case.target else ()
    return run("train", case.file, *target, "--test-fraction", 0, *case.arguments, *options, stdin=stdin(case))


def stdin(case: Case) -> bytes | None:
    return case.bytes if case.stdin else None


def refused(case: Case, *outcomes: Outcome) -> None:
    assert [outcome.status for outcome in outcomes] == [2, 2, 2], outcomes
    assert {outcome.stdout for outcome in outcomes} == {""}
    (message,) = {outcome.stderr for outcome in outcomes}
    assert message.startswith("softgrad: ")
    assert message.count("\n") == 1
    for word in (*case.error, *([] if case.of_options else [case.file])):
        assert word in message
    assert not Path("inside").exists()
    assert not Path("streamed").exists()
    Path("clean.csv").write_text(table())
    assert run("train", "clean.csv", "--target", "kind", "--test-fraction", 0, "--model", "clean").status == 0
    outcome = run("predict", "clean", case.file, stdin=stdin(case))
    assert outcome.status in (0, 2)
    assert outcome.stderr.count("\n") <= 1 or outcome.status == 0


def understood(case: Case, inside: Outcome, streamed: Outcome, told: Outcome) -> None:
    assert [outcome.status for outcome in (inside, streamed, told)] == [0, 0, 0], (inside, streamed, told)
    assert Path("inside").read_bytes() == Path("streamed").read_bytes()
    found = told.json
    said = [*found["notes"], *found["warnings"]]
    assert len(said) == len(case.says), said
    for line, words in zip(said, case.says, strict=True):
        for word in words:
            assert word in line
        for outcome in (inside, streamed):
            assert line.replace("\n", "\\n") in outcome.stdout.replace("\n", "\\n")
    assert found["classes"] == list(case.classes)
    assert found["rows"] == case.rows
    if case.kinds is not None:
        assert {column["name"]: column["kind"] for column in found["columns"]} == case.kinds
        missing = {column["name"]: column["missing"] for column in found["columns"] if column["missing"]}
        assert missing == case.missing
    predicted = predictions(case, "inside", case.file)
    assert {row[0] for row in predicted if row[0]} <= {
        str(label).lower() if isinstance(label, bool) else str(label) for label in case.classes
    }
    if case.like is not None:
        like = Path("like.svmlight" if case.file.endswith(".svmlight") else "like.csv")
        like.write_bytes(as_bytes(case.like))
        clean = Case("like", case.like, case.like_arguments, file=str(like), target=case.target)
        assert train(clean, "--model", "like").status == 0
        same_model(Path("inside"), Path("like"))
        if "drop" not in case.arguments:
            assert [row[1:] for row in predicted] == [row[1:] for row in predictions(clean, "like", str(like))]


def predictions(case: Case, model: str, file: str) -> list[list[str]]:
    outcome = run("predict", model, file, stdin=stdin(case))
    assert outcome.status == 0, outcome
    _, *rows = csv.reader(outcome.stdout.splitlines(keepends=True))
    return rows


def same_model(found: Path, expected: Path) -> None:
    """Weights and numbers are equal to the bit; categories may be called otherwise."""
    models: list[Any] = [load_file(path) for path in (found, expected)]
    for name in ("coef", "intercept"):
        np.testing.assert_array_equal(models[0][name], models[1][name])
    columns = [json.loads(model["description"].tobytes()).get("columns", []) for model in models]
    for column, other in zip(*columns, strict=True):
        assert [column.get(name) for name in ("mean", "scale")] == [other.get(name) for name in ("mean", "scale")]
