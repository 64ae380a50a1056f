// Which vectors an x86-64 machine has, and its operating system keeps for each thread. Asked of the processor itself:
// __builtin_cpu_supports asks the compiler's library, and that of Zig knows of none.
#pragma once

#include <cpuid.h>

namespace softgrad::x86_64 {

struct Registers {
    unsigned a = 0, b = 0, c = 0, d = 0;
};

// All 0 where the processor is older than the leaf.
inline Registers cpuid(unsigned leaf) {
    Registers found;
    __get_cpuid_count(leaf, 0, &found.a, &found.b, &found.c, &found.d);
    return found;
}

inline bool has_all(unsigned word, unsigned bits) { return (word & bits) == bits; }

inline bool keeps(unsigned states) {
    if (!has_all(cpuid(1).c, bit_OSXSAVE)) return false;
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return has_all(low, states);
}

inline bool has_avx2() {
    constexpr unsigned xmm_and_ymm = 0x06;
    return keeps(xmm_and_ymm) && has_all(cpuid(1).c, bit_AVX | bit_FMA | bit_F16C) && has_all(cpuid(7).b, bit_AVX2);
}

inline bool has_avx512() {
    constexpr unsigned masks_and_zmm = 0xe0;
    return has_avx2() && keeps(masks_and_zmm) &&
           has_all(cpuid(7).b, bit_AVX512F | bit_AVX512DQ | bit_AVX512VL | bit_AVX512BW);
}

}  // namespace softgrad::x86_64
