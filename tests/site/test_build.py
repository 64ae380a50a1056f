"""The site: built without a warning, with every link leading somewhere and every public name in it."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path

import pytest
from benchmarks._results import Report

from softgrad.cli.experiment import scripts
from tests.public_api import FILE as PUBLIC_API
from tests.site.conftest import COMMAND
from tests.site.pages import DOCS, broken_links, parts_of

pytestmark = pytest.mark.slow


def test_a_warning_fails_the_build(tmp_path: Path) -> None:
    """By the plain command, with what the conf.py of the project sets up."""
    (tmp_path / "conf.py").write_text(f"import runpy\nsetup = runpy.run_path({str(DOCS / 'conf.py')!r})['setup']\n")
    page = tmp_path / "index.rst"
    page.write_text("Title\n=====\n\nWords.\n")
    assert subprocess.run([*COMMAND, tmp_path, tmp_path / "good"], capture_output=True).returncode == 0
    page.write_text("Title\n=====\n\n:doc:`nowhere`\n")
    result = subprocess.run([*COMMAND, tmp_path, tmp_path / "bad"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "nowhere" in result.stderr


def test_every_link_leads_somewhere(site: Path) -> None:
    count, broken = broken_links(site)
    assert broken == []
    assert count > 10_000


def inventory(site: Path) -> dict[str, str]:
    """The names that can be linked to, and where they are: what objects.inv says to other projects."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = re.findall(r"^(.+?) \S+:\S+ -?\d+ (\S*) .*$", zlib.decompress(content).decode(), re.MULTILINE)
    return {name: place.replace("$", name) for name, place in lines}


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    known = inventory(site)
    texts: dict[str, list[str]] = {}
    missing = []
    for line in PUBLIC_API.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            words = line.removeprefix("$ ").split(":")[0].split()
            options = [word.rstrip(",") for word in words if word.startswith("-")]
            # A subcommand: Sphinx joins its words.
            command = "-".join(word for word in words if word.islower() and word.rstrip(",") not in options)
            names = [f"{command}.{option}" for option in options]
            missing += [name for name in names if name not in known]
            continue
        name = re.match(r"(?:class )?([\w.]+)", line)[1]
        if " is " in line:
            name = line.split(" is ")[1]
        if name in known:
            continue
        # An attribute that its class describes, in a section of the docstring.
        owner, _, attribute = name.rpartition(".")
        page = site / known.get(owner, "").partition("#")[0]
        if page.is_file() and str(page) not in texts:
            texts[str(page)] = " ".join(parts_of(page).texts).split()
        if attribute not in {word.strip(",:") for word in texts.get(str(page), [])}:
            missing.append(name)
    assert missing == []
    assert len(known) > 500


def test_a_derivative_leads_to_its_source(site: Path) -> None:
    page = site / "reference" / "names" / "softgrad" / "cross_entropy.html"
    text = page.read_text(encoding="utf-8")
    for verb, module in (("grad", "losses/_base"), ("hvp", "losses/_cross_entropy")):
        entry = text.split(f'id="softgrad.cross_entropy.{verb}"', 1)[1]
        place = re.search(r'href="([^"#]*)#([^"]*)"><span class="viewcode-link"', entry)
        assert place is not None
        assert place[1].endswith(f"_modules/softgrad/{module}.html")
        source = (page.parent / place[1]).resolve().read_text(encoding="utf-8")
        block = re.sub("<[^>]+>", "", source.split(f'id="{place[2]}"', 1)[1])
        assert re.findall(r"\bdef \w+", block)[0] == f"def {verb}"


def test_the_gallery_has_every_example(site: Path) -> None:
    index = parts_of(site / "gallery" / "index.html")
    pictures = 0
    for name, script in scripts().items():
        assert f"examples/{name}.html" in index.links
        page = parts_of(site / "gallery" / "examples" / f"{name}.html")
        assert "".join(script.read_text(encoding="utf-8").split()) in "".join("".join(page.texts).split())
        pictures += any(link.endswith(f"/{name}.png") for link in page.links)
    assert pictures >= 8


def test_the_changelog_and_the_citation_are_those_of_the_repository(site: Path) -> None:
    changelog = " ".join("".join(parts_of(site / "changelog.html").texts).split())
    last = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8").strip().splitlines()[-1]
    assert " ".join(re.sub("[`*]", "", last).split()) in changelog
    citation = "".join(parts_of(site / "cite.html").texts)
    version = re.search(r"^version: (\S+)$", (DOCS.parent / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert f"version = {{{version[1]}}}" in citation


def test_the_figures_show_what_was_measured(site: Path) -> None:
    """One point of each kind, by the marks that matplotlib writes."""
    report = Report.load(DOCS / "performance.json")
    rows = [row for question in ("cross_entropy", "softmax") for row in report.questions[question]]
    marks = sum(name in row.peers for row in rows for name in ("NumPy", "SciPy", "PyTorch", "JAX"))
    drawn = (site / "_images" / "times.svg").read_text(encoding="utf-8")
    assert marks > 60
    assert drawn.count("<use ") >= marks
