"""Pixels: which features are the pixels of an image, and images of them as PNG inside the page."""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from softgrad.cli.columns import Column, NumberColumn
from softgrad.cli.html_report.markup import Html, element
from softgrad.cli.tables import Float64Array

# A word for a pixel or none, then its number, or its row and column.
_PIXEL = re.compile(r"(?:pixels?|px)?[ _.-]?(\d+)(?:[ _.,x-](\d+))?", re.IGNORECASE)
_SMALLEST = 16

# Both stand out from a light page and from a dark one.
POSITIVE = (37, 118, 235)
NEGATIVE = (226, 88, 20)


@dataclass(frozen=True)
class Grid:
    """The features are the pixels of images of this size, row after row."""

    rows: int
    columns: int

    @property
    def size(self) -> str:
        return f"{self.rows} by {self.columns} pixels"

    def place(self, index: int) -> str:
        return f"row {index // self.columns + 1}, column {index % self.columns + 1}"


def grid_of(columns: Sequence[Column]) -> Grid | None:
    """The size of the images that the features are the pixels of; None if they are not.

    They are if there are at least 16, all are numbers, and their names are, in order, either the pixels' numbers (from
    0 or 1, as many as a square image has) or their rows and columns (from 0 or 1, all of a rectangle, row after row).
    Before a number there may be "pixel", "pixels" or "px"; as in pixel_0_0, 1x1, pixel784, 0.
    """
    if len(columns) < _SMALLEST or not all(isinstance(column, NumberColumn) for column in columns):
        return None
    matches = [_PIXEL.fullmatch(column.name) for column in columns]
    places = [[int(part) for part in match.groups() if part is not None] for match in matches if match]
    if len(places) < len(columns) or {len(place) for place in places} not in ({1}, {2}):
        return None
    first, last = places[0], places[-1]
    if len(first) == 1:
        side = math.isqrt(len(places))
        grid, expected = Grid(side, side), [[place] for place in range(side * side)]
    else:
        grid = Grid(last[0] - first[0] + 1, last[1] - first[1] + 1)
        expected = [[row, column] for row in range(grid.rows) for column in range(grid.columns)]
    counted = [[part - first[0] for part in place] for place in places]
    return grid if first[0] in (0, 1) and counted == expected else None


def ink(values: Float64Array, low: float, high: float, grid: Grid, alt: str) -> Html:
    """Pixels from `low` (the page shows through) to `high`, in the colour of the text."""
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return _image(_shaded(np.broadcast_to([0, 0, 0], (values.size, 3)), share), grid, "ink", alt)


def diverging(values: Float64Array, most: float, grid: Grid, alt: str) -> Html:
    """Pixels from -`most` in one colour to `most` in another; the page shows through at 0."""
    colours = np.where(values[:, None] > 0.0, POSITIVE, NEGATIVE)
    return _image(_shaded(colours, np.abs(values) / most if most else np.zeros_like(values)), grid, "weights", alt)


def heat_map(shares: Float64Array, alt: str) -> Html:
    """A square matrix of shares from 0 to 1."""
    colours = np.broadcast_to(POSITIVE, (shares.size, 3))
    return _image(_shaded(colours, shares.ravel()), Grid(*shares.shape), "heat", alt)


def _shaded(colours: npt.NDArray[np.int64], shares: Float64Array) -> npt.NDArray[np.uint8]:
    """RGBA: what shows through is the page, light or dark."""
    return np.column_stack([colours, np.rint(255.0 * np.clip(shares, 0.0, 1.0))]).astype(np.uint8)


def _image(pixels: npt.NDArray[np.uint8], grid: Grid, kind: str, alt: str) -> Html:
    lines = pixels.reshape(grid.rows, 4 * grid.columns)
    # Each line begins with the number of its filter; 0 is none.
    raw = np.hstack([np.zeros((grid.rows, 1), np.uint8), lines]).tobytes()
    header = struct.pack(">IIBBBBB", grid.columns, grid.rows, 8, 6, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw, 9)) + _chunk(b"IEND", b"")
    source = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode("ascii")
    return element("img", class_=f"pixels {kind}", src=source, alt=alt, width=grid.columns, height=grid.rows)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
