"""How a file is read, where its ending and its first bytes do not say so, or say it wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

TEXT_FORMATS = ("csv", "tsv")
TYPED_FORMATS = ("parquet", "feather", "arrow")
FORMATS = (*TEXT_FORMATS, *TYPED_FORMATS, "svmlight")

# What a number, a line or a quoted cell is made of.
_RESERVED = '"\r\n\0'
_OF_NUMBERS = "+-0123456789eE"


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read; what is not said is found, or has a default.

    Parameters
    ----------
    format : {"csv", "tsv", "parquet", "feather", "arrow", "svmlight"}, optional
        By default the ending of the name says it.
    delimiter : str, optional
        What separates the cells of a text file: one character, or "tab". By default the comma, in "tsv" the tab; where
        that gives one column, and one of comma, semicolon, tab and pipe gives the same number in all of the first rows,
        it is that.
    decimal : str, default "."
        The decimal character of a text file.
    thousands : str, optional
        The character between groups of three digits in a text file.
    encoding : str, optional
        The name of one of Python's codecs. By default UTF-8, or UTF-16 or UTF-32 where the first bytes show it.
    header : bool, default True
        Whether the first row of a text file names the columns; otherwise they are c1, c2, ...
    na : sequence of str
        The words that stand for a missing cell, besides the empty one.
    columns : sequence of str, optional
        The columns that are read; by default all.
    drop : sequence of str
        The columns that are not.

    Raises
    ------
    ValueError, TypeError
        An option has no such value; the message names it.
    """

    format: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str | None = None
    header: bool = True
    na: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("na", "columns", "drop"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _words(name, value))
        if self.format not in (None, *FORMATS):
            raise ValueError(f"format is {self.format!r}; it must be one of {', '.join(FORMATS)}")
        if self.delimiter == "tab":
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None:
            _check_character("delimiter", self.delimiter, _RESERVED, most=0x7F)
        _check_character("decimal", self.decimal, _RESERVED + _OF_NUMBERS)
        if self.thousands is not None:
            _check_character("thousands", self.thousands, _RESERVED + _OF_NUMBERS)
            if self.thousands == self.decimal:
                raise ValueError(f"thousands and decimal are both {self.decimal!r}; they must differ")
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if not isinstance(self.header, bool):
            raise TypeError(f"header is {self.header!r}; it must be True or False")
        both = [name for name in self.columns or () if name in self.drop]
        if both:
            raise ValueError(f"column {both[0]!r} is both in columns and in drop")

    @classmethod
    def of(cls, options: ReadOptions | Mapping[str, Any] | None) -> ReadOptions:
        """The options themselves, or of a mapping with their names."""
        if options is None:
            return cls()
        if isinstance(options, cls):
            return options
        if not isinstance(options, Mapping):
            raise TypeError(f"read_options is {type(options).__name__}; it must be ReadOptions or a mapping")
        known = [field.name for field in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise ValueError(f"there is no option {unknown[0]!r} of reading; there are {', '.join(known)}")
        return cls(**options)

    def as_dict(self) -> dict[str, Any]:
        """The options that differ from their defaults, as JSON can hold them; `of` makes them options again."""
        default = asdict(ReadOptions())
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value != default[name]
        }

    def check_for(self, form: str, source: object) -> None:
        """Raise ValueError where an option says what files of this format have not."""
        of_text = ("delimiter", "decimal", "thousands", "encoding", "header")
        of_columns = ("na", "columns", "drop")
        without = () if form in TEXT_FORMATS else of_text if form in TYPED_FORMATS else (*of_text, *of_columns)
        for name in without:
            if name in self.as_dict():
                raise ValueError(f"{source}: the option {name} is not for {form} files")


def _words(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{name} is {value!r}; it must be a sequence of strings")
    return tuple(value)


def _check_character(name: str, value: Any, reserved: str, most: int = 0x10FFFF) -> None:
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError(f"{name} is {value!r}; it must be one character")
    if value in reserved or ord(value) > most:
        raise ValueError(f"{name} cannot be {value!r}")


def _check_encoding(name: str) -> None:
    try:
        b"text".decode(name)
    except UnicodeError:
        # It is one, to which these bytes are no text.
        return
    except (LookupError, TypeError):
        raise ValueError(f"encoding is {name!r}; Python has no text codec of this name") from None
