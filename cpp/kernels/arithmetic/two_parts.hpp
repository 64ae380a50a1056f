// Numbers in two parts, and vectors in double.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// A number in two parts, high + low, low no more than a rounding of high.
template <class T>
struct TwoParts {
    T high, low;
};

// The halves of a vector in double: two for float, one for double.
template <class T>
constexpr int halves = sizeof(double) / sizeof(T);

SOFTGRAD_INLINE Double half_of(Float v, int half) { return half ? widen_high(v) : widen_low(v); }
SOFTGRAD_INLINE Double half_of(Double v, int) { return v; }
// A sum in two parts in double: for float in one, since double has bits to spare.
SOFTGRAD_INLINE TwoParts<Double> half_of(TwoParts<Float> v, int half) {
    return {half_of(v.high, half) + half_of(v.low, half), Double{}};
}
SOFTGRAD_INLINE TwoParts<Double> half_of(TwoParts<Double> v, int) { return v; }

SOFTGRAD_INLINE Float joined(const Double* of_halves, Float) { return narrow(of_halves[0], of_halves[1]); }
SOFTGRAD_INLINE Double joined(const Double* of_halves, Double) { return of_halves[0]; }

// use(half of each vector) in double, rounded once.
template <class V, class Use, class... Vectors>
SOFTGRAD_INLINE V in_double(Use use, V first, Vectors... others) {
    Double of_halves[sizeof(double) / sizeof first[0]];
    for (int h = 0; h < static_cast<int>(sizeof(double) / sizeof first[0]); ++h)
        of_halves[h] = use(half_of(first, h), half_of(others, h)...);
    return joined(of_halves, first);
}

template <class T>
SOFTGRAD_INLINE TwoParts<T> two_sum(T a, T b) {
    const T sum = a + b;
    const T b_seen = sum - a;
    return {sum, (a - (sum - b_seen)) + (b - b_seen)};
}

// a * b of doubles exactly, as a rounded product and its error. Without a fused multiply-add: Veltkamp's splitting,
// which is exact for |a|, |b| < 2^970.
template <class V>
SOFTGRAD_INLINE TwoParts<V> two_product(V a, V b) {
    const V product = a * b;
    if constexpr (fused) return {product, fma(a, b, -product)};
    constexpr double splitter = 134217729.0;  // 2^27 + 1
    const V a_scaled = splitter * a, b_scaled = splitter * b;
    const V a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    const V a_low = a - a_high, b_low = b - b_high;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
