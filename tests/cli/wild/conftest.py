"""What the tests of files share."""

from __future__ import annotations

import pytest

from softgrad.cli import train


@pytest.fixture(autouse=True)
def without_gradient_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check before a training takes longer than all else here, and does not depend on the file."""
    monkeypatch.setattr(train, "check_before", lambda *_: 0.0)
