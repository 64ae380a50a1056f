"""Every question runs, at a tiny size and with the peers that the tests have; what it measures fits its tables."""

from __future__ import annotations

import sys
from pathlib import Path

import benchmarks
import pytest
from benchmarks import __main__ as command
from benchmarks._harness import Bench
from benchmarks._peers import PEERS
from benchmarks._questions import NOT_QUICK, QUESTIONS, heading_and_notes, module
from benchmarks._regression_solvers import SOLVERS
from benchmarks._tables import results
from benchmarks.regression import FASTEST

from tests.oracles.inputs import fresh_rng

# Of those that are asked only.
_OTHER_PEERS = {"PyTorch, chunked", *SOLVERS, FASTEST}

# At the start of a cluster.
_OF_ENGINES = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def test_every_module_of_the_folder_is_a_question() -> None:
    (folder,) = benchmarks.__path__
    modules = {path.stem for path in Path(folder).glob("*.py") if not path.stem.startswith("_")}
    assert modules - {"accuracy"} == set(QUESTIONS)
    assert set(NOT_QUICK) < set(QUESTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "question", [pytest.param(name, marks=_OF_ENGINES) if name == "distributed" else name for name in QUESTIONS]
)
def test_the_question_runs(question: str) -> None:
    # Each call of the question about memory starts a process.
    names = () if question == "memory" else ("NumPy", "SciPy")
    peers = {name: PEERS[name][0]() for name in names}
    rows = list(module(question).rows(Bench(True, peers, fresh_rng())))
    assert rows
    assert len({row.work for row in rows}) == len(rows)
    for row in rows:
        if question != "memory":
            assert row.softgrad.first_quartile > 0.0
        # Processes of libraries share no copy.
        assert row.floors or question == "shapes"
        assert set(row.at_most) <= set(row.floors)
        assert set(row.at_least) <= set(PEERS) | _OTHER_PEERS
        assert ("copy" in row.floors) == (row.bytes_copied > 0) == (row.bytes_needed > 0)
    assert len(results(rows).splitlines()) == len(rows) + 2
    heading, notes = heading_and_notes(question)
    assert heading
    assert notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no question 'nothing'; there are cross_entropy, softmax"),
        (["--write", "--quick"], "--write measures nothing"),
        (["--write", "softmax"], "--write measures nothing"),
    ],
)
def test_the_command_refuses_what_it_would_ignore(arguments, message, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert message in capsys.readouterr().err
