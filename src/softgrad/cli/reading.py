"""How a command reads a table: the options of the file, what is said of its columns, and what becomes of the odd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from softgrad.cli.data import Data, user_errors
from softgrad.cli.errors import UserError, listing
from softgrad.cli.kinds import Kind
from softgrad.cli.learning import MISSING, Missing
from softgrad.linear_model._data._read_options import TEXT_FORMATS, TYPED_FORMATS, ReadOptions

Unseen = Literal["zero", "error"]
UNSEEN: tuple[Unseen, ...] = ("zero", "error")

_OF_TEXT = ("delimiter", "decimal", "thousands", "encoding", "header")


@dataclass(frozen=True)
class Reading:
    """What the options of the command line say; None where they say nothing.

    `file` has the options of `ReadOptions` that were given. `declared` are the kinds that --number and --text say.
    """

    file: Mapping[str, Any]
    declared: Mapping[str, Kind]
    missing: Missing | None
    unseen: Unseen | None

    @classmethod
    def of(
        cls,
        *,
        missing: str | None = None,
        unseen: str | None = None,
        number: Sequence[str] = (),
        text: Sequence[str] = (),
        **file: Any,
    ) -> Reading:
        """From the command line, checked.

        Raises
        ------
        UserError
            An option has no such value.
        """
        if missing not in (None, *MISSING):
            raise UserError(f"--missing is {missing}; it must be one of {', '.join(MISSING)}")
        if unseen not in (None, *UNSEEN):
            raise UserError(f"--unseen is {unseen}; it must be {' or '.join(UNSEEN)}")
        both = [name for name in number if name in text]
        if both:
            raise UserError(f"--number {both[0]} and --text {both[0]}: which of the two?")
        declared: dict[str, Kind] = dict.fromkeys(number, "number") | dict.fromkeys(text, "text")  # type: ignore[assignment]
        given = {name: value for name, value in file.items() if value not in (None, (), [])}
        try:
            ReadOptions.of(given)
        except (ValueError, TypeError) as error:
            raise UserError(_as_option(str(error))) from None
        return cls(given, declared, missing, unseen)

    def options(self, data: Data, trained: ReadOptions | None = None) -> ReadOptions:
        """How data are read: as the training read its own, but for what was given now.

        What the training said and data of this kind cannot have is left aside.

        Raises
        ------
        UserError
            There is no such file, its format is unknown, or an option was given that it cannot have.
        """
        if data.built_in is not None:
            for name in self.file:
                raise UserError(f"{_OPTION.get(name, f'--{name}')} says how a file is read; {data} is none")
            return ReadOptions()
        with user_errors(str(data)):
            options = replace(trained or ReadOptions(), **self.file)
            form = data.located(options).form
            others = () if form in TEXT_FORMATS else _OF_TEXT if form in TYPED_FORMATS else (*_OF_TEXT, "na")
            options = replace(options, **{name: _DEFAULT[name] for name in others if name not in self.file})
            options.check_for(form, data)
        return options


_OPTION = {"header": "--no-header"}
_DEFAULT = {name: getattr(ReadOptions(), name) for name in (*_OF_TEXT, "na")}


def _as_option(message: str) -> str:
    """The message about an option of `ReadOptions`, which the command line spells with hyphens."""
    name = message.split(" ", 1)[0]
    return f"--{message}" if hasattr(ReadOptions(), name) else message


def columns_listed(given: Sequence[str]) -> tuple[str, ...]:
    """Names given one by one, or several separated by commas."""
    return tuple(name.strip() for entry in given for name in entry.split(","))


def check_declared(names: Sequence[str], reading: Reading, data: Data) -> None:
    """Refuses --number and --text of a column that is not there."""
    for name, kind in reading.declared.items():
        if name not in names:
            raise UserError(f"--{kind} {name}: {data} has no such column; its columns are {listing(names)}")
