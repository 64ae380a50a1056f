// Contiguous rows of two-byte numbers to floats and back, bit for bit as in dtypes.hpp, pack by pack.
#pragma once

#include "kernels/rows/normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

using UInt32 = uint32_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using HalfUInt16 = uint16_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));

#if defined(__F16C__)
struct Float16Pack {
    static SOFTGRAD_INLINE Float widen(HalfUInt16 half) {
#if defined(__AVX512F__)
        return _mm512_cvtph_ps((__m256i)half);
#else
        return _mm256_cvtph_ps((__m128i)half);
#endif
    }
    static SOFTGRAD_INLINE HalfUInt16 narrow(Float value) {
        // The machine would keep what a NaN carries.
        const UInt32 bits = (UInt32)value, quiet = (bits & 0x80000000u) | 0x7fc00000u;
        value = value != value ? (Float)quiet : value;
#if defined(__AVX512F__)
        return (HalfUInt16)_mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
        return (HalfUInt16)_mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#endif
    }
};
#else
struct Float16Pack {
    static SOFTGRAD_INLINE Float widen(HalfUInt16 half) {
        const UInt32 bits = __builtin_convertvector(half, UInt32), magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;
        // In the place of a float's bits the exponent is 112 too small, for subnormals as well.
        const UInt32 scaled = (UInt32)((Float)(magnitude << 13) * 0x1p112f);
        const UInt32 special = magnitude << 13 | 0x7f800000u;
        return (Float)((magnitude >= 0x7c00u ? special : scaled) | sign);
    }
    static SOFTGRAD_INLINE HalfUInt16 narrow(Float value) {
        const UInt32 bits = (UInt32)value, magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
        // The exponent is moved by 112; a carry out of the mantissa goes where it belongs, to infinity too.
        const UInt32 normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
        // The spacing of floats from 1/2 on is that of the subnormals.
        const UInt32 subnormal = (UInt32)((Float)magnitude + 0.5f) - 0x3f000000u;
        const UInt32 special = magnitude > 0x7f800000u ? (UInt32{} + 0x7e00u) : (UInt32{} + 0x7c00u);
        return __builtin_convertvector((magnitude >= 0x47800000u ? special : magnitude >= 0x38800000u ? normal : subnormal) | sign, HalfUInt16);
    }
};
#endif

struct BFloat16Pack {
    static SOFTGRAD_INLINE Float widen(HalfUInt16 half) { return (Float)(__builtin_convertvector(half, UInt32) << 16); }
    static SOFTGRAD_INLINE HalfUInt16 narrow(Float value) {
        const UInt32 bits = (UInt32)value, rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 0x40u;
        return __builtin_convertvector((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded, HalfUInt16);
    }
};

template <class Format>
void widen_row(const uint16_t* from, float* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        HalfUInt16 bits{};
        __builtin_memcpy(&bits, from + i, static_cast<unsigned>(count) * sizeof(uint16_t));
        store_first(to + i, Format::widen(bits), count);
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

template <class Format>
void narrow_row(const float* from, uint16_t* to, int64_t n) {
    constexpr int width = Simd<float>::width;
    auto move = [&](int64_t i, int count) __attribute__((always_inline)) {
        const HalfUInt16 bits = Format::narrow(load_or_pad(from + i, count, 0.0f));
        __builtin_memcpy(to + i, &bits, static_cast<unsigned>(count) * sizeof(uint16_t));
    };
    int64_t i = 0;
    for (; i + width <= n; i += width) move(i, width);
    if (i < n) move(i, static_cast<int>(n - i));
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
