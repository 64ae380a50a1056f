"""Model files: safetensors for the weights and for a description as JSON, in its metadata a checksum over all.

Nothing in a model file is ever executed, and nothing of it is believed before it has been checked. The
checksum finds damage and careless edits; it is no signature.

In format 1 the description was in the metadata, which safetensors limits to 100 MB. Formats 1 and 2 do not say how the
training read its file. Formats 1 to 3 know no columns of probabilities.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import softgrad
from softgrad._checksum import checksum
from softgrad.cli.classes import Classes
from softgrad.cli.columns import Column, NumberColumn, TextColumn, width_of
from softgrad.cli.errors import UserError, listing
from softgrad.cli.files import replacing
from softgrad.cli.learning import MISSING, Missing, fills
from softgrad.cli.model import Model
from softgrad.cli.reading import UNSEEN, Unseen
from softgrad.cli.svmlight_columns import SvmlightColumns
from softgrad.linear_model._data._read_options import ReadOptions

FORMAT = 4

_DTYPES = {"coef": "F64", "intercept": "F64", "description": "U8", "indices": "I64"}
# Of a model that was trained on an svmlight file indices stand for the columns of the description.
_TENSORS = {
    1: [["coef", "intercept"]],
    2: [["coef", "description", "intercept"], ["coef", "description", "indices", "intercept"]],
}


class _Malformed(Exception):
    """Says what is wrong with the content of a file."""


def save_model(model: Model, path: Path) -> None:
    """Write the model; the file appears whole or not at all."""
    description: dict[str, object] = {
        "softgrad": softgrad.__version__,
        "target": model.target,
        "probability_columns": list(model.probability_columns),
        "classes": asdict(model.classes),
        "training": model.training,
        "reading": {"options": model.options.as_dict(), "missing": model.missing, "unseen": model.unseen},
    }
    tensors: dict[str, NDArray[Any]] = {
        "coef": np.ascontiguousarray(model.coef),
        "intercept": np.ascontiguousarray(model.intercept),
    }
    if isinstance(model.columns, SvmlightColumns):
        tensors["indices"] = model.columns.indices
    else:
        description["columns"] = [asdict(column) for column in model.columns]
    tensors["description"] = np.frombuffer(json.dumps(description, allow_nan=False).encode("ascii"), np.uint8)
    header: dict[str, object] = {"format": FORMAT}
    header["sha256"] = checksum(tensors, header)
    # One entry, since safetensors writes several in an order that differs from run to run.
    content = save(tensors, {"softgrad": json.dumps(header)})
    with replacing(path) as file:
        file.write(content)


def load_model(path: Path) -> Model:
    """Read a model and check all of it.

    Raises
    ------
    UserError
        If the file does not exist, is no softgrad model, was made by a newer format, or is damaged.
    """
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    try:
        form, description, tensors = _content(path)
        return _model(form, description, tensors)
    except _Malformed as error:
        raise UserError(f"{path} is not a usable softgrad model: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _content(path: Path) -> tuple[int, dict[str, Any], dict[str, NDArray[Any]]]:
    """The format, the description, and the tensors besides it."""
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("softgrad")
            if text is None:
                raise _Malformed("its metadata has no entry softgrad")
            header = _parsed(text)
            names = sorted(file.keys())
            form = _format(header)
            _expect(names in _TENSORS[min(form, 2)], f"it holds the tensors {names}")
            for name in names:
                kind = file.get_slice(name).get_dtype()
                _expect(kind == _DTYPES[name], f"{name} is {kind}, not {_DTYPES[name]}")
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise _Malformed(str(error)) from None
    stated = header.pop("sha256", None)
    try:
        matches = stated == checksum(tensors, header)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"its description is not JSON: {error}") from None
    _expect(matches, "the checksum does not match, it was changed")
    return form, (header if form == 1 else _parsed(tensors.pop("description").tobytes())), tensors


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        description = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"its description is not JSON: {error}") from None
    if not isinstance(description, dict):
        raise _Malformed("its description is no object")
    return description


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _format(header: Mapping[str, object]) -> int:
    form = header.get("format")
    if type(form) is not int:
        raise _Malformed("its description has no format number")
    _expect(form <= FORMAT, f"it has format {form}, this softgrad reads up to format {FORMAT}")
    _expect(form >= 1, f"there is no format {form}")
    return form


def _model(form: int, description: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Model:
    columns: Sequence[Column]
    if "indices" in tensors:
        columns = _svmlight_columns(tensors["indices"])
        width = len(columns)
    else:
        columns = _columns(form, description)
        width = width_of(columns)
    classes = _classes(description.get("classes"))
    training = description.get("training")
    if not isinstance(training, dict):
        raise _Malformed("it has no record of the training")
    shape = (len(classes.labels), width)
    coef, intercept = tensors["coef"], tensors["intercept"]
    _expect(coef.shape == shape, f"coef has shape {coef.shape}, the columns and classes need {shape}")
    _expect(intercept.shape == shape[:1], f"intercept has shape {intercept.shape}, not {shape[:1]}")
    _expect(bool(np.isfinite(coef).all() and np.isfinite(intercept).all()), "a weight is not finite")
    target = _text(description.get("target"), "target")
    if form < 3:
        return Model(target, columns, classes, coef, intercept, training)
    options, missing, unseen = _reading(description.get("reading"))
    if "indices" not in tensors:
        unlike = [column.name for column in columns if (column.fill is not None) != fills(missing)]
        _expect(not unlike, f"a column is filled otherwise than {missing!r} says: {listing(unlike)}")
    of_target = () if form < 4 else _probability_columns(description, classes)
    return Model(target, columns, classes, coef, intercept, training, options, missing, unseen, of_target)


def _probability_columns(description: Mapping[str, Any], classes: Classes) -> tuple[str, ...]:
    names = tuple(_text(name, "a column of probabilities") for name in _list(description, "probability_columns"))
    _expect(len(names) in (0, len(classes.labels)), f"{len(names)} columns have the probabilities of the classes")
    return names


def _reading(entry: Any) -> tuple[ReadOptions, Missing, Unseen]:
    known = isinstance(entry, dict) and set(entry) == {"options", "missing", "unseen"}
    _expect(known and entry["missing"] in MISSING and entry["unseen"] in UNSEEN, "how it reads a file is unknown")
    _expect(isinstance(entry["options"], dict), "its options of reading are no object")
    try:
        return ReadOptions.of(entry["options"]), entry["missing"], entry["unseen"]
    except (ValueError, TypeError) as error:
        raise _Malformed(f"its options of reading: {error}") from None


def _svmlight_columns(indices: NDArray[Any]) -> SvmlightColumns:
    _expect(indices.ndim == 1 and indices.size > 0, f"indices has shape {indices.shape}")
    _expect(bool(indices[0] >= 0 and (indices[1:] > indices[:-1]).all()), "the indices are not in order")
    return SvmlightColumns(indices)


def _columns(form: int, description: Mapping[str, Any]) -> Sequence[Column]:
    columns = tuple(_column(form, entry) for entry in _list(description, "columns"))
    _expect(len(columns) > 0, "it has no columns")
    _expect(len({column.name for column in columns}) == len(columns), "a column occurs twice")
    first = columns[0].name
    if form == 1 and first in ("0", "1"):
        # It has the columns of an svmlight file so.
        numbered = SvmlightColumns(np.arange(int(first), int(first) + len(columns)))
        if columns == tuple(replace(column, truths=None) for column in numbered):
            return numbered
    return columns


def _column(form: int, entry: Any) -> Column:
    _expect(isinstance(entry, dict), "a column is no object")
    entry = dict(entry)
    fill = entry.pop("fill", None) if form > 2 else None
    name = _text(entry.get("name"), "a column's name")
    if "categories" in entry:
        categories = tuple(_text(item, f"a category of {name!r}") for item in _list(entry, "categories"))
        _expect(set(entry) == {"name", "categories"}, f"column {name!r} has unknown entries")
        _expect(list(categories) == sorted(set(categories)), f"the categories of {name!r} are not in order")
        return TextColumn(name, categories, None if fill is None else _text(fill, f"the fill of {name!r}"))
    # Formats 1 and 2 do not record whether a column holds truth values.
    truths = entry.pop("truths", None) if form > 2 else None
    _expect(truths is None or type(truths) is bool, f"truths of {name!r} is no truth value")
    _expect(fill is None or (type(fill) is float and math.isfinite(fill)), f"the fill of {name!r} is no finite number")
    _expect(set(entry) == {"name", "mean", "scale"}, f"column {name!r} has unknown entries")
    mean, scale = entry["mean"], entry["scale"]
    for value in (mean, scale):
        _expect(type(value) is float and math.isfinite(value), f"mean or scale of {name!r} is no finite number")
    _expect(scale > 0.0, f"the scale of {name!r} is not positive")
    return NumberColumn(name, mean, scale, fill, truths)


def _classes(entry: Any) -> Classes:
    _expect(isinstance(entry, dict), "it has no classes")
    kinds = {"text": str, "integer": int, "boolean": bool}
    kind, labels = entry.get("kind"), _list(entry, "labels")
    _expect(isinstance(kind, str) and kind in kinds, "the kind of its classes is unknown")
    _expect(all(type(label) is kinds[kind] for label in labels), f"a class is not {kind}")
    _expect(len(labels) >= 2, "it has fewer than two classes")
    _expect(labels == sorted(set(labels)), "its classes are not in order")
    if kind == "text":
        labels = [_text(label, "a class") for label in labels]
    if kind == "integer":
        _expect(labels[0] >= -(2**63) and labels[-1] < 2**63, "a class is out of range")
    return Classes(kind, tuple(labels))


def _list(entry: Mapping[str, Any], key: str) -> list[Any]:
    value = entry.get(key)
    if not isinstance(value, list):
        raise _Malformed(f"{key} is no list")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _Malformed(f"{what} is no text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _Malformed(f"{what} is not valid Unicode") from None
    return value


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _Malformed(otherwise)
