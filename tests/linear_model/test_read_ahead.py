"""Files are read one piece ahead by a thread, with the same results; what others make is made where they call."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces, _typed_file
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_ahead import read_ahead
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("softgrad-read-ahead")]


def settled(condition: Any) -> bool:
    """Whether it holds within a second."""
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.001)
    return False


class Source:
    """Numbers from 0 up, one of which may fail; remembers how many were made, and by which thread."""

    def __init__(self, count: int, fails_at: int = -1) -> None:
        self.count, self.fails_at = count, fails_at
        self.made = 0
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.threads.add(threading.current_thread())
            if number == self.fails_at:
                raise RuntimeError("the disk is gone")
            self.made += 1
            yield number


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_the_same_items(count: int) -> None:
    source = Source(count)
    assert list(read_ahead(source)) == list(range(count))
    assert threading.current_thread() not in source.threads
    assert not readers()


def test_one_item_is_made_ahead_and_no_more() -> None:
    source = Source(20)
    for number in read_ahead(source):
        ahead = min(number + 2, 20)
        assert settled(lambda ahead=ahead: source.made == ahead)
        time.sleep(0.002)
        assert source.made == ahead


def test_an_error_comes_where_its_item_would() -> None:
    items = read_ahead(Source(5, fails_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="the disk is gone"):
        next(items)
    assert not readers()


def test_the_thread_ends_when_nobody_wants_more() -> None:
    source = Source(1000)
    items = read_ahead(source)
    next(items)
    assert len(readers()) == 1
    items.close()
    assert not readers()
    assert source.made <= 3


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is read in a dozen pieces."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(_typed_file, "_BATCH_BYTES", 1)
    X, y = data_sets.random(fresh_rng(), rows=3000, features=4, classes=3)
    path = tmp_path / "rows.parquet"
    pa.parquet.write_table(pa.table({**{f"x{i}": column for i, column in enumerate(X.T)}, "y": y}), path)
    return path


class Batches:
    """The batches of a file as a caller's iterable."""

    def __init__(self, path: Path) -> None:
        self.batches = FileBatches(path)
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            self.threads.add(threading.current_thread())
            yield batch


def test_a_file_read_ahead_has_the_bits_of_its_batches(rows: Path) -> None:
    model = SoftmaxRegression().fit_stream(rows, "y")
    batches = Batches(rows)
    expected = SoftmaxRegression().fit_stream(batches, "y")
    # A caller's batches may be bound to their thread, as a connection to a database is.
    assert batches.threads == {threading.current_thread()}
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.intercept_, expected.intercept_)
    assert model.loss_curve_ == expected.loss_curve_


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_no_thread_stays_behind(error: type[BaseException], rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> None:
        raise error

    SoftmaxRegression().fit_stream(rows, "y")
    with pytest.raises(error):
        SoftmaxRegression(callback=stop).fit_stream(rows, "y")
    assert not readers()

    def interrupted(*_: object, **__: object) -> None:
        raise error

    # In the middle of a pass.
    monkeypatch.setattr("softgrad.linear_model._model._loss.add_loss_gradient", interrupted)
    with pytest.raises(error):
        SoftmaxRegression().fit_stream(rows, "y")
    assert settled(lambda: not readers())
