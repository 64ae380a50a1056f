"""Checkpoints of a fit: the state of the solver as safetensors, with what the fit depends on in the metadata.

Nothing in such a file is ever executed, and nothing of it is believed before it has been checked.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad._checksum import checksum
from softgrad._files import replacing, same_file
from softgrad.linear_model._solvers._iteration import Pair, Point, State

_FORMAT = 3
# What this format calls the description of the fit.
_FIT = "problem"
_NAMES = ["changes", "gradient", "numbers", "objectives", "promises", "steps", "theta"]
# In the tensor of this name.
_NUMBERS = 6


def checkpoint_place(path: str | os.PathLike[str] | None, *, resume: bool, files: Iterable[Path]) -> Path | None:
    """The path of a checkpoint that can be resumed from, or else be written; none of the files of the rows.

    Raises
    ------
    ValueError, FileExistsError, FileNotFoundError
    ImportError
        safetensors is not installed.
    """
    if path is None:
        if resume:
            raise ValueError("resume is True; it needs the checkpoint to resume from")
        return None
    if importlib.util.find_spec("safetensors") is None:
        raise ImportError('a checkpoint needs safetensors, which is not installed: pip install "softgrad[cli]"')
    place = Path(path)
    for file in files:
        if same_file(file, place):
            raise ValueError(f"the checkpoint {place} and the source {file} are the same file")
    if resume and not place.is_file():
        raise FileNotFoundError(f"there is no checkpoint {place} to resume from")
    if not resume and place.exists():
        raise FileExistsError(f"{place} is there already: resume from it, or remove it")
    if not os.path.isdir(os.path.dirname(os.path.realpath(place))):
        raise FileNotFoundError(f"cannot write the checkpoint {place}: there is no such folder")
    return place


def save_checkpoint(path: Path, fit: Mapping[str, object], state: State) -> None:
    """Write the state; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
    fit : mapping of str to what JSON can hold
        What it depends on, by the names that a message will use.
    state : State

    Raises
    ------
    OSError
        It cannot be written, and names the path; what was there before is still there.
    """
    from safetensors.numpy import save

    pairs = state.pairs or []
    shape = (len(pairs), *state.point.theta.shape)
    tensors = {
        "steps": np.array([pair.step for pair in pairs]).reshape(shape),
        "changes": np.array([pair.change for pair in pairs]).reshape(shape),
        "theta": np.ascontiguousarray(state.point.theta),
        "gradient": np.ascontiguousarray(state.point.gradient),
        "objectives": np.array(state.objectives),
        "promises": np.array(state.promises),
        # JSON has no inf.
        "numbers": np.array(
            [state.point.value, state.gap, state.smallest, state.idle, state.pairs is None, state.damping]
        ),
    }
    description: dict[str, object] = {"format": _FORMAT, _FIT: dict(fit)}
    description["sha256"] = checksum(tensors, description)
    content = save(tensors, {"softgrad-checkpoint": json.dumps(description)})
    with replacing(path) as file:
        file.write(content)


def load_checkpoint(path: Path, fit: Mapping[str, object]) -> State:
    """The state in a checkpoint of this fit.

    Raises
    ------
    ValueError
        If it is no checkpoint, is damaged, or belongs to another fit; the message says what differs.
    """
    description, tensors = _content(path)
    found = description[_FIT]
    for name in dict.fromkeys([*fit, *found]):
        if found.get(name) != fit.get(name):
            raise ValueError(
                f"the checkpoint {path} belongs to another fit: {name} is {reprlib.repr(found.get(name))} there, "
                f"{reprlib.repr(fit.get(name))} here"
            )
    value, gap, smallest, idle, is_over, damping = tensors["numbers"].tolist()
    return State(
        Point(tensors["theta"], value, tensors["gradient"]),
        tensors["objectives"].tolist(),
        tensors["promises"].tolist(),
        gap,
        smallest,
        int(idle),
        None if is_over else list(map(Pair, tensors["steps"], tensors["changes"])),
        damping,
    )


def _content(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    refused = f"{path} is not a usable checkpoint of softgrad"
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("softgrad-checkpoint")
            if text is None:
                raise ValueError(f"{refused}: its metadata has no entry softgrad-checkpoint")
            if sorted(file.keys()) != _NAMES:
                raise ValueError(f"{refused}: it holds the tensors {sorted(file.keys())}")
            for name in _NAMES:
                kind = file.get_slice(name).get_dtype()
                if kind != "F64":
                    raise ValueError(f"{refused}: {name} is {kind}, not F64")
            tensors = {name: file.get_tensor(name) for name in _NAMES}
    except SafetensorError as error:
        raise ValueError(f"{refused}: {error}") from None
    try:
        description = json.loads(text)
        stated = description.pop("sha256", None)
        matches = stated == checksum(tensors, description)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{refused}: its description cannot be read: {error}") from None
    if not matches:
        raise ValueError(f"{refused}: the checksum does not match, it was changed")
    if description.get("format") != _FORMAT:
        raise ValueError(f"{refused}: it has format {description.get('format')}, this softgrad reads {_FORMAT}")
    if not isinstance(description.get(_FIT), dict):
        raise ValueError(f"{refused}: its {_FIT} is {reprlib.repr(description.get(_FIT))}, no object")
    for name, shape in _shapes(tensors).items():
        if tensors[name].shape != shape:
            raise ValueError(f"{refused}: {name} has shape {tensors[name].shape}, not {shape}")
    objective, idle = tensors["numbers"][[0, 3]].tolist()
    if not math.isfinite(objective):
        raise ValueError(f"{refused}: its objective is {objective}")
    if not idle.is_integer():
        raise ValueError(f"{refused}: the number of its iterations without a decrease is {idle}")
    return description, tensors


def _shapes(tensors: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """The shape that each tensor must have besides the coefficients, whose own decides."""
    theta = tensors["theta"].shape
    pairs = (*(tensors["steps"].shape[:1] or (0,)), *theta)
    lists = {name: (tensors[name].size,) for name in ("objectives", "promises")}
    return {"numbers": (_NUMBERS,), "gradient": theta, "steps": pairs, "changes": pairs, **lists}
