"""Measures one library in a process of its own: `python -m benchmarks._accuracy_measure LIBRARY SEED`.

Prints one JSON object: the worst errors by dtype, quantity and column, and the number of values measured. An error is
a number of ulp, or "lost" where a result has no correct digit, or "inf".
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._accuracy_cases import (
    DTYPES,
    ELEMENT_QUANTITIES,
    QUANTITIES,
    ROW_QUANTITIES,
    Case,
    cases,
    error_in_ulp,
    lost_digits,
)
from benchmarks._accuracy_libraries import LOADERS, Library, load


def results(library: Library, case: Case) -> dict[str, NDArray[Any]]:
    """What the library gives for a case, by quantity."""
    names = ELEMENT_QUANTITIES if case.x.ndim == 1 else ROW_QUANTITIES + ELEMENT_QUANTITIES
    found = {name: np.asarray(library.functions[name](case.x)) for name in names}
    if library.value_and_gradient and case.labels:
        pairs = [library.value_and_gradient(case.x, labels) for labels in case.labels]
        found["loss"] = np.stack([losses for losses, _ in pairs])
        gradients = [gradient for _, gradient in pairs]
        for part in ("gradient at target", "gradient elsewhere"):
            found[part] = case.part(part, gradients)
    return found


def measure(library: Library, seed: int) -> dict[str, object]:
    worst: dict[str, dict[str, dict[str, float | str]]] = {
        dtype: {quantity: {} for quantity in QUANTITIES} for dtype in DTYPES
    }
    values = 0
    for name, dtype in DTYPES.items():
        for case in cases(dtype, seed):
            for quantity, actual in results(library, case).items():
                expected = case.expected(quantity)
                rounded = actual.astype(case.result_dtype(quantity), copy=False)
                error = error_in_ulp(rounded, expected, case.scale(quantity, expected))
                cell = worst[name][quantity]
                if error == math.inf:
                    cell[case.column] = "inf"
                elif quantity != "logsumexp" and lost_digits(rounded, expected) and cell.get(case.column) != "inf":
                    cell[case.column] = "lost"
                elif not isinstance(cell.get(case.column), str):
                    cell[case.column] = max(cell.get(case.column, 0.0), error)
                values += actual.size
    return {"worst": worst, "values": values}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", metavar="LIBRARY", choices=LOADERS)
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    print(json.dumps(measure(load(arguments.name), arguments.seed)))


if __name__ == "__main__":
    main()
