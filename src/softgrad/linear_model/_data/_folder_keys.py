"""Columns that folders are named for, as Hive writes them: year=2026/country=nz."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from softgrad.linear_model._data._file_systems import check_pyarrow

_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Key(NamedTuple):
    """A column with one value in all rows of a file.

    text : as it is written, None where it is missing. value, type : as a file with types would have it; the type is one
    of pyarrow's.
    """

    name: str
    text: str | None
    value: Any
    type: Any


def keys_of(folders: Sequence[str]) -> tuple[Key, ...]:
    """What the names of folders say, as text; those that are not KEY=VALUE say nothing."""
    keys = []
    for folder in folders:
        name, equals, value = folder.partition("=")
        if name and equals:
            text = None if value in ("", _NULL) else unquote(value)
            keys.append(Key(unquote(name), text, text, None))
    return tuple(keys)


def with_types(files: Sequence[tuple[Key, ...]]) -> list[tuple[Key, ...]]:
    """The keys of files as integers where those of all files are such, else as text."""
    texts: dict[str, set[str]] = {}
    for keys in files:
        for key in keys:
            texts.setdefault(key.name, set()).update([] if key.text is None else [key.text])
    if not texts:
        return list(files)
    check_pyarrow("columns are")
    import pyarrow as pa

    whole = {name for name, of_name in texts.items() if all(map(_WHOLE.fullmatch, of_name))}

    def typed(key: Key) -> Key:
        if key.name not in whole:
            return key._replace(type=pa.string())
        return key._replace(value=None if key.text is None else int(key.text), type=pa.int64())

    return [tuple(map(typed, keys)) for keys in files]
