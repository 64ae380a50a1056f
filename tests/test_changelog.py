"""CHANGELOG.md is as Keep a Changelog says, and its newest release is the version of the sources."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

import softgrad

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def complaints(text: str, version: str) -> list[str]:
    """What is not as it should be; `version` is that of the sources, released or to be released next."""
    found = []
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    if titles[:1] != ["[Unreleased]"]:
        found.append("the first heading is not [Unreleased]")
    releases = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", title) for title in titles[1:]]
    found += [f"no release: {title}" for title, release in zip(titles[1:], releases, strict=True) if release is None]
    dated = [(tuple(map(int, each[1].split("."))), date.fromisoformat(each[2])) for each in releases if each]
    if dated != sorted(dated, reverse=True):
        found.append("the newest is not first")
    if dated and dated[0][0] > tuple(map(int, version.split("."))):
        found.append(f"{dated[0][0]} is newer than {version}")
    for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        sections = re.findall(r"^### (.*)$", part, re.MULTILINE)
        found += [f"no section is called {section}" for section in sections if section not in SECTIONS]
        if len(sections) != len(set(sections)):
            found.append("a section stands twice")
    return found


def test_it_keeps_to_the_format() -> None:
    assert complaints(CHANGELOG.read_text(encoding="utf-8"), softgrad.__version__) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## [Unreleased]\n### Added\n## [1.2.0] - 2026-12-01\n### Fixed\n## [1.1.9] - 2026-11-01\n", []),
        ("## 1.2.0 (unreleased)\n", ["the first heading is not [Unreleased]"]),
        ("## [Unreleased]\n## [1.2.0]\n", ["no release: [1.2.0]"]),
        ("## [Unreleased]\n## [1.2.0] - 2026-12-01\n## [1.2.1] - 2026-11-01\n", ["the newest is not first"]),
        ("## [Unreleased]\n## [1.10.0] - 2026-12-01\n", ["(1, 10, 0) is newer than 1.2.0"]),
        ("## [Unreleased]\n### News\n", ["no section is called News"]),
        ("## [Unreleased]\n### Added\n### Added\n", ["a section stands twice"]),
    ],
)
def test_what_is_wrong_is_named(text: str, expected: list[str]) -> None:
    assert complaints(text, "1.2.0") == expected
