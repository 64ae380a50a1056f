"""What goes wrong while a file is read, with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Arrow's errors as ValueErrors and those of a file system as OSErrors that name the file."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        # Arrow's is an ArrowException too, and the file is not at fault.
        raise
    except pa.ArrowException as error:
        raise ValueError(f"cannot read {name}: {str(error).strip()}") from None
    except OSError as error:
        if error.filename is not None or name in str(error):
            raise
        raise OSError(f"cannot read {name}: {error}") from error
