"""Arrays of zero sum over the classes, the first axis: what all classes have in common changes no probability."""

from __future__ import annotations

import scipy.linalg

from softgrad.linear_model._data._rows import Array


def zero_sum_basis(classes: int) -> Array:
    """Orthonormal columns that span the vectors of zero sum, (classes, classes - 1)."""
    basis: Array = scipy.linalg.helmert(classes).T
    return basis


def centre(values: Array) -> Array:
    """The values, less their mean over the classes, the first axis."""
    values -= values.sum(axis=0) / len(values)
    return values


def centred(values: Array) -> Array:
    """A copy of the values less their mean over the classes."""
    return centre(values.copy())
