"""Which columns say what the rows are: one of labels, or one for each class, of its probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Target = str | tuple[str, ...]


def checked_target(target: str | Sequence[str] | None) -> Target | None:
    """The name of a column, or the names of several.

    Raises
    ------
    TypeError, ValueError
        They are no names, or are too few or not distinct.
    """
    if target is None or isinstance(target, str):
        return target
    if not isinstance(target, Sequence) or not all(isinstance(name, str) for name in target):
        raise TypeError(f"target is {target!r}; it must be the name of a column, or those of a column for each class")
    if len(target) < 2:
        raise ValueError(f"target is {target!r}; there must be a column of probabilities for each of 2 classes or more")
    repeated = [name for name, count in Counter(target).items() if count > 1]
    if repeated:
        raise ValueError(f"target names the column {repeated[0]!r} twice")
    return tuple(target)


def target_names(target: Target) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else target
