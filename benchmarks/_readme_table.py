"""The table of README.md: what one decides by, with what else could be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks._marked import with_written
from benchmarks._results import Report, Row, digits, quantity
from benchmarks._tables import aligned, paragraph

BEGIN = "<!-- speed: begin, written by python -m benchmarks --write -->"
END = "<!-- speed: end -->"
# A classifier, the head of a language model, an array, one small call, and what holds no logits.
WORKS = (
    "cross_entropy.value_and_grad 1024 x 1000",
    "cross_entropy.value_and_grad 1024 x 128256",
    "softmax 1024 x 32000",
    "softmax 1 x 10",
    "linear_cross_entropy.value_and_grad 2048 x 1024 x 32000",
)
# Of several peers in a column the fastest counts.
COLUMNS: Mapping[str, Sequence[str]] = {"PyTorch": ("PyTorch",), "JAX": ("JAX",), "SciPy/NumPy": ("SciPy", "NumPy")}
_NOTE = (
    "The time of softgrad, and how many times that time the others take; of SciPy and NumPy the faster counts. "
    "float32, {}. [docs/performance.md](docs/performance.md) has all figures, with the goals that are missed."
)


def _of_fastest(row: Row, peers: Sequence[str]) -> str:
    measured = [row.of_peer(name) for name in peers if name in row.peers]
    return f"{digits(min(measured))}x" if measured else "-"


def table(report: Report) -> str:
    """The rows of `WORKS`.

    Raises
    ------
    ValueError
        One of them was not measured.
    """
    by_work = {row.work: row for rows in report.questions.values() for row in rows}
    missing = [work for work in WORKS if work not in by_work]
    if missing:
        raise ValueError(f"no figures of {', '.join(missing)}, for the table of the README")
    lines = [
        [work, quantity(row.softgrad.median, row.unit), *(_of_fastest(row, peers) for peers in COLUMNS.values())]
        for work, row in ((work, by_work[work]) for work in WORKS)
    ]
    return aligned(["work", "softgrad", *COLUMNS], lines)


def readme_with(readme: str, report: Report) -> str:
    """The README with what stands between its two marks written anew."""
    note = paragraph(_NOTE.format(report.conditions))
    return with_written(readme, BEGIN, END, f"{note}\n{table(report)}")
