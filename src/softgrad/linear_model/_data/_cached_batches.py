"""Record batches that are read from their file once, and from a temporary Arrow file from then on."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._source_file import temporary_file


class CachedBatches:
    """The batches of a file, as it gives them; the first whole iteration writes them to a temporary file.

    That file is mapped into memory by later iterations, and removed with this object. `share` is how much was read when
    the last batch was given.
    """

    def __init__(self, batches: FileBatches) -> None:
        self._batches = batches
        self.name, self.names = batches.name, batches.names
        self.untyped, self.found = batches.untyped, batches.found
        self._cache: Path | None = None
        self.share = 0.0

    def __iter__(self) -> Iterator[Any]:
        return self._written() if self._cache is None else self._mapped(self._cache)

    def _written(self) -> Iterator[Any]:
        import pyarrow as pa

        writer = None
        with temporary_file() as (path, file):
            for batch in self._batches:
                if writer is None:
                    writer = pa.ipc.new_file(file, batch.schema)
                writer.write_batch(batch)
                self.share = self._batches.share
                yield batch
            assert writer is not None
            writer.close()
        weakref.finalize(self, path.unlink, missing_ok=True)
        self._cache = path

    def _mapped(self, path: Path) -> Iterator[Any]:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                self.share = (number + 1) / reader.num_record_batches
                yield reader.get_batch(number)
