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

// Vectors added plainly, by halves, and their lanes too.
template <class V, int count>
SOFTGRAD_INLINE V plainly_folded(const V (&lanes)[count]) {
    V folded[count];
    for (int i = 0; i < count; ++i) folded[i] = lanes[i];
    for (int half = count / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
    return folded[0];
}
template <class V, int count>
SOFTGRAD_INLINE auto plain_total(const V (&lanes)[count]) {
    return sum_of_lanes(plainly_folded(lanes));
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

SOFTGRAD_INLINE void fold(TwoParts<Double>& sum, TwoParts<Double> other) {
    const TwoParts<Double> high = two_sum(sum.high, other.high);
    sum = {high.high, sum.low + (high.low + other.low)};
}

template <int half>
SOFTGRAD_INLINE void fold_lanes_in_parts(TwoParts<Double>& sum) {
    fold(sum, {exchanged<half>(sum.high), exchanged<half>(sum.low)});
    if constexpr (half > 1) fold_lanes_in_parts<half / 2>(sum);
}

// The vectors that the logical lanes of a row are, folded into one, and its lanes into one number, by halves.
template <class T>
struct FoldedLanes;

// The first parts are added in double, the second in float.
template <>
struct FoldedLanes<float> {
    Double high;
    Float low;

    SOFTGRAD_INLINE FoldedLanes() = default;
    template <int count>
    SOFTGRAD_INLINE explicit FoldedLanes(const TwoParts<Float> (&lanes)[count]) {
        Double highs[2 * count];
        Float lows[count];
        for (int i = 0; i < count; ++i) {
            highs[2 * i] = widen_low(lanes[i].high);
            highs[2 * i + 1] = widen_high(lanes[i].high);
            lows[i] = lanes[i].low;
        }
        high = plainly_folded(highs);
        low = plainly_folded(lows);
    }
    SOFTGRAD_INLINE TwoParts<double> total() const {
        return {sum_of_lanes(high) + static_cast<double>(sum_of_lanes(low)), 0.0};
    }
    // The totals of as many rows as a vector of floats has lanes.
    static SOFTGRAD_INLINE void totals(const FoldedLanes* rows, TwoParts<Double>* of_halves) {
        constexpr int half_width = Simd<double>::width;
        Float lows[2 * half_width];
        for (int r = 0; r < 2 * half_width; ++r) lows[r] = rows[r].low;
        const Float low = sums_of_rows(lows);
        for (int h = 0; h < 2; ++h) {
            Double highs[half_width];
            for (int r = 0; r < half_width; ++r) highs[r] = rows[h * half_width + r].high;
            of_halves[h] = {sums_of_rows(highs) + half_of(low, h), Double{}};
        }
    }
};

template <>
struct FoldedLanes<double> {
    TwoParts<Double> sum;

    SOFTGRAD_INLINE FoldedLanes() = default;
    template <int count>
    SOFTGRAD_INLINE explicit FoldedLanes(const TwoParts<Double> (&lanes)[count]) {
        TwoParts<Double> folded[count];
        for (int i = 0; i < count; ++i) folded[i] = lanes[i];
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) fold(folded[i], folded[i + half]);
        sum = folded[0];
    }
    SOFTGRAD_INLINE TwoParts<double> total() const {
        TwoParts<Double> folded = sum;
        fold_lanes_in_parts<Simd<double>::width / 2>(folded);
        const TwoParts<double> total = two_sum(folded.high[0], folded.low[0]);
        // An infinite sum has a NaN for its error.
        return total.low == total.low ? total : TwoParts<double>{folded.high[0], 0.0};
    }
    static SOFTGRAD_INLINE void totals(const FoldedLanes* rows, TwoParts<Double>* of_halves) {
        constexpr int width = Simd<double>::width;
        TwoParts<Double> sums[width];
        for (int r = 0; r < width; ++r) sums[r] = rows[r].sum;
        const TwoParts<Double> folded = fold_rows<width / 2>(
            sums, width, [](TwoParts<Double> a, TwoParts<Double> b) __attribute__((always_inline)) {
            fold(a, b);
            return a;
        }, []<int half, int from>(TwoParts<Double> a, TwoParts<Double> b) __attribute__((always_inline)) {
            return TwoParts<Double>{halves_of<half, from>(a.high, b.high), halves_of<half, from>(a.low, b.low)};
        });
        const TwoParts<Double> total = two_sum(folded.high, folded.low);
        const Int64 finite = total.low == total.low;
        of_halves[0] = {finite ? total.high : folded.high, finite ? total.low : Double{}};
    }
};

// The sums of `lanes` lanes.
template <class T, int lanes = Simd<T>::logical_lanes>
class LaneSums;

template <int lanes>
class LaneSums<float, lanes> {
    static constexpr int per_float = lanes / Simd<float>::width;
    Double sums[2 * per_float] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<float>& terms) {
        sums[2 * vector] += terms.low.take();
        sums[2 * vector + 1] += terms.high.take();
    }
    SOFTGRAD_INLINE void add(int vector, Float terms) {
        sums[2 * vector] += widen_low(terms);
        sums[2 * vector + 1] += widen_high(terms);
    }
    inline TwoParts<double> total() const { return {plain_total(sums), 0.0}; }
};

template <int lanes>
class LaneSums<double, lanes> {
    TwoParts<Double> sums[lanes / Simd<double>::width] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<double>& terms) { add(vector, terms.take()); }
    SOFTGRAD_INLINE void add(int vector, Double terms) { fold(sums[vector], {terms, Double{}}); }
    inline TwoParts<double> total() const { return FoldedLanes<double>(sums).total(); }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
