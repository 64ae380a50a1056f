"""The delimiter and the encoding of a text file: told, or found where they are sure, and said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.reading import columns_of, written

TABLE = {"name": ["Zoë, dit Zoé", "b"], "x": ["1,5", "2"], "y": ["0", "1"]}


def text(delimiter: str) -> str:
    rows = [TABLE.keys(), *zip(*TABLE.values(), strict=True)]
    return "".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) + "\n" for row in rows)


def found_in(path: Path, **options: Any) -> dict[str, str]:
    return FileBatches(path, ReadOptions(**options)).found


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize(("delimiter", "word"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe")])
def test_the_delimiter_that_fits_is_found(delimiter: str, word: str, ending: str, tmp_path: Path) -> None:
    path = written(tmp_path, text(delimiter), f"data.{ending}")
    assert columns_of(path) == columns_of(path, delimiter=delimiter) == TABLE
    usual = (delimiter, ending) in [(",", "csv"), ("\t", "tsv")]
    assert found_in(path) == ({} if usual else {"delimiter": word})
    assert found_in(path, delimiter=delimiter) == {}


@pytest.mark.parametrize(("content", "columns"), [
    # One more of them in a later row, or none in one row: it does not fit.
    ("a;b\n1;2;3\n", ["a;b"]),
    ("a;b\nc\n", ["a;b"]),
    # In quotes it separates nothing.
    ('"a;b"\n"c;d"\n', ["a;b"]),
    ('a,b\nc,"d;e"\nf,"g;h"\n', ["a", "b"]),
    ("name\nann\n", ["name"]),
])  # fmt: skip
def test_where_none_fits_the_ending_says_it(content: str, columns: list[str], tmp_path: Path) -> None:
    batches = FileBatches(written(tmp_path, content))
    assert batches.names == columns
    assert batches.found == {}


def test_where_two_fit_none_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b;c\n1,2;3\n")
    message = (
        "data.csv: the first rows have equal numbers of cells by comma and semicolon; say which it is (--delimiter)"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        FileBatches(path)
    assert columns_of(path, delimiter=";") == {"a,b": ["1,2"], "c": ["3"]}


def test_a_row_that_is_wrong_later_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\n" + "1;2\n" * 200 + "1;2;3\n")
    assert found_in(path) == {"delimiter": "semicolon"}
    with pytest.raises(ValueError, match=r"data\.csv, row 201: 3 cells, 2 are expected: '1;2;3'"):
        columns_of(path)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_an_encoding_of_unicode_is_found(codec: str, tmp_path: Path) -> None:
    path = written(tmp_path, text(",").encode(codec))
    assert columns_of(path) == columns_of(path, encoding=codec) == TABLE
    found = found_in(path).get("encoding", "utf-8")
    assert found == {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(codec, codec)
    assert found_in(path, encoding=codec) == {}


@pytest.mark.parametrize("codec", ["cp1252", "shift_jis", "cp1251"])
def test_any_encoding_can_be_told(codec: str, tmp_path: Path) -> None:
    words = {"cp1252": "Zoë €", "shift_jis": "ソ表,能", "cp1251": "Жук"}[codec]
    content = f'id,"{words}"\n1,"{words}"\n'
    assert columns_of(written(tmp_path, content.encode(codec)), encoding=codec) == {"id": ["1"], words: [words]}


@pytest.mark.parametrize(("content", "codec", "place"), [
    ("é,b\n1,2\n", None, "the header, column 1: byte 0xe9 is not utf-8; the option encoding (--encoding cp1252) may "),
    ("a,bé\n1,2\n", None, "the header, column 2: byte 0xe9 is not utf-8"),
    ("a,b\n1,2\n\n3,x é\n", None, "row 2, column 'b': byte 0xe9 is not utf-8"),
    ('a,b\n"1\n2",2\n3,"é"\n', None, "row 2, column 'b': byte 0xe9 is not utf-8"),
    ("a;b\n1;2\n3;é\n", None, "row 2, column 'b': byte 0xe9 is not utf-8"),
    ("a,b\n1,2\né,4\n", "ascii", "row 2, column 'a': byte 0xe9 is not ascii"),
])  # fmt: skip
def test_a_byte_that_cannot_be_decoded(content: str, codec: str | None, place: str, tmp_path: Path) -> None:
    path = written(tmp_path, content.encode("cp1252"))
    with pytest.raises(ValueError, match=re.escape(f"data.csv, {place}")) as error:
        columns_of(path, encoding=codec)
    assert ("--encoding" in str(error.value)) == (codec is None)


def test_a_byte_that_cannot_be_decoded_after_many_rows(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\n" + b"1,2\n" * 700_000 + b"3,\xe9\n")
    with pytest.raises(ValueError, match=r"row 700001, column 'b': byte 0xe9 is not utf-8"):
        columns_of(path)


@pytest.mark.parametrize(
    ("content", "what"), [(b"PAR1\x15", "Parquet"), (b"ARROW1\0", "Arrow"), (b"PK\x03\x04", "zip")]
)
def test_another_file_that_is_called_text(content: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"data\.csv is an? {what}.*, not text"):
        FileBatches(written(tmp_path, content))
