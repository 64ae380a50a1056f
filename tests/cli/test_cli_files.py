"""No command writes over its input, nor two outputs into one file, however the names lead there."""

from __future__ import annotations

import os
import shutil
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import pytest
import typer

from softgrad.cli.app import Data, app
from tests.cli.conftest import animals, fails, run, succeeds, write

# By command and parameter; every other path of a command is taken for one that it writes.
INPUTS = {
    ("train", "data"): "animals.csv",
    ("describe", "data"): "animals.csv",
    ("predict", "model"): "model",
    ("predict", "data"): "animals.csv",
    ("evaluate", "model"): "model",
    ("evaluate", "data"): "animals.csv",
    ("export", "model"): "model",
}
ALSO_NEEDED = {"train": ("--target", "kind"), "gradcheck": ("softmax",)}


class File(NamedTuple):
    """A parameter of a command that names a file."""

    command: str
    parameter: str
    option: str | None
    metavar: str

    @property
    def label(self) -> str:
        return self.option or self.metavar

    @property
    def is_input(self) -> bool:
        return (self.command, self.parameter) in INPUTS

    def given(self, path: object) -> list[object]:
        return [path] if self.option is None else [self.option, path]


def files_of(command: Any) -> list[File]:
    """The parameters of type Path, and DATA, which may name a built-in data set instead."""
    found = []
    for name, hint in get_type_hints(command.callback, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        kind, about = get_args(hint)
        if hint != Data and Path not in (kind, *get_args(kind)):
            continue
        is_option = type(about) is type(typer.Option())
        # In an annotation the first name stands where a default would.
        given = [given for given in (about.default, *(about.param_decls or ())) if isinstance(given, str)]
        option = [f"--{name}", *given][-1] if is_option else None
        found.append(File(command.callback.__name__, name, option, about.metavar))
    return found


FILES = [file for command in app.registered_commands for file in files_of(command)]
PAIRS = [
    pair
    for command in app.registered_commands
    for pair in combinations(sorted(files_of(command), key=lambda file: not file.is_input), 2)
    # A folder must be new or empty: it is no file of the others.
    if not pair[1].is_input and "DIRECTORY" not in (pair[0].metavar, pair[1].metavar)
]


def test_the_parameters_are_found() -> None:
    outputs = {(file.command, file.label) for file in FILES if not file.is_input}
    assert outputs == {
        ("train", "--model"),
        ("train", "--plot"),
        ("train", "--report"),
        ("train", "--checkpoint"),
        ("predict", "--output"),
        ("predict", "--output-dir"),
        ("export", "OUT.onnx"),
        ("experiment", "--output"),
        ("gradcheck", "--plot"),
    }
    assert {(file.command, file.parameter) for file in FILES if file.is_input} == set(INPUTS)
    assert len(PAIRS) == 4 + 6 + 2 + 1


def other_name(way: str, path: Path, suffix: str) -> str:
    if way == "the same name":
        return str(path)
    if way == "through a folder":
        return f"../{Path.cwd().name}/{path}"
    link = f"link{suffix}"
    if way == "symbolic link":
        Path(link).symlink_to(path)
    else:
        os.link(path, link)
    return link


def run_refused(first: File, second: File, path: Path, way: str) -> None:
    """The command with both parameters on one file ends before any work and names both."""
    name = other_name(way, path, Path(second.metavar).suffix)
    chosen = {first: path, second: Path(name)}
    arguments = [first.command, *ALSO_NEEDED.get(first.command, ())]
    for file in (file for file in FILES if file.command == first.command):
        if file in chosen or file.is_input:
            arguments += file.given(chosen.get(file, INPUTS.get((file.command, file.parameter))))
    if "--checkpoint" in (first.label, second.label):
        arguments.append("--stream")
    before = {entry: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()}
    said = f"{second.label} {name} and {first.label} {path} are the same file: {second.label} needs another one"
    assert fails(*arguments) == said
    assert {entry: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()} == before


@pytest.fixture
def data_and_model(trained: tuple[Path, Path]) -> None:
    shutil.copy(trained[0], "model")
    shutil.copy(trained[1], "animals.csv")


def described(pair: tuple[File, File]) -> str:
    return f"{pair[0].command} {pair[0].label} {pair[1].label}"


@pytest.mark.usefixtures("data_and_model")
@pytest.mark.parametrize("way", ["the same name", "through a folder", "symbolic link", "hard link"])
@pytest.mark.parametrize("pair", PAIRS, ids=described)
def test_a_file_that_is_there(pair: tuple[File, File], way: str) -> None:
    first, second = pair
    path = Path(INPUTS.get((first.command, first.parameter), f"out{Path(first.metavar).suffix}"))
    if not first.is_input:
        path.write_bytes(b"old")
    run_refused(first, second, path, way)


@pytest.mark.usefixtures("data_and_model")
@pytest.mark.parametrize("way", ["the same name", "through a folder", "symbolic link"])
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not pair[0].is_input], ids=described)
def test_a_file_that_is_not_there_yet(pair: tuple[File, File], way: str) -> None:
    run_refused(*pair, Path(f"out{Path(pair[0].metavar).suffix}"), way)
    assert not Path(f"out{Path(pair[0].metavar).suffix}").exists()


def test_a_built_in_data_set_is_no_file() -> None:
    succeeds("train", "iris", "--model", "iris")
    size = Path("iris").stat().st_size
    succeeds("train", "iris", "--stream", "--checkpoint", "wine")
    outcome = run("train", "iris", "--stream", "--checkpoint", "iris", "--resume")
    assert (outcome.status, "iris" in outcome.stderr.splitlines()[-1]) == (2, True)
    assert Path("iris").stat().st_size == size > 0
    assert Path("wine").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "iris", "--na", "?"), "--na says how a file is read; iris is none"),
        (("train", "iris", "--drop", "x"), "--drop says how a file is read; iris is none"),
        (("describe", "wine", "--no-header"), "--no-header says how a file is read; wine is none"),
        (("predict", "model", "iris", "--delimiter", ";"), "--delimiter says how a file is read; iris is none"),
        (("evaluate", "model", "iris", "--encoding", "cp1252"), "--encoding says how a file is read; iris is none"),
        (("train", "iris", "--stream", "--cache"), "--cache keeps what was parsed of a file; iris is none"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
@pytest.mark.usefixtures("data_and_model")
def test_a_built_in_data_set_is_not_read(arguments: tuple[str, ...], message: str) -> None:
    assert fails(*arguments) == message


def test_what_is_no_plain_file_is_no_output() -> None:
    write(animals(), Path("animals.csv"))
    said = "cannot write /dev/null: it is there already and is not a plain file"
    arguments = ("train", "animals.csv", "--target", "kind", "--model", "/dev/null", "--plot", "/dev/null")
    assert fails(*arguments) == said


def test_names_that_are_long_or_lead_in_a_circle() -> None:
    longest = "m" * os.pathconf(".", "PC_NAME_MAX")
    succeeds("train", "iris", "--model", longest)
    assert Path(longest).stat().st_size > 0
    assert fails("train", "iris", "--model", longest + "m") == f"cannot write {longest}m: File name too long"
    Path("circle").symlink_to("circle")
    assert fails("train", "iris", "--model", "circle") == "cannot write circle: Too many levels of symbolic links"
