"""`softgrad predict` and `softgrad evaluate`: the same numbers as in training, and unfit data refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from softgrad.linear_model._data import _pieces
from tests.cli.conftest import animals, fails, run, set_cell, succeeds, with_column, write
from tests.oracles.bounds import EPS, HALF_OF_THE_DIGITS

Trained = tuple[Path, Path]


def table_of(text: str) -> tuple[list[str], np.ndarray, list[str]]:
    """Header, probabilities and labels of a prediction."""
    header, *rows = csv.reader(io.StringIO(text))
    return header, np.array([row[1:] for row in rows], dtype=float), [row[0] for row in rows]


def test_predictions_on_the_training_file_reproduce_the_training_accuracy(in_folder: Path) -> None:
    data = write(animals(), in_folder / "animals.csv")
    options = ("--target", "kind", "--test-fraction", 0, "--model", "m", "--json")
    trained = succeeds("train", data, *options).json
    header, probabilities, labels = table_of(succeeds("predict", "m", data).stdout)
    truth = animals().column("kind").to_pylist()
    assert header == ["prediction", "probability_cat", "probability_newt", "probability_yak"]
    assert np.mean([a == b for a, b in zip(labels, truth, strict=True)]) == trained["training_accuracy"]
    assert labels == [header[1 + k][len("probability_") :] for k in probabilities.argmax(axis=1)]
    assert np.abs(probabilities.sum(axis=1) - 1.0).max() < 4 * np.finfo(float).eps
    places = [["cat", "newt", "yak"].index(kind) for kind in truth]
    loss = -np.mean(np.log(probabilities[np.arange(len(truth)), places]))
    # A rounding of a probability is one of its logarithm, whatever that is.
    assert loss == pytest.approx(trained["training_loss"], rel=0.0, abs=16 * EPS)
    evaluated = succeeds("evaluate", "m", data, "--json").json
    for name in ("loss", "accuracy"):
        assert evaluated[name] == trained[f"training_{name}"]
    assert evaluated["confusion_matrix"] == trained["confusion_matrix"]


def test_both_parts_are_found_again_in_the_whole_file(in_folder: Path) -> None:
    data = write(animals(), in_folder / "animals.parquet")
    trained = succeeds("train", data, "--target", "kind", "--model", "m", "--json").json
    right = sum(trained[f"{part}_accuracy"] * trained[f"{rows}_rows"] for part, rows in
                [("training", "train"), ("test", "test")])  # fmt: skip
    evaluated = succeeds("evaluate", "m", data, "--json").json
    assert evaluated["accuracy"] * evaluated["rows"] == pytest.approx(right, rel=8 * EPS, abs=0.0)


def test_evaluate_in_lines(trained: Trained) -> None:
    outcome = succeeds("evaluate", *trained)
    assert outcome.value("rows") == "300"
    assert 0.5 < float(outcome.value("accuracy")) < 1.0
    assert 0.1 < float(outcome.value("loss")) < 1.0
    assert "confusion matrix" in outcome.stdout
    assert outcome.stderr == ""


def test_the_output_file_is_the_standard_output(trained: Trained, in_folder: Path) -> None:
    outcome = succeeds("predict", *trained, "-o", "out.csv")
    assert outcome.stdout == outcome.stderr == ""
    assert (in_folder / "out.csv").read_text() == succeeds("predict", *trained).stdout
    assert [path.name for path in in_folder.iterdir()] == ["out.csv"]


def test_other_columns_and_their_order_do_not_matter(trained: Trained, in_folder: Path) -> None:
    table = animals()
    extra = table.append_column("junk", pa.array([[1]] * table.num_rows))
    shuffled = extra.select(["junk", "colour", "weight", "wild", "legs"])
    write(shuffled, in_folder / "shuffled.parquet")
    assert succeeds("predict", trained[0], "shuffled.parquet").stdout == succeeds("predict", *trained).stdout


def test_rows_do_not_depend_on_each_other(trained: Trained, in_folder: Path) -> None:
    write(animals().slice(10, 5), in_folder / "some.csv")
    _, some, labels = table_of(succeeds("predict", trained[0], "some.csv").stdout)
    _, everything, all_labels = table_of(succeeds("predict", *trained).stdout)
    assert labels == all_labels[10:15]
    assert np.abs(some - everything[10:15]).max() < 8 * np.finfo(float).eps


def test_unseen_text_is_all_zeros(in_folder: Path) -> None:
    """Probabilities for an unseen text are those of the weights without any of the column's."""
    write(animals(), in_folder / "animals.csv")
    succeeds("train", "animals.csv", "--target", "kind", "--test-fraction", 0, "--model", "m")
    from softgrad.cli.model_file import load_model

    model = load_model(Path("m"))
    row = animals().slice(0, 1)
    write(with_column(row, "colour", ["purple"]), in_folder / "unseen.csv")
    _, probabilities, _ = table_of(succeeds("predict", "m", "unseen.csv").stdout)
    values = [float(row.column(name)[0].as_py()) for name in ("weight", "legs", "wild")]
    numbers = [(v - c.mean) / c.scale for v, c in zip(values, model.columns[:3], strict=True)]
    logits = model.coef[:, :3] @ numbers + model.intercept
    expected = np.exp(logits - logits.max())
    assert probabilities[0] == pytest.approx(
        expected / expected.sum(), rel=64 * EPS * max(1.0, np.abs(logits).max()), abs=0.0
    )


def test_standardisation_is_that_of_the_training(in_folder: Path) -> None:
    from softgrad.cli.model_file import load_model

    table = animals()
    write(table, in_folder / "animals.csv")
    succeeds("train", "animals.csv", "--target", "kind", "--test-fraction", 0, "--model", "m")
    weight = np.array(table.column("weight").to_pylist())
    column = load_model(Path("m")).columns[0]
    assert column.mean == pytest.approx(weight.mean(), rel=32 * EPS, abs=0.0)
    assert column.scale == pytest.approx(weight.std(), rel=32 * EPS, abs=0.0)


@pytest.mark.parametrize(
    ("labels", "written"),
    [([3, 11], ["3", "11"]), ([True, False], ["false", "true"]), (["x,y", 'q"'], ['q"', "x,y"])],
)
def test_labels_keep_their_kind(labels: list[object], written: list[str], in_folder: Path) -> None:
    write(pa.table({"x": np.arange(40) % 2, "y": pa.array(labels * 20)}), in_folder / "data.csv")
    succeeds("train", "data.csv", "--target", "y", "--test-fraction", 0, "--model", "m")
    succeeds("predict", "m", "data.csv", "-o", "out.csv")
    predicted = pyarrow.csv.read_csv("out.csv")
    assert predicted.column("prediction").to_pylist() == labels * 20
    assert predicted.column_names == ["prediction", *(f"probability_{name}" for name in written)]


def test_text_that_looks_like_numbers_stays_text(in_folder: Path) -> None:
    """The codes 01 and 1 differ, and a file with no other codes is still read as text."""
    codes = ["01", "1", "x"] * 20
    write(pa.table({"code": codes, "kind": codes}), in_folder / "data.csv")
    succeeds("train", "data.csv", "--target", "kind", "--test-fraction", 0, "--model", "m")
    (in_folder / "new.csv").write_text("code,kind\n01,01\n1,1\n01,01\n")
    _, _, labels = table_of(succeeds("predict", "m", "new.csv").stdout)
    assert labels == ["01", "1", "01"]
    assert succeeds("evaluate", "m", "new.csv", "--json").json["accuracy"] == 1.0


def test_another_name_of_the_target(trained: Trained, in_folder: Path) -> None:
    table = animals()
    write(table.rename_columns([*table.column_names[:-1], "truth"]), in_folder / "renamed.csv")
    assert fails("evaluate", trained[0], "renamed.csv").startswith("renamed.csv has no column 'kind'; its columns are")
    renamed = succeeds("evaluate", trained[0], "renamed.csv", "--target", "truth", "--json").json
    assert renamed["accuracy"] == succeeds("evaluate", *trained, "--json").json["accuracy"]


def test_built_in_data() -> None:
    trained = succeeds("train", "wine", "--test-fraction", 0, "--model", "wine.model", "--json").json
    assert succeeds("evaluate", "wine.model", "wine", "--json").json["loss"] == trained["training_loss"]
    assert len(table_of(succeeds("predict", "wine.model", "wine").stdout)[2]) == 178
    assert "lacks the columns 'alcohol', 'malic_acid'" in fails("predict", "wine.model", "iris")


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_data_that_lack_columns(verb: str, trained: Trained, in_folder: Path) -> None:
    write(animals().drop_columns(["legs"]), in_folder / "one.csv")
    assert fails(verb, trained[0], "one.csv") == (
        "one.csv lacks the column 'legs' that the model was trained on; its columns are weight, wild, colour, kind"
    )
    write(animals().drop_columns(["legs", "colour"]), in_folder / "two.csv")
    expected = (
        "two.csv lacks the columns 'legs', 'colour' that the model was trained on; its columns are weight, wild, kind"
    )
    assert fails(verb, trained[0], "two.csv") == expected


def test_data_of_another_kind_than_in_training(trained: Trained, in_folder: Path) -> None:
    table = animals()
    write(set_cell(with_column(table, "legs", ["4"] * 300), "legs", 41, "four"), in_folder / "word.csv")
    assert fails("predict", trained[0], "word.csv") == (
        "word.csv, column 'legs', row 41: 'four' is not a number; --na four if it says that a value is missing"
    )
    write(set_cell(with_column(table, "wild", ["true"] * 300), "wild", 7, "1"), in_folder / "one.csv")
    said = "one.csv, column 'wild', row 7: '1' is not true or false; --na 1 if it says that a value is missing"
    assert fails("predict", trained[0], "one.csv") == said
    write(with_column(table, "legs", [["4"]] * 300), in_folder / "list.parquet")
    held = "this holds list<element: string>"
    assert fails("predict", trained[0], "list.parquet") == f"list.parquet, column 'legs': numbers are needed, {held}"
    write(with_column(table, "colour", [["4"]] * 300), in_folder / "list.parquet")
    assert fails("predict", trained[0], "list.parquet") == f"list.parquet, column 'colour': text is needed, {held}"


def test_text_that_holds_what_the_training_had_as_another_type(trained: Trained, in_folder: Path) -> None:
    """Numbers as text are those numbers; numbers where text was are texts that were not seen, which is said."""
    table = animals()
    legs = [str(number) for number in table.column("legs").to_pylist()]
    write(with_column(table, "legs", legs), in_folder / "text.parquet")
    assert succeeds("predict", trained[0], "text.parquet").stdout == succeeds("predict", *trained).stdout
    predictions = set()
    for name in ("number.parquet", "number.csv"):
        write(with_column(table, "colour", [4] * 300), in_folder / name)
        outcome = succeeds("predict", trained[0], name)
        said = "note: column 'colour' has texts that the training did not have, in 300 cells ('4')"
        assert outcome.stderr == f"{said}: they count as none of its texts\n"
        predictions.add(outcome.stdout)
    assert len(predictions) == 1
    said = (
        "number.csv, column 'colour', row 1: the training did not have '4', only 'black', 'red, dark', 'the \"white\"'"
    )
    assert fails("predict", trained[0], "number.csv", "--unseen", "error") == (
        f"{said}; --unseen zero takes it as none of these"
    )


@pytest.mark.parametrize(("column", "value", "message"), [
    ("weight", None, "the value is missing; --missing of train says what takes its place"),
    ("colour", None, "the value is missing; --missing of train says what takes its place"),
    ("weight", float("inf"), "inf is infinite; it must be finite"),
])  # fmt: skip
def test_values_that_cannot_be_scored(
    column: str, value: object, message: str, trained: Trained, in_folder: Path
) -> None:
    write(set_cell(animals(), column, 9, value), in_folder / "data.parquet")
    expected = f"data.parquet, column {column!r}, row 9: {message}"
    assert fails("predict", trained[0], "data.parquet", "-o", "out.csv") == expected
    assert not (in_folder / "out.csv").exists()


def test_rows_that_a_model_leaves_out(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have an empty line in the predictions, no part in the scores, and are counted, even if all of a part are."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    table = animals(rows=900)
    gaps = table
    for row in [3, *range(257, 513), 900]:
        gaps = set_cell(gaps, "weight" if row % 2 else "colour", row, None)
    write(gaps, in_folder / "gaps.parquet")
    whole = np.array([None not in row.values() for row in gaps.to_pylist()])
    write(gaps.filter(pa.array(whole)), in_folder / "whole.parquet")
    succeeds("train", "gaps.parquet", "--target", "kind", "--missing", "drop", "--test-fraction", 0, "--model", "m")
    outcome = succeeds("predict", "m", "gaps.parquet")
    lines = outcome.stdout.splitlines()[1:]
    assert [line for line, given in zip(lines, whole, strict=True) if not given] == [",,,"] * 258
    used = [line for line, given in zip(lines, whole, strict=True) if given]
    expected = succeeds("predict", "m", "whole.parquet").stdout.splitlines()[1:]
    assert [line.split(",")[0] for line in used] == [line.split(",")[0] for line in expected]
    found, probabilities = ([line.split(",")[1:] for line in given] for given in (used, expected))
    assert np.abs(np.array(found, float) - np.array(probabilities, float)).max() < 8 * EPS
    assert outcome.stderr == "note: rows with a missing value, which are not used, as in the training: 258\n"
    scores = succeeds("evaluate", "m", "gaps.parquet", "--json").json
    assert scores["rows"] == 900 - 258
    assert scores["confusion_matrix"] == succeeds("evaluate", "m", "whole.parquet", "--json").json["confusion_matrix"]
    write(gaps.slice(256, 256), in_folder / "none.parquet")
    assert fails("evaluate", "m", "none.parquet") == "none.parquet has no row without a missing value"
    assert succeeds("predict", "m", "none.parquet").stdout.splitlines()[1:] == [",,,"] * 256


def test_values_far_beyond_the_training_data(in_folder: Path) -> None:
    for size, model in [(1e-3, "small"), (4.0, "large")]:
        data = pa.table({"x": size * (np.arange(40) % 2) + 0.01 * size * np.arange(40), "y": [0, 1] * 20})
        write(data, in_folder / "data.parquet")
        succeeds("train", "data.parquet", "--target", "y", "-C", 1e6, "--model", model)
    write(pa.table({"x": [0.0, 1e300, -1e300]}), in_folder / "far.parquet")
    _, probabilities, _ = table_of(succeeds("predict", "large", "far.parquet").stdout)
    assert probabilities[1:].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    write(pa.table({"x": [0.0, 1e308], "y": [0, 1]}), in_folder / "farther.parquet")
    expected = "farther.parquet, row 2: too far from the training data to be scored"
    assert fails("predict", "large", "farther.parquet") == expected
    assert fails("evaluate", "large", "farther.parquet", "--target", "y") == expected
    said = "farther.parquet, column 'x', row 2: too large to standardise"
    assert fails("predict", "small", "farther.parquet") == said


def test_labels_that_the_model_does_not_know(trained: Trained, in_folder: Path) -> None:
    write(set_cell(animals(), "kind", 12, "ant"), in_folder / "data.csv")
    expected = "data.csv, column 'kind', row 12: 'ant' is not a class of the model (cat, newt, yak)"
    assert fails("evaluate", trained[0], "data.csv") == expected
    write(with_column(animals(), "kind", [1] * 300), in_folder / "data.parquet")
    expected = "data.parquet, column 'kind', row 1: '1' is not a class of the model (cat, newt, yak)"
    assert fails("evaluate", trained[0], "data.parquet") == expected


def test_labels_of_another_kind(in_folder: Path) -> None:
    write(pa.table({"x": [0, 1] * 20, "y": [5, 6] * 20}), in_folder / "data.csv")
    succeeds("train", "data.csv", "--target", "y", "--test-fraction", 0, "--model", "m")
    for labels, what in [
        (["5", "b"], "row 2: 'b' is not a number; --na b if it says that a value is missing"),
        ([True, False], "row 1: 'true' is not a number; --na true if it says that a value is missing"),
        ([6, None], "row 2: the value is missing; --missing drop of train leaves such rows out"),
        ([5.0, 5.5], "row 2: '5.5' is not whole; regression targets are not supported, and --label-as text takes each "
         "number as a class"),
    ]:  # fmt: skip
        write(pa.table({"x": [0, 1], "y": labels}), in_folder / "other.csv")
        expected = f"other.csv, column 'y', {what}; the classes of the model are 5, 6"
        assert fails("evaluate", "m", "other.csv") == expected
    write(pa.table({"x": [0, 1], "y": [5, 7]}), in_folder / "other.csv")
    said = "other.csv, column 'y', row 2: 7 is not a class of the model (5, 6)"
    assert fails("evaluate", "m", "other.csv") == said


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/out.csv", "cannot write no/out.csv: the folder "),
        ("/dev/null", "cannot write /dev/null: it is there already and is not a plain file"),
        ("out.parquet", "--output out.parquet: predictions are written as plain CSV; let the name end in .csv"),
        ("out.csv.gz", "--output out.csv.gz: predictions are written as plain CSV"),
    ],
)
def test_outputs_that_cannot_be_written(output: str, message: str, trained: Trained, in_folder: Path) -> None:
    assert fails("predict", *trained, "-o", output).startswith(message)
    assert list(in_folder.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(trained: Trained, in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_folder / "out.csv").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("softgrad._files.os.fsync", full)
    outcome = run("predict", *trained, "-o", "out.csv")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("softgrad: cannot write out.csv: No space left on device; free some space")
    assert (in_folder / "out.csv").read_text() == "old"
    assert len(list(in_folder.iterdir())) == 1


def end_to_end(rows: int, folder: Path) -> None:
    """20 numbers of very different size, 2 texts, a text target; through a .csv, a model file and predictions."""
    generator = np.random.default_rng(rows)
    numbers = generator.standard_normal((rows, 20))
    city, colour = generator.integers(0, 12, rows), generator.integers(0, 5, rows)
    weights = [generator.standard_normal((n, 4)) for n in (20, 12, 5)]
    scores = numbers @ weights[0] + weights[1][city] + weights[2][colour] + generator.gumbel(size=(rows, 4))
    kinds = np.array(["ant", "bee", "cat", "dog"])[scores.argmax(axis=1)].tolist()
    sizes = 10.0 ** generator.uniform(-3, 4, 20)
    columns = {f"x{i}": numbers[:, i] * sizes[i] + 5.0 * sizes[i] for i in range(20)}
    texts = {"city": [f"city {c}" for c in city.tolist()], "colour": [f"colour {c}" for c in colour.tolist()]}
    data = write(pa.table({**columns, **texts, "kind": kinds}), folder / "data.csv")

    trained = succeeds("train", data, "--target", "kind", "--test-fraction", 0, "--model", "m", "--json").json
    assert (trained["rows"], trained["features"]) == (rows, 37)
    assert trained["converged"]
    assert trained["gradient_check"] < HALF_OF_THE_DIGITS
    assert trained["training_accuracy"] > 0.8
    succeeds("predict", "m", data, "-o", "out.csv")
    predicted = pyarrow.csv.read_csv("out.csv").column("prediction").to_pylist()
    right = sum(a == b for a, b in zip(predicted, kinds, strict=True))
    assert right / rows == trained["training_accuracy"]


def test_end_to_end(in_folder: Path) -> None:
    end_to_end(5_000, in_folder)


@pytest.mark.slow
def test_end_to_end_with_many_rows(in_folder: Path) -> None:
    end_to_end(200_000, in_folder)
