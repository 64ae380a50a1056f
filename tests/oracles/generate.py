"""Writes the committed tables: `python -m tests.oracles.generate`.

Inputs are hexadecimal floats, so they are exact. Results are decimal strings of 25 digits, six more than a
long double holds, and of its range: some lie far below the smallest float64.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracles import multiprecision as mp
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import FAMILIES, elementwise_inputs

TABLES = Path(__file__).parent / "tables"
DIGITS = 25
SEED = 20240229
Entry = dict[str, Any]

# Every option of cross_entropy with one value at which it matters, for 4 rows of 5 classes.
OPTIONS: dict[str, Any] = {
    "class_weight": [1.5, 0.25, 2.0, 1.0, 0.75],
    "sample_weight": [1.0, 0.5, 3.0, 2.0],
    "ignore_index": 2,
    "label_smoothing": 0.125,
    "temperature": 1.75,
    "softcap": 4.0,
    "z_loss": 0.0625,
    "where": [
        [True, True, True, True, True],
        [True, False, True, True, True],
        [True, True, True, True, False],
        [False, True, True, False, True],
    ],
    "reduction": "sum",
    "normalizer": "count",
}
LABELS = [0, 3, 2, 1]
PROBABILITIES = [
    [0.5, 0.25, 0.125, 0.125, 0.0],
    [0.0, 0.0, 0.75, 0.25, 0.0],
    [0.25, 0.25, 0.5, 0.0, 0.0],
    [0.0, 0.0, 0.25, 0.0, 0.75],
]


def exact_hex(values: NDArray) -> list[str]:
    return [re.sub(r"\.?0+p", "p", float(value).hex()) for value in values]


def from_hex(values: list[str], dtype: np.dtype) -> NDArray:
    return np.array([float.fromhex(value) for value in values], dtype=dtype)


def decimal(value: mp.Number) -> str:
    below_long_double = abs(value) < mp.ctx.mpf(10) ** -4900
    # Before mpmath 1.4 infinity has a sign of its own.
    return "0.0" if below_long_double else str(mp.ctx.nstr(value, DIGITS)).removeprefix("+")


def from_decimal(values: Any) -> NDArray[np.longdouble]:
    """A nested list of decimal strings as an array of long doubles."""
    return np.array(values, dtype=object).astype(np.longdouble)


def softmax_entry(x: list[str]) -> Entry:
    """Everything about one row; the labels are its first maximum, middle class and first minimum."""
    row = [float.fromhex(each) for each in x]
    labels = [row.index(max(row)), len(row) // 2, row.index(min(row))]
    return {
        "x": x,
        "softmax": [decimal(each) for each in mp.softmax(row)],
        "log_softmax": [decimal(each) for each in mp.log_softmax(row)],
        "logsumexp": decimal(mp.logsumexp(row)),
        "labels": labels,
        "loss": [decimal(mp.loss(row, label)) for label in labels],
        "target_gradient": [decimal(mp.target_gradient(row, label)) for label in labels],
    }


def sigmoid_entry(x: list[str]) -> Entry:
    arguments = [float.fromhex(each) for each in x]
    return {
        "x": x,
        "sigmoid": [decimal(mp.sigmoid(each)) for each in arguments],
        "log_sigmoid": [decimal(mp.log_sigmoid(each)) for each in arguments],
    }


def options_entry(logits: list[list[str]], labels: Any, options: Entry) -> Entry:
    rows = [[float.fromhex(each) for each in row] for row in logits]
    loss, gradient = mp.cross_entropy(mp.Problem(rows, labels, options))
    return {
        "logits": logits,
        "labels": labels,
        "options": options,
        "loss": decimal(loss),
        "gradient": [[decimal(each) for each in row] for row in gradient],
    }


def option_sets() -> list[tuple[Any, Entry]]:
    """No option, each alone and every pair that makes sense, for class indices and for probabilities."""
    chosen = [
        names
        for count in (0, 1, 2)
        for names in itertools.combinations(OPTIONS, count)
        if set(names) != {"reduction", "normalizer"}
    ]
    cases: list[tuple[Any, Entry]] = []
    for names in chosen:
        options = {name: OPTIONS[name] for name in names}
        cases.append((LABELS, options))
        if "ignore_index" not in names:
            cases.append((PROBABILITIES, options))
    return cases


def softmax_table(dtype: np.dtype) -> list[Entry]:
    rng = np.random.default_rng(SEED)
    return [
        {"family": name} | softmax_entry(exact_hex(family(rng, (1, length), dtype)[0]))
        for name, family in FAMILIES.items()
        for length in (2, 9, 33)
    ]


def sigmoid_table(dtype: np.dtype) -> list[Entry]:
    rng = np.random.default_rng(SEED)
    arguments = elementwise_inputs(rng, dtype)
    return [sigmoid_entry(exact_hex(rng.choice(arguments[np.isfinite(arguments)], 300)))]


def options_table() -> list[Entry]:
    rng = np.random.default_rng(SEED)
    logits = [exact_hex(row) for row in (3.0 * rng.standard_normal((4, 5))).astype(np.float32)]
    return [options_entry(logits, labels, options) for labels, options in option_sets()]


def tables() -> dict[str, list[Entry]]:
    built = {"cross_entropy_options": options_table()}
    for dtype in DTYPES:
        built[f"softmax_{dtype.name}"] = softmax_table(dtype)
        built[f"sigmoid_{dtype.name}"] = sigmoid_table(dtype)
    return built


def read(name: str) -> list[Entry]:
    entries: list[Entry] = json.loads((TABLES / f"{name}.json").read_text())
    return entries


def main() -> None:
    TABLES.mkdir(exist_ok=True)
    for name, entries in tables().items():
        lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
        (TABLES / f"{name}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
