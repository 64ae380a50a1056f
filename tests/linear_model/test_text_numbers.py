"""The first cell of text that is no number is found wherever it is, also with others behind it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from softgrad.linear_model._data._text_numbers import first_no_number


@pytest.mark.parametrize("length", range(1, 10))
def test_the_first_cell_that_is_no_number(length: int) -> None:
    for place in range(length):
        for behind in range(place, length):
            cells = [f"{row}.5" for row in range(length)]
            cells[place] = cells[behind] = "four"
            assert first_no_number(pa.array(cells)) == place
            assert first_no_number(pa.chunked_array([cells[:4], cells[4:]], pa.string())) == place
