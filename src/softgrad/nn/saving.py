"""Files of a network's state: safetensors for the arrays, JSON in its metadata for the layers, a checksum over both.

Nothing in a file is ever executed. The checksum finds damage and careless edits; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from softgrad._files import replacing
from softgrad.nn._arguments import Array

FORMAT = 1


def write_state(path: Path, layers: list[str], state: Mapping[str, Array]) -> None:
    tensors = {name: np.ascontiguousarray(array) for name, array in state.items()}
    description = {"format": FORMAT, "layers": layers, "sha256": _checksum(layers, tensors)}
    content: bytes = _safetensors().numpy.save(tensors, {"softgrad.nn": json.dumps(description)})
    with replacing(path) as file:
        file.write(content)


def read_state(path: Path) -> tuple[list[str], dict[str, Array]]:
    """The layers as they were described, and the arrays.

    Raises
    ------
    ValueError
        The file is none of ours, of a newer format, or damaged.
    """
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="np") as file:
            layers, checksum = _description(file.metadata())
            tensors = {name: _tensor(file, name) for name in sorted(file.keys())}
    except (safetensors.SafetensorError, _MalformedError) as error:
        raise ValueError(f"{path} is no file of a network: {error}") from None
    if checksum != _checksum(layers, tensors):
        raise ValueError(f"{path} is damaged: its checksum does not match")
    return layers, tensors


class _MalformedError(Exception):
    """Says what is wrong with the metadata of a file."""


def _description(metadata: Mapping[str, str] | None) -> tuple[list[str], str]:
    """The descriptions of the layers, and the checksum."""
    try:
        description = json.loads((metadata or {})["softgrad.nn"])
        form = description["format"]
        if form != FORMAT:
            raise _MalformedError(f"it has format {form!r}; this softgrad reads format {FORMAT}")
        return description["layers"], description["sha256"]
    except KeyError as error:
        raise _MalformedError(f"its metadata has no {error}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise _MalformedError(f"its metadata cannot be read: {error}") from None


def _tensor(file: Any, name: str) -> Array:
    """Looked at first: of a dtype that NumPy lacks, safetensors makes an error of its own."""
    kind = file.get_slice(name).get_dtype()
    if kind not in ("F32", "F64"):
        raise _MalformedError(f"{name} is {kind}, not F32 or F64")
    tensor: Array = file.get_tensor(name)
    return tensor


def _checksum(layers: list[str], tensors: Mapping[str, Array]) -> str:
    """SHA-256 of the layers as JSON, then of each array's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps(layers).encode("ascii"))
    for name in sorted(tensors):
        digest.update(f"\n{name} {tensors[name].dtype.str} {tensors[name].shape}\n".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('saving and loading need safetensors: pip install "softgrad[nn]"') from error
    return safetensors
