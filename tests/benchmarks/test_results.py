"""The arithmetic of the figures, the goals, and the pages made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks._performance_page import page, write
from benchmarks._questions import APART, QUESTIONS
from benchmarks._readme_table import BEGIN, CHINESE, END, ENGLISH, READMES, WORKS, Language, readme_with, table
from benchmarks._results import Report, Row, Spread, quantity, spread
from benchmarks._tables import aligned, columns, paragraph, results, verdict

from tests.oracles.bounds import EPS

ROOT = Path(__file__).parents[2]


def exactly(value: float) -> Spread:
    return Spread(value, value, value, 1)


# A softmax that takes 3 ms where a copy takes 2 ms, PyTorch 9 ms and SciPy 12 ms.
ROW = Row(
    "1024 x 1000",
    exactly(3e-3),
    floors={"copy": exactly(2e-3)},
    peers={"PyTorch": exactly(9e-3), "SciPy": exactly(12e-3)},
    bytes_needed=8_000_000,
    bytes_copied=8_000_000,
    at_most={"copy": 1.5},
    at_least={"PyTorch": 4.0, "JAX": 2.0},
)
REPORT = Report(
    {"processor": "some processor"},
    {"softgrad": "0.1.0"},
    ["JAX"],
    quick=False,
    seeds={"cross_entropy": 7, "softmax": 8},
    questions={"cross_entropy": [ROW], "softmax": [replace(ROW, work="softmax")]},
)
# NumPy takes 6 ms.
HEADLINES = replace(
    REPORT,
    questions={"softmax": [replace(ROW, work=work, peers={**ROW.peers, "NumPy": exactly(6e-3)}) for work in WORKS]},
)


def test_median_and_quartiles() -> None:
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(2.0, 3.0, 4.0, 5)


def test_ratios_of_floors_and_peers_point_in_opposite_directions() -> None:
    assert ROW.of_floor("copy") == pytest.approx(1.5, rel=4 * EPS, abs=0.0)
    assert ROW.of_peer("PyTorch") == pytest.approx(3.0, rel=4 * EPS, abs=0.0)
    assert ROW.of_peer("SciPy") == pytest.approx(4.0, rel=4 * EPS, abs=0.0)


def test_the_roofline_is_the_share_of_the_bandwidth_of_the_copy() -> None:
    assert ROW.bandwidth == pytest.approx(4e9, rel=4 * EPS, abs=0.0)
    assert ROW.roofline == pytest.approx(2.0 / 3.0, rel=4 * EPS, abs=0.0)
    assert replace(ROW, bytes_needed=4_000_000).roofline == pytest.approx(1.0 / 3.0, rel=4 * EPS, abs=0.0)
    assert replace(ROW, bytes_copied=0).roofline is None


def test_a_goal_is_met_missed_or_not_measured() -> None:
    assert [(goal.words, goal.met) for goal in ROW.goals()] == [
        ("copy <= 1.5x", True),
        ("PyTorch >= 4x", False),
        ("JAX >= 2x", None),
    ]
    assert verdict(ROW) == "**missed**: PyTorch >= 4x; not measured: JAX >= 2x"
    assert verdict(replace(ROW, at_least={"PyTorch": 2.9})) == "met"
    assert verdict(replace(ROW, at_most={}, at_least={})) == "-"


@pytest.mark.parametrize(("within", "met"), [(3e-3, True), (2.9e-3, False)])
def test_a_goal_may_be_a_time(within: float, met: bool) -> None:
    (goal,) = replace(ROW, at_most={}, at_least={}, within=within).goals()
    assert goal.met is met


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1.234e-6, "s", "1.23 us"),
        (9.99e-5, "s", "99.9 us"),
        (1.5e-4, "s", "0.15 ms"),
        (0.0614, "s", "61.4 ms"),
        (0.4501, "s", "450 ms"),
        (2.9, "s", "2.90 s"),
        (2.0**20, "B", "1.00 MiB"),
    ],
)
def test_quantities_have_three_digits_and_a_unit(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words


def test_a_spread_has_one_unit() -> None:
    assert spread(Spread(9e-5, 1.1e-4, 2e-4, 3), "s") == "0.11 ms (0.09-0.20)"


def test_a_report_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    REPORT.save(file)
    assert Report.load(file) == REPORT


def test_a_table_has_columns_of_one_width() -> None:
    lines = aligned(["work", "a"], [["x", "longer"], ["longest", "b"]]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1


def test_a_table_shows_every_figure_and_a_dash_where_there_is_none() -> None:
    other = replace(ROW, work="no peers", peers={}, floors={}, bytes_copied=0)
    header, _, first, second = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in results([ROW, other]).splitlines()
    )
    assert header == ["work", "softgrad", "roofline", "/ copy", "SciPy", "PyTorch", "goal", "met or missed"]
    assert first[:6] == ["1024 x 1000", "3.00 ms", "67 %", "1.50x", "4.00x", "3.00x"]
    assert second[2:6] == ["-", "-", "-", "-"]


def test_memory_of_peers_is_shown_as_it_is() -> None:
    row = Row("work", exactly(4096.0), {"logits": exactly(2.0**20)}, {"PyTorch": exactly(2.0**22)}, unit="B")
    cells = [cell.strip() for cell in results([row]).splitlines()[2].strip("|").split("|")]
    assert cells[1:5] == ["0.00 MiB", "-", "0.00x", "4.00 MiB"]


def test_the_page_names_the_machine_the_missing_and_what_is_missed() -> None:
    words = page(REPORT)
    for expected in (
        "some processor",
        "softgrad 0.1.0",
        "left out: JAX",
        "python -m benchmarks cross_entropy --json docs/performance.json --seed 7`",
        "python -m benchmarks softmax --json docs/performance.json --seed 8`",
        "- 1024 x 1000: PyTorch >= 4x",
        "4.00 GB/s",
        "## Cross-entropy: the loss and its gradient, in place\n",
    ):
        assert expected in words
    met = replace(REPORT, questions={"softmax": [replace(ROW, at_least={})]})
    assert "Every goal that was measured is met." in page(met)


@pytest.mark.parametrize(("language", "work"), [(ENGLISH, "work"), (CHINESE, "任务")])
def test_the_table_of_the_readme_has_the_faster_of_scipy_and_numpy(language: Language, work: str) -> None:
    report = HEADLINES.with_answer("loss_only", 9, [replace(ROW, work="another")])
    header, _, *lines = (
        [cell.strip() for cell in line.strip("|\n").split("|")] for line in table(report, language).splitlines()
    )
    assert header == [work, "softgrad", "PyTorch", "JAX", "SciPy/NumPy"]
    assert lines == [[work, "3.00 ms", "3.00x", "-", "2.00x"] for work in WORKS]


def test_a_work_of_the_table_that_was_not_measured_is_named() -> None:
    rows = HEADLINES.questions["softmax"]
    with pytest.raises(ValueError, match=f"no figures of {WORKS[1]}, for the table of the README"):
        table(replace(HEADLINES, questions={"softmax": [rows[0], *rows[2:]]}), ENGLISH)


@pytest.mark.parametrize("language", READMES.values(), ids=READMES)
def test_a_part_of_a_machine_without_a_chinese_word_is_named(language: Language) -> None:
    with pytest.raises(ValueError, match="'accelerator' has no word in _IN_CHINESE"):
        readme_with(f"{BEGIN}{END}", replace(HEADLINES, machine={"accelerator": "none"}), language)


def test_the_conditions_are_in_the_language_of_the_readme() -> None:
    assert ENGLISH.conditions(REPORT) == REPORT.conditions == "processor some processor, softgrad 0.1.0"
    assert CHINESE.conditions(REPORT) == "处理器 some processor，softgrad 0.1.0"


@pytest.mark.parametrize("language", READMES.values(), ids=READMES)
def test_the_table_of_the_readme_is_written_between_its_marks(language: Language) -> None:
    readme = f"before\n{BEGIN}\nold figures\n{END}\nafter\n"
    written = readme_with(readme, HEADLINES, language)
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "old figures" not in written
    assert table(HEADLINES, language) in written
    assert "some processor" in written
    assert readme_with(written, HEADLINES, language) == written


@pytest.mark.parametrize("readme", ["nothing", BEGIN, END])
def test_a_readme_without_marks_is_an_error(readme: str) -> None:
    with pytest.raises(ValueError, match="speed: begin"):
        readme_with(readme, HEADLINES, ENGLISH)


def test_the_pages_are_those_of_the_figures() -> None:
    """What `--write` would write is what stands there."""
    report = Report.load(ROOT / "docs" / "performance.json")
    for name, language in READMES.items():
        readme = (ROOT / name).read_text(encoding="utf-8")
        assert readme_with(readme, report, language) == readme
    assert page(report) == (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_words_around_the_tables_fit_a_terminal() -> None:
    machine = {"processor": " ".join(["a name of many words"] * 10)}
    report = replace(HEADLINES, machine=machine, questions=REPORT.questions | HEADLINES.questions)
    for words in (*(readme_with(f"{BEGIN}{END}", report, each) for each in READMES.values()), page(report)):
        assert all(columns(line) <= 120 for line in words.splitlines() if not line.startswith("|"))


def test_chinese_takes_two_columns_and_breaks_behind_its_marks() -> None:
    assert columns("核 (x86_64)，") == 13
    assert paragraph("一二三四，五六七八。" * 7) == f"{'一二三四，五六七八。' * 6}\n一二三四，五六七八。\n"
    # A mark never begins a line.
    assert paragraph(f"{'一' * 57}（二），三。") == f"{'一' * 57}（二），\n三。\n"
    head, line, row = aligned(["任务", "a"], [["xyz", "b"]]).splitlines()
    assert (head, line, row) == ("| 任务 | a |", "| ---- | - |", "| xyz  | b |")


def test_a_quick_run_makes_no_page(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    replace(REPORT, quick=True).save(file)
    with pytest.raises(ValueError, match="quick run"):
        write(file, tmp_path)
    assert list(tmp_path.iterdir()) == [file]


def test_a_run_of_some_questions_makes_no_page(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    REPORT.save(file)
    with pytest.raises(ValueError, match="no answer to small_calls, class_axis"):
        write(file, tmp_path)
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_run_makes_all_pages(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    report = HEADLINES
    for question in QUESTIONS:
        if question not in APART:
            report = report.with_answer(question, 9, report.questions.get(question, [ROW]))
    report.save(file)
    for name in READMES:
        (tmp_path / name).write_text(f"{BEGIN}{END}")
    (tmp_path / "docs").mkdir()
    write(file, tmp_path)
    assert (tmp_path / "docs" / "performance.md").read_text() == page(report)
    for name, language in READMES.items():
        assert table(report, language) in (tmp_path / name).read_text(encoding="utf-8")


def test_figures_of_another_question_are_kept_with_their_seed() -> None:
    report = REPORT.with_answer("softmax", 9, [ROW])
    assert report.questions == {"cross_entropy": [ROW], "softmax": [ROW]}
    assert report.seeds == {"cross_entropy": 7, "softmax": 9}
    assert report.of_the_same(REPORT)
    assert not report.of_the_same(replace(REPORT, versions={"softgrad": "0.2.0"}))
