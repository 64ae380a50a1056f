"""What the user names as the data of a command: one of scikit-learn's data sets, or files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from softgrad._files import is_full
from softgrad.cli.built_in import BUILT_IN
from softgrad.cli.errors import UserError, counted
from softgrad.linear_model._data._file_shards import Located, located
from softgrad.linear_model._data._file_systems import LOCAL, without_secrets
from softgrad.linear_model._data._read_options import ReadOptions


class Data:
    """The arguments that name the data; as text what messages call them.

    `built_in` is the name of a data set of scikit-learn's, or None.
    """

    def __init__(self, names: Sequence[str]) -> None:
        alone = [name for name in names if name in BUILT_IN]
        if alone and len(names) > 1:
            raise UserError(f"{alone[0]} is a built-in data set, which is read alone: there are {len(names)} names")
        self.built_in = alone[0] if alone else None
        self._names = list(names)
        self._shown = [without_secrets(name) for name in names]
        self._located: dict[str | None, Located] = {}

    def __str__(self) -> str:
        more = len(self._shown) - 1
        return self._shown[0] + (f" and {more} more" if more else "")

    def located(self, options: ReadOptions) -> Located:
        """Where the files are, and their format.

        Raises
        ------
        UserError
            There are none, or they are of an unknown format or several.
        """
        if options.format not in self._located:
            with user_errors(*self._shown):
                self._located[options.format] = located(self._names, options)
        return self._located[options.format]

    def size(self, options: ReadOptions, rows: int, columns: int) -> str:
        """How much there is, in words."""
        files = 1 if self.built_in is not None else len(self.located(options).locations)
        counts = {"file": files, "row": rows, "column": columns}
        return ", ".join(counted(count, noun) for noun, count in counts.items() if noun != "file" or count > 1)

    def local_files(self, options: ReadOptions) -> list[Path]:
        """The files that an output could overwrite; raises as `located`."""
        if self.built_in is not None:
            return []
        return [Path(location.path) for location in self.located(options).locations if location.files == LOCAL]


@contextmanager
def user_errors(*sources: str) -> Iterator[None]:
    """What cannot be read is the user's error, and names one of the sources, or a file in it; a full disk is none."""
    try:
        yield
    except MemoryError:
        # Arrow's is an ArrowException too, and the file is not at fault.
        raise
    except (ValueError, TypeError, ImportError, OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        named = any(source in str(error) for source in sources)
        told = str(error) if named else f"cannot read {sources[0]}: {error}"
        others = f" (and no built-in data set: {', '.join(BUILT_IN)})" if isinstance(error, FileNotFoundError) else ""
        raise UserError(told + others) from None
