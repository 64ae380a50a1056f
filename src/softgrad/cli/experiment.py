"""`softgrad experiment`: the scripts of examples/, found by the names of their files."""

from __future__ import annotations

import ast
import importlib
import math
from collections.abc import Callable
from pathlib import Path

from softgrad import examples
from softgrad.cli.errors import UserError, listing
from softgrad.cli.files import check_files, replacing
from softgrad.cli.report import Output
from softgrad.examples._experiment import Cell, Result, Table, png, print_tables


def experiment(name: str | None, folder: Path | None, output: Output) -> None:
    """Run the command; without a name it lists what there is."""
    if name is not None:
        _show(name, Path() if folder is None else folder, output)
    elif folder is None:
        _list(output)
    else:
        raise UserError(f"--output {folder}: which experiment? There are {listing(scripts())}")


def _list(output: Output) -> None:
    found = scripts()
    summaries = {name: summary(path) for name, path in found.items()}
    width = max(map(len, summaries))
    for name, line in summaries.items():
        output.line(f"{name:<{width}}  {line}")
    output.result({"experiments": summaries})


def _show(name: str, folder: Path, output: Output) -> None:
    run = load(name)
    picture = folder / f"{name}.png"
    check_files(inputs={}, outputs={"--output": picture})
    result = run()
    tables = result.tables()
    print_tables(tables, output.stream)
    with replacing(picture) as file:
        file.write(png(result))
    output.line(f"picture written to {picture}")
    output.result({"experiment": name, "tables": [as_json(table) for table in tables], "picture": str(picture)})


def scripts() -> dict[str, Path]:
    """The script of each experiment."""
    files = sorted(path for folder in examples.__path__ for path in Path(folder).glob("[!_]*.py"))
    return {path.stem.replace("_", "-"): path for path in files}


def summary(path: Path) -> str:
    """The first line of a script, which is not run for it: what it imports may not be installed."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if text is None:
        raise ValueError(f"{path} has no docstring")
    return text.splitlines()[0]


def load(name: str) -> Callable[[], Result]:
    """The function that runs the experiment.

    Raises
    ------
    UserError
        If there is none of this name, or a package that it compares with is not installed.
    """
    found = scripts()
    if name not in found:
        raise UserError(f"no such experiment: {name} (there are {listing(found)})")
    try:
        module = importlib.import_module(f"softgrad.examples.{found[name].stem}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("softgrad"):
            raise
        raise UserError(f'{name} needs {error.name}: pip install "softgrad[experiments]"') from None
    run: Callable[[], Result] = module.run
    return run


def as_json(table: Table) -> dict[str, object]:
    """The table with one object per row; JSON has no inf and no nan, so these are texts."""
    rows = [
        {heading: _cell_as_json(cell) for heading, cell in zip(table.columns, row, strict=True)} for row in table.rows
    ]
    return {"title": table.title, "rows": rows}


def _cell_as_json(cell: Cell) -> Cell:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell
