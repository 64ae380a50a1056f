"""Model files: what comes back is what was saved, and no other file is believed."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from softgrad.cli.classes import Classes
from softgrad.cli.columns import Column, TextColumn
from softgrad.cli.learning import MISSING
from softgrad.cli.model import Model
from softgrad.cli.model_file import load_model, save_model
from softgrad.cli.svmlight_columns import SvmlightColumns
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import animals, fails, run, set_cell, succeeds, write

Trained = tuple[Path, Path]


def parts(model: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description with the number of the format, and the tensors besides it."""
    with safe_open(model, framework="np") as file:
        header = json.loads(file.metadata()["softgrad"])
        names = sorted(file.keys())
        tensors = {name: file.get_tensor(name) for name in names}
    assert set(header) == {"format", "sha256"}
    description = json.loads(tensors.pop("description").tobytes())
    return {"format": header["format"], **description}, tensors


def forge(description: dict[str, Any], tensors: dict[str, np.ndarray], path: Path) -> Path:
    """A file with a right checksum, whatever it holds; of format 1 if the description says so."""
    header = description
    if description.get("format") != 1:
        header = {name: description[name] for name in ("format",) if name in description}
        rest = {name: value for name, value in description.items() if name != "format"}
        tensors = {**tensors, "description": np.frombuffer(json.dumps(rest).encode(), np.uint8)}
    content = json.dumps(header, sort_keys=True).encode()
    for name, tensor in sorted(tensors.items()):
        content += f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode() + tensor.tobytes()
    text = json.dumps({**header, "sha256": hashlib.sha256(content).hexdigest()})
    path.write_bytes(save(tensors, {"softgrad": text}))
    return path


def test_what_is_in_it(trained: Trained) -> None:
    description, tensors = parts(trained[0])
    assert set(tensors) == {"coef", "intercept"}
    assert tensors["coef"].shape == (3, 6)
    assert tensors["coef"].dtype == tensors["intercept"].dtype == np.float64
    assert description["format"] == 4
    assert description["target"] == "kind"
    assert description["classes"] == {"kind": "text", "labels": ["cat", "newt", "yak"]}
    assert [column["name"] for column in description["columns"]] == ["weight", "legs", "wild", "colour"]
    assert description["columns"][2]["truths"] is True
    assert description["columns"][3] == {
        "name": "colour",
        "categories": ["black", "red, dark", 'the "white"'],
        "fill": None,
    }
    assert description["reading"] == {"options": {}, "missing": "error", "unseen": "zero"}
    assert description["training"]["rows"] == 300
    assert 0.5 < description["training"]["training_accuracy"] < 1.0
    assert str(trained[1].parent) not in trained[0].read_bytes().decode("latin-1")


def described(model: Path, form: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The parts as a file of a format has them: before 4, without probabilities, before 3, without what is
    read how and what is filled."""
    description, tensors = parts(model)
    description["format"] = form
    if form < 4:
        del description["probability_columns"]
    if form < 3:
        del description["reading"]
        for column in description["columns"]:
            del column["fill"]
            column.pop("truths", None)
    return description, tensors


@pytest.mark.parametrize("form", [1, 2, 3, 4])
def test_a_forged_file_is_read_if_it_is_right(form: int, trained: Trained, tmp_path: Path) -> None:
    """Without this, the tests below might see every forged file refused for the way it is forged."""
    model = forge(*described(trained[0], form), tmp_path / "model")
    assert succeeds("predict", model, trained[1]).stdout == succeeds("predict", *trained).stdout


def refused(path: Path, data: Path) -> str:
    message = fails("predict", path, data)
    prefix = f"{path} is not a usable softgrad model: "
    assert message.startswith(prefix), message
    return message[len(prefix) :]


def test_every_truncation_is_found(trained: Trained, tmp_path: Path) -> None:
    whole = trained[0].read_bytes()
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        path = tmp_path / "model"
        path.write_bytes(whole[:size])
        assert refused(path, trained[1]), size


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_found(mask: int, trained: Trained, tmp_path: Path) -> None:
    whole = trained[0].read_bytes()
    path = tmp_path / "model"
    for place in [*range(0, len(whole), 53), *range(len(whole) - 8, len(whole))]:
        changed = bytearray(whole)
        changed[place] ^= mask
        path.write_bytes(changed)
        assert refused(path, trained[1]), place


def test_bytes_added_are_found(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(trained[0].read_bytes() + b"\0")
    assert refused(path, trained[1])


class Explosive:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("exploded").touch, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff" * 100,
        b"weight,legs\n1,2\n" * 10,
        pickle.dumps(Explosive()),
        b"\x02\0\0\0\0\0\0\0{}",
        b"PK\x03\x04" + b"\0" * 60,
        save({"x": np.zeros(3)}),
        save({"x": np.zeros(3)}, {"softgrad": "{}"}),
        save({"coef": np.zeros((2, 2)), "intercept": np.zeros(2)}, {"format": "pt"}),
    ],
)
def test_foreign_files(content: bytes, trained: Trained, in_folder: Path) -> None:
    Path("model").write_bytes(content)
    assert refused(Path("model"), trained[1])
    assert [path.name for path in in_folder.iterdir()] == ["model"]


def test_a_missing_model(trained: Trained, tmp_path: Path) -> None:
    assert fails("predict", tmp_path / "none", trained[1]) == f"no such file: {tmp_path / 'none'}"
    assert fails("evaluate", tmp_path, trained[1]) == f"no such file: {tmp_path}"


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one entry of the description."""

    def change(description: Any) -> None:
        for key in path[:-1]:
            description = description[key]
        description[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(description: Any) -> None:
        for key in path[:-1]:
            description = description[key]
        del description[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", value=5), "it has format 5, this softgrad reads up to format 4"),
        (put("format", value=0), "there is no format 0"),
        (put("format", value=True), "its description has no format number"),
        (drop("format"), "its description has no format number"),
        (drop("target"), "target is no text"),
        (put("target", value=3), "target is no text"),
        (put("training", value=[]), "it has no record of the training"),
        (drop("columns"), "columns is no list"),
        (put("columns", value=[]), "it has no columns"),
        (put("columns", 0, value=None), "a column is no object"),
        (put("columns", 0, "name", value="legs"), "a column occurs twice"),
        (put("columns", 0, "name", value=None), "a column's name is no text"),
        (put("columns", 0, "name", value="\ud800"), "a column's name is not valid Unicode"),
        (put("columns", 0, "mean", value="0"), "mean or scale of 'weight' is no finite number"),
        (put("columns", 0, "mean", value=True), "mean or scale of 'weight' is no finite number"),
        (put("columns", 0, "mean", value=float("inf")), "its description is not JSON: Infinity is no number"),
        (put("columns", 0, "mean", value=float("nan")), "its description is not JSON: NaN is no number"),
        (put("columns", 0, "scale", value=0.0), "the scale of 'weight' is not positive"),
        (put("columns", 0, "scale", value=-1.0), "the scale of 'weight' is not positive"),
        (put("columns", 0, "more", value=1), "column 'weight' has unknown entries"),
        (drop("columns", 0, "scale"), "column 'weight' has unknown entries"),
        (drop("columns", 0), "coef has shape (3, 6), the columns and classes need (3, 5)"),
        (put("columns", 3, "categories", value="abc"), "categories is no list"),
        (put("columns", 3, "categories", 0, value=1), "a category of 'colour' is no text"),
        (put("columns", 3, "categories", 0, value="z"), "the categories of 'colour' are not in order"),
        (put("columns", 3, "categories", 1, value="black"), "the categories of 'colour' are not in order"),
        (put("columns", 3, "categories", value=["a"]), "coef has shape (3, 6), the columns and classes need (3, 4)"),
        (drop("classes"), "it has no classes"),
        (put("classes", "kind", value="float"), "the kind of its classes is unknown"),
        (put("classes", "kind", value=["text"]), "the kind of its classes is unknown"),
        (put("classes", "kind", value="integer"), "a class is not integer"),
        (put("classes", "labels", value=["a"]), "it has fewer than two classes"),
        (put("classes", "labels", value=["b", "a", "c"]), "its classes are not in order"),
        (put("classes", "labels", value=["a", "a", "c"]), "its classes are not in order"),
        (put("classes", "labels", value=["a", "b"]), "coef has shape (3, 6), the columns and classes need (2, 6)"),
        (put("classes", "labels", value=["a", "b", "\udfff"]), "a class is not valid Unicode"),
        (put("classes", value={"kind": "integer", "labels": [0, 1, 2**63]}), "a class is out of range"),
    ],
)
@pytest.mark.parametrize("form", [1, 2, 3, 4])
def test_descriptions_that_make_no_sense(
    form: int, change: Callable[[dict[str, Any]], None], message: str, trained: Trained, tmp_path: Path
) -> None:
    description, tensors = described(trained[0], form)
    change(description)
    assert refused(forge(description, tensors, tmp_path / "model"), trained[1]) == message


UNKNOWN = "how it reads a file is unknown"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("reading"), UNKNOWN),
        (put("reading", value=[]), UNKNOWN),
        (put("reading", "more", value=1), UNKNOWN),
        (drop("reading", "unseen"), UNKNOWN),
        (put("reading", "unseen", value="one"), UNKNOWN),
        (put("reading", "unseen", value=["zero"]), UNKNOWN),
        (put("reading", "missing", value="mode"), UNKNOWN),
        (put("reading", "missing", value={}), UNKNOWN),
        (put("reading", "options", value=[]), "its options of reading are no object"),
        (
            put("reading", "options", value={"delimiter": ";;"}),
            "its options of reading: delimiter is ';;'; it must be one character",
        ),
        (
            put("reading", "options", value={"delimiter": 1}),
            "its options of reading: delimiter is 1; it must be one character",
        ),
        (
            put("reading", "options", value={"header": 1}),
            "its options of reading: header is 1; it must be True or False",
        ),
        (
            put("reading", "options", value={"na": "?"}),
            "its options of reading: na is '?'; it must be a sequence of strings",
        ),
        (
            put("reading", "options", value={"sheet": 1}),
            "its options of reading: there is no option 'sheet' of reading; ",
        ),
        (drop("probability_columns"), "probability_columns is no list"),
        (put("probability_columns", value=["cat", 1, "yak"]), "a column of probabilities is no text"),
        (put("probability_columns", value=["cat", "yak"]), "2 columns have the probabilities of the classes"),
        (put("columns", 0, "fill", value=1.0), "a column is filled otherwise than 'error' says: weight"),
        (put("columns", 3, "fill", value="black"), "a column is filled otherwise than 'error' says: colour"),
        (
            put("reading", "missing", value="mean"),
            "a column is filled otherwise than 'mean' says: weight, legs, wild, colour",
        ),
        (put("columns", 0, "fill", value=1), "the fill of 'weight' is no finite number"),
        (put("columns", 0, "fill", value="1"), "the fill of 'weight' is no finite number"),
        (put("columns", 3, "fill", value=1.0), "the fill of 'colour' is no text"),
        (put("columns", 3, "fill", value="\ud800"), "the fill of 'colour' is not valid Unicode"),
        (put("columns", 2, "truths", value="true"), "truths of 'wild' is no truth value"),
        (put("columns", 2, "truths", value=1), "truths of 'wild' is no truth value"),
    ],
)
def test_readings_that_make_no_sense(
    change: Callable[[dict[str, Any]], None], message: str, trained: Trained, tmp_path: Path
) -> None:
    description, tensors = parts(trained[0])
    change(description)
    assert refused(forge(description, tensors, tmp_path / "model"), trained[1]).startswith(message)


@pytest.mark.parametrize("form", [1, 2])
@pytest.mark.parametrize("entry", ["fill", "truths"])
def test_what_older_formats_do_not_have(form: int, entry: str, trained: Trained, tmp_path: Path) -> None:
    description, tensors = described(trained[0], form)
    description["columns"][0][entry] = None
    model = forge(description, tensors, tmp_path / "model")
    assert refused(model, trained[1]) == "column 'weight' has unknown entries"


@pytest.mark.parametrize("missing", MISSING)
def test_how_the_training_read_its_file_comes_back(missing: str) -> None:
    table = animals()
    if missing != "error":
        table = set_cell(set_cell(table, "weight", 3, None), "colour", 5, None)
    write(table, Path("animals.csv")).rename("animals.txt")
    asked = ("--format", "csv", "--na", "?", "--na", "-", "--unseen", "error", "--missing", missing, "--drop", "legs")
    succeeds("train", "animals.txt", "--target", "kind", *asked, "--model", "m")
    model = load_model(Path("m"))
    assert model.options == ReadOptions(format="csv", na=("?", "-"))
    assert (model.missing, model.unseen) == (missing, "error")
    fills = {column.name: column.fill for column in model.columns}
    assert all((fill is None) == (missing in ("error", "drop")) for fill in fills.values())
    # Columns are found by their names, which other files may have more or fewer of.
    assert list(fills) == ["weight", "wild", "colour"]
    again = Path("again")
    save_model(model, again)
    assert again.read_bytes() == Path("m").read_bytes()


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", "{}", "[" * 100_000, "1" * 5000, '"\\ud800"'])
def test_descriptions_that_are_no_object(text: str, trained: Trained, tmp_path: Path) -> None:
    tensors = parts(trained[0])[1]
    (tmp_path / "model").write_bytes(save(tensors, {"softgrad": text}))
    assert refused(tmp_path / "model", trained[1])
    tensors["description"] = np.frombuffer(text.encode(), np.uint8)
    assert refused(forge({"format": 1}, tensors, tmp_path / "model"), trained[1]).startswith("it holds the tensors [")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("coef"), "it holds the tensors ['description', 'intercept']"),
        (lambda t: t.update(more=np.zeros(1)), "it holds the tensors ['coef', 'description', 'intercept', 'more']"),
        (lambda t: t.update(coef=t["coef"].astype(np.float32)), "coef is F32, not F64"),
        (lambda t: t.update(intercept=t["intercept"].astype(np.int64)), "intercept is I64, not F64"),
        (lambda t: t.update(coef=t["coef"].T.copy()), "coef has shape (6, 3), the columns and classes need (3, 6)"),
        (lambda t: t.update(intercept=np.zeros(4)), "intercept has shape (4,), not (3,)"),
        (lambda t: t["coef"].__setitem__((1, 1), np.nan), "a weight is not finite"),
        (lambda t: t["intercept"].__setitem__(1, np.inf), "a weight is not finite"),
    ],
)
def test_tensors_that_make_no_sense(
    change: Callable[[dict[str, np.ndarray]], None], message: str, trained: Trained, tmp_path: Path
) -> None:
    description, tensors = parts(trained[0])
    tensors = copy.deepcopy(tensors)
    change(tensors)
    assert refused(forge(description, tensors, tmp_path / "model"), trained[1]) == message


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.arange(5), "coef has shape (3, 6), the columns and classes need (3, 5)"),
        (np.array([1, 2, 3, 3, 4, 5]), "the indices are not in order"),
        (np.arange(6) - 1, "the indices are not in order"),
        (np.empty(0, np.int64), "indices has shape (0,)"),
        (np.arange(6).reshape(2, 3), "indices has shape (2, 3)"),
        (np.arange(6.0), "indices is F64, not I64"),
    ],
)
def test_indices_that_make_no_sense(indices: np.ndarray, message: str, trained: Trained, tmp_path: Path) -> None:
    description, tensors = parts(trained[0])
    assert refused(forge(description, {**tensors, "indices": indices}, tmp_path / "model"), trained[1]) == message


def test_a_careless_edit_is_found(trained: Trained, tmp_path: Path) -> None:
    whole = trained[0].read_bytes()
    edited = whole.replace(b"newt", b"Newt")
    assert edited != whole
    (tmp_path / "model").write_bytes(edited)
    assert refused(tmp_path / "model", trained[1]) == "the checksum does not match, it was changed"


def test_a_failed_write_leaves_the_old_model(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(animals(), in_folder / "animals.csv")
    (in_folder / "model").write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    outcome = run("train", "animals.csv", "--target", "kind", "--model", "model")
    assert outcome.status == 2
    assert outcome.stderr.splitlines()[-1] == "softgrad: cannot write model: Permission denied"
    assert (in_folder / "model").read_bytes() == b"old"
    assert {path.name for path in in_folder.iterdir()} == {"model", "animals.csv"}


@pytest.mark.parametrize("kind", ["indices", pytest.param("texts", marks=pytest.mark.slow)])
def test_more_than_the_header_of_a_file_holds(kind: str) -> None:
    """100 MB, which the names of 1.4 million features came to in format 1."""
    count = 2_000_000 if kind == "indices" else 1000
    columns: Sequence[Column] = SvmlightColumns(np.arange(1, count + 1))
    if kind == "texts":
        columns = [TextColumn("x", tuple(f"{number:04}" + "-" * 110_000 for number in range(count)))]
    coef = np.arange(2.0 * count).reshape(2, count)
    model = Model("y", columns, Classes("boolean", (False, True)), coef, np.array([1.0, 2.0]), {"rows": 2})
    save_model(model, Path("model"))
    found = load_model(Path("model"))
    np.testing.assert_array_equal(found.coef, coef)
    assert list(found.columns[-2:]) == list(columns[-2:])
    assert len(found.columns) == len(columns)
