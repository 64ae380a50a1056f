"""The table of the READMEs: what one decides by, with what else could be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
# The head of the table and the parts of a machine; what else stands beside the figures are names.
_IN_CHINESE = {
    "work": "任务",
    "processor": "处理器",
    "cores used": "使用的核数",
    "last level of cache": "末级缓存",
    "instruction set": "指令集",
    "system": "操作系统",
    "Python": "Python",
}


@dataclass(frozen=True)
class Language:
    """What a README says around the figures, and its words for those of `_IN_CHINESE`."""

    note: str
    comma: str
    words: Mapping[str, str]

    def word(self, english: str) -> str:
        if english not in self.words:
            raise ValueError(f"{english!r} has no word in _IN_CHINESE, for the table of the READMEs")
        return self.words[english]

    def conditions(self, report: Report) -> str:
        machine = {self.word(what): words for what, words in report.machine.items()}
        return self.comma.join(replace(report, machine=machine).facts)


ENGLISH = Language(
    "The time of softgrad, and how many times that time the others take; of SciPy and NumPy the faster counts. "
    "float32, {}. [docs/performance.md](docs/performance.md) has all figures, with the goals that are missed.",
    ", ",
    {word: word for word in _IN_CHINESE},
)
CHINESE = Language(
    "表中是 softgrad 的用时，以及其他库的用时为它的多少倍；SciPy 与 NumPy 取较快者。"
    "float32，{}。[docs/performance.md](docs/performance.md) 列出了全部数据，以及没有达到的目标。",
    "，",
    _IN_CHINESE,
)
READMES: Mapping[str, Language] = {"README.md": ENGLISH, "README.zh-CN.md": CHINESE}


def _of_fastest(row: Row, peers: Sequence[str]) -> str:
    measured = [row.of_peer(name) for name in peers if name in row.peers]
    return f"{digits(min(measured))}x" if measured else "-"


def table(report: Report, language: Language) -> str:
    """The rows of `WORKS`.

    Raises
    ------
    ValueError
        One of them was not measured.
    """
    by_work = {row.work: row for rows in report.questions.values() for row in rows}
    missing = [work for work in WORKS if work not in by_work]
    if missing:
        raise ValueError(f"no figures of {', '.join(missing)}, for the table of the READMEs")
    lines = [
        [work, quantity(row.softgrad.median, row.unit), *(_of_fastest(row, peers) for peers in COLUMNS.values())]
        for work, row in ((work, by_work[work]) for work in WORKS)
    ]
    return aligned([language.word("work"), "softgrad", *COLUMNS], lines)


def readme_with(readme: str, report: Report, language: Language) -> str:
    """The README with what stands between its two marks written anew."""
    note = paragraph(language.note.format(language.conditions(report)))
    return with_written(readme, BEGIN, END, f"{note}\n{table(report, language)}")
