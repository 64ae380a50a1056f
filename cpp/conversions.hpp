// Contiguous rows of two-byte numbers to floats and back, by the arithmetic of dtypes.hpp, pack by pack.
#pragma once

#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

using UInt32 = uint32_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using HalfUInt16 = uint16_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));

struct Float16Pack {
    static SOFTGRAD_INLINE Float widen(UInt32 bits) {
        const UInt32 magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;
        // In the place of a float's bits the exponent is 112 too small, for subnormals as well.
        const UInt32 scaled = (UInt32)((Float)(magnitude << 13) * 0x1p112f);
        const UInt32 special = magnitude << 13 | 0x7f800000u;
        return (Float)((magnitude >= 0x7c00u ? special : scaled) | sign);
    }
    static SOFTGRAD_INLINE UInt32 narrow(Float value) {
        const UInt32 bits = (UInt32)value, magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
        // The exponent is moved by 112; a carry out of the mantissa goes where it belongs, to infinity too.
        const UInt32 normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
        // The spacing of floats from 1/2 on is that of the subnormals.
        const UInt32 subnormal = (UInt32)((Float)magnitude + 0.5f) - 0x3f000000u;
        const UInt32 special = magnitude > 0x7f800000u ? (UInt32{} + 0x7e00u) : (UInt32{} + 0x7c00u);
        return (magnitude >= 0x47800000u ? special : magnitude >= 0x38800000u ? normal : subnormal) | sign;
    }
};

struct BFloat16Pack {
    static SOFTGRAD_INLINE Float widen(UInt32 bits) { return (Float)(bits << 16); }
    static SOFTGRAD_INLINE UInt32 narrow(Float value) {
        const UInt32 bits = (UInt32)value, rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 0x40u;
        return (bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded;
    }
};

template <class Format>
void widen_row(const uint16_t* from, float* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        HalfUInt16 bits{};
        __builtin_memcpy(&bits, from + i, static_cast<unsigned>(count) * sizeof(uint16_t));
        store_first(to + i, Format::widen(__builtin_convertvector(bits, UInt32)), count);
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

template <class Format>
void narrow_row(const float* from, uint16_t* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        const HalfUInt16 bits = __builtin_convertvector(Format::narrow(load_or_pad(from + i, count, 0.0f)), HalfUInt16);
        __builtin_memcpy(to + i, &bits, static_cast<unsigned>(count) * sizeof(uint16_t));
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
