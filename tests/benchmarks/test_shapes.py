"""The question about shapes: what it asks of a library is checked, and its tables and picture are of its rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import _shapes_work, _worker_process, shapes
from benchmarks._peers import Peer
from benchmarks._results import Report, Row, Spread
from benchmarks._shapes_page import page
from benchmarks._shapes_plot import SIZE, draw
from benchmarks._shapes_point import Point
from benchmarks._shapes_work import Work, rows_of, softgrad
from benchmarks._svg import save
from benchmarks._tables import results, tables
from benchmarks.shapes import CLASSES, GOALS, SIZES

from softgrad import reference
from tests.benchmarks.test_results import REPORT, ROW
from tests.oracles.bounds import EPS

F32 = np.float32
RIGHT: dict[str, Callable[..., Any]] = {
    "softmax": lambda x, _out, *, axis: reference.softmax(x, axis=axis).astype(F32),
    "log_softmax": lambda x, _out, *, axis: reference.log_softmax(x, axis=axis).astype(F32),
    "logsumexp": lambda x, _out, *, axis: reference.logsumexp(x, axis=axis).astype(F32),
    "cross_entropy": lambda x, labels, *, axis: F32(reference.cross_entropy(x, labels, axis=axis)),
    "cross_entropy.value_and_grad": lambda x, labels, *, axis: (
        F32(reference.cross_entropy(x, labels, axis=axis)),
        reference.cross_entropy_grad(x, labels, axis=axis).astype(F32),
    ),
    "softmax.vjp, output": lambda p, g, _out, *, axis: (
        p * (g - np.sum(p * g, axis, np.float64, keepdims=True)).astype(F32)
    ),
    "log_softmax.vjp, output": lambda y, g, _out, *, axis: (
        g - np.exp(y.astype(np.float64)) * np.sum(g, axis, np.float64, keepdims=True)
    ).astype(F32),
}
functions = pytest.mark.parametrize("function", GOALS)


def work(function: str, call: Callable[..., Any]) -> Work:
    """Twenty rows of five classes, of which ten are drawn."""
    return Work("some library", Peer({function: call}), function, 100, 5, 7)


@pytest.fixture(autouse=True)
def few_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    _shapes_work._blocks.cache_clear()
    monkeypatch.setattr(_shapes_work, "_MOST_DRAWN", 50)


def changed(result: Any, change: Callable[[Any], Any]) -> Any:
    """The loss as it is, if the result has a gradient too."""
    return (result[0], change(result[1])) if isinstance(result, tuple) else change(result)


def test_every_function_is_asked_of_softgrad() -> None:
    assert set(softgrad().functions) == set(GOALS) == set(RIGHT)


@functions
def test_a_right_result_passes_and_its_error_is_that_of_rounding(function: str) -> None:
    """Results of float64 that are rounded once; a product, of rounded arguments that may cancel."""
    right = work(function, RIGHT[function])
    right.check()
    assert 0.0 < right.error() <= (3.0 if "output" in function else 0.51)


@functions
@pytest.mark.parametrize(
    "change",
    [np.zeros_like, lambda array: F32(1.001) * array, lambda array: np.full_like(array, np.nan)],
    ids=["zeros", "a thousandth more", "nan"],
)
def test_a_wrong_result_is_seen(function: str, change: Callable[[Any], Any]) -> None:
    wrong = work(function, lambda *arrays, axis: changed(RIGHT[function](*arrays, axis=axis), change))
    with pytest.raises(AssertionError, match="is right"):
        wrong.check()


@pytest.mark.parametrize("function", sorted(set(GOALS) - {"cross_entropy"}))
def test_a_result_without_the_last_rows_is_seen(function: str) -> None:
    def half(array: Any) -> Any:
        return np.concatenate([array[:10], np.zeros_like(array[10:])])

    with pytest.raises(AssertionError, match="is right"):
        work(function, lambda *arrays, axis: changed(RIGHT[function](*arrays, axis=axis), half)).check()
    with pytest.raises(AssertionError, match="the result has 10 rows, not 20"):
        work(function, lambda *arrays, axis: changed(RIGHT[function](*arrays, axis=axis), lambda a: a[:10])).check()


@functions
def test_an_error_of_many_ulp_is_counted(function: str) -> None:
    def away(array: Any) -> Any:
        return (array * (1.0 + 64 * np.finfo(F32).eps)).astype(F32)

    error = work(function, lambda *arrays, axis: changed(RIGHT[function](*arrays, axis=axis), away)).error()
    # Relative to a value just above or just below a power of two; what cancels is smaller than the terms.
    assert (16.0 if "output" in function or function == "logsumexp" else 63.0) <= error <= 131.0


def test_rows_are_about_as_many_as_the_entries_allow() -> None:
    assert rows_of(50, 5) == 10
    assert rows_of(500, 5) == 100
    assert rows_of(500, 32_000) == 10
    assert rows_of(20, 32_000) == 1


def test_a_work_is_a_point() -> None:
    point = Point("softmax.vjp, output", 1000, 3, "12 MB")
    assert point.work == "softmax.vjp, output 1000 x 3, 12 MB"
    assert Point.of(point.work) == point
    with pytest.raises(ValueError, match="'softmax 100 x 10' names no function at a shape"):
        Point.of("softmax 100 x 10")


class Told:
    """In place of a library's process: turns that are known, and an error."""

    def __init__(self, turns: list[list[float]], order: list[str], name: str, seconds: float = 0.0) -> None:
        self.turns, self.order, self.name, self.seconds = iter(turns), order, name, seconds

    def tell(self, *task: Any) -> None:
        assert task == ("prepare", "softmax", 100, 5, 7)

    def answer(self) -> None:
        pass

    def asked(self, task: str) -> Any:
        self.order.append(f"{self.name} {task}")
        time.sleep(self.seconds)
        return next(self.turns) if task == "take_turn" else 4.5


def told(order: list[str], **seconds: float) -> dict[str, Any]:
    """softgrad takes 2, PyTorch 1 and JAX 3 in their best turns."""
    turns = {
        "softgrad": [[9.0, 3.0, 3.0], [2.0, 2.0, 7.0], [4.0]],
        "PyTorch": [[1.0], [8.0], [8.0]],
        "JAX": [[5.0], [5.0], [3.0]],
    }
    return {name: Told(of_one, order, name, seconds.get(name, 0.0)) for name, of_one in turns.items()}


def test_libraries_take_turns_and_the_least_median_counts() -> None:
    order: list[str] = []
    row = shapes._row(told(order), "softmax", ("4 KB", 100), 5, 7)
    assert row.work == "softmax 20 x 5, 4 KB"
    assert (row.softgrad.median, row.peers["PyTorch"].median, row.peers["JAX"].median) == (2.0, 1.0, 3.0)
    assert row.softgrad.third_quartile == 4.5
    turns = ["softgrad take_turn", "PyTorch take_turn", "JAX take_turn"]
    assert order[:9] == turns + turns[1:] + turns[:1] + turns[2:] + turns[:2]
    # Of who is ahead, and of softgrad beside it.
    assert order[9:] == ["softgrad error", "PyTorch error"]
    assert row.errors == {"softgrad": 4.5, "PyTorch": 4.5}


def test_who_takes_long_has_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_worker_process, "_ENOUGH_SECONDS", 0.01)
    order: list[str] = []
    row = shapes._row(told(order, JAX=0.02), "softmax", ("4 KB", 100), 5, 7)
    assert order.count("JAX take_turn") == 1
    assert row.peers["JAX"].median == 5.0


def exactly(value: float) -> Spread:
    return Spread(value, value, value, 1)


def row(point: Point, seconds: float = 3e-3, **fields: Any) -> Row:
    """PyTorch takes 0.8 times what softgrad does, JAX 2 times."""
    peers = {"PyTorch": exactly(0.8 * seconds), "JAX": exactly(2.0 * seconds)}
    return Row(point.work, exactly(seconds), {}, peers, at_least=GOALS[point.function], **fields)


MISSED = row(Point("softmax", 1000, 3, "12 MB"), errors={"softgrad": 0.75, "PyTorch": 4.5})
OTHER = Row(
    "softmax.vjp, output 10 x 300, 64 KB", exactly(1.5e-6), {}, {"PyTorch": exactly(3e-6)}, at_least={"PyTorch": 1.0}
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_tables_have_a_line_for_each_number_of_classes() -> None:
    words = tables("shapes", [MISSED, OTHER])
    assert "in brackets how many times that PyTorch and JAX take" in words
    _, large, small, missed = words.split("\n### ")
    assert large.startswith("12 MB\n")
    assert [cells(line) for line in large.splitlines() if line.startswith("|")][::2] == [
        ["classes", "softmax"],
        ["3", "3.00 ms (**0.80x**, 2.00x)"],
    ]
    assert cells(small.strip().splitlines()[-1]) == ["300", "1.50 us (2.00x, -)"]
    assert cells(missed.splitlines()[-1]) == [
        "softmax 1000 x 3, 12 MB",
        "PyTorch >= 1x",
        "0.80x",
        "4.50 ulp",
        "0.75 ulp",
    ]
    assert "### Where a goal is missed" not in tables("shapes", [OTHER])


def test_other_questions_have_a_line_for_each_row() -> None:
    assert tables("softmax", [MISSED, OTHER]) == results([MISSED, OTHER])


def test_errors_come_back_from_a_file(tmp_path: Path) -> None:
    report = Report({}, {}, [], False, {"shapes": 7}, {"shapes": [MISSED, OTHER]})
    report.save(tmp_path / "figures.json")
    assert Report.load(tmp_path / "figures.json") == report


def all_rows() -> list[Row]:
    """An entry takes softgrad 2 ns."""
    points = [
        Point(function, rows_of(entries, classes), classes, size)
        for size, entries in SIZES.items()
        for classes in CLASSES
        for function in GOALS
    ]
    return [row(point, 2e-9 * point.rows * point.classes) for point in points]


def test_the_picture_has_a_panel_for_each_function_and_a_line_for_each_library() -> None:
    panels = [axes for axes in draw(all_rows()).axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == list(GOALS)
    for axes in panels:
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert list(lines) == ["softgrad", "PyTorch", "JAX"]
        for name, expected in (("softgrad", 2.0), ("PyTorch", 1.6), ("JAX", 4.0)):
            assert list(lines[name].get_xdata()) == list(CLASSES)
            np.testing.assert_allclose(lines[name].get_ydata(), expected, rtol=8 * EPS)


def test_the_picture_is_small_and_the_same_for_the_same_rows(tmp_path: Path) -> None:
    for name in ("first", "second"):
        save(draw(all_rows()), tmp_path / name)
    picture = (tmp_path / "first").read_text()
    assert picture == (tmp_path / "second").read_text()
    assert len(picture) < 100_000
    assert "<script" not in picture


def test_a_picture_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=f"no row is of an array of {SIZE}"):
        draw([OTHER])


def test_the_page_names_its_run_and_shows_the_picture() -> None:
    row = replace(ROW, work="softmax 1000000 x 3, 12 MB", errors={"softgrad": 1.0, "PyTorch": 20.0})
    words = page(replace(REPORT, seeds={"shapes": 7}, questions={"shapes": [row]}))
    assert "some processor" in words
    assert "shapes --seed 7" in words
    assert "](performance-shapes.svg)" in words
    assert "20.0 ulp" in words
    assert all(len(line) <= 120 for line in words.splitlines() if not line.startswith("|"))
