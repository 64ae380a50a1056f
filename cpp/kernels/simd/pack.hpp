// The whole SIMD vocabulary, over the compiler's vector extensions: SOFTGRAD_VECTOR_BYTES wide, in the namespace of the
// instruction set this source is compiled for. Included only by sources compiled once per instruction set; for that
// reason it uses no standard C++ header: an inline function of one, compiled here for AVX-512, could be the copy the
// linker keeps for every machine.
//
// "Logical lanes" are fixed (256 bytes of them): a sum is spread over them in the same way whatever the width of the
// machine's vectors, which is why the instruction sets with a fused multiply-add give the same bits.
#pragma once

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace softgrad::SOFTGRAD_ISA_NAME {

using Float = float __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Double = double __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Int32 = int32_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using Int64 = int64_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
using HalfFloat = float __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES / 2)));

#if defined(__FMA__) || defined(__aarch64__)
#define SOFTGRAD_FUSED  // there is a fused multiply-add
#endif

#define SOFTGRAD_INLINE inline __attribute__((always_inline))

// What a scalar type T becomes: its vector V, the integer vector M of the same lanes (also the type of comparisons).
template <class T>
struct Simd;
template <>
struct Simd<float> {
    using V = Float;
    using M = Int32;
    using Integer = int32_t;
    static constexpr int width = SOFTGRAD_VECTOR_BYTES / 4;
    static constexpr int lanes = 64;
};
template <>
struct Simd<double> {
    using V = Double;
    using M = Int64;
    using Integer = int64_t;
    static constexpr int width = SOFTGRAD_VECTOR_BYTES / 8;
    static constexpr int lanes = 32;
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

// The first `count` lanes, 0 to width, from memory, the rest `padding`. Lane by lane through memory the load waits for the stores.
#if defined(__AVX512F__)
SOFTGRAD_INLINE Float load_first(const float* from, int count, float padding) {
    return _mm512_mask_loadu_ps(broadcast(padding), static_cast<__mmask16>((1u << count) - 1), from);
}
SOFTGRAD_INLINE Double load_first(const double* from, int count, double padding) {
    return _mm512_mask_loadu_pd(broadcast(padding), static_cast<__mmask8>((1u << count) - 1), from);
}
#elif defined(__AVX2__)
SOFTGRAD_INLINE Float load_first(const float* from, int count, float padding) {
    const Int32 is_first = Int32{0, 1, 2, 3, 4, 5, 6, 7} < count;
    return is_first ? _mm256_maskload_ps(from, (__m256i)is_first) : broadcast(padding);
}
SOFTGRAD_INLINE Double load_first(const double* from, int count, double padding) {
    const Int64 is_first = Int64{0, 1, 2, 3} < static_cast<int64_t>(count);
    return is_first ? _mm256_maskload_pd(from, (__m256i)is_first) : broadcast(padding);
}
#else
template <class T>
SOFTGRAD_INLINE Vec<T> load_first(const T* from, int count, T padding) {
    T lanes[Simd<T>::width];
    for (int i = 0; i < Simd<T>::width; ++i) lanes[i] = i < count ? from[i] : padding;
    return load(lanes);
}
#endif

template <class T>
SOFTGRAD_INLINE Vec<T> load_or_pad(const T* from, int count, T padding) {
    return count == Simd<T>::width ? load(from) : load_first(from, count, padding);
}

template <class T>
SOFTGRAD_INLINE void store_first(T* to, Vec<T> v, int count) {
    if (count == Simd<T>::width) return store(to, v);
    T lanes[Simd<T>::width];
    store(lanes, v);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
}

// a * b + c: rounded once where the machine can, twice where it cannot (never the slow library call).
#if defined(__AVX512F__)
SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__FMA__)
SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__aarch64__)
SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return (Float)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return (Double)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
#else
SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return a * b + c; }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return a * b + c; }
#endif

inline double fma(double a, double b, double c) {
#if defined(SOFTGRAD_FUSED)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

// Whether any lane of a comparison is true.
template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    uint64_t words[sizeof mask / sizeof(uint64_t)], found = 0;
    __builtin_memcpy(words, &mask, sizeof mask);
    for (uint64_t word : words) found |= word;
    return found != 0;
}

// Lane i is lane i ^ by of v.
template <int by, class V>
SOFTGRAD_INLINE V exchanged(V v) {
    constexpr int width = sizeof v / sizeof v[0];
    static_assert(width == 2 || width == 4 || width == 8 || width == 16);
    if constexpr (width == 2)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by);
    else if constexpr (width == 4)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by);
    else if constexpr (width == 8)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by, 4 ^ by, 5 ^ by, 6 ^ by, 7 ^ by);
    else
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by, 4 ^ by, 5 ^ by, 6 ^ by, 7 ^ by, 8 ^ by, 9 ^ by, 10 ^ by, 11 ^ by,
                                       12 ^ by, 13 ^ by, 14 ^ by, 15 ^ by);
}

// All lanes in one, by halves: combine(lanes, their partners).
template <int half, class V, class Combine>
SOFTGRAD_INLINE auto fold_lanes(V v, Combine combine) {
    const V folded = combine(v, exchanged<half>(v));
    if constexpr (half == 1)
        return folded[0];
    else
        return fold_lanes<half / 2>(folded, combine);
}

template <class V>
SOFTGRAD_INLINE auto sum_of_lanes(V v) {
    return fold_lanes<sizeof v / sizeof v[0] / 2>(v, [](V a, V b) __attribute__((always_inline)) { return a + b; });
}

// The larger of two, lane by lane; a NaN in `a` is passed over, a NaN in `kept` stays.
template <class V>
SOFTGRAD_INLINE V maximum(V a, V kept) {
    return a > kept ? a : kept;
}
#if defined(__AVX2__) && !defined(__AVX512F__)
// GCC makes a comparison and a blend of it where the comparison serves twice.
SOFTGRAD_INLINE Float maximum(Float a, Float kept) { return _mm256_max_ps(a, kept); }
SOFTGRAD_INLINE Double maximum(Double a, Double kept) { return _mm256_max_pd(a, kept); }
#endif

template <class V>
SOFTGRAD_INLINE auto largest_of_lanes(V v) {
    return fold_lanes<sizeof v / sizeof v[0] / 2>(v, [](V a, V b) __attribute__((always_inline)) { return maximum(b, a); });
}

// The lanes 0 to width/2 - 1 and the rest, widened to double.
#if defined(__AVX512F__)
SOFTGRAD_INLINE Double widen_low(Float v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
#elif defined(__AVX2__)
SOFTGRAD_INLINE Double widen_low(Float v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
#elif defined(__x86_64__)
SOFTGRAD_INLINE Double widen_low(Float v) { return _mm_cvtps_pd(v); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm_cvtps_pd(_mm_movehl_ps(v, v)); }
#else
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
#endif

// The two halves narrowed and joined in registers: through memory the load would wait for two narrower stores.
#if defined(__AVX512F__)
SOFTGRAD_INLINE Float narrow(Double low, Double high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}
#elif defined(__AVX2__)
SOFTGRAD_INLINE Float narrow(Double low, Double high) { return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)); }
#elif defined(__x86_64__)
SOFTGRAD_INLINE Float narrow(Double low, Double high) { return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high)); }
#else
SOFTGRAD_INLINE Float narrow(Double low, Double high) {
    const HalfFloat a = __builtin_convertvector(low, HalfFloat), b = __builtin_convertvector(high, HalfFloat);
    Float v;
    __builtin_memcpy(&v, &a, sizeof a);
    __builtin_memcpy(reinterpret_cast<char*>(&v) + sizeof a, &b, sizeof b);
    return v;
}
#endif

// A number in two parts, high + low, low no more than a rounding of high.
template <class T>
struct TwoParts {
    T high, low;
};

// The halves of a pack in double: two for float, one for double.
template <class T>
constexpr int halves = sizeof(double) / sizeof(T);

SOFTGRAD_INLINE Double half_of(Float v, int half) { return half ? widen_high(v) : widen_low(v); }
SOFTGRAD_INLINE Double half_of(Double v, int) { return v; }
// A sum in two parts in double: for float in one, since double has bits to spare.
SOFTGRAD_INLINE TwoParts<Double> half_of(TwoParts<Float> v, int half) { return {half_of(v.high, half) + half_of(v.low, half), Double{}}; }
SOFTGRAD_INLINE TwoParts<Double> half_of(TwoParts<Double> v, int) { return v; }

SOFTGRAD_INLINE Float joined(const Double* parts, Float) { return narrow(parts[0], parts[1]); }
SOFTGRAD_INLINE Double joined(const Double* parts, Double) { return parts[0]; }

// use(half of each pack) in double, rounded once.
template <class V, class Use, class... Packs>
SOFTGRAD_INLINE V in_double(Use use, V first, Packs... others) {
    Double parts[sizeof(double) / sizeof first[0]];
    for (int h = 0; h < static_cast<int>(sizeof(double) / sizeof first[0]); ++h) parts[h] = use(half_of(first, h), half_of(others, h)...);
    return joined(parts, first);
}

template <class T>
SOFTGRAD_INLINE TwoParts<T> two_sum(T a, T b) {
    const T sum = a + b;
    const T b_seen = sum - a;
    return {sum, (a - (sum - b_seen)) + (b - b_seen)};
}

// a * b of doubles exactly, as a rounded product and its error. Without a fused multiply-add: Veltkamp's splitting, which is exact
// for |a|, |b| < 2^970.
template <class V>
SOFTGRAD_INLINE TwoParts<V> two_product(V a, V b) {
    const V product = a * b;
#if defined(SOFTGRAD_FUSED)
    return {product, fma(a, b, -product)};
#else
    constexpr double splitter = 134217729.0;  // 2^27 + 1
    const V a_scaled = splitter * a, b_scaled = splitter * b;
    const V a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    const V a_low = a - a_high, b_low = b - b_high;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
#endif
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
