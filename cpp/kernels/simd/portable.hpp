// What the kernels ask of the machine, in the vector extensions of the compiler: of any width, on any machine. The
// files of the instruction sets say the same in their own instructions, where that is faster, and take the rest from
// here.
#pragma once

#include "kernels/simd/types.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {
namespace portable {

// Whether fma rounds once.
constexpr bool fused = false;

// The first `count` lanes, 0 to width, from memory, the rest `padding`.
template <class T>
SOFTGRAD_INLINE Vec<T> load_first(const T* from, int count, T padding) {
    T lanes[Simd<T>::width];
    for (int i = 0; i < Simd<T>::width; ++i) lanes[i] = i < count ? from[i] : padding;
    return load(lanes);
}

// The first `count` lanes, 0 to width, to memory.
template <class T>
SOFTGRAD_INLINE void store_lanes(T* to, Vec<T> v, int count) {
    T lanes[Simd<T>::width];
    store(lanes, v);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
}

// a * b + c: rounded once where the machine can, twice where it cannot (never the slow library call).
SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return a * b + c; }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return a * b + c; }

// The larger of two, lane by lane; a NaN in `a` is passed over, a NaN in `kept` stays.
template <class V>
SOFTGRAD_INLINE V maximum(V a, V kept) {
    return a > kept ? a : kept;
}

// The smaller of two, lane by lane; a NaN in `a` stays, one in `other` is passed over.
template <class V>
SOFTGRAD_INLINE V minimum(V a, V other) {
    return other < a ? other : a;
}

// Whether any lane of a comparison is true. A template, since Clang compares doubles into lanes of long long, which are
// not those of Int64 where int64_t is long.
template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    uint64_t words[sizeof mask / sizeof(uint64_t)], found = 0;
    __builtin_memcpy(words, &mask, sizeof mask);
    for (uint64_t word : words) found |= word;
    return found != 0;
}

// The lanes 0 to width/2 - 1 and the rest, widened to double.
SOFTGRAD_INLINE Double widen_low(Float v) {
    HalfFloat half;
    __builtin_memcpy(&half, &v, sizeof half);
    return __builtin_convertvector(half, Double);
}
SOFTGRAD_INLINE Double widen_high(Float v) {
    HalfFloat half;
    __builtin_memcpy(&half, reinterpret_cast<const char*>(&v) + sizeof half, sizeof half);
    return __builtin_convertvector(half, Double);
}

// The two halves narrowed and joined.
SOFTGRAD_INLINE Float narrow(Double low, Double high) {
    const HalfFloat a = __builtin_convertvector(low, HalfFloat), b = __builtin_convertvector(high, HalfFloat);
    Float v;
    __builtin_memcpy(&v, &a, sizeof a);
    __builtin_memcpy(reinterpret_cast<char*>(&v) + sizeof a, &b, sizeof b);
    return v;
}

// A vector of its slices, and slice k of it.
SOFTGRAD_INLINE Double joined_slices(const Slice<double>* s) {
    Double v;
    __builtin_memcpy(&v, s, sizeof v);
    return v;
}
template <int k>
SOFTGRAD_INLINE Slice<double> slice_of(Double v) {
    Slice<double> slice;
    __builtin_memcpy(&slice, reinterpret_cast<const char*>(&v) + k * sizeof slice, sizeof slice);
    return slice;
}

// Of two vectors the first (last) half of each slice, lane by lane in turn.
template <int first, class V>
SOFTGRAD_INLINE V zipped(V a, V b) {
    constexpr int entries = 16 / sizeof a[0];
    V v{};
    for (int slice = 0; slice < slices * entries; slice += entries)
        for (int i = 0; i < entries / 2; ++i) {
            v[slice + 2 * i] = a[slice + first * entries / 2 + i];
            v[slice + 2 * i + 1] = b[slice + first * entries / 2 + i];
        }
    return v;
}
template <class V>
SOFTGRAD_INLINE V zip_low(V a, V b) {
    return zipped<0>(a, b);
}
template <class V>
SOFTGRAD_INLINE V zip_high(V a, V b) {
    return zipped<1>(a, b);
}

// Float16 by its bits, bit for bit as in arrays/dtypes.hpp.
SOFTGRAD_INLINE Float widen_float16(HalfUInt16 half) {
    const UInt32 bits = __builtin_convertvector(half, UInt32), magnitude = bits & 0x7fffu,
                 sign = (bits & 0x8000u) << 16;
    // In the place of a float's bits the exponent is 112 too small, for subnormals as well.
    const UInt32 scaled = (UInt32)((Float)(magnitude << 13) * 0x1p112f);
    const UInt32 special = magnitude << 13 | 0x7f800000u;
    return (Float)((magnitude >= 0x7c00u ? special : scaled) | sign);
}

SOFTGRAD_INLINE HalfUInt16 narrow_float16(Float value) {
    const UInt32 bits = (UInt32)value, magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
    // The exponent is moved by 112; a carry out of the mantissa goes where it belongs, to infinity too.
    const UInt32 normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
    // The spacing of floats from 1/2 on is that of the subnormals.
    const UInt32 subnormal = (UInt32)((Float)magnitude + 0.5f) - 0x3f000000u;
    const UInt32 special = magnitude > 0x7f800000u ? (UInt32{} + 0x7e00u) : (UInt32{} + 0x7c00u);
    return __builtin_convertvector((magnitude >= 0x47800000u   ? special
                                    : magnitude >= 0x38800000u ? normal
                                                               : subnormal) |
                                       sign,
                                   HalfUInt16);
}

// A NaN without what it carries, which the machine's own conversion would keep.
SOFTGRAD_INLINE Float quieted(Float value) {
    const UInt32 bits = (UInt32)value, quiet = (bits & 0x80000000u) | 0x7fc00000u;
    return value != value ? (Float)quiet : value;
}

}  // namespace portable
}  // namespace softgrad::SOFTGRAD_ISA_NAME
