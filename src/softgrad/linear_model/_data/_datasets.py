"""The files of a dataset of pyarrow's."""

from __future__ import annotations

import sys
from typing import Any

from softgrad.linear_model._data._file_systems import arrow_file_system
from softgrad.linear_model._data._folder_keys import Key
from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._reading_errors import reading

_INSTEAD = "a function that gives its batches, as dataset.to_batches, is a source, too"


def is_dataset(source: object) -> bool:
    """Whether it is a `pyarrow.dataset.Dataset`; there is none before its module is imported."""
    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(source, module.Dataset)


def dataset_files(dataset: Any) -> list[tuple[Location, str]]:
    """The files of a dataset in its order, with its keys as columns, and the format of each.

    Raises
    ------
    ValueError
        It has a filter, no files, or other ones than whole Parquet, Feather and Arrow files.
    """
    import pyarrow.dataset as ds

    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise ValueError(f"of the dataset the files are read, all of their rows: {error}; {_INSTEAD}") from None
    if not fragments:
        raise ValueError("the dataset has no files")
    files = []
    for fragment in fragments:
        if not isinstance(fragment, ds.FileFragment):
            raise ValueError(f"the dataset has rows that are in no file; {_INSTEAD}")
        location, form = _location(fragment, dataset.schema), fragment.format
        if isinstance(form, ds.ParquetFileFormat):
            with reading(location.name):
                whole = fragment.num_row_groups == fragment.metadata.num_row_groups
            if not whole:
                raise ValueError(f"the dataset has some of the row groups of {location.name} only; {_INSTEAD}")
            files.append((location, "parquet"))
        elif isinstance(form, ds.IpcFileFormat):
            files.append((location, "arrow"))
        else:
            raise ValueError(
                f"{location.name} is of the format {form.default_extname}; of a dataset Parquet, Feather and Arrow "
                f"files are read, others by their names"
            )
    return files


def _location(fragment: Any, schema: Any) -> Location:
    import pyarrow.dataset as ds

    keys = tuple(
        Key(name, None, value, schema.field(name).type)
        for name, value in ds.get_partition_keys(fragment.partition_expression).items()
        if name in schema.names
    )
    files = arrow_file_system(fragment.filesystem)
    return Location(files, fragment.path, keys, files.signature(fragment.path))
