// Sums over a row, spread over the logical lanes in an order that the vector width does not change, kept in two doubles.
//
// The (up to four) elements that a lane has in a group are added pairwise in float64, which for float loses nothing that
// could be seen and for double rounds twice at most; from there on double sums are kept in two parts. Where a bound of the terms is
// known, BoundedSums does without float64.
#pragma once

#include "pack.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct FourTerms;

template <>
struct FourTerms<double> {
    Double pairs[2] = {};
    SOFTGRAD_INLINE void add(int depth, Double term) { pairs[depth / 2] = depth % 2 ? pairs[depth / 2] + term : term; }
    template <class Term, class... Packs>
    SOFTGRAD_INLINE void add(int depth, Term term, Packs... packs) {
        add(depth, term(packs...));
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
    // term(packs...) in double.
    template <class Term, class... Packs>
    SOFTGRAD_INLINE void add(int depth, Term term, Packs... packs) {
        low.add(depth, term(widen_low(packs)...));
        high.add(depth, term(widen_high(packs)...));
    }
};

// Sums that need no more than the row's own dtype: of what roundings took away.
template <class T>
class LaneResidues {
    static constexpr int width = Simd<T>::width, count = Simd<T>::lanes / width;
    Vec<T> sums[count] = {}, group = {};

  public:
    // The elements of a lane come in the order of their depth; flush(vector) ends a group.
    SOFTGRAD_INLINE void add(Vec<T> residue, Vec<T> scale) { group = fma(residue, scale, group); }
    SOFTGRAD_INLINE void flush(int vector) {
        sums[vector] += group;
        group = Vec<T>{};
    }
    inline double total() const {
        Vec<T> folded[count];
        for (int i = 0; i < count; ++i) folded[i] = sums[i];
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
        return static_cast<double>(sum_of_lanes(folded[0]));
    }
};

template <class T>
class LaneSums;

template <>
class LaneSums<float> {
    static constexpr int per_float = Simd<float>::lanes / Simd<float>::width, count = 2 * per_float;
    Double sums[count] = {};

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<float>& terms) {
        sums[2 * vector] += terms.low.take();
        sums[2 * vector + 1] += terms.high.take();
    }
    // A sum with what it lacks.
    SOFTGRAD_INLINE void add(int vector, Float sum, Float error) {
        sums[2 * vector] += widen_low(sum) + widen_low(error);
        sums[2 * vector + 1] += widen_high(sum) + widen_high(error);
    }
    inline TwoParts<double> total() const {
        Double folded[count];
        for (int i = 0; i < count; ++i) folded[i] = sums[i];
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
        return {sum_of_lanes(folded[0]), 0.0};
    }
};

template <>
class LaneSums<double> {
    static constexpr int count = Simd<double>::lanes / Simd<double>::width;
    Double high[count] = {}, low[count] = {};

    static SOFTGRAD_INLINE void fold(Double& high, Double& low, Double other_high, Double other_low) {
        const TwoParts<Double> sum = two_sum(high, other_high);
        high = sum.high;
        low += sum.low + other_low;
    }
    template <int half>
    static SOFTGRAD_INLINE void fold_lanes(Double& high, Double& low) {
        fold(high, low, exchanged<half>(high), exchanged<half>(low));
        if constexpr (half > 1) fold_lanes<half / 2>(high, low);
    }

  public:
    SOFTGRAD_INLINE void add(int vector, FourTerms<double>& terms) {
        fold(high[vector], low[vector], terms.take(), Double{});
    }
    inline TwoParts<double> total() const {
        LaneSums folded = *this;
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) fold(folded.high[i], folded.low[i], folded.high[i + half], folded.low[i + half]);
        fold_lanes<Simd<double>::width / 2>(folded.high[0], folded.low[0]);
        const double high = folded.high[0][0];
        const TwoParts<double> sum = two_sum(high, folded.low[0][0]);
        // An infinite sum has a NaN for its error.
        return sum.low == sum.low ? sum : TwoParts<double>{high, 0.0};
    }
};

// Sums of exponentials none of which is above `bound`, in float: a sum that begins at the bound is never below what is added, so
// that what the addition rounds away is had from two subtractions (Dekker), and what the exponential's own rounding took away in the
// same step. The bound must be of the size of the largest term, or terms would be lost in it: they add up in `errors` alone.
class BoundedSums {
    static constexpr int width = Simd<float>::width, count = Simd<float>::lanes / width;
    Float sums[count], errors[count] = {}, sum, error;
    Float bound;

  public:
    static constexpr int64_t most_terms = 2048;

    inline explicit BoundedSums(float bound) : bound(broadcast(bound)) {
        for (Float& each : sums) each = this->bound;
    }
    // As in LaneResidues.
    SOFTGRAD_INLINE void add(int vector, int depth, Float value, Float u, Float scale) {
        if (depth == 0) {
            sum = sums[vector];
            error = errors[vector];
        }
        const Float next = sum + value;
        error += fma(u, scale, scale - (next - sum));
        sum = next;
    }
    SOFTGRAD_INLINE void flush(int vector) {
        sums[vector] = sum;
        errors[vector] = error;
    }
    // To be called before a lane has taken most_terms, for the errors to have no rounding to speak of.
    inline void move_to(LaneSums<float>& exact) {
        for (int i = 0; i < count; ++i) {
            exact.add(i, sums[i] - bound, errors[i]);
            sums[i] = bound;
            errors[i] = Float{};
        }
    }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
