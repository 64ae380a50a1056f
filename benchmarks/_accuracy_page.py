"""docs/accuracy.md from what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import _accuracy_text as text
from benchmarks._accuracy_cases import COLUMNS, DTYPES, EVERY_MAGNITUDE, QUANTITIES, SHAPES
from benchmarks._tables import paragraph

Error = float | str
Worst = Mapping[str, Mapping[str, Mapping[str, Error]]]  # dtype, quantity, column

_OF_LOSS = {"float64": 3.0, "float32": 2.0, "float16": 2.0, "bfloat16": 2.0}
_OF_GRADIENT = {"float64": 4.0, "float32": 3.0, "float16": 1.0, "bfloat16": 1.0}
_OF_PROBABILITIES = {"float64": 3.0, "float32": 2.0, "float16": 1.0, "bfloat16": 1.0}
BOUNDS = {
    "softmax": _OF_PROBABILITIES,
    "log_softmax": _OF_PROBABILITIES,
    "logsumexp": dict.fromkeys(DTYPES, 1.0),
    "sigmoid": _OF_PROBABILITIES,
    "log_sigmoid": _OF_PROBABILITIES,
    "loss": _OF_LOSS,
    "gradient at target": _OF_GRADIENT,
    "gradient elsewhere": _OF_GRADIENT,
}


@dataclass(frozen=True)
class Measurement:
    """What was measured: softgrad by instruction set, peers by name with their version, peers that are missing."""

    seed: int
    machine: str
    values: int
    softgrad: Mapping[str, Worst]
    peers: Mapping[str, Worst]
    missing: Sequence[str]


def size(error: Error) -> float:
    """To compare errors by: a number of ulp, then `lost`, then `inf`."""
    if isinstance(error, str):
        return {"lost": 1e300, "inf": math.inf}[error]
    return error


def shown(error: Error | None, bound: float = math.inf) -> str:
    if error is None:
        return "-"
    if isinstance(error, str):
        figure = error
    elif error < 100:
        # Upwards: what is beyond a bound must not look as if it were on it.
        figure = f"{math.ceil(error * 100 - 1e-6) / 100:.2f}"
    else:
        figure = f"{error:.0f}" if error < 10_000 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"**{figure}**" if size(error) > bound else figure


def worst_of(errors: Iterable[Error]) -> Error | None:
    return max(errors, key=size, default=None)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def beyond(measurement: Measurement) -> list[str]:
    """What is beyond its bound, in words."""
    found = []
    for name, worst in measurement.softgrad.items():
        for quantity in QUANTITIES:
            for dtype in DTYPES:
                bound = BOUNDS[quantity][dtype]
                cells = {column: e for column, e in worst[dtype][quantity].items() if size(e) > bound}
                found += [f"{quantity}, {dtype}, {name}, {c}: {shown(e)} for {bound:g}" for c, e in cells.items()]
    return found


def _overview(measurement: Measurement) -> str:
    libraries = measurement.softgrad | measurement.peers
    header = ["result", "dtype", "bound", *measurement.softgrad, *measurement.peers]
    rows = []
    for quantity in QUANTITIES:
        for dtype in DTYPES:
            bound = BOUNDS[quantity][dtype]
            worst = [worst_of(each[dtype][quantity].values()) for each in libraries.values()]
            rows.append([quantity, dtype, f"{bound:g}", *(shown(error, bound) for error in worst)])
    return table(header, rows)


def _alike(softgrad: Mapping[str, Worst]) -> dict[str, Worst]:
    """Instruction sets with the same figures under one name."""
    groups: list[tuple[list[str], Worst]] = []
    for name, worst in softgrad.items():
        for names, other in groups:
            if other == worst:
                names.append(name)
                break
        else:
            groups.append(([name], worst))
    return {" and ".join(names): worst for names, worst in groups}


def _by_family(libraries: Mapping[str, Worst], dtypes: Iterable[str]) -> str:
    rows = []
    for dtype in dtypes:
        for quantity in QUANTITIES:
            bound = BOUNDS[quantity][dtype]
            cells = []
            for column in COLUMNS:
                figures = [shown(each[dtype][quantity].get(column), bound) for each in libraries.values()]
                cells.append(figures[0] if len(set(figures)) == 1 else " / ".join(figures))
            rows.append([f"{quantity}, {dtype}", *cells])
    return table(["", *COLUMNS], rows)


def _verdict(measurement: Measurement) -> str:
    found = beyond(measurement)
    if not found:
        return "Nothing of softgrad's is beyond its bound."
    return "Beyond its bound:\n\n" + "\n".join(f"- {line}" for line in found)


def page(measurement: Measurement, scipy_exceptions: Mapping[str, str]) -> str:
    missing = f" Not installed and left out: {', '.join(measurement.missing)}." if measurement.missing else ""
    head = text.HEAD.format(
        seed=measurement.seed,
        machine=measurement.machine,
        values=measurement.values,
        lengths=", ".join(str(classes) for _, classes in SHAPES),
        missing=missing,
        verdict=_verdict(measurement),
    )
    groups = _alike(measurement.softgrad)
    parts = [head, "\n", _overview(measurement)]
    parts += [text.BY_FAMILY.format(sets=" / ".join(groups), every=EVERY_MAGNITUDE), "\n", _by_family(groups, DTYPES)]
    if measurement.peers:
        peers = text.PEERS_BY_FAMILY.format(peers=" / ".join(measurement.peers))
        parts += [peers, "\n", _by_family(measurement.peers, ("float64", "float32"))]
    parts += [text.BOUNDS_KEPT, text.SAME_BITS, text.SCIPY, "\n"]
    for reason in dict.fromkeys(scipy_exceptions.values()):
        tests = [f"`{test}`" for test, why in scipy_exceptions.items() if why == reason]
        parts.append(paragraph(f"- {reason}: {', '.join(tests)}"))
    return "".join(parts)
