// Contiguous rows of two-byte numbers to floats and back, bit for bit as in arrays/dtypes.hpp, vector by vector.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

SOFTGRAD_INLINE Float widen_bfloat16(HalfUInt16 half) { return (Float)(__builtin_convertvector(half, UInt32) << 16); }
SOFTGRAD_INLINE HalfUInt16 narrow_bfloat16(Float value) {
    const UInt32 bits = (UInt32)value, rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 0x40u;
    return __builtin_convertvector((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded, HalfUInt16);
}

template <Float widen(HalfUInt16)>
void widen_row(const uint16_t* from, float* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        HalfUInt16 bits{};
        __builtin_memcpy(&bits, from + i, static_cast<unsigned>(count) * sizeof(uint16_t));
        store_first(to + i, widen(bits), count);
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

template <HalfUInt16 narrow(Float)>
void narrow_row(const float* from, uint16_t* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        const HalfUInt16 bits = narrow(load_or_pad(from + i, count, 0.0f));
        __builtin_memcpy(to + i, &bits, static_cast<unsigned>(count) * sizeof(uint16_t));
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
