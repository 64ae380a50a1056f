"""The kernels take no more instructions than tests/instructions.json has: a slowdown is seen whatever the machine does.

A count that has fallen fails as well: once it is written down, what was gained cannot be lost unseen.
"""

from __future__ import annotations

import json
import platform
import sys

import pytest

from tests import instructions
from tests.instruction_cases import cases

TABLE = json.loads(instructions.FILE.read_text(encoding="utf-8"))
OF_ANOTHER_COMPILER = """
tests/instructions.json was counted on a core by {before}, this one is by {now}: what differs may be the compiler's.
Build with {before}. If CI has another compiler from now on, build a commit that passed with it, and write the file by
`python -m tests.instructions` there.
"""
ADVICE = """
The core takes another number of instructions than tests/instructions.json has, with {instruction_set}. If there are
more, find out why. If they are worth what they bring, or there are fewer, `python -m tests.instructions` writes the
file anew.
"""
PROFILE = """
version: 1
positions: line
events: Ir
summary: 1000361

ob=(2) ???
fn=(20)
cob=(3) /a/_core.so
cfn=(7)
calls=2 0
0 311
0 50

ob=(3)
fn=(7)
0 100
cob=(4) /usr/lib/libm.so.6
cfn=(8) exp
calls=10 0
0 1000000
0 11
fn=(9)
* 200

ob=(4)
fn=(8)
0 1000000
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the instructions in the file are of x86-64"
)
@pytest.mark.parametrize("instruction_set", instructions.INSTRUCTION_SETS)
def test_no_call_takes_another_number_of_instructions(instruction_set: str) -> None:
    before, now = TABLE["compiler"], instructions.compiler()
    assert now == before, OF_ANOTHER_COMPILER.format(before=before, now=now)
    changes = instructions.changes(TABLE["counts"][instruction_set], instructions.counts(instruction_set))
    assert not changes, "\n".join([ADVICE.format(instruction_set=instruction_set), *changes])


def test_every_case_is_in_the_file() -> None:
    names = [name for name, _ in cases()]
    assert len(names) == len(set(names))
    assert set(TABLE["counts"]) == set(instructions.INSTRUCTION_SETS)
    for counts in TABLE["counts"].values():
        assert set(counts) == set(names)


def test_what_a_profile_has_for_a_library_is_without_its_callees() -> None:
    assert instructions.own_instructions(PROFILE, "/a/_core.so") == 100 + 11 + 200
    with pytest.raises(ValueError, match=r"no instruction of /b/_core\.so was counted"):
        instructions.own_instructions(PROFILE, "/b/_core.so")


def test_what_differs_is_named() -> None:
    before = {"same": 1000, "noise": 1000, "more": 1000, "fewer": 1000, "gone": 1}
    counted = {"same": 1000, "noise": 1030, "more": 1031, "fewer": 969, "new": 1}
    assert instructions.changes(before, counted) == [
        "fewer: 1000 instructions before, 969 counted (-3.1 %)",
        "gone: not counted any more",
        "more: 1000 instructions before, 1031 counted (+3.1 %)",
        "new: not counted before",
    ]


def test_without_valgrind_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="valgrind counts the instructions, and is not on the PATH"):
        instructions.counts("avx2")


def test_the_core_says_who_compiled_it() -> None:
    name, version = instructions.compiler().split()
    assert name in ("GCC", "Clang")
    assert all(part.isdecimal() for part in version.split("."))
