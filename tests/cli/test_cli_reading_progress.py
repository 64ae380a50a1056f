"""A long pass shows bytes and rows: as a bar on a terminal, as lines elsewhere."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.cli import reading_progress
from softgrad.cli.data import Data
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.sources import open_source
from softgrad.linear_model._data import _text_file, _typed_file
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import animals, run, write


class Clock:
    """Each look at it takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(reading_progress.time, "monotonic", self)

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_what_is_shown_and_how_often(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Clock(monkeypatch)
    progress = ReadingProgress([4_000_000, 1_000_000])
    for _ in range(2):
        with progress.reading(0):
            for step in range(10):
                progress.at(0, (step + 1) / 10, 100 * (step + 1))
        with progress.reading(1):
            progress.at(1, 0.5, 1500)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "reading: 800.0 kB of 5.0 MB, 200 rows",
        "reading: 2.8 MB of 5.0 MB, 700 rows",
        "reading: 800.0 kB of 5.0 MB, 200 of 1,500 rows",
        "reading: 2.8 MB of 5.0 MB, 700 of 1,500 rows",
    ]
    # A pass that was broken off does not tell how many there are.
    progress = ReadingProgress([1_000])
    with contextlib.suppress(KeyError), progress.reading(0):
        progress.at(0, 0.5, 7)
        raise KeyError
    with progress.reading(0):
        for row in range(9):
            progress.at(0, 0.1, row)
    assert re.fullmatch(r"(reading: 100 bytes of 1.0 kB, \d rows\n)+", capsys.readouterr().err)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "feather"])
@pytest.mark.parametrize("kept", ["file", "cache"])
def test_the_share_of_a_file_grows_to_all_of_it(ending: str, kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 9973)
    monkeypatch.setattr(_typed_file, "_BATCH_BYTES", 1)
    Path("data").mkdir()
    for name in "ab":
        write(animals(rows=2000), Path(f"data/{name}.{ending}"))
    told: list[tuple[int, float, int]] = []
    source = open_source(Data(["data"]), ReadOptions(), kept)
    monkeypatch.setattr(ReadingProgress, "at", lambda _, *at: told.append(at))
    for _ in range(2):
        told.clear()
        assert sum(batch.num_rows for batch in source) == 4000
        assert told == sorted(told)
        for file in (0, 1):
            shares = [share for number, share, _ in told if number == file]
            assert 0.0 < shares[0] <= shares[-1] == 1.0
            assert ending == "feather" or len(set(shares)) > (1 if ending == "csv.gz" else 3)
        assert told[-1][2] == 4000


def test_lines_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 9973)
    write(animals(rows=2000), Path("data.csv"))
    told = run("train", "data.csv", "--target", "kind", "--stream").stderr.splitlines()
    size = Path("data.csv").stat().st_size
    read = [line for line in told if line.startswith("reading: ")]
    assert re.fullmatch(rf"reading: \d+\.\d kB of {size / 1000:.1f} kB, [\d,]+ rows", read[0])
    assert re.fullmatch(rf"reading: \d+\.\d kB of {size / 1000:.1f} kB, [\d,]+ of 2,000 rows", read[-1])
    reading = [place for place, line in enumerate(told) if line in read]
    iterations = [place for place, line in enumerate(told) if line.startswith("iteration ")]
    assert reading[0] < iterations[0] < iterations[-1]
    assert any(iterations[0] < place < iterations[-1] for place in reading)


def test_svmlight_files_tell_of_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    monkeypatch.setattr("softgrad.linear_model._data._svmlight._BLOCK_BYTES", 100)
    rows = np.arange(300)
    dump_svmlight_file(np.eye(3)[rows % 3], rows % 2, "data.svm", zero_based=False)
    told = run("train", "data.svm", "--stream").stderr
    assert re.search(r"^reading: [\d.]+ (bytes|kB) of [\d.]+ kB, \d+ of 300 rows$", told, re.MULTILINE)
