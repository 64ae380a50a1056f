"""The readers of files: whatever the bytes are, they are read, or refused by an error that names the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import ANY, patch

import numpy as np
from safetensors.numpy import save

from softgrad._checksum import checksum
from softgrad.cli import model_file
from softgrad.cli.errors import UserError
from softgrad.linear_model._data import _svmlight, _text_file
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._streams import LocalStream
from softgrad.linear_model._solvers import _checkpoint
from softgrad.nn import saving

# One is chosen by the first byte of an input, which is not part of the file.
TEXT_OPTIONS = (
    ReadOptions(),
    ReadOptions(delimiter=";", decimal=",", thousands="."),
    ReadOptions(header=False, na=("?",)),
    ReadOptions(encoding="cp1252", delimiter="tab"),
)


_NETWORK_CHECKSUM = saving._checksum


@dataclass(frozen=True)
class Target:
    """A reader.

    Parameters
    ----------
    file : str
        The name that it is given.
    read : callable
        Takes the path of a file, and the byte that chooses among options.
    errors : tuple of exception types
        What it may raise.
    around : callable, optional
        For an odd choice: makes a file of bytes that are its description. Of the bytes of a whole file nearly every
        change leaves one whose lengths do not fit, and nothing behind them would be reached.
    """

    file: str
    read: Callable[[Path, int], object]
    errors: tuple[type[Exception], ...] = (ValueError, OSError)
    around: Callable[[bytes], bytes] | None = None

    def __call__(self, data: bytes, folder: Path) -> bool:
        """Whether the bytes are read; they come by way of a file in the folder.

        Raises
        ------
        AssertionError
            They are refused by an error that does not name the file.
        Exception
            Any that the reader may not raise.
        """
        choice, content = data[0] if data else 0, data[1:]
        path = folder / self.file
        path.write_bytes(self.around(content) if self.around and choice % 2 else content)
        try:
            self.read(path, choice)
        except self.errors as error:
            if str(path) not in str(error):
                raise AssertionError("the error does not name the file") from error
            return False
        return True


def _rows(path: Path, options: ReadOptions, target: str | None) -> None:
    shards = file_shards(path, target, None, options)
    LocalStream([shard.open() for shard in shards]).survey(digest=True)


def _text(path: Path, choice: int) -> None:
    # Short files have several blocks then.
    with patch.multiple(_text_file, _BLOCK_BYTES=64, _ROWS_OF_BLOCK=1):
        _rows(path, TEXT_OPTIONS[choice % len(TEXT_OPTIONS)], "y")


def _sparse(path: Path, _: int) -> None:
    with patch.object(_svmlight, "_BLOCK_BYTES", 64):
        _rows(path, ReadOptions(), None)


def _typed(path: Path, choice: int) -> None:
    _rows(path, ReadOptions(na=("?",) if choice % 2 else ()), "y")


def _never_amiss(checksum: Callable[..., str]) -> Callable[..., Any]:
    """A checksum that all files have: what is behind it would be reached by none that was changed."""

    def equal_to_all(*content: Any) -> Any:
        checksum(*content)
        return ANY

    return equal_to_all


def _model(path: Path, _: int) -> None:
    with patch.object(model_file, "checksum", _never_amiss(checksum)):
        model_file.load_model(path)


def _network(path: Path, _: int) -> None:
    with patch.object(saving, "_checksum", _never_amiss(_NETWORK_CHECKSUM)):
        saving.read_state(path)


def _fit_checkpoint(path: Path, _: int) -> None:
    with patch.object(_checkpoint, "checksum", _never_amiss(checksum)):
        _checkpoint.load_checkpoint(path, {})


def _model_file(description: bytes) -> bytes:
    """A model of two columns and two classes."""
    tensors = {"coef": np.ones((2, 2)), "intercept": np.ones(2), "description": np.frombuffer(description, np.uint8)}
    return save(tensors, {"softgrad": f'{{"format": {model_file.FORMAT}}}'})


def _network_file(description: bytes) -> bytes:
    return save({"0.weight": np.ones((2, 2))}, {"softgrad.nn": description.decode("utf-8", "replace")})


def _checkpoint_file(description: bytes) -> bytes:
    shapes = {"theta": (2, 2), "gradient": (2, 2), "steps": (0, 2, 2), "changes": (0, 2, 2)}
    lengths = {"numbers": 6, "objectives": 2, "promises": 1}
    tensors = {name: np.ones(shape) for name, shape in (shapes | lengths).items()}
    return save(tensors, {"softgrad-checkpoint": description.decode("utf-8", "replace")})


TARGETS = {
    "csv": Target("data.csv", _text, (ValueError, OSError, TypeError)),
    "svmlight": Target("data.svmlight", _sparse),
    # Lengths that are damaged ask for any amount of memory.
    "parquet": Target("data.parquet", _typed, (ValueError, OSError, TypeError, MemoryError)),
    "arrow": Target("data.arrow", _typed, (ValueError, OSError, TypeError, MemoryError)),
    "model": Target("model", _model, (UserError,), _model_file),
    "network": Target("network.safetensors", _network, around=_network_file),
    "checkpoint": Target("fit.checkpoint", _fit_checkpoint, around=_checkpoint_file),
}
