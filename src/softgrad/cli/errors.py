"""How a command ends before its work is done: with one line on stderr that says why, and an exit status."""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from softgrad._files import is_full

UNEXPECTED = 1
USER_ERROR = 2
INTERRUPTED = 130


class UserError(Exception):
    """Something that the user can put right; the message is one sentence that names the culprit."""


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn an exception into a line on stderr and the exit status; with `debug`, show where the unexpected ones arose.

    What was printed is written when the block has ended.
    """
    try:
        yield
        # At exit a failure would be a traceback. Without stdout there is nothing to flush, which print knows.
        print(end="", flush=True)
    except UserError as error:
        _end(str(error), USER_ERROR)
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough: typer ends the command without a word.
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename is None:
            # What is still to be written there would be tried again at exit.
            sys.stdout = None
        _end(_advice(error), UNEXPECTED)


def _advice(error: Exception) -> str:
    """What happened and what to do about it."""
    if isinstance(error, MemoryError):
        return (
            f"out of memory{f' ({error})' if str(error) else ''}: train reads a file part by part with --stream, the "
            f"other commands need a smaller file or more memory"
        )
    if isinstance(error, OSError) and is_full(error):
        where = "stdout" if error.filename is None else error.filename
        return f"cannot write {where}: {error.strerror}; free some space there, or write to another disk"
    return (
        f"unexpected {type(error).__name__}: {error}; the same command with --debug shows where, for a report of the "
        f"error"
    )


def _end(message: str, status: int) -> None:
    print(f"softgrad: {printable(message)}", file=sys.stderr)
    sys.exit(status)


def printable(text: str) -> str:
    """The text with line breaks and control characters escaped: names and labels come from files."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def asked(option: str, value: str) -> str:
    """An option and its value as they are typed."""
    return f"{option} {shlex.quote(value)}"


def counted(count: int, noun: str) -> str:
    """A number of things, in the singular for one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listing(names: Iterable[object], limit: int = 20) -> str:
    """Names after each other, the first `limit` of them."""
    shown = [str(name) for name in names]
    more = [f"... ({len(shown)} in all)"] if len(shown) > limit else []
    return ", ".join(shown[:limit] + more)
