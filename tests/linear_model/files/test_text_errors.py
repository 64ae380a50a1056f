"""What is wrong in a text file is said with the file, the row, counted from 1 after the header, and the column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from softgrad.linear_model import SoftmaxRegression
from tests.linear_model.files.reading import columns_of, written

MANY = 700_000


@pytest.mark.parametrize(("content", "message"), [
    ("a,b\n1,2\n3\n", "row 2: 1 cell, 2 are expected: '3'"),
    ("a,b\n\n1,2\n\n3,4,5\n", "row 2: 3 cells, 2 are expected: '3,4,5'"),
    ('a,b\n"1\n2",3\n4\n', "row 2: 1 cell, 2 are expected: '4'"),
    ("a,b\n" + "1,2\n" * MANY + "3,4,5\n", f"row {MANY + 1}: 3 cells, 2 are expected: '3,4,5'"),
    ("a,b\n1,2,3" + "x" * 100, "row 1: 3 cells, 2 are expected: '1,2,3" + "x" * 55 + "...'"),
    ('a,b\n1,2\n3,"4\n5,6\n', "row 2, column 'b': the quote at the start of this cell is never closed: '\"4\\n5,6\\n'"),
    ('a,"b\n1,2\n', "the header, column 2: the quote at the start of this cell is never closed: '\"b\\n1,2\\n'"),
    # Of 8 MB.
    ("a,b\n" + "1,2\n" * MANY + '"3,4\n' + "1,2\n" * (2 * MANY), f"row {MANY + 1}, column 'a': the quote at the start"),
], ids=str.__len__)  # fmt: skip
def test_a_row_that_is_wrong(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(f"data.csv, {message}")):
        columns_of(written(tmp_path, content))


def test_rows_without_a_header_are_counted_from_the_first(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.csv, row 2: 1 cell, 2 are expected: '3'"):
        columns_of(written(tmp_path, "1,2\n3\n"), header=False)


@pytest.mark.parametrize(("content", "options", "message"), [
    ("a,y\n1,u\nx,v\n", {}, "column 'a', row 2 is 'x'; it must be a number"),
    ("a,y\n1,u\n2 kg,v\n", {}, "column 'a', row 2 is '2 kg'; it must be a number"),
    ('a,y\n"1,234",u\n"1,23",v\n', {"thousands": ","}, "column 'a', row 2 is '1,23'; it must be a number"),
    ("a;y\n1,5;u\n1.5;v\n", {"decimal": ","}, "column 'a', row 2 is '1.5'; it must be a number"),
    ("a,b,y\n1,2,u\n2,?,v\n", {"na": ["?"]}, "column 'b', row 2 has no value"),
    ("a,y\n1,u\n2,?\n", {"na": ["?"]}, "column 'y', row 2 has no value"),
    ("a,b,y\n1,2,u\n1e999,3,v\n", {}, "column 'a', row 2 is inf; it must be finite"),
    ("a,y\n1,u\n2,v\n", {"drop": ["y"]}, "the option drop names the column 'y', which is the target, sample"),
])  # fmt: skip
def test_cells_that_a_fit_cannot_take(content: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        SoftmaxRegression().fit_stream(written(tmp_path, content), "y", read_options=options)
