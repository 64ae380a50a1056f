"""`softgrad experiment` and the scripts by themselves: the list, what is printed and written, and errors."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from softgrad import examples
from softgrad.cli.experiment import as_json, load, scripts
from softgrad.examples import hardmax
from softgrad.examples._experiment import Table, print_tables
from tests.cli.conftest import fails, succeeds
from tests.oracles.bounds import EPS, printed

EXPERIMENTS = {
    "softmax-l2",
    "cross-entropy",
    "hardmax",
    "saturation",
    "stability",
    "spiral",
    "linear-classifier",
    "back-propagation",
    "language-model",
    "hugging-face",
    "cluster",
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def size_of_picture(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
        return image.size


def test_the_list() -> None:
    lines = succeeds("experiment").stdout.splitlines()
    assert {line.split()[0] for line in lines} == EXPERIMENTS
    assert len(lines) == len(EXPERIMENTS)
    for line in lines:
        assert 40 < len(line) <= 115
        assert line.endswith(".")
    listed = succeeds("experiment", "--json").json["experiments"]
    assert [f"{name:<17}  {text}" for name, text in listed.items()] == lines


def test_the_list_imports_no_experiment() -> None:
    program = (
        "import sys; from softgrad.cli.app import app; app(['experiment'], standalone_mode=False);"
        "print(sorted(name for name in sys.modules if name.startswith('softgrad.examples.') or name == 'mpmath'))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "['softgrad.examples._experiment']"


def test_tables_and_picture() -> None:
    outcome = succeeds("experiment", "saturation")
    lines = outcome.stdout.splitlines()
    assert lines[0] == "output of a sigmoid neuron that should be 0; 300 epochs at rate 0.15"
    assert lines[3].split() == ["quadratic", "cost", "0.6", "0.9", "0.82", "0.094"]
    assert lines[-1] == "picture written to saturation.png"
    assert outcome.stderr == ""
    assert size_of_picture(Path("saturation.png")) == (1440, 660)
    assert [path.name for path in Path().iterdir()] == ["saturation.png"]


def test_output_and_json(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    outcome = succeeds("experiment", "softmax-l2", "--output", folder, "--json")
    assert outcome.stdout.count("\n") == 1
    result = outcome.json
    assert result["experiment"] == "softmax-l2"
    assert result["picture"] == str(folder / "softmax-l2.png")
    size_of_picture(folder / "softmax-l2.png")
    gradient = [row["gradient"] for row in result["tables"][0]["rows"]]
    assert gradient[2] == pytest.approx(0.0496989, abs=printed(8))
    assert sum(gradient) == pytest.approx(0.0, abs=4 * EPS * max(gradient)), "full precision, not what is printed"
    assert "mean of squares after softmax" in outcome.stderr


def test_a_picture_is_replaced() -> None:
    Path("cross-entropy.png").write_bytes(b"old")
    succeeds("experiment", "cross-entropy")
    size_of_picture(Path("cross-entropy.png"))


def test_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = fails("experiment", "softmax_l2")
    assert unknown.startswith("no such experiment: softmax_l2 (there are ")
    assert all(name in unknown for name in EXPERIMENTS)
    assert fails("experiment", "--output", "x").startswith("--output x: which experiment? There are ")
    # Before anything is computed: this would raise.
    monkeypatch.setattr(hardmax, "run", None)
    assert fails("experiment", "hardmax", "--output", "none").startswith("cannot write none/hardmax.png: the folder ")
    Path("hardmax.png").mkdir()
    assert fails("experiment", "hardmax").startswith("cannot write hardmax.png: it is there already")


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "softgrad.examples.stability", raising=False)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    assert fails("experiment", "stability") == 'stability needs mpmath: pip install "softgrad[experiments]"'


def test_an_import_of_our_own_that_fails_is_no_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "softgrad.examples.hardmax", raising=False)
    monkeypatch.setitem(sys.modules, "softgrad.examples._experiment", None)
    with pytest.raises(ModuleNotFoundError, match=r"softgrad\.examples\._experiment"):
        load("hardmax")


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_experiment_is_a_script_with_a_run(name: str) -> None:
    assert callable(load(name))
    source = scripts()[name].read_text(encoding="utf-8")
    assert source.endswith('\n\nif __name__ == "__main__":\n    main(__file__, __doc__, run)\n')


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(next(iter(examples.__path__))) / "cross_entropy.py"
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)


def test_a_script_by_itself() -> None:
    result = run_script()
    assert result.returncode == 0, result.stderr
    assert result.stdout == succeeds("experiment", "cross-entropy").stdout
    assert result.stdout.splitlines()[-1] == "picture written to cross-entropy.png"
    size_of_picture(Path("cross-entropy.png"))


def test_a_script_takes_no_arguments_but_help() -> None:
    assert "the gradient is probability minus target" in run_script("--help").stdout
    wrong = run_script("--output", "x")
    assert wrong.returncode == 2
    assert "unrecognized arguments: --output x" in wrong.stderr
    assert not list(Path().iterdir())


TABLE = Table(
    "[bold] is no markup",
    {"name": "", "digits": ".2f", "count": "d"},
    [("a [b]", 1.0 / 3.0, 7), ("longer than any terminal is wide " * 8, math.inf, 12)],
)


def test_tables_are_aligned_and_never_folded() -> None:
    stream = io.StringIO()
    print_tables([TABLE], stream)
    title, heading, rule, first, second, *_ = stream.getvalue().splitlines()
    assert title == "[bold] is no markup"
    assert heading.split() == ["name", "digits", "count"]
    assert set(rule) == {"─"}
    assert first.split() == ["a", "[b]", "0.33", "7"]
    assert second.split()[-2:] == ["inf", "12"]
    assert len(first) == len(second) == len(rule)


def test_json_holds_what_json_can() -> None:
    converted: Any = json.loads(json.dumps(as_json(TABLE), allow_nan=False))
    assert converted["rows"][0] == {"name": "a [b]", "digits": 1.0 / 3.0, "count": 7}
    assert converted["rows"][1]["digits"] == "inf"
