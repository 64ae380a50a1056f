"""Who may import whom, read from the import statements; and what `import softgrad` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import softgrad
from softgrad import _contracts, _native, examples

# The path of an editable installation has the sources, the compiled core and the folder of examples/ apart.
ROOTS = [Path(root) for root in (*softgrad.__path__, *examples.__path__)]
SOURCES = sorted({path for root in ROOTS if root.name in ("softgrad", "examples") for path in root.rglob("*.py")})
CORE = {"softgrad._blocks", "softgrad._chunks", "softgrad._contracts", "softgrad._differentiable", "softgrad._native"}
CORE |= {"softgrad._float_mode", "softgrad._verbs"}
FIT = {"softgrad.linear_model._fit", "softgrad.linear_model._stream_start"}
PUBLIC_API = {"softgrad", "softgrad.linear_model"}

# Per room: the packages from outside it may import, and the modules of softgrad outside the room itself.
RULES: dict[str, tuple[set[str], set[str]]] = {
    "softgrad": (
        {"numpy"},
        CORE
        | {"softgrad._config", "softgrad._diagonal_plus_rank_one", "softgrad._version", "softgrad.functional"}
        | {"softgrad.gradcheck", "softgrad.losses", "softgrad.linear_model"},
    ),
    "softgrad._blocks": ({"numpy"}, {"softgrad._chunks", "softgrad._contracts"}),
    "softgrad._checksum": ({"numpy"}, set()),
    "softgrad._chunks": ({"numpy"}, set()),
    "softgrad._config": ({"numpy"}, {"softgrad._native", "softgrad._version"}),
    "softgrad._contracts": ({"numpy"}, {"softgrad._chunks", "softgrad._native"}),
    "softgrad._differentiable": ({"numpy"}, {"softgrad._float_mode", "softgrad._verbs"}),
    "softgrad._diagonal_plus_rank_one": ({"numpy"}, {"softgrad._float_mode"}),
    "softgrad._files": (set(), set()),
    "softgrad._float_mode": (set(), {"softgrad._native"}),
    "softgrad._native": ({"numpy"}, {"softgrad._core"}),
    "softgrad._negligible": ({"numpy"}, {"softgrad._contracts", "softgrad._native"}),
    "softgrad._products": ({"numpy"}, {"softgrad._contracts", "softgrad._native"}),
    "softgrad._verbs": (set(), set()),
    "softgrad._version": (set(), set()),
    "softgrad.reference": ({"numpy"}, set()),
    "softgrad.functional": ({"numpy"}, CORE | {"softgrad._products"}),
    "softgrad.losses": (
        {"numpy"},
        CORE | {"softgrad._negligible", "softgrad._products", "softgrad._diagonal_plus_rank_one"},
    ),
    "softgrad.nn": ({"numpy", "rich", "safetensors"}, {"softgrad._files", "softgrad.functional", "softgrad.losses"}),
    "softgrad.torch": (
        {"numpy", "torch", "ml_dtypes", "transformers"},
        {"softgrad._contracts", "softgrad._float_mode", "softgrad._native", "softgrad._products"}
        | {"softgrad.functional", "softgrad.losses"},
    ),
    "softgrad.gradcheck": ({"numpy"}, set()),
    "softgrad.linear_model": (
        {"numpy", "scipy", "sklearn", "joblib", "pandas"},
        {"softgrad._float_mode", "softgrad.functional"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._model", "softgrad.linear_model._solvers"}
        | {"softgrad.linear_model._export"}
        | FIT,
    ),
    # Below the estimator, so that the command need not import scikit-learn.
    "softgrad.linear_model._fit": (
        {"numpy"},
        {"softgrad._float_mode"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._model", "softgrad.linear_model._solvers"},
    ),
    "softgrad.linear_model._stream_start": (
        set(),
        {"softgrad._float_mode", "softgrad.linear_model._data", "softgrad.linear_model._solvers"} | FIT,
    ),
    "softgrad.linear_model._data": (
        {"numpy", "scipy", "sklearn", "threadpoolctl", "pyarrow", "fsspec"},
        {"softgrad._files", "softgrad._native"},
    ),
    "softgrad.linear_model._model": (
        {"numpy", "scipy"},
        {
            "softgrad._native",
            "softgrad._negligible",
            "softgrad._products",
            "softgrad.losses",
            "softgrad.linear_model._data",
        },
    ),
    "softgrad.linear_model._solvers": (
        {"numpy", "scipy", "safetensors"},
        {"softgrad._checksum", "softgrad._files", "softgrad._negligible", "softgrad.losses"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._model"},
    ),
    # On a cluster of either engine; each file imports its own.
    "softgrad.distributed": (
        {"numpy", "threadpoolctl", "joblib", "ray", "dask", "distributed"},
        {"softgrad", "softgrad.linear_model", "softgrad.linear_model._data"},
    ),
    "softgrad.linear_model._export": (
        {"numpy", "sklearn", "onnx"},
        {"softgrad._files", "softgrad.linear_model"},
    ),
    "softgrad.cli": (
        {"numpy", "scipy", "typer", "click", "rich", "pyarrow", "safetensors", "matplotlib"},
        PUBLIC_API
        | {"softgrad._checksum", "softgrad._files", "softgrad._float_mode", "softgrad.distributed", "softgrad.examples"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._solvers", "softgrad.linear_model._export"}
        | FIT,
    ),
    "softgrad.threadpoolctl": ({"threadpoolctl"}, {"softgrad._version"}),
    "softgrad.examples": (
        {"numpy", "matplotlib", "mpmath", "pyarrow", "rich", "sklearn", "torch", "transformers"},
        PUBLIC_API | {"softgrad.distributed", "softgrad.nn", "softgrad.torch"},
    ),
}


def module_name(path: Path) -> str:
    parts = list(path.with_suffix("").parts)
    if "examples" in parts:
        parts = ["softgrad", *parts[len(parts) - 1 - parts[::-1].index("examples") :]]
    else:
        parts = parts[len(parts) - 1 - parts[::-1].index("softgrad") :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The innermost of the rooms that a module is in; itself where there is none."""
    parts = module.split(".")
    outwards = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((name for name in outwards if name in RULES), module)


def statement_modules(node: ast.AST) -> set[str]:
    """The modules that an import statement names; `from a import b` names a.b where a itself has no b."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return set()
    assert node.level == 0, f"line {node.lineno}: relative import"
    assert node.module is not None
    named = {f"{node.module}.{alias.name}" for alias in node.names}
    return {name if name in ALL_MODULES - BOUND_NAMES else node.module for name in named}


def bound_names(path: Path) -> set[str]:
    """What the import statements of a package bind: softgrad.functional.softmax is a function there, not its module."""
    if path.name != "__init__.py":
        return set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    statements = [node for node in body if isinstance(node, ast.ImportFrom)]
    return {f"{module_name(path)}.{alias.asname or alias.name}" for node in statements for alias in node.names}


def imported_modules(path: Path) -> set[str]:
    """The modules that import statements name, anywhere in the file."""
    return set().union(*map(statement_modules, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))


def unexplained_imports(source: str) -> set[str]:
    """The modules that are imported without saying why later than the file itself.

    At module level nothing can be said: these imports run, or the type checker follows them. An import in a function
    says why by a comment on its line, or by one above the run of imports that it stands in.
    """
    tree, lines = ast.parse(source), source.splitlines()
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {node for function in functions for node in ast.walk(function)}
    names = set()
    for node in ast.walk(tree):
        if node not in inside or not _says_why(lines, node):
            names |= statement_modules(node)
    return names


def _says_why(lines: list[str], node: ast.AST) -> bool:
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return False
    assert node.end_lineno is not None
    if "#" in "".join(lines[node.lineno - 1 : node.end_lineno]):
        return True
    above = node.lineno - 2
    while lines[above].lstrip().startswith(("import ", "from ")):
        above -= 1
    return lines[above].lstrip().startswith("#")


def circles(imports: dict[str, set[str]]) -> set[frozenset[str]]:
    """The largest sets of modules each of which imports, over others, all of its set."""
    reached = {module: set(imported) for module, imported in imports.items()}
    for middle in imports:
        for found in reached.values():
            if middle in found:
                found |= reached[middle]
    return {
        frozenset(other for other in found if module in reached.get(other, ()))
        for module, found in reached.items()
        if module in found
    }


ALL_MODULES = {module_name(path) for path in SOURCES} | {"softgrad._core"}
BOUND_NAMES: set[str] = set().union(*map(bound_names, SOURCES))


def test_the_sources_are_found() -> None:
    assert {"softgrad.losses._cross_entropy", "softgrad.reference.softmax", "softgrad._native"} <= ALL_MODULES


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_keep_to_the_rooms(path: Path) -> None:
    module = module_name(path)
    room = room_of(module)
    assert room in RULES, f"{module} is in a room without a rule"
    outside, inside = RULES[room]
    for name in imported_modules(path):
        top = name.split(".")[0]
        if top == "softgrad":
            allowed = room_of(name) == room or room_of(name) in inside
            assert allowed, f"{module} imports {name}"
        else:
            assert top in outside or top in sys.stdlib_module_names, f"{module} imports {name}"


@pytest.mark.parametrize("room", ["softgrad.losses", "softgrad.functional"])
def test_public_names_are_those_of_the_package(room: str) -> None:
    """A module beside the object of its name would hide it, or be hidden by it."""
    modules = {name.removeprefix(f"{room}.").split(".")[0] for name in ALL_MODULES if name.startswith(f"{room}.")}
    assert {name for name in modules if not name.startswith("_")} == set()
    assert len(modules) > 5


def test_no_circle_between_modules() -> None:
    imports = {module_name(path): unexplained_imports(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert circles(imports) == set()


def test_a_circle_is_seen() -> None:
    imports = {"a": {"b", "numpy"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}, "g": set()}
    assert circles(imports) == {frozenset("abc"), frozenset("de")}
    assert circles(imports | {"e": {"c"}}) == {frozenset("abcde")}
    assert circles(imports | {"c": {"d"}, "e": set()}) == set()


def test_an_import_in_a_function_counts_unless_it_says_why() -> None:
    source = """
import a
if TYPE_CHECKING:
    from softgrad.cli import train, errors
class Late:
    from b import c
    def method(self):
        # Because.
        import d
        import e
        from f import (
            g,
        )

        import h
        import i  # Because.
        print()
        def inner():
            import j
"""
    found = unexplained_imports(source)
    assert found == {"a", "softgrad.cli.train", "softgrad.cli.errors", "b", "h", "j"}


def test_only_native_imports_the_compiled_module() -> None:
    importers = {module_name(path) for path in SOURCES if "softgrad._core" in imported_modules(path)}
    assert importers == {"softgrad._native"}


def test_private_names_of_scikit_learn_stand_in_one_file() -> None:
    users = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "sklearn":
                names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
                users |= {module_name(path)} if any(name.startswith("_") for name in names) else set()
    assert users == {"softgrad.linear_model._scikit_learn"}


def test_import_loads_numpy_and_the_standard_library_alone() -> None:
    program = (
        "import sys; before = set(sys.modules); import numpy; numpy_too = set(sys.modules); import softgrad;"
        "print('\\n'.join(sorted(set(sys.modules) - numpy_too)))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "softgrad._core" in loaded
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"softgrad", "numpy"}
    # The finder of an editable installation is not part of the library.
    assert {name for name in foreign if "editable" not in name} == set()


def test_the_two_tables_of_dtypes_agree() -> None:
    """Each side has its own: SOFTGRAD_DTYPES of cpp/arrays/dtypes.hpp, LOSS_DTYPES of _contracts.py."""
    assert set(_native.dtypes()) == set(_contracts.LOSS_DTYPES)
    assert len(_native.dtypes()) == 4


def test_public_names() -> None:
    for name in softgrad.__all__:
        assert getattr(softgrad, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        softgrad.nothing  # noqa: B018
