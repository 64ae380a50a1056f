"""Which columns say what the rows are: one of labels, or one for each class, of its probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Target = str | tuple[str, ...]


def checked_target(target: str | Sequence[str] | None, sample_weight: str | None, indices: str | None) -> Target | None:
    """The name of a column, or the names of several, none of which is for the weights or the indices.

    Raises
    ------
    TypeError, ValueError
        They are no names, or are too few or not distinct; or one column is for two things.
    """
    checked = target if target is None or isinstance(target, str) else _several(target)
    taken: dict[str, str] = {} if checked is None else dict.fromkeys(target_names(checked), "target")
    for role, name in (("sample_weight", sample_weight), ("indices", indices)):
        if name is None:
            continue
        if not isinstance(name, str):
            raise TypeError(f"{role} is {name!r}; it must be the name of a column")
        if (other := taken.setdefault(name, role)) != role:
            raise ValueError(f"{other} and {role} both name the column {name!r}; each needs one of its own")
    return checked


def target_names(target: Target) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else target


def _several(target: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(target, Sequence) or not all(isinstance(name, str) for name in target):
        raise TypeError(f"target is {target!r}; it must be the name of a column, or those of a column for each class")
    if len(target) < 2:
        raise ValueError(f"target is {target!r}; there must be a column of probabilities for each of 2 classes or more")
    repeated = [name for name, count in Counter(target).items() if count > 1]
    if repeated:
        raise ValueError(f"target names the column {repeated[0]!r} twice")
    return tuple(target)
