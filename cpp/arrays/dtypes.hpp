// The dtypes of arrays: how an element is stored, and the type it is worked on in.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace softgrad {

struct Float16 {
    uint16_t bits;
};
struct BFloat16 {
    uint16_t bits;
};

// One line a dtype: its NumPy name, its type here, its format character in the buffer protocol ('H': bfloat16 has none
// of its own and comes as its bits).
#define SOFTGRAD_DTYPES(ROW)   \
    ROW(float64, double, 'd')  \
    ROW(float32, float, 'f')   \
    ROW(float16, Float16, 'e') \
    ROW(bfloat16, BFloat16, 'H')

// Stored in two bytes, an element is worked on in float.
template <class S>
using Compute = std::conditional_t<sizeof(S) == 2, float, S>;

inline uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline double widen(double value) { return value; }
inline float widen(float value) { return value; }
inline float widen(BFloat16 value) { return from_bits(static_cast<uint32_t>(value.bits) << 16); }
inline float widen(Float16 value) {
    const uint32_t magnitude = value.bits & 0x7fffu, sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
    // In the place of a float's bits the exponent is 112 too small, for subnormals as well.
    const uint32_t scaled = bits_of(from_bits(magnitude << 13) * 0x1p112f);
    const uint32_t special = magnitude << 13 | 0x7f800000u;
    return from_bits((magnitude >= 0x7c00u ? special : scaled) | sign);
}

template <class S>
S narrow_to(Compute<S> value);
template <>
inline double narrow_to<double>(double value) {
    return value;
}
template <>
inline float narrow_to<float>(float value) {
    return value;
}
// To two bytes: to nearest, ties to even.
template <>
inline BFloat16 narrow_to<BFloat16>(float value) {
    const uint32_t bits = bits_of(value);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 0x40u;
    return {static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded)};
}
template <>
inline Float16 narrow_to<Float16>(float value) {
    const uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
    // The exponent is moved by 112; a carry out of the mantissa goes where it belongs, to infinity too.
    const uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
    // The spacing of floats from 1/2 on is that of the subnormals.
    const uint32_t subnormal = bits_of(from_bits(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const uint32_t result = magnitude >= 0x47800000u ? special : magnitude >= 0x38800000u ? normal : subnormal;
    return {static_cast<uint16_t>(result | sign)};
}

}  // namespace softgrad
