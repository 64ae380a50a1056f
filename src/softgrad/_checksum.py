"""The checksum of files that hold tensors and a description of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


def checksum(tensors: Mapping[str, NDArray[Any]], description: Mapping[str, Any]) -> str:
    """SHA-256 of the description as JSON with sorted keys, then of each tensor's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode("ascii"))
    for name in sorted(tensors):
        digest.update(f"\n{name} {tensors[name].dtype.str} {tensors[name].shape}\n".encode("ascii"))
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
