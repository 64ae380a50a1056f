"""Options of reading are checked when they are made, and go through JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from softgrad.linear_model._data._read_options import FORMATS, ReadOptions

EVERY = {
    "format": "tsv",
    "delimiter": ";",
    "decimal": ",",
    "thousands": "'",
    "encoding": "cp1252",
    "header": False,
    "na": ["?", "-"],
    "columns": ["a", "b"],
    "drop": ["c"],
}


def test_every_option_goes_through_json() -> None:
    options = ReadOptions.of(EVERY)
    assert options.as_dict() == EVERY
    assert options.as_dict().keys() == ReadOptions.__dataclass_fields__.keys()
    assert ReadOptions.of(json.loads(json.dumps(options.as_dict()))) == options
    assert ReadOptions.of(None).as_dict() == {}


def test_a_tab_has_a_name() -> None:
    assert ReadOptions(delimiter="tab").delimiter == "\t"


@pytest.mark.parametrize(("name", "value", "message"), [
    ("format", "xlsx", "format is 'xlsx'; it must be one of csv, tsv, parquet, feather, arrow, svmlight"),
    ("delimiter", ";;", "delimiter is ';;'; it must be one character"),
    ("delimiter", '"', "delimiter cannot be '\"'"),
    ("delimiter", "§", "delimiter cannot be '§'"),
    ("decimal", "", "decimal is ''; it must be one character"),
    ("decimal", "1", "decimal cannot be '1'"),
    ("thousands", "e", "thousands cannot be 'e'"),
    ("thousands", ".", "thousands and decimal are both '.'; they must differ"),
    ("encoding", "utf-9", "encoding is 'utf-9'; Python has no text codec of this name"),
    ("encoding", "hex", "encoding is 'hex'; Python has no text codec of this name"),
    ("header", 1, "header is 1; it must be True or False"),
    ("na", "?", "na is '?'; it must be a sequence of strings"),
    ("drop", [1], "drop is [1]; it must be a sequence of strings"),
    ("separator", ";", "there is no option 'separator' of reading; there are format, delimiter, decimal"),
])  # fmt: skip
def test_a_bad_value_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        ReadOptions.of({name: value})


def test_a_column_is_read_or_dropped() -> None:
    with pytest.raises(ValueError, match="column 'b' is both in columns and in drop"):
        ReadOptions(columns=("a", "b"), drop=("b",))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", [name for name in EVERY if name != "format"])
def test_what_a_format_has_not_is_refused(name: str, form: str) -> None:
    options = ReadOptions.of({name: EVERY[name]})
    if form in ("csv", "tsv") or (form != "svmlight" and name in ("na", "columns", "drop")):
        options.check_for(form, "data")
        return
    with pytest.raises(ValueError, match=f"data: the option {name} is not for {form} files"):
        options.check_for(form, "data")
