"""A text file has the same cells wherever the blocks end that it is read in."""

from __future__ import annotations

import csv
import gc
import io
from pathlib import Path

import numpy as np
import pytest

from softgrad.linear_model._data import _text_file
from softgrad.linear_model._data._csv import RowParser
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._text_rows import Place, place_of, rows_end
from tests.linear_model.files.reading import columns_of, written
from tests.oracles.inputs import fresh_rng

MIB = 1 << 20


@pytest.mark.parametrize("shift", range(-2, 3))
def test_a_line_break_in_quotes_at_the_border_of_a_block(shift: int, tmp_path: Path) -> None:
    cell = "one\r\ntwo"
    head = f'text,y\r\n"{cell}",0\r\n'
    row = "filler,1\r\n"
    # The carriage return of the last quoted cell is the last byte of the first block, or near to it.
    before = MIB - 1 - len('"one') + shift - len(head)
    filler = row * (before // len(row) - 1)
    rest = before - len(filler) - len("x,1\r\n")
    content = head + filler + "x" * (rest + 1) + f',1\r\n"{cell}",0\r\n'
    assert content.index("\r\ntwo", len(head)) == MIB - 1 + shift
    texts = columns_of(written(tmp_path, content))["text"]
    assert texts[0] == texts[-1] == cell
    assert set(texts[1:-2]) == {"filler"}


def random_table(rng: np.random.Generator, parts: list[str]) -> list[list[str]]:
    columns = rng.integers(2, 5)
    return [["".join(rng.choice(parts, rng.integers(6))) for _ in range(columns)] for _ in range(rng.integers(2, 9))]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_random_tables_in_blocks_of_any_size(line_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = fresh_rng()
    for quoting in [csv.QUOTE_ALL, csv.QUOTE_MINIMAL] * 20:
        # The writer quotes line breaks of its own kind alone, if it need not quote all.
        breaks = ["\n", "\r\n", "\r"] if quoting == csv.QUOTE_ALL else [line_end]
        table = random_table(rng, ["a", "é", " ", ",", '"', "7", *breaks])
        text = io.StringIO()
        csv.writer(text, lineterminator=line_end, quoting=quoting).writerows(table)
        content = text.getvalue() if rng.integers(2) else text.getvalue().removesuffix(line_end)
        path = written(tmp_path, content)
        expected = {
            f"c{i + 1}": [cell.strip() or None for cell in column] for i, column in enumerate(zip(*table, strict=True))
        }
        for size in (1, 2, 5, 17, MIB):
            monkeypatch.setattr(_text_file, "_BLOCK_BYTES", size)
            assert columns_of(path, header=False, delimiter=",") == expected


def test_a_quote_within_a_cell_is_a_character(tmp_path: Path) -> None:
    content = 'size,y\n5" pipe,0\nx"y"z,1\n"a""b"c"d,0\n'
    assert columns_of(written(tmp_path, content))["size"] == ['5" pipe', 'x"y"z', 'a"bc"d']


@pytest.mark.parametrize(("text", "end", "first"), [
    (b"a,b\nc,d\ne", 8, 4),
    (b'a,"b\nc",d\ne,f\n', 14, 10),
    (b'a,"b\nc', 0, 0),
    (b"a,b\r", 0, 0),
    (b"a,b\rc", 4, 4),
    (b'a,5"\n"b\n', 5, 5),
    (b"\n\na\nb\n", 6, 4),
])  # fmt: skip
def test_where_rows_end(text: bytes, end: int, first: int) -> None:
    assert rows_end(text, ",") == end
    assert rows_end(text, ",", 1) == first


def test_the_place_of_a_byte() -> None:
    text = b'a,b\n\n"x\ny",z\n1,"2,\n3"\n'
    assert place_of(text, ",", text.index(b"z")) == Place(row=1, cell=1, start=text.index(b"z"))
    assert place_of(text, ",", text.index(b"3")) == Place(row=2, cell=1, start=text.index(b'"2'))
    assert place_of(text, ",", 0) == Place(row=0, cell=0, start=0)


def test_the_names_of_the_columns(tmp_path: Path) -> None:
    assert columns_of(written(tmp_path, ' a ,"b ",007,\n1,2,3,4\n')) == {
        "a": ["1"],
        "b": ["2"],
        "007": ["3"],
        "": ["4"],
    }
    assert columns_of(written(tmp_path, "1,2\n3,4\n"), header=False) == {"c1": ["1", "3"], "c2": ["2", "4"]}


@pytest.mark.parametrize(("content", "message"), [
    ("", "data.csv is empty"),
    ("\n\r\n", "data.csv is empty"),
    ("a,b\n\n", "data.csv has no rows"),
    ("a,b, a\n1,2,3\n", r"data.csv has two columns named 'a'; if its first row is no header, say so \(--no-header\)"),
    (",b,\n1,2,3\n", "data.csv has two columns named ''"),
])  # fmt: skip
def test_a_file_without_a_table(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        columns_of(written(tmp_path, content))


def test_columns_are_chosen_and_dropped(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n1,2,3\n")
    assert columns_of(path, columns=["c", "a"]) == {"a": ["1"], "c": ["3"]}
    assert columns_of(path, drop=["a"]) == {"b": ["2"], "c": ["3"]}
    for option in ("columns", "drop"):
        message = f"data.csv has no column 'd', which the option {option} names; its columns are 'a', 'b', 'c'"
        with pytest.raises(ValueError, match=message):
            columns_of(path, **{option: ["d"]})


def test_no_column_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.csv: no column is read; it has 'a', 'b'"):
        columns_of(written(tmp_path, "a,b\n1,2\n"), drop=["b", "a"])


def test_words_for_a_missing_cell(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n?, ?\n" ",-\nx?,NA\n')
    assert columns_of(path, na=["?", "NA"]) == {"a": [None, None, "x?"], "b": [None, "-", None]}
    assert columns_of(path) == {"a": ["?", None, "x?"], "b": ["?", "-", "NA"]}


def test_a_file_that_changes_between_two_passes(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n")
    batches = FileBatches(path)
    path.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(ValueError, match=r"data\.csv has changed since the first pass over it"):
        list(batches)


def test_a_mark_at_the_start_of_a_block_is_part_of_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that `cat` has joined have byte order marks within."""
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 8)
    monkeypatch.setattr(_text_file, "_ROWS_OF_BLOCK", 1)
    path = written(tmp_path, "x;y\naaa;b\n\ufeffcc;d\n".encode())
    assert columns_of(path) == {"x": ["aaa", "\ufeffcc"], "y": ["b", "d"]}


def test_a_few_nuls_do_not_make_another_encoding(tmp_path: Path) -> None:
    assert columns_of(written(tmp_path, b"ab;c\n\0;1\nx;2\n")) == {"ab": ["\0", "x"], "c": ["1", "2"]}


def test_nothing_is_left_of_a_pass(tmp_path: Path) -> None:
    """Arrow holds what is called for a row that is amiss where no garbage is looked for."""

    def parsers() -> int:
        gc.collect()
        return sum(isinstance(each, RowParser) for each in gc.get_objects())

    before = parsers()
    assert columns_of(written(tmp_path, "a;b\n1;2\n")) == {"a": ["1"], "b": ["2"]}
    assert parsers() <= before
