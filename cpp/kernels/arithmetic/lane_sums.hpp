// Sums over a row, spread over the logical lanes in an order that the vector width does not change, kept in two
// doubles.
//
// The (up to four) elements that a logical lane has in a group are added pairwise in float64, which for float loses
// nothing that could be seen and for double rounds twice at most; from there on double sums are kept in two parts.
#pragma once

#include "kernels/arithmetic/two_parts.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Elements whose four logical stripes are summed together.
template <class T>
constexpr int64_t group = 4 * Simd<T>::logical_lanes;

// Calls visit(offset, count, vector, depth) for the vectors of [begin, end), begin being a multiple of a group, in the
// order of the sums: groups of four stripes of the logical lanes, in a group lane by lane, so that the four elements of
// a lane stand together. count is the vector's width but for the last of the row. After the last depth of a lane:
// flush(vector).
template <class T, class Visit, class Flush>
SOFTGRAD_INLINE void for_groups(int64_t begin, int64_t end, Visit visit, Flush flush) {
    constexpr int width = Simd<T>::width, logical_lanes = Simd<T>::logical_lanes, vectors = logical_lanes / width;
    int64_t base = begin;
    for (; base + group<T> <= end; base += group<T>)
        for (int v = 0; v < vectors; ++v) {
            for (int depth = 0; depth < 4; ++depth) visit(base + depth * logical_lanes + v * width, width, v, depth);
            flush(v);
        }
    for (int v = 0; v < vectors && base + v * width < end; ++v) {
        for (int depth = 0; depth < 4; ++depth) {
            const int64_t offset = base + depth * logical_lanes + v * width;
            if (offset >= end) break;
            visit(offset, static_cast<int>(end - offset < width ? end - offset : width), v, depth);
        }
        flush(v);
    }
}

template <class T>
struct FourTerms;

template <>
struct FourTerms<double> {
    Double pairs[2] = {};
    SOFTGRAD_INLINE void add(int depth, Double term) { pairs[depth / 2] = depth % 2 ? pairs[depth / 2] + term : term; }
    template <class Term, class... Vectors>
    SOFTGRAD_INLINE void add(int depth, Term term, Vectors... vectors) {
        add(depth, term(vectors...));
    }
    SOFTGRAD_INLINE Double take() {
        const Double sum = pairs[0] + pairs[1];
        pairs[0] = pairs[1] = Double{};
        return sum;
    }
};

template <>
struct FourTerms<float> {
    FourTerms<double> low, high;
    SOFTGRAD_INLINE void add(int depth, Float term) {
        low.add(depth, widen_low(term));
        high.add(depth, widen_high(term));
    }
    // term(vectors...) in double.
    template <class Term, class... Vectors>
    SOFTGRAD_INLINE void add(int depth, Term term, Vectors... vectors) {
        low.add(depth, term(widen_low(vectors)...));
        high.add(depth, term(widen_high(vectors)...));
    }
};

// The lanes of vectors added plainly, by halves.
template <class V, int count>
inline auto plain_total(const V (&lanes)[count]) {
    V folded[count];
    for (int i = 0; i < count; ++i) folded[i] = lanes[i];
    for (int half = count / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
    return sum_of_lanes(folded[0]);
}

// Sums that need no more than the row's own dtype: of what roundings took away.
template <class T>
class LaneResidues {
    static constexpr int width = Simd<T>::width, count = Simd<T>::logical_lanes / width;
    Vec<T> sums[count] = {}, group = {};

  public:
    // The elements of a lane come in the order of their depth; flush(vector) ends a group.
    SOFTGRAD_INLINE void add(Vec<T> residue, Vec<T> scale) { group = fma(residue, scale, group); }
    SOFTGRAD_INLINE void flush(int vector) {
        sums[vector] += group;
        group = Vec<T>{};
    }
    inline double total() const { return static_cast<double>(plain_total(sums)); }
};

// What the lanes of a row have, one number: for float the first parts are added in double, the second in float.
inline TwoParts<double> total_of_lanes(
    const TwoParts<Float> (&lanes)[Simd<float>::logical_lanes / Simd<float>::width]) {
    constexpr int count = sizeof lanes / sizeof lanes[0];
    Double high[2 * count];
    Float low[count];
    for (int i = 0; i < count; ++i) {
        high[2 * i] = widen_low(lanes[i].high);
        high[2 * i + 1] = widen_high(lanes[i].high);
        low[i] = lanes[i].low;
    }
    return {plain_total(high) + static_cast<double>(plain_total(low)), 0.0};
}

SOFTGRAD_INLINE void fold(TwoParts<Double>& sum, TwoParts<Double> other) {
    const TwoParts<Double> high = two_sum(sum.high, other.high);
    sum = {high.high, sum.low + (high.low + other.low)};
}

template <int half>
SOFTGRAD_INLINE void fold_lanes_in_parts(TwoParts<Double>& sum) {
    fold(sum, {exchanged<half>(sum.high), exchanged<half>(sum.low)});
    if constexpr (half > 1) fold_lanes_in_parts<half / 2>(sum);
}

inline TwoParts<double> total_of_lanes(
    const TwoParts<Double> (&lanes)[Simd<double>::logical_lanes / Simd<double>::width]) {
    constexpr int count = sizeof lanes / sizeof lanes[0];
    TwoParts<Double> folded[count];
    for (int i = 0; i < count; ++i) folded[i] = lanes[i];
    for (int half = count / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) fold(folded[i], folded[i + half]);
    fold_lanes_in_parts<Simd<double>::width / 2>(folded[0]);
    const double high = folded[0].high[0];
    const TwoParts<double> sum = two_sum(high, folded[0].low[0]);
    // An infinite sum has a NaN for its error.
    return sum.low == sum.low ? sum : TwoParts<double>{high, 0.0};
}

template <class T>
class LaneSums;

template <>
class LaneSums<float> {
    static constexpr int per_float = Simd<float>::logical_lanes / Simd<float>::width;
    Double sums[2 * per_float] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<float>& terms) {
        sums[2 * vector] += terms.low.take();
        sums[2 * vector + 1] += terms.high.take();
    }
    inline TwoParts<double> total() const { return {plain_total(sums), 0.0}; }
};

template <>
class LaneSums<double> {
    TwoParts<Double> sums[Simd<double>::logical_lanes / Simd<double>::width] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<double>& terms) { fold(sums[vector], {terms.take(), Double{}}); }
    inline TwoParts<double> total() const { return total_of_lanes(sums); }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
