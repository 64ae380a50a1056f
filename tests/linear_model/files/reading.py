"""What a file holds, read with options, in blocks of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions


def columns_of(path: Path | str, **options: Any) -> dict[str, list[Any]]:
    """All cells by column; every pass gives the same."""
    batches = FileBatches(path, ReadOptions(**options))
    first, second = ([batch.to_pydict() for batch in batches] for _ in range(2))
    assert first == second
    assert all(list(columns) == batches.names for columns in first)
    return {name: [cell for columns in first for cell in columns[name]] for name in batches.names}


def written(folder: Path, content: bytes | str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
