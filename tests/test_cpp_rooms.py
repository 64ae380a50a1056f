"""Who may include whom in the native core, read from the sources; and what must stay out of the kernels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CPP = Path(__file__).parents[1] / "cpp"
SOURCES = {
    path.relative_to(CPP).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(CPP.rglob("*"))
    if path.suffix in (".hpp", ".cpp", ".def")
}

# Per room: the other rooms it may include. `kernels/table.hpp` is what the others see of the kernels.
ROOMS = {
    "kernels": set(),
    "dispatch": {"kernels/table.hpp"},
    "threads": set(),
    "arrays": {"kernels/table.hpp", "dispatch", "threads"},
    "python": {"kernels/table.hpp", "dispatch", "threads", "arrays"},
}
# A header of the C++ library has inline functions, of which the linker would keep one copy, compiled for AVX-512 maybe.
HEADERS_OF_KERNELS = {"stdint.h", "immintrin.h", "arm_neon.h"}
INCLUDE = re.compile(r'^#\s*include "([^"]+)"', re.MULTILINE)
INTRINSIC = re.compile(r"\b(_mm\d*_\w+|__m\d+\w*|__builtin_ia32_\w+|v\w+q_[fsu]\d+)\b|\basm\b")
WITH_INTRINSICS = {
    "kernels/simd/avx512.hpp",
    "kernels/simd/avx2.hpp",
    "kernels/simd/sse2.hpp",
    "kernels/simd/neon.hpp",
    "dispatch/x86_64.hpp",
    "threads/float_mode_x86_64.hpp",
    "threads/float_mode_arm64.hpp",
}


def faults(name: str, text: str) -> list[str]:
    room = name.split("/")[0]
    if room not in ROOMS:
        return [f"{name} is in a room without a rule"]
    found = []
    for included in INCLUDE.findall(text):
        other = included.split("/")[0]
        if other != room and other not in ROOMS[room] and included not in ROOMS[room]:
            found.append(f"{name} includes {included}")
    headers = re.findall(r"^#\s*include <([^>]+)>", text, re.MULTILINE)
    if room == "kernels":
        found += [f"{name} includes <{header}>" for header in headers if header not in HEADERS_OF_KERNELS]
        found += [f"{name} has {line}" for line in re.findall(r"^#\s*(?:el)?if.*", text, re.MULTILINE)]
        found += [f"{name} has {word}" for word in re.findall(r"\bstd::\w+", text)]
        if name != "kernels/table.hpp" and "\nnamespace softgrad::SOFTGRAD_ISA_NAME {\n" not in text:
            found.append(f"{name} is not in the namespace of its instruction set")
    if room != "python":
        foreign = (word for word in (*headers, text) if re.search(r"\bnanobind\b|\bPython\.h\b|\bPy[A-Z_]\w+", word))
        found += [f"{name} knows Python" for _ in foreign]
    if name not in WITH_INTRINSICS and (intrinsic := INTRINSIC.search(text)):
        found.append(f"{name} has {intrinsic[0]}")
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_sources_keep_to_the_rooms(name: str) -> None:
    assert faults(name, SOURCES[name]) == []


def test_the_sources_are_found() -> None:
    assert {name.split("/")[0] for name in SOURCES} == set(ROOMS)
    assert set(SOURCES) >= WITH_INTRINSICS
    assert all(INTRINSIC.search(SOURCES[name]) for name in WITH_INTRINSICS)


IN_NAMESPACE = "\nnamespace softgrad::SOFTGRAD_ISA_NAME {\n"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("kernels/rows/new.hpp", "#include <cmath>" + IN_NAMESPACE, "includes <cmath>"),
        ("kernels/rows/new.hpp", '#include "arrays/layout.hpp"' + IN_NAMESPACE, "includes arrays/layout.hpp"),
        ("kernels/rows/new.hpp", "\nnamespace softgrad {\n", "is not in the namespace of its instruction set"),
        ("kernels/rows/new.hpp", IN_NAMESPACE + "return std::exp(x);", "has std::exp"),
        ("kernels/rows/new.hpp", IN_NAMESPACE + "\n#if defined(__AVX2__)", "has #if defined(__AVX2__)"),
        ("kernels/rows/new.hpp", IN_NAMESPACE + "_mm256_max_ps(a, b)", "has _mm256_max_ps"),
        ("kernels/rows/new.hpp", IN_NAMESPACE + "vfmaq_f32(a, b, c)", "has vfmaq_f32"),
        ("arrays/new.cpp", '#include "kernels/rows/softmax.hpp"', "includes kernels/rows/softmax.hpp"),
        ("arrays/new.cpp", '#include "python/buffers.hpp"', "includes python/buffers.hpp"),
        ("arrays/new.cpp", "Py_buffer view;", "knows Python"),
        ("dispatch/new.cpp", '#include "arrays/layout.hpp"', "includes arrays/layout.hpp"),
        ("threads/new.cpp", "#include <nanobind/nanobind.h>", "knows Python"),
        ("new.cpp", "", "is in a room without a rule"),
    ],
)
def test_each_fault_is_found(name: str, text: str, fault: str) -> None:
    assert f"{name} {fault}" in faults(name, text)


def test_no_circle_of_includes() -> None:
    left = {name: set(INCLUDE.findall(text)) for name, text in SOURCES.items()}
    assert set().union(*left.values()) <= set(SOURCES)
    while ready := {name for name, included in left.items() if not included & set(left)}:
        left = {name: included for name, included in left.items() if name not in ready}
    assert left == {}


def test_what_is_compiled_is_listed() -> None:
    """CMakeLists.txt names every source once, and isa.def only files of operations that there are."""
    lists = (CPP.parent / "CMakeLists.txt").read_text(encoding="utf-8")
    compiled = re.findall(r"\bcpp/([\w/]+\.cpp)\b", lists)
    assert sorted(compiled) == sorted(name for name in SOURCES if name.endswith(".cpp"))
    operations = re.findall(r"^SOFTGRAD_ISA\(\w+, \w+, (\w+), \d+, ", SOURCES["dispatch/isa.def"], re.MULTILINE)
    assert operations
    of_sets = {f"kernels/simd/{name}.hpp" for name in operations}
    shared = {f"kernels/simd/{name}.hpp" for name in ("portable", "types", "vectors")}
    assert of_sets | shared == {name for name in SOURCES if name.startswith("kernels/simd/")}
