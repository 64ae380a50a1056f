"""The search for broken links finds them."""

from __future__ import annotations

from pathlib import Path

from tests.site.pages import broken_links


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(
        "<p id=here><a href='#here'>1</a><a href='#gone'>2</a><a href='two.html'>3</a><img src='gone.png'>"
        "<a href='https://example.org'>4</a><script src='//example.org/a.js'></script>"
    )
    count, broken = broken_links(tmp_path)
    assert count == 5
    assert broken == [f"one.html: {link}" for link in ("#gone", "two.html", "gone.png", "//example.org/a.js")]
