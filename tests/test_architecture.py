"""Who may import whom, read from the import statements; and what `import softgrad` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import softgrad
from softgrad import _contracts, _native, examples

# The path of an editable installation has the sources, the compiled core and the folder of examples/ apart.
ROOTS = [Path(root) for root in (*softgrad.__path__, *examples.__path__)]
SOURCES = sorted({path for root in ROOTS if root.name in ("softgrad", "examples") for path in root.rglob("*.py")})
CORE = {"softgrad._blocks", "softgrad._chunks", "softgrad._contracts", "softgrad._differentiable", "softgrad._native"}
CORE |= {"softgrad._float_mode", "softgrad._verbs"}
PUBLIC_API = {"softgrad", "softgrad.linear_model"}

# Per room: the packages from outside it may import, and the modules of softgrad outside the room itself.
RULES: dict[str, tuple[set[str], set[str]]] = {
    "softgrad": (
        {"numpy"},
        CORE
        | {"softgrad._config", "softgrad._diagonal_plus_rank_one", "softgrad.functional", "softgrad.gradcheck"}
        | {"softgrad.losses", "softgrad.linear_model"},
    ),
    "softgrad._blocks": ({"numpy"}, {"softgrad._chunks", "softgrad._contracts"}),
    "softgrad._checksum": ({"numpy"}, set()),
    "softgrad._chunks": ({"numpy"}, set()),
    "softgrad._config": (set(), {"softgrad._native"}),
    "softgrad._contracts": ({"numpy"}, {"softgrad._chunks", "softgrad._native"}),
    "softgrad._differentiable": ({"numpy"}, {"softgrad._float_mode", "softgrad._verbs"}),
    "softgrad._diagonal_plus_rank_one": ({"numpy"}, {"softgrad._float_mode"}),
    "softgrad._files": (set(), set()),
    "softgrad._float_mode": (set(), {"softgrad._native"}),
    "softgrad._native": ({"numpy"}, {"softgrad._core"}),
    "softgrad._products": ({"numpy"}, {"softgrad._contracts", "softgrad._native"}),
    "softgrad._verbs": (set(), set()),
    "softgrad.reference": ({"numpy"}, set()),
    "softgrad.functional": ({"numpy"}, CORE | {"softgrad._products"}),
    "softgrad.losses": ({"numpy"}, CORE | {"softgrad._products", "softgrad._diagonal_plus_rank_one"}),
    "softgrad.nn": ({"numpy", "rich", "safetensors"}, {"softgrad._files", "softgrad.functional", "softgrad.losses"}),
    "softgrad.gradcheck": ({"numpy"}, set()),
    "softgrad.linear_model": (
        {"numpy", "scipy", "sklearn"},
        {"softgrad._float_mode", "softgrad.functional"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._model", "softgrad.linear_model._solvers"}
        | {"softgrad.linear_model._export"},
    ),
    "softgrad.linear_model._data": (
        {"numpy", "scipy", "sklearn", "threadpoolctl", "pyarrow"},
        {"softgrad._native"},
    ),
    "softgrad.linear_model._model": (
        {"numpy", "scipy"},
        {"softgrad._products", "softgrad.functional", "softgrad.losses", "softgrad.linear_model._data"},
    ),
    "softgrad.linear_model._solvers": (
        {"numpy", "scipy", "safetensors"},
        {"softgrad._checksum", "softgrad._files", "softgrad.losses"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._model"},
    ),
    "softgrad.linear_model._export": (
        {"numpy", "sklearn", "onnx"},
        {"softgrad._files", "softgrad.linear_model"},
    ),
    "softgrad.cli": (
        {"numpy", "scipy", "typer", "click", "rich", "pyarrow", "sklearn", "safetensors", "matplotlib"},
        PUBLIC_API
        | {"softgrad._checksum", "softgrad._files", "softgrad.examples"}
        | {"softgrad.linear_model._data", "softgrad.linear_model._solvers", "softgrad.linear_model._export"},
    ),
    "softgrad.threadpoolctl": ({"threadpoolctl"}, set()),
    "softgrad.examples": ({"numpy", "matplotlib", "mpmath", "rich", "sklearn"}, PUBLIC_API | {"softgrad.nn"}),
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


def imported_modules(path: Path) -> set[str]:
    """The modules that import statements name, anywhere in the file; `from a import b` names a.b where that is one."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= parts & ALL_MODULES
            if not parts <= ALL_MODULES:
                names.add(node.module)
    return names


ALL_MODULES = {module_name(path) for path in SOURCES} | {"softgrad._core"}


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


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports within functions and for types alone count, too: they hide a circle, and do not open it."""
    graph = {module_name(path): imported_modules(path) & ALL_MODULES for path in SOURCES}
    TopologicalSorter({name: graph[name] for name in graph if room_of(name) != "softgrad.cli"}).prepare()


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
