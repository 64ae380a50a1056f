"""`softgrad export`: a model file as ONNX, with the encoding of its columns, for runtimes without Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import softgrad
from softgrad.cli.columns import NumberColumn, TextColumn
from softgrad.cli.errors import UserError
from softgrad.cli.files import check_files, write_errors
from softgrad.cli.learning import fills
from softgrad.cli.model import Model
from softgrad.cli.model_file import load_model
from softgrad.cli.report import Output
from softgrad.cli.tables import IntArray
from softgrad.linear_model._export._onnx import DTYPES, Graph


def export(path: Path, destination: Path, dtype: str, opset: int | None, output: Output) -> None:
    """Run the command; without an opset it is the oldest with what the model needs."""
    check_files(inputs={"MODEL": [path]}, outputs={"OUT.onnx": destination})
    if dtype not in DTYPES:
        raise UserError(f"--dtype is {dtype}; it must be {' or '.join(DTYPES)}")
    if destination.suffix.lower() != ".onnx":
        raise UserError(f"{destination}: the name of an ONNX model must end in .onnx")
    model = load_model(path)
    try:
        graph = _graph(model, dtype)
        with write_errors(destination):
            graph.save(destination, _metadata(model), graph.oldest_opset if opset is None else opset)
    except ImportError as error:
        raise UserError(str(error)) from None
    except ValueError as error:
        raise UserError(f"{path} cannot be exported as {dtype}: {error}") from None
    for port in (*graph.inputs, *graph.outputs):
        shape = " x ".join(map(str, port.shape))
        kind = "text" if port.dtype == np.object_ else port.dtype.name
        output.line(f"{'input' if port in graph.inputs else 'output'} {port.name}: {kind}, {shape}")
    output.line(f"model written to {destination}")


def _metadata(model: Model) -> dict[str, str]:
    return {
        "softgrad": softgrad.__version__,
        "target": model.target,
        "columns_of_X": json.dumps([column.name for column in _numbers(model)]),
        "columns_of_text": json.dumps([column.name for column in _texts(model)]),
        "classes": json.dumps(model.classes.labels),
    }


def _numbers(model: Model) -> list[NumberColumn]:
    return [column for column in model.columns if isinstance(column, NumberColumn)]


def _texts(model: Model) -> list[TextColumn]:
    return [column for column in model.columns if isinstance(column, TextColumn)]


def _graph(model: Model, dtype: str) -> Graph:
    """The inputs X and text hold the columns of numbers and of text; either is left out where there are none."""
    numbers, texts = _numbers(model), _texts(model)
    graph = Graph(dtype)
    blocks = []
    if numbers:
        graph.add_input("X", dtype, len(numbers), [column.name for column in numbers])
        given = _filled_numbers(graph, numbers) if fills(model.missing) else "X"
        mean = graph.number("mean", np.array([column.mean for column in numbers]))
        scale = graph.number("scale", np.array([column.scale for column in numbers]), positive=True)
        blocks.append(graph.node("Div", [graph.node("Sub", [given, mean], "centred"), scale], "standardised"))
    if texts:
        # Equal takes text since then.
        graph.oldest_opset = 19
        graph.add_input("text", np.object_, len(texts), [column.name for column in texts])
        blocks += [_one_hot(graph, place, column) for place, column in enumerate(texts)]
    features = graph.node("Concat", blocks, "features", axis=1) if len(blocks) > 1 else blocks[0]
    # The blocks stand in another order than the columns.
    order = np.concatenate([*_places(model, NumberColumn), *_places(model, TextColumn)])
    # Text is kept in objects, since NumPy's own loses trailing NULs.
    labels = np.array(model.classes.labels, dtype=np.object_ if model.classes.kind == "text" else None)
    graph.classify(features, model.coef[:, order], model.intercept, labels)
    return graph


def _filled_numbers(graph: Graph, numbers: list[NumberColumn]) -> str:
    """X with each NaN, which is a missing number, replaced."""
    fill = graph.number("fill", np.array([column.fill for column in numbers], np.float64))
    return graph.node("Where", [graph.node("IsNaN", ["X"], "is_missing"), fill, "X"], "filled")


def _one_hot(graph: Graph, place: int, column: TextColumn) -> str:
    """All zeros for a text that is not among the categories; an empty one is missing, unless it is among them."""
    index = graph.constant(f"place_{place}", np.array([place]))
    cells = graph.node("Gather", ["text", index], f"text_{place}", axis=1)
    if column.fill is not None and "" not in column.categories:
        nothing = graph.constant(f"nothing_{place}", np.array([""], dtype=object))
        fill = graph.constant(f"fill_{place}", np.array([column.fill], dtype=object))
        missing = graph.node("Equal", [cells, nothing], f"is_missing_{place}")
        cells = graph.node("Where", [missing, fill, cells], f"filled_{place}")
    categories = graph.constant(f"categories_{place}", np.array([column.categories], dtype=object))
    equal = graph.node("Equal", [cells, categories], f"equal_{place}")
    return graph.node("CastLike", [equal, "intercept_"], f"one_hot_{place}")


def _places(model: Model, kind: type[NumberColumn] | type[TextColumn]) -> list[IntArray]:
    """The columns of the coefficients that belong to the columns of a kind."""
    ends = np.cumsum([column.width for column in model.columns])
    return [
        np.arange(end - column.width, end)
        for column, end in zip(model.columns, ends, strict=True)
        if isinstance(column, kind)
    ]
