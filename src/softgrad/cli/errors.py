"""What a user can put right is told in one line on stderr, with exit status 2; never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

USER_ERROR = 2
INTERRUPTED = 130


class UserError(Exception):
    """Something that the user can put right; the message is one sentence that names the culprit."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `UserError` or an interrupt into a line on stderr and the exit status."""
    try:
        yield
    except UserError as error:
        print(f"softgrad: {printable(str(error))}", file=sys.stderr)
        raise typer.Exit(USER_ERROR) from None
    except KeyboardInterrupt:
        print("softgrad: interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def printable(text: str) -> str:
    """The text with line breaks and control characters escaped: names and labels come from files."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listing(names: Iterable[object], limit: int = 20) -> str:
    """Names after each other, the first `limit` of them."""
    shown = [str(name) for name in names]
    more = [f"... ({len(shown)} in all)"] if len(shown) > limit else []
    return ", ".join(shown[:limit] + more)
