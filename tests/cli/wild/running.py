"""The command in this process, as often as wanted."""

from __future__ import annotations

import io
import sys
from functools import cache
from typing import Any
from unittest.mock import patch

import typer

from softgrad.cli.app import app
from tests.cli.conftest import Outcome


@cache
def _command() -> Any:
    return typer.main.get_command(app)


def run(*arguments: object, stdin: bytes | None = None) -> Outcome:
    """The outcome, with what it reads from standard input; an exception is the test's failure."""
    streams = [io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="") for content in (stdin or b"", b"", b"")]
    status = 0
    with patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]):
        try:
            _command().main([str(argument) for argument in arguments], "softgrad", standalone_mode=False)
        except SystemExit as end:
            status = end.code
    told = []
    for stream in streams[1:]:
        stream.flush()
        told.append(stream.buffer.getvalue().decode())
    return Outcome(status, *told)
