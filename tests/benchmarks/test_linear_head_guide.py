"""The figures of the guide to the linear head are those of the file they are written from."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks._linear_head_guide import BEGIN, END, GUIDE, figures, main
from benchmarks._linear_head_plot import draw
from benchmarks._marked import with_written
from benchmarks._results import Report, Row, Spread
from benchmarks.linear_head_growth import MEMORY, SIZES


def exactly(value: float) -> Spread:
    return Spread(value, value, value, 1)


def times(rows: int, width: int, classes: int) -> Row:
    """A call of 2 s, the products of which take 1.6 s, and PyTorch 3 s."""
    floors = {"three products": exactly(1.6)}
    return Row(f"linear {rows} x {width} x {classes}", exactly(2.0), floors, {"PyTorch": exactly(3.0)})


def memory(rows: int, classes: int) -> Row:
    """1 MiB, where the logits take 8 and PyTorch 16."""
    floors, peers = {"logits": exactly(8.0 * 2**20)}, {"PyTorch": exactly(16.0 * 2**20)}
    return Row(f"memory of linear {rows} x {classes}", exactly(2.0**20), floors, peers, unit="B")


REPORT = Report(
    {"processor": "some processor"},
    {"softgrad": "0.1.0"},
    [],
    quick=False,
    seeds={"linear_head": 7, "linear_head_growth": 7},
    questions={
        "linear_head": [times(2048, 1024, 32_000)],
        "linear_head_growth": [*(times(*size) for size in dict.fromkeys(SIZES)), *(memory(*shape) for shape in MEMORY)],
    },
)


def cells(words: str, first: str) -> list[str]:
    line = next(line for line in words.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_tables() -> None:
    words = figures(REPORT)
    assert "some processor, softgrad 0.1.0" in words
    assert cells(words, "2,048 x 1,024 x 32,000")[1:] == ["2.00 s", "1.25x", "80 %", "1.50x"]
    assert cells(words, "1,024 x 262,144")[1:] == ["8.00 MiB", "1.00 MiB", "12.5 %", "16.0 MiB"]


def test_they_stand_between_the_marks_of_the_guide() -> None:
    written = with_written(f"before\n{BEGIN}\nold\n{END}\nafter\n", BEGIN, END, figures(REPORT))
    assert written == f"before\n{BEGIN}\n{figures(REPORT)}{END}\nafter\n"
    assert figures(REPORT) in with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, figures(REPORT))
    with pytest.raises(ValueError, match="figures: begin"):
        with_written("nothing", BEGIN, END, figures(REPORT))


def test_the_plot_has_every_curve() -> None:
    of_time, *_, of_memory = draw(REPORT).axes
    classes = sorted({classes for *others, classes in SIZES if others == [512, 256]})
    assert [list(line.get_xdata()) for line in of_time.get_lines()] == [classes] * 3
    rows = sorted({rows for rows, classes in MEMORY if classes == 32_768})
    assert [list(line.get_xdata()) for line in of_memory.get_lines()] == [rows] * 3
    assert list(of_memory.get_lines()[0].get_ydata()) == [1.0] * len(rows)


def test_a_quick_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, before = tmp_path / "figures.json", GUIDE.read_bytes()
    Report(REPORT.machine, REPORT.versions, [], True, 7, REPORT.questions).save(file)
    monkeypatch.setattr("sys.argv", ["guide", "--json", str(file)])
    with pytest.raises(ValueError, match="quick run"):
        main()
    assert GUIDE.read_bytes() == before
