"""A tolerance is a multiple of eps times the scale of the value: no test has a bare number, and each kind is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bare_tolerances import findings

TESTS = Path(__file__).parent
ROOT = TESTS.parent
# The benchmarks check their results before they time, and the pages assert what they say.
SOURCES = sorted(path for folder in ("tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def programs(page: Path) -> str:
    """The blocks of Python of a page, on their lines of it."""
    text = page.read_text(encoding="utf-8")
    kept, end = "", 0
    for block in re.finditer(r"^```python\n(?!>>>)(.*?)^```", text, re.DOTALL | re.MULTILINE):
        kept += "\n" * text.count("\n", end, block.start(1)) + block[1]
        end = block.end(1)
    return kept


def test_the_sources_are_found() -> None:
    assert {TESTS / "nn" / "test_layers.py", ROOT / "benchmarks" / "cross_entropy.py"} <= set(SOURCES)
    assert {path.parent.name for path in PAGES if "assert " in programs(path)} == {"derivations", "guide"}


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_tolerance_is_bare(path: Path) -> None:
    text = programs(path) if path.suffix == ".md" else path.read_text(encoding="utf-8")
    assert [f"line {each.line}: {each.what}" for each in findings(text)] == []


@pytest.mark.parametrize(
    ("snippet", "found"),
    [
        # Numbers.
        ("np.testing.assert_allclose(a, b, rtol=1e-6)", "rtol=1e-06"),
        ("np.testing.assert_allclose(a, b, rtol=0, atol=-(1e-6))", "atol=-1e-06"),
        ("np.testing.assert_allclose(a, b, rtol=0.51)", "rtol=0.51"),
        ("assert np.allclose(a, b, rtol=2.0**-23, atol=0.0)", "rtol=2.0 ** (-23)"),
        ("assert a == pytest.approx(b, rel=float(1e-6), abs=0.0)", "rel=float(1e-06)"),
        ("assert a == pytest.approx(b, abs=np.sqrt(1e-12))", "abs=np.sqrt(1e-12)"),
        ("assert math.isclose(a, b, rel_tol=1 / 2**30)", "rel_tol=1 / 2 ** 30"),
        # Scaled, added to eps, and beside it.
        ("np.testing.assert_allclose(a, b, rtol=1e-6 * np.abs(b))", "rtol=1e-06 * np.abs(b)"),
        ("np.testing.assert_allclose(a, b, rtol=np.abs(b) / 1e9)", "rtol=np.abs(b) / 1000000000.0"),
        ("np.testing.assert_allclose(a, b, rtol=8 * EPS + 1e-9)", "rtol=8 * EPS + 1e-09"),
        ("np.testing.assert_allclose(a, b, rtol=2 * max(1e-9, 8 * EPS))", "rtol=2 * max(1e-09, 8 * EPS)"),
        ("np.testing.assert_allclose(a, b, rtol=1e-6 if wide else EPS)", "rtol=1e-06 if wide else EPS"),
        ("np.testing.assert_allclose(a, b, rtol={F: 1e-6, D: 1e-12}[dtype])", "rtol={F: 1e-06, D: 1e-12}[dtype]"),
        # Defaults.
        ("np.testing.assert_allclose(a, b)", "assert_allclose without rtol"),
        ("np.testing.assert_allclose(a, b, atol=EPS)", "assert_allclose without rtol"),
        ("assert a == pytest.approx(b, rel=EPS)", "approx without abs"),
        ("assert np.isclose(a, b, rtol=EPS)", "isclose without atol"),
        ("assert math.isclose(a, b)", "isclose without rel_tol"),
        ("torch.testing.assert_close(a, b, atol=EPS)", "assert_close without rtol"),
        ("np.testing.assert_array_almost_equal(a, b)", "assert_array_almost_equal counts decimals"),
        # Bounds of an assert.
        ("assert error < 1e-9", "a bound of 1e-09"),
        ("assert 0.0 < error <= 3e-7", "a bound of 3e-07"),
        ("assert 1e-9 > error", "a bound of 1e-09"),
        ("assert np.all(abs(a - b) <= 1e-9 * abs(b))", "a bound of 1e-09 * abs(b)"),
        ("assert value <= limit * (1 + 1e-12)", "a bound of limit * (1 + 1e-12)"),
        ("assert all(x < 1e-9 for x in errors)", "a bound of 1e-09"),
        # Names.
        ("TOL = 1e-9\nassert error < TOL", "a bound of TOL"),
        ("bound = 1e-9 * scale\nassert error < bound", "a bound of bound"),
        ("eps = 1e-9\nnp.testing.assert_allclose(a, b, rtol=eps)", "rtol=eps"),
        ("a, b = 1e-9, 2\nnp.testing.assert_allclose(x, y, rtol=a)", "rtol=a"),
        ("for f, t in ((u, 1e-9), (v, 1e-6)):\n    np.testing.assert_allclose(f, y, rtol=t)", "rtol=t"),
        ("assert all(x < t for x, t in [(u, 1e-9)])", "a bound of t"),
        ("def check(a, tolerance=1e-9): ...", "tolerance=1e-09"),
        ("def check(a, *, rtol=1e-9): ...", "rtol=1e-09"),
        ("def check(a, t=1e-9):\n    assert a < t", "a bound of t"),
        ("def check(a, rtol): ...\ncheck(x, 1e-9)", "rtol=1e-09"),
        ("def assert_near(a, bound): ...\nassert_near(x, 1e-9)", "assert_near of 1e-09"),
        ("def bound(x):\n    return 1e-9 * x\nassert error < bound(x)", "a bound of bound(x)"),
        ("@pytest.mark.parametrize('t', [1e-9])\ndef test(t):\n    assert error < t", "a bound of t"),
        ("@pytest.mark.parametrize('t', [pytest.param(1e-9, id='a')])\ndef test(t):\n    assert e < t", "a bound of t"),
        ("@pytest.mark.parametrize('x, t', [(u, 1e-9)])\ndef test(x, t):\n    assert x < t", "a bound of t"),
        ("@pytest.mark.parametrize(('x', 't'), [(u, 1e-9)])\ndef test(x, t):\n    assert x < t", "a bound of t"),
        ("TOL = 1e-9\nassert a < float(TOL)\nassert b == pytest.approx(c, abs=TOL)", "a bound of float(TOL)"),
        ("from tests.bare_tolerances import SMALL\nnp.testing.assert_allclose(a, b, rtol=SMALL)", "rtol=SMALL"),
    ],
)
def test_a_bare_tolerance_is_found(snippet: str, found: str) -> None:
    assert found in [each.what for each in findings(snippet)]


@pytest.mark.parametrize(
    "snippet",
    [
        # Multiples of eps, however they are written.
        "np.testing.assert_allclose(a, b, rtol=8 * np.finfo(np.float64).eps)",
        "np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * EPS * np.max(np.abs(b)))",
        "np.testing.assert_allclose(a, b, rtol=EPS64 ** (2 / 3))",
        "np.testing.assert_allclose(a, b, rtol=0, atol=np.finfo(np.float32).tiny)",
        "np.testing.assert_allclose(a, b, rtol={F: 2, D: 3}[dtype] * eps)",
        "eps = float(np.finfo(dtype).eps)\nbound = 8 * eps\nassert error <= bound * scale",
        "def tolerance(x):\n    return 4 * np.finfo(x.dtype).eps\nnp.testing.assert_allclose(a, b, rtol=tolerance(a))",
        "scale = 1e-4 * draw()\nnp.testing.assert_allclose(a, b, rtol=0, atol=8 * EPS * scale)",
        "from tests.oracles.bounds import HALF_OF_THE_DIGITS\nassert error < HALF_OF_THE_DIGITS",
        # What follows from what was asked: the tolerance of a solver, the step of a difference.
        "tol = 1e-10\nmodel = fit(X, y, tol=tol)\nassert gap(model) <= tol",
        "step = 1e-4\nslope = (f(x + step) - f(x - step)) / (2 * step)\nassert abs(slope - exact) < step**2",
        "assert gap <= SoftmaxRegression().tol",
        "@pytest.mark.parametrize('tol', [1e-9])\ndef test(tol):\n    assert gap(fit(tol=tol)) < tol",
        # Exact, thresholds, lower bounds, no comparison.
        "np.testing.assert_allclose(a, b, rtol=0, atol=0.0)",
        "np.testing.assert_array_equal(a, b)",
        "assert a == 1e-9",
        "assert accuracy > 0.95",
        "assert 0.9 < ratio < 1.1",
        "assert lost > 1e-5 * abs(truth)",
        "assert 1e-5 < lost",
        "g[np.abs(g) < 1e-4] = 0.0",
        "np.testing.assert_allclose(a, b, **options)",
    ],
)
def test_what_is_no_bare_tolerance_is_left_alone(snippet: str) -> None:
    assert findings(snippet) == []


def test_the_line_is_named() -> None:
    assert [each.line for each in findings("x = 1\n\nassert error < 1e-9\nassert error < 1e-8\n")] == [3, 4]
