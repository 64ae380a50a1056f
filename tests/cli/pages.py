"""Pages whose blocks of Python and of commands are executed; `python -m tests.cli.pages` writes anew what differs."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from softgrad.cli.app import app
from softgrad.linear_model import SoftmaxRegression

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
PAGES = [GUIDE / "tables.md", GUIDE / "tutorial-tables.md"]
WIDEST = 120

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# It goes on after a backslash at the end of a line.
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
# Differ from run to run, and with the instruction set.
_VARYING = re.compile(r"^(time |iterations |gradient check: worst relative error )\S+", re.MULTILINE)
_FRACTION = re.compile(r"(?<![\w.])(\d+\.\d+)(?![\w.])")


def output_of(line: str) -> str:
    """What a command of softgrad shows, without its progress; the last lines where it ends in `| tail -n COUNT`."""
    line, _, tail = line.replace("\\\n", "").partition(" | tail -n ")
    program, *arguments = shlex.split(line)
    assert program == "softgrad", line
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    shown = (result.stdout if tail else result.output).splitlines()
    shown = [each for each in shown if not each.startswith("iteration ")]
    return "".join(f"{each}\n" for each in (shown[-int(tail) :] if tail else shown))


def shown_and_found(page: Path) -> Iterator[tuple[str, str, str]]:
    """Execute the blocks of a page in the current folder: each command, what the page shows, and what it gives."""
    names: dict[str, object] = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        if block[1] == "python":
            # A traceback then shows the lines of the page.
            lines_before = "\n" * text.count("\n", 0, block.start(2))
            exec(compile(lines_before + block[2], str(page), "exec"), names)
        else:
            yield from ((command[1], command[2], output_of(command[1])) for command in _COMMAND.finditer(block[2]))


def agree(shown: str, found: str) -> bool:
    """Whether words are the same wherever lines break, and fractions to a unit in the last place, or train's `tol`."""
    texts = [_FRACTION.split(" ".join(_VARYING.sub(r"\1", text).split())) for text in (shown, found)]
    if texts[0][::2] != texts[1][::2]:
        return False
    for one, other in zip(texts[0][1::2], texts[1][1::2], strict=True):
        unit = 10.0 ** -len(one.partition(".")[2])
        if abs(float(one) - float(other)) > max(unit, SoftmaxRegression().tol * float(one)):
            return False
    return True


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for command, shown, found in shown_and_found(page):
                if agree(shown, found):
                    continue
                fitting = [
                    part
                    for line in found.splitlines()
                    for part in ([line] if len(line) <= WIDEST else textwrap.wrap(line, WIDEST, subsequent_indent="  "))
                ]
                before = f"$ {command}\n{shown}"
                assert text.count(before) == 1, command
                text = text.replace(before, "\n".join([f"$ {command}", *fitting, ""]))
            os.chdir(GUIDE)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
