"""What the columns of a table are for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from softgrad.linear_model._data._column_types import check_indices_type, check_labels_type, check_numbers_type
from softgrad.linear_model._data._fields import Field
from softgrad.linear_model._data._target import Target, target_names


class Layout(NamedTuple):
    """Which columns are features, row weights, and probabilities of the classes if rows have no labels.

    indices : the column of the features that each row has, where rows are sparse; it is the only one of features.
    classes : those that there are probabilities of. dtype : of the features.
    """

    features: list[Field]
    indices: Field | None
    weights: list[Field]
    probabilities: list[Field]
    classes: list[Any]
    dtype: np.dtype[Any]

    @classmethod
    def of(
        cls,
        fields: list[Field],
        target: Target,
        sample_weight: str | None,
        indices: str | None,
        *,
        source: str,
        typed: bool,
    ) -> Layout:
        """The columns of a source, as messages call it; `typed` says that their types tell what they hold.

        Raises
        ------
        ValueError, TypeError
            A column is missing, or what it holds is not for its use.
        """
        import pyarrow as pa

        names = [field.name for field in fields]
        wanted = [("target", name) for name in target_names(target)]
        wanted += [
            (role, name) for role, name in (("sample_weight", sample_weight), ("indices", indices)) if name is not None
        ]
        for role, name in wanted:
            if names.count(name) != 1:
                raise ValueError(
                    f"{role} {name!r} is {'no column' if name not in names else 'several columns'} of {source}; "
                    f"its columns are {', '.join(map(repr, names))}"
                )
        of_role = {name: fields[names.index(name)] for _, name in wanted}
        # Those of one name are told apart by their number alone.
        features = [field for field in fields if field.name not in of_role]
        if indices is not None:
            lists = of_role[indices]
            check_indices_type(lists.title, lists.type, lists.kind if len(lists.shape) == 1 else None)
            if features:
                raise ValueError(
                    f"{features[0].title} is beside {indices!r}, which has all features of a row; leave it out"
                )
        weights = [] if sample_weight is None else [of_role[sample_weight]]
        probabilities, classes = _probabilities(of_role, target)
        if typed:
            for field in features:
                check_numbers_type(field.title, field.type, field.kind)
            for field in weights if isinstance(target, str) else [*weights, *probabilities]:
                check_numbers_type(field.title, field.type, field.type if field.shape else field.kind)
        single = bool(features) and all(field.kind == pa.float32() for field in features)
        return cls(
            features,
            None if indices is None else of_role[indices],
            weights,
            probabilities,
            classes,
            np.dtype(np.float32 if single else np.float64),
        )


def _probabilities(of_role: dict[str, Field], target: Target) -> tuple[list[Field], list[Any]]:
    """The columns of probabilities, and of which classes; none where the target is a column of labels."""
    if not isinstance(target, str):
        return [of_role[name] for name in target], list(target)
    field = of_role[target]
    if not field.shape:
        check_labels_type(field.title, field.type, field.kind)
        return [], []
    check_numbers_type(field.title, field.type, field.kind)
    if len(field.shape) != 1 or field.width < 2:
        raise ValueError(
            f"{field.title} holds lists of shape {field.shape}; a list of probabilities has one for each of 2 "
            f"classes or more"
        )
    return [field], list(range(field.width))
