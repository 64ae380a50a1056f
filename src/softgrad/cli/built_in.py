"""The data sets that come with scikit-learn, from its files: to import it takes longer than to train on them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv


class _DataSet(NamedTuple):
    """A file, the names of its columns besides the last, and of the classes whose numbers that one holds."""

    file: str
    features: tuple[str, ...]
    classes: tuple[str, ...]


_DATA_SETS = {
    # The digits are named by themselves.
    "digits": _DataSet("digits.csv.gz", tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)), ()),
    "iris": _DataSet(
        "iris.csv",
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        ("setosa", "versicolor", "virginica"),
    ),
    "wine": _DataSet(
        "wine_data.csv",
        (
            "alcohol",
            "malic_acid",
            "ash",
            "alcalinity_of_ash",
            "magnesium",
            "total_phenols",
            "flavanoids",
            "nonflavanoid_phenols",
            "proanthocyanins",
            "color_intensity",
            "hue",
            "od280/od315_of_diluted_wines",
            "proline",
        ),
        ("class_0", "class_1", "class_2"),
    ),
}

BUILT_IN = tuple(_DATA_SETS)


def built_in(name: str, target: str) -> pa.RecordBatch:
    """The features as float64, and last the target: names of classes, or whole numbers where they have none."""
    data_set = _DATA_SETS[name]
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    table = pyarrow.csv.read_csv(
        Path(found.origin).parent / "datasets" / "data" / data_set.file,
        read_options=pyarrow.csv.ReadOptions(
            column_names=[*data_set.features, target],
            # The line before the rows has their number and the classes.
            skip_rows=1 if data_set.classes else 0,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={
                **dict.fromkeys(data_set.features, pa.float64()),
                target: pa.string() if data_set.classes else pa.int64(),
            }
        ),
    )
    labels = table[target]
    for code, label in enumerate(data_set.classes):
        labels = pc.replace_substring_regex(labels, f"^{code}$", label)
    return table.set_column(len(data_set.features), target, labels).combine_chunks().to_batches()[0]
