"""The pages of docs, CONTRIBUTING.md, SECURITY.md and the READMEs name files, functions and commands that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks._questions import QUESTIONS
from benchmarks._tables import columns

from tests.test_derivations import anchors_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DESIGN = DOCS / "design"
PAGES = sorted(DESIGN.glob("*.md"))
HELD = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "README.md", "README.zh-CN.md", "SECURITY.md"))]
ALL = sorted({*HELD, *DOCS.rglob("*.md")})
MOST_WORDS = 3000
LONGEST_LINE = 120
FOLDERS = ("src/", "cpp/", "tests/", "benchmarks/", "docs/", "examples/")
# Stands in a recipe for the name of what is added.
PLACEHOLDER = "NAME"
# A quantity that was measured, as "1.5 ms", "3 times" or "20 %"; the bounds in ulp are promises.
FIGURE = re.compile(r"\b\d[\d.,]*\s*(?:ns|us|ms|s|seconds|minutes|[KMG]i?B|%|x|times)(?![\w-])")
COMMAND = re.compile(r"(?:python -m benchmarks|pytest)\b")


def spans(text: str) -> list[str]:
    """The code spans outside of code blocks, each on one line."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", prose)]


def paths_and_names(text: str) -> Iterator[tuple[str, str]]:
    """What a page says is there: (file or folder, name in it or "")."""
    for span in spans(text):
        if re.fullmatch(r"[\w./-]+(?:: [\w.]+)?", span) and span.startswith(FOLDERS):
            path, _, name = span.partition(": ")
            yield path, name


@cache
def names_in_python(file: Path) -> frozenset[str]:
    """The functions, classes and module constants of a file; what belongs to a class also as Class.name."""
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefixes: tuple[str, ...]) -> None:
        for node in body:
            found: list[str] = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found = [node.name]
            elif isinstance(node, ast.Assign):
                found = [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found = [node.target.id]
            names.update(prefix + name for name in found for prefix in prefixes)
            if isinstance(node, ast.ClassDef):
                collect(node.body, ("", f"{node.name}."))

    collect(ast.parse(file.read_text(encoding="utf-8")).body, ("",))
    return frozenset(names)


def is_defined_in_cpp(file: Path, name: str) -> bool:
    """Whether a type, function, constant, macro or Python function of that name is defined there, not merely used."""
    code = re.sub(r"//[^\n]*", "", file.read_text(encoding="utf-8"))
    no_type = r"(?!(?:return|else|throw|new|case|using|goto)\b)"
    patterns = (
        rf"\b(?:class|struct|enum|enum class) (?:alignas\(\d+\) )?{name}\b[^;]*?\{{",
        rf"^[ \t]*{no_type}(?:__attribute__\(\(\w+\)\) )?(?:[\w:]+(?:<[^;()]*>)?[ *&]+)+{name}\(",
        rf"\bconst(?:expr)?\b[^;(]*?\b{name} = ",
        rf"#define {name}\b",
        rf'\bdef(?:ine)?\((?:m,)?\s*"{name}"',
    )
    return any(re.search(pattern, code, re.MULTILINE) for pattern in patterns)


def is_defined(file: Path, name: str) -> bool:
    return name in names_in_python(file) if file.suffix == ".py" else is_defined_in_cpp(file, name)


def missing(text: str) -> list[str]:
    """The files and names of a page that are not there."""
    found = []
    for path, name in paths_and_names(text):
        # A file that is yet to be added stands beside others of its kind.
        there = list(ROOT.glob(path.rstrip("/").replace(PLACEHOLDER, "*")))
        if not there:
            found.append(f"no {path}")
        elif name and not any(file.is_file() and is_defined(file, name) for file in there):
            found.append(f"no {name} in {path}")
    return found


def broken_links(page: Path, text: str) -> list[str]:
    found = []
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            found.append(f"{target}#{anchor}" if anchor else target)
    return found


def begun_items(text: str) -> list[str]:
    """The lines that begin as an item of a list where the line before is of no list and not blank."""
    item = re.compile(r"(?:> )?(?:[-+*]|\d+[.)]) ")
    lines = re.sub(r"^(```|\$\$\n).*?^(```|\$\$)$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
    return [
        line
        for before, line in pairwise(lines)
        if item.match(line) and before.strip() and not before.startswith("  ") and not item.match(before)
    ]


def wrong_commands(text: str) -> list[str]:
    """The commands that ask what is no question of the benchmarks, or test what is not there."""
    found = []
    for span in spans(text):
        program, _, rest = span.partition(" ")
        words = [word for word in rest.split() if not word.startswith("-")]
        if span.startswith("python -m benchmarks "):
            asked = [word for word in words[1:] if word.isidentifier() and word.islower()]
            found += [f"{span}: no question {word}" for word in asked if word not in QUESTIONS]
        elif program == "pytest":
            found += [f"{span}: no {word}" for word in words if "/" in word and not (ROOT / word).exists()]
    return found


def figures_without_a_command(text: str) -> list[str]:
    paragraphs = re.split(r"\n\n|\n(?=[-*] |\d+\. )", text)
    return [part for part in paragraphs if FIGURE.search(part) and not any(map(COMMAND.match, spans(part)))]


def test_the_pages_are_found() -> None:
    subjects = {"accuracy", "architecture", "glossary", "linear-head", "regression", "rows", "threads"}
    assert {page.stem for page in PAGES} == subjects


def test_all_pages_together_are_short() -> None:
    assert sum(len(page.read_text(encoding="utf-8").split()) for page in PAGES) <= MOST_WORDS


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert missing(text) == []
    assert broken_links(page, text) == []
    assert wrong_commands(text) == []


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_lines_fit_a_terminal(page: Path) -> None:
    """Rows of a table cannot be broken; those of the design are short as well."""
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [line for line in lines if columns(line) > LONGEST_LINE and not (line.startswith("|") and page not in HELD)]
    assert long == []


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_no_line_of_a_paragraph_begins_an_item(page: Path) -> None:
    """Markdown would show "x\\n- y" as a list."""
    assert begun_items(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_figure_stands_beside_its_command(page: Path) -> None:
    assert figures_without_a_command(page.read_text(encoding="utf-8")) == []


def test_the_walk_leads_from_python_to_a_kernel_and_through_a_fit() -> None:
    text = (DESIGN / "architecture.md").read_text(encoding="utf-8")
    _, call, fit = re.split(r"^## The way of a \w+$", text, flags=re.MULTILINE)
    hops = [(path, name) for path, name in paths_and_names(call) if name]
    assert len(hops) >= 15
    assert {Path(path).suffix for path, _ in hops} == {".py", ".cpp", ".hpp"}
    assert sum(path.startswith("src/softgrad/linear_model/") for path, name in paths_and_names(fit) if name) >= 10


def test_every_word_of_the_glossary_is_defined_once() -> None:
    words = re.findall(r"\*\*(.+?)\*\*", (DESIGN / "glossary.md").read_text(encoding="utf-8"))
    assert {"row", "block", "piece", "tile", "target", "problem"} <= set(words)
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("complaints", "text", "expected"),
    [
        (missing, "`src/softgrad/nothing.py`", ["no src/softgrad/nothing.py"]),
        (missing, "`src/softgrad/_blocks.py: nothing`", ["no nothing in src/softgrad/_blocks.py"]),
        # Imported there, not defined.
        (missing, "`src/softgrad/_blocks.py: round_to`", ["no round_to in src/softgrad/_blocks.py"]),
        (missing, "`src/softgrad/_blocks.py: Block.whole`", ["no Block.whole in src/softgrad/_blocks.py"]),
        (missing, "`src/softgrad/_blocks.py:\nBlock.view` and `src/softgrad/_chunks.py: CHUNK`", []),
        (missing, "`src/softgrad/losses: focal`", ["no focal in src/softgrad/losses"]),
        (missing, "`src/softgrad/losses/NAME.py`, `softgrad.losses`", []),
        (missing, "`src/nothing/NAME.py`", ["no src/nothing/NAME.py"]),
        (missing, "`src/softgrad/losses/NAME.hpp`", ["no src/softgrad/losses/NAME.hpp"]),
        (begun_items, "a sum x\n- y", ["- y"]),
        (begun_items, "> the sum is\n> 1. So", ["> 1. So"]),
        (begun_items, "words:\n\n- one\n  more\n- two\n\n1. one\n2. two\n```\nx\n- y\n```", []),
        (wrong_commands, "`python -m benchmarks softmax nothing --json FILE`", ["no question nothing"]),
        (wrong_commands, "`pytest -m slow tests/test_nothing.py`", ["no tests/test_nothing.py"]),
        (wrong_commands, "`python -m benchmarks.accuracy`, `pytest tests/test_threads.py`", []),
        (figures_without_a_command, "It takes 1.5 ms.", ["It takes 1.5 ms."]),
        (figures_without_a_command, "3 times as long\n\n`pytest tests`", ["3 times as long"]),
        (figures_without_a_command, "It takes 1.5 ms: `python -m benchmarks softmax`. 64 classes, 2 parts", []),
    ],
)
def test_what_is_wrong_is_named(complaints: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    found = complaints(text)
    assert len(found) == len(expected)
    assert all(end in each for each, end in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("code", "defined"),
    [
        ("template <class T>\ninline T name(T x) {", True),
        ("void name(const std::vector<int>& x,\n          int n) {", True),
        ("struct Base : Other {\n", False),
        ("class alignas(64) name {", True),
        ("constexpr int64_t other = 1, name = 2;", True),
        ("#define name(x) x", True),
        ('define(m, "name", [] {});\n', True),
        ('define(m,\n  "name",\n', True),
        ("__attribute__((noinline)) int name(int x) {", True),
        ("  return name(x);", False),
        ("  name(x);\n  y = name(x);", False),
        ("  if (name(x)) f();", False),
        ("// int name(int x)", False),
        ("struct name;", False),
    ],
)
def test_definitions_of_the_core_are_told_from_uses(code: str, defined: bool, tmp_path: Path) -> None:
    file = tmp_path / "code.hpp"
    file.write_text(code, encoding="utf-8")
    assert is_defined_in_cpp(file, "name") is defined


@pytest.mark.parametrize(
    ("target", "broken"),
    [("rows.md", False), ("rows.md#rows-together", False), ("rows.md#nothing", True), ("nothing.md", True)],
)
def test_a_link_that_leads_nowhere_is_named(target: str, broken: bool) -> None:
    assert broken_links(DESIGN / "glossary.md", f"[words]({target})") == ([target] if broken else [])
