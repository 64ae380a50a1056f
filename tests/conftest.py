"""Shared set-up: no test draws a picture on a screen or needs a home directory; the whole suite takes several cores."""

from __future__ import annotations

import gc
import os
import secrets

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
# Of the random inputs; the processes that share the tests have it, too.
os.environ.setdefault("SOFTGRAD_TEST_SEED", str(secrets.randbits(32)))

# What the collection makes lives until the end: to look through it for garbage is a quarter of its time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for tests that are named: they are sooner done than workers are there."""
    return 0 if config.getoption("file_or_dir") else None
