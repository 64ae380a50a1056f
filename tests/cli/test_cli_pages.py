"""What the tutorial and the guide to tables show is what their commands show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import PAGES, agree, shown_and_found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_show_what_the_page_shows(page: Path) -> None:
    results = list(shown_and_found(page))
    assert len(results) >= 5
    assert [(command, shown, found) for command, shown, found in results if not agree(shown, found)] == []


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        ("time 0.01 s\nrows 40", "time 2.50 s\nrows 40", True),
        ("loss 0.5000", "loss 0.5001", True),
        ("loss 0.5000", "loss 0.5003", False),
        ("loss 0.22664944902287318", "loss 0.22664944902291111", True),
        ("loss 0.22664944902287318", "loss 0.22665944902287318", False),
        ("rows 40", "rows 41", False),
        ("a note\n  over two lines", "a note over two lines", True),
        ("a note", "another note", False),
        ("", "warning: column", False),
    ],
)
def test_what_differs_is_seen(shown: str, found: str, same: bool) -> None:
    assert agree(shown, found) is same
