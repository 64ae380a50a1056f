"""The core with AddressSanitizer and UndefinedBehaviorSanitizer: its tests reach nothing that is not theirs.

Of the kernels AddressSanitizer alone looks at what they reach through pointers: what GCC makes of more takes it many
minutes. It does not see the masked loads of AVX-512; those of the baseline it sees.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import softgrad as sg
from tests.sanitizers.watched import FOUND, Watched
from tests.shared import made_once
from tests.workshop import ROOT, Mutation

AVAILABLE = sg.show_config()["available_instruction_sets"]
NARROWEST = AVAILABLE[-1]
INSTRUCTION_SETS = list(dict.fromkeys((AVAILABLE[0], NARROWEST)))
ON_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="the runtime of a sanitizer is preloaded, as Linux does it"
)
TESTS = (
    "tests/functional",
    "tests/losses",
    "tests/test_cross_entropy_native.py",
    "tests/linear_model/test_sparse_products.py",
    "tests/linear_model/test_regression_sums.py",
    "tests/linear_model/test_unknowns.py",
)
ERRORS = {
    # The same number in arithmetic that wraps around, and so the same results.
    "signed integer overflow": Mutation(
        "a product beyond int64",
        "cpp/arrays/targets.cpp",
        "static_cast<uint64_t>(classes)",
        "static_cast<uint64_t>(MISTAKE ? classes * INT64_MAX * INT64_MAX : classes)",
        ("tests/test_cross_entropy_native.py",),
    ),
    "heap-buffer-overflow": Mutation(
        "the last lanes of a row loaded as if they were all there",
        "cpp/kernels/simd/vectors.hpp",
        "return count == Simd<T>::width ? load(from) : load_first(from, count, padding);",
        "return MISTAKE || count == Simd<T>::width ? load(from) : load_first(from, count, padding);",
        ("tests/functional/test_accuracy.py",),
    ),
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_has_its_one_place(error: str) -> None:
    """Quick, so that whoever changes the place learns of it at once."""
    text = (ROOT / ERRORS[error].source).read_text(encoding="utf-8")
    assert text.count(ERRORS[error].right) == 1


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    def at(directory: Path) -> Watched:
        return Watched(directory, ("address", "undefined"), list(ERRORS.values()))

    return at(made_once(tmp_path_factory, "watched", lambda folder: at(folder).build(INSTRUCTION_SETS)))


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_no_error_is_found(instruction_set: str, watched: Watched) -> None:
    finished = watched.run(TESTS, instruction_set)
    assert finished.returncode == pytest.ExitCode.OK, finished.stdout[-3000:] + finished.stderr[-5000:]


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize("error", ERRORS)
def test_a_planted_error_is_found(error: str, watched: Watched) -> None:
    finished = watched.run(ERRORS[error].tests, NARROWEST, ERRORS[error])
    assert finished.returncode == FOUND, finished.stdout[-3000:] + finished.stderr[-5000:]
    assert error in finished.stderr
