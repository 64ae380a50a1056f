"""A function at one shape, as the question about shapes asks for it and as its rows are named."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORK = re.compile(r"(.+) (\d+) x (\d+), (\d+ [KM]B)")


@dataclass(frozen=True)
class Point:
    function: str
    rows: int
    classes: int
    # In words; a row of many classes may be larger.
    size: str

    @property
    def work(self) -> str:
        return f"{self.function} {self.rows} x {self.classes}, {self.size}"

    @classmethod
    def of(cls, work: str) -> Point:
        found = _WORK.fullmatch(work)
        if found is None:
            raise ValueError(f"{work!r} names no function at a shape, as 'softmax 100 x 10, 4 KB' does")
        function, rows, classes, size = found.groups()
        return cls(function, int(rows), int(classes), size)
