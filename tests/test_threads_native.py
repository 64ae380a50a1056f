"""The thread pool by itself: what cannot be seen from Python, where no thread can be held back or refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "tests/thread_pool_checks.cpp", ROOT / "cpp/threads/thread_pool.cpp"]
CHECKS = re.findall(r"CHECK\((\w+)\),", SOURCES[0].read_text(encoding="utf-8"))
COMPILER = shutil.which(os.environ.get("CXX", "c++"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="threads are held and moved by calls of Linux"),
    pytest.mark.skipif(COMPILER is None, reason="needs the compiler that the core is built with"),
]


def build(folder: Path, *options: str, pool: Path = SOURCES[1]) -> Path:
    program = folder / "thread_pool_checks"
    command = [
        str(COMPILER),
        "-std=c++20",
        "-O1",
        "-pthread",
        f"-I{ROOT / 'cpp'}",
        *options,
        str(SOURCES[0]),
        str(pool),
        "-ldl",
    ]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("checks"))


def test_the_checks_are_found(program: Path) -> None:
    assert len(CHECKS) == 8
    unknown = subprocess.run([program, "nothing"], capture_output=True, text=True, check=False)
    assert unknown.stderr == "no such check\n"


@pytest.mark.parametrize("check", CHECKS)
def test_the_pool(check: str, program: Path) -> None:
    run(program, check)


def test_no_two_threads_race(tmp_path: Path) -> None:
    watched = build(tmp_path, "-g", "-fsanitize=thread")
    # The sanitizer has a thread of its own, which takes time, and in a child of fork it lets none be started.
    for check in sorted({*CHECKS} - {"idle_threads_cost_nothing", "children_of_a_process_that_computes"}):
        run(watched, check)


def test_a_race_is_seen(tmp_path: Path) -> None:
    locked = "std::lock_guard lock(mutex_);\n            start_workers(helpers);"
    text = SOURCES[1].read_text(encoding="utf-8")
    assert text.count(locked) == 1
    pool = tmp_path / "thread_pool.cpp"
    pool.write_text(text.replace(locked, "start_workers(helpers);"), encoding="utf-8")
    racing = build(tmp_path, "-g", "-fsanitize=thread", pool=pool)
    done = subprocess.run([racing, "each_range_once"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "ThreadSanitizer: data race" in done.stderr


UNIFIED = "0::/\n"
SPLIT = "5:cpuset:/\n3:cpu,cpuacct:{path}\n2:cpuacct:/\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, 0),
        (UNIFIED, {}, 0),
        (UNIFIED, {"cpu.max": "max 100000\n"}, 0),
        (UNIFIED, {"cpu.max": "400000 100000\n"}, 4),
        (UNIFIED, {"cpu.max": "150000 100000\n"}, 2),
        (UNIFIED, {"cpu.max": "1000 100000\n"}, 1),
        # The group of the process, and every group above it.
        ("0::/a.slice/b\n", {"a.slice/b/cpu.max": "300000 100000\n"}, 3),
        ("0::/a.slice/b\n", {"a.slice/b/cpu.max": "max 100000\n", "a.slice/cpu.max": "200000 100000\n"}, 2),
        ("0::/a.slice/b\n", {"a.slice/b/cpu.max": "300000 100000\n", "a.slice/c/cpu.max": "100000 100000\n"}, 3),
        # A path of the host's, seen in a container whose own group is at the top.
        ("0::/docker/1f\n", {"cpu.max": "200000 100000\n"}, 2),
        # Version 1.
        (SPLIT.format(path="/"), {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0),
        (SPLIT.format(path="/"), {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (SPLIT.format(path="/j"), {"cpu/j/cpu.cfs_quota_us": "50000\n", "cpu/j/cpu.cfs_period_us": "50000\n"}, 1),
        # Another controller's quota is none.
        ("2:cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0),
    ],
)
def test_the_quota_of_a_container(groups, files, expected, program, tmp_path):
    texts = {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run(program, "cpu_quota", str(tmp_path)) == f"{expected}\n"
