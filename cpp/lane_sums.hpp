// Sums over a row, spread over the logical lanes in an order that the vector width does not change, kept in two doubles.
//
// A term that comes in is already the sum of up to four elements, added pairwise in the row's own dtype (two roundings
// at most); from there on the error is that of float64 for float, and of double-double for double.
#pragma once

#include "pack.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
class LaneSums;

template <>
class LaneSums<float> {
    static constexpr int per_float = Simd<float>::lanes / Simd<float>::width, count = 2 * per_float;
    Double sums[count] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, Float term) {
        sums[2 * vector] += widen_low(term);
        sums[2 * vector + 1] += widen_high(term);
    }
    inline TwoParts<double> total() const {
        Double folded[count];
        for (int i = 0; i < count; ++i) folded[i] = sums[i];
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
        double lanes[Simd<double>::width];
        store(lanes, folded[0]);
        for (int half = Simd<double>::width / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
        return {lanes[0], 0.0};
    }
};

template <>
class LaneSums<double> {
    static constexpr int count = Simd<double>::lanes / Simd<double>::width;
    Double high[count] = {}, low[count] = {};

    template <class V>
    static SOFTGRAD_INLINE void fold(V& high, V& low, V other_high, V other_low) {
        const TwoParts<V> sum = two_sum(high, other_high);
        high = sum.high;
        low += sum.low + other_low;
    }

  public:
    SOFTGRAD_INLINE void add(int vector, Double term) { fold(high[vector], low[vector], term, Double{}); }
    inline TwoParts<double> total() const {
        LaneSums folded = *this;
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) fold(folded.high[i], folded.low[i], folded.high[i + half], folded.low[i + half]);
        constexpr int width = Simd<double>::width;
        double high_lanes[width], low_lanes[width];
        store(high_lanes, folded.high[0]);
        store(low_lanes, folded.low[0]);
        for (int half = width / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) fold(high_lanes[i], low_lanes[i], high_lanes[i + half], low_lanes[i + half]);
        const TwoParts<double> sum = two_sum(high_lanes[0], low_lanes[0]);
        // An infinite sum has a NaN for its error.
        return sum.low == sum.low ? sum : TwoParts<double>{high_lanes[0], 0.0};
    }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
