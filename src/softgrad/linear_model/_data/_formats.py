"""The format of a file, by its name."""

from __future__ import annotations

from pathlib import PurePath

from softgrad.linear_model._data._compression import ENDINGS, without_ending
from softgrad.linear_model._data._read_options import FORMATS, ReadOptions

_FORMAT_OF_ENDING = {f".{form}": form for form in FORMATS} | {".libsvm": "svmlight", ".svm": "svmlight"}
READABLE = f"{', '.join(_FORMAT_OF_ENDING)} can be read, each also with {', '.join(ENDINGS)}"


def format_of(name: str, options: ReadOptions) -> str | None:
    """The format that a file is read as, one of `FORMATS`; None where neither the options nor the ending say it."""
    return options.format or _FORMAT_OF_ENDING.get(without_ending(PurePath(name)).suffix.lower())


def known_format(name: str, options: ReadOptions) -> str:
    """The format that a file is read as; raises ValueError where nothing says it."""
    form = format_of(name, options)
    if form is None:
        raise ValueError(f"{name}: unknown format; {READABLE}, and others with the option format (--format)")
    return form
