"""SciPy's own tests of softmax, log_softmax and logsumexp, run with softgrad's functions in place of SciPy's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]

SCALED = "takes no b (factors of the exponentials) and no return_sign: log-probabilities have neither"
COMPLEX = "complex input is refused: softmax and its derivatives are functions of real numbers here"
MESSAGES = {
    SCALED: "got an unexpected keyword argument",
    COMPLEX: "it must be float64, float32, float16, bfloat16 or an integer dtype",
}
# Tests of SciPy 1.13 to 1.17 that fail, some of them for some arguments only, and why. Everything else passes.
EXCEPTIONS = {
    "test_logsumexp_b": SCALED,
    "test_logsumexp_sign": SCALED,
    "test_logsumexp_sign_zero": SCALED,
    "test_logsumexp_sign_shape": SCALED,
    "test_logsumexp_shape": SCALED,
    "test_logsumexp_b_zero": SCALED,
    "test_logsumexp_b_shape": SCALED,
    "test_no_writeback": SCALED,
    "test_device": SCALED,
    "test_dtypes_ab": SCALED,
    "test_gh22903": SCALED,
    "test_gh23548": SCALED,
    "test_logsumexp_complex_sign": SCALED,
    "test_dtypes_a": COMPLEX,
    "test_gh21610": COMPLEX,
    "test_gh21709_small_imaginary": COMPLEX,
    "test_gh22601_infinite_elements": COMPLEX,
}
MUST_PASS = {
    "test_logsumexp",
    "test_softmax_fixtures",
    "test_softmax_multi_axes",
    "test_softmax_int_array",
    "test_softmax_scalar",
    "test_log_softmax_basic",
    "test_log_softmax_translation",
    "test_log_softmax_noneaxis",
    "test_log_softmax_3d",
}


class Outcome(NamedTuple):
    test: str
    message: str
    """Empty where it passed."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scipy")
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    command = ["-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "tests.scipy_with_softgrad"]
    command += [
        "-c",
        str(folder / "pytest.ini"),
        f"--junitxml={report}",
        "--pyargs",
        "scipy.special.tests.test_logsumexp",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    finished = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode in (0, 1), finished.stdout + finished.stderr
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        problem = case.find("failure")
        problem = case.find("error") if problem is None else problem
        assert case.find("skipped") is None, case.get("name")
        message = "" if problem is None else f"{problem.get('message')}\n{problem.text}"
        found.append(Outcome(case.get("name"), message))
    return found


def name_of(outcome):
    return outcome.test.split("[")[0]


def test_what_fails_is_in_the_table_and_for_the_reason_given(outcomes):
    # Some tests of b use complex numbers as well: either reason will do there.
    unexplained = [
        (outcome.test, outcome.message[:300])
        for outcome in outcomes
        if outcome.message
        and not (name_of(outcome) in EXCEPTIONS and any(text in outcome.message for text in MESSAGES.values()))
    ]
    assert not unexplained


def test_the_reasons_of_the_table_are_those_of_the_failures(outcomes):
    failed = Counter(name_of(outcome) for outcome in outcomes if outcome.message)
    for test, reason in EXCEPTIONS.items():
        messages = [outcome.message for outcome in outcomes if name_of(outcome) == test]
        if messages:
            assert failed[test], f"{test} passes: it is no exception"
            assert any(MESSAGES[reason] in message for message in messages)


def test_the_rest_passes(outcomes):
    passed = {name_of(outcome) for outcome in outcomes if not outcome.message}
    assert passed >= MUST_PASS
    # Real arguments of what fails for complex ones alone.
    real = [outcome for outcome in outcomes if not outcome.message and name_of(outcome) in EXCEPTIONS]
    assert {"test_dtypes_a", "test_gh22601_infinite_elements"} <= {name_of(outcome) for outcome in real}
