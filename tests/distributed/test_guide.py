"""The programs of docs/guide/distributed.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from softgrad import distributed

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "distributed.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
# Of the engines themselves, at their start.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_the_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(programs) == 2
    exec("".join(programs), {"__name__": "guide"})


@pytest.mark.parametrize("name", distributed.__all__)
def test_the_page_names_every_function(name: str) -> None:
    assert f"{name}(" in TEXT
