"""The rows to train on and the rows to test with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from softgrad.cli.errors import UserError, listing
from softgrad.cli.tables import IntArray
from softgrad.cli.targets import Classes


@dataclass(frozen=True)
class Split:
    """Row numbers, ascending; `singles` counts the classes of one row, which cannot be in both parts."""

    train: IntArray
    test: IntArray
    singles: int


def stratified(codes: IntArray, classes: Classes, fraction: float, seed: int) -> Split:
    """Split the rows so that each class has about the same share in both parts.

    The only row of a class goes to the training part. With a fraction of 0 there is no test part.

    Raises
    ------
    UserError
        If a part would have fewer rows than there are classes, or a class would have no row to train on.
    """
    if fraction == 0.0:
        return Split(np.arange(len(codes)), np.arange(0), 0)
    counts = np.bincount(codes, minlength=len(classes.labels))
    single = counts[codes] == 1
    rows = np.flatnonzero(~single)
    try:
        train, test = train_test_split(rows, test_size=fraction, random_state=seed, shuffle=True, stratify=codes[rows])
    except ValueError as error:
        raise UserError(f"cannot split {len(rows)} rows with --test-fraction {fraction}: {error}") from None
    train = np.sort(np.concatenate([train, np.flatnonzero(single)]))
    absent = np.setdiff1d(np.arange(len(classes.labels)), codes[train])
    if absent.size:
        names = listing(repr(classes.names[code]) for code in absent)
        raise UserError(f"--test-fraction {fraction} leaves no row to train on for the classes {names}")
    return Split(train.astype(np.int64), np.sort(test).astype(np.int64), int(single.sum()))
