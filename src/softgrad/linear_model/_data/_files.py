"""Files of columns as Arrow record batches, read anew for every pass, and what the ending of a name says of a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from softgrad.linear_model._data._cells import without_words
from softgrad.linear_model._data._compression import ENDINGS, without_ending
from softgrad.linear_model._data._local_file import LocalFile, check_is_file
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._read_options import FORMATS, TEXT_FORMATS, ReadOptions
from softgrad.linear_model._data._text_file import TextFile
from softgrad.linear_model._data._typed_file import IpcFile, ParquetFile

_FORMAT_OF_ENDING = {f".{form}": form for form in FORMATS} | {".libsvm": "svmlight", ".svm": "svmlight"}


def format_of(path: str | os.PathLike[str], options: ReadOptions) -> str:
    """The format that a file is read as: one of `FORMATS`.

    Raises
    ------
    ValueError
        Neither the options nor the ending say it.
    OSError
        There is no such file.
    """
    check_is_file(path)
    if options.format is not None:
        return options.format
    ending = without_ending(Path(path)).suffix.lower()
    if ending not in _FORMAT_OF_ENDING:
        raise ValueError(
            f"{path}: unknown format; {', '.join(_FORMAT_OF_ENDING)} can be read, each also with "
            f"{', '.join(ENDINGS)}, and others with the option format (--format)"
        )
    return _FORMAT_OF_ENDING[ending]


class FileBatches:
    """The record batches of a file, the same at every iteration.

    Cells of a text file are strings without the blanks around them, and null where they are missing. Columns that are
    encoded by a dictionary come without it. A batch of a Feather or Arrow file is as large as it was written.

    Parameters
    ----------
    path : path
        Also of a pipe; "-" is standard input.
    options : ReadOptions or mapping, optional

    Attributes
    ----------
    path : Path
    names : list of str
        The columns that are read, in the order of the file.
    untyped : bool
        Whether it is a text file: cells are strings then, whatever they stand for.
    found : dict
        What is neither told by the options nor by the ending: "compression", "encoding", "delimiter", each as a word.

    Raises
    ------
    OSError, ValueError
        It cannot be read; an option is not for its format, or names no column.
    """

    def __init__(self, path: str | os.PathLike[str], options: ReadOptions | Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self._options = ReadOptions.of(options)
        form = format_of(path, self._options)
        if form == "svmlight":
            raise ValueError(f"{path} is an svmlight file, which has no columns")
        self._options.check_for(form, path)
        self.untyped = form in TEXT_FORMATS
        self._file = LocalFile(path)
        self.found = self._file.found
        with self._errors():
            self._reader = self._opened(form)
        self.names = self._selected(self._reader.names)

    def __iter__(self) -> Iterator[Any]:
        self._file.check_unchanged()
        rows = 0
        with self._errors():
            for batch in self._reader.batches(self.names):
                rows += batch.num_rows
                if batch.num_rows:
                    yield batch if self.untyped else _plain(batch, self._options.na)
        if not rows:
            raise ValueError(f"{self.path} has no rows")

    def _opened(self, form: str) -> TextFile | ParquetFile | IpcFile:
        if self.untyped:
            text = TextFile(self._file, form, self._options)
            self.found = self.found | text.found
            return text
        self._file.unpack()
        return (ParquetFile if form == "parquet" else IpcFile)(self._file.path)

    def _selected(self, names: list[str]) -> list[str]:
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            advice = "; if its first row is no header, say so (--no-header)" if self.untyped else ""
            raise ValueError(f"{self.path} has two columns named {repeated[0]!r}{advice}")
        known = set(names)
        for option in ("columns", "drop"):
            for name in getattr(self._options, option) or ():
                if name not in known:
                    raise ValueError(
                        f"{self.path} has no column {name!r}, which the option {option} names; its columns are "
                        f"{', '.join(map(repr, names))}"
                    )
        read = (known if self._options.columns is None else set(self._options.columns)) - set(self._options.drop)
        if not read:
            raise ValueError(f"{self.path}: no column is read; it has {', '.join(map(repr, names)) or 'none'}")
        return [name for name in names if name in read]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except MemoryError:
            # Arrow's is an ArrowException too, and the file is not at fault.
            raise
        except pa.ArrowException as error:
            raise ValueError(f"cannot read {self.path}: {str(error).strip()}") from None


def _plain(batch: Any, na: tuple[str, ...]) -> Any:
    """The batch with plain columns, and null where their texts are words of `na`."""
    import pyarrow as pa

    columns = [plain(column) for column in batch.columns]
    if na:
        texts = (pa.string(), pa.large_string())
        columns = [without_words(column, na) if column.type in texts else column for column in columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
