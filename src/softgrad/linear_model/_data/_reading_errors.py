"""What goes wrong while a file is read, with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Errors of Arrow's as ValueErrors, of a file system as OSErrors, of memory as MemoryErrors: all name the file."""
    import pyarrow as pa

    try:
        yield
    except MemoryError as error:
        # Arrow's is an ArrowException too. The file need not be at fault, but a damaged one asks for any amount.
        raise MemoryError(f"reading {name}{f': {error}' if str(error) else ''}") from None
    # Arrow's readers decode some names themselves.
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {name}: {str(error).strip()}") from None
    except OSError as error:
        if error.filename is not None or name in str(error):
            raise
        raise OSError(f"cannot read {name}: {error}") from error
