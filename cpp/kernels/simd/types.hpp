// The vectors that kernels compute with: SOFTGRAD_VECTOR_BYTES wide, in the namespace of the instruction set this
// source is compiled for. Included only by sources compiled once per instruction set; for that reason they use no
// standard C++ header: an inline function of one, compiled here for AVX-512, could be the copy the linker keeps for
// every machine.
//
// "Logical lanes" are fixed (256 bytes of them): a sum is spread over them in the same way whatever the width of the
// machine's vectors, which is why the instruction sets with a fused multiply-add give the same bits.
#pragma once

#include <stdint.h>

namespace softgrad::SOFTGRAD_ISA_NAME {

using Float = float __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Double = double __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Int32 = int32_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Int64 = int64_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using UInt32 = uint32_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using HalfFloat = float __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));
using HalfDouble = double __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));
using HalfUInt16 = uint16_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));

#define SOFTGRAD_INLINE inline __attribute__((always_inline))

// Calls use<i>() for i in [begin, end), written out: arrays of vectors that are indexed so are registers.
template <int begin, int end, class Use>
SOFTGRAD_INLINE void unrolled(const Use& use) {
    if constexpr (begin < end) {
        use.template operator()<begin>();
        unrolled<begin + 1, end>(use);
    }
}

// Calls use.operator()<count>() for a count from 1 to `most`.
template <int most, class Use>
SOFTGRAD_INLINE void with_count(int64_t count, const Use& use) {
    if constexpr (most > 1)
        if (count < most) return with_count<most - 1>(count, use);
    use.template operator()<most>();
}

// What a scalar type T becomes: its vector V, the integer vector M of the same lanes (also the type of comparisons).
template <class T>
struct Simd;
template <>
struct Simd<float> {
    using V = Float;
    using M = Int32;
    using Integer = int32_t;
    static constexpr int width = SOFTGRAD_VECTOR_BYTES / 4;
    static constexpr int logical_lanes = 64;
};
template <>
struct Simd<double> {
    using V = Double;
    using M = Int64;
    using Integer = int64_t;
    static constexpr int width = SOFTGRAD_VECTOR_BYTES / 8;
    static constexpr int logical_lanes = 32;
};
template <class T>
using Vec = typename Simd<T>::V;
template <class T>
using Mask = typename Simd<T>::M;

constexpr double infinity = __builtin_inf();
constexpr double not_a_number = __builtin_nan("");

template <class T>
SOFTGRAD_INLINE Vec<T> broadcast(T value) {
    return value - Vec<T>{};  // minus zero keeps even the sign of a zero
}

template <class T>
SOFTGRAD_INLINE Vec<T> load(const T* from) {
    Vec<T> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

template <class T>
SOFTGRAD_INLINE void store(T* to, Vec<T> v) {
    __builtin_memcpy(to, &v, sizeof v);
}

// The entries that 16 bytes hold of a row: the part of a vector that no instruction on its lanes crosses.
template <class T>
struct SliceOf {
    using V __attribute__((vector_size(16))) = T;
    static constexpr int entries = 16 / sizeof(T);
};
template <class T>
using Slice = typename SliceOf<T>::V;
constexpr int slices = SOFTGRAD_VECTOR_BYTES / 16;

}  // namespace softgrad::SOFTGRAD_ISA_NAME
