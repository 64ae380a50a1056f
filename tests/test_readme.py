"""The README's Python lines give what it says, and its commands are the ones CI runs."""

from __future__ import annotations

import doctest
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_examples_run() -> None:
    examples = doctest.DocTestParser().get_doctest(
        README.read_text(encoding="utf-8").replace("```", ""), {}, "README.md", str(README), 0
    )
    assert len(examples.examples) >= 10
    results = doctest.DocTestRunner().run(examples)
    assert results.failed == 0


def test_the_two_commands_stand_on_lines_of_their_own() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert 'pip install "$(ls softgrad-*.whl)[cli]" && softgrad train digits' in lines
    assert 'pip install ".[test]" && pytest' in lines
