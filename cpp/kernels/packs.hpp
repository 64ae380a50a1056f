// The scalars of as many rows as a vector has lanes, side by side: a row that computed its own would wait for each of
// them longer than for sixty entries.
#pragma once

#include "kernels/arithmetic/normalization.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// What the rows of one pack are made of.
template <class T>
struct Pack {
    Vec<T> maximum;
    Vec<T> second;      // the largest entry but for one that is the maximum; -inf if there is no other
    Vec<T> at_maximum;  // the exponential of the maximum as it is stored
    Masses<Double> masses[halves<T>];
    TwoParts<Double> rest[halves<T>];      // R; NaN where the maximum is not finite
    TwoParts<Double> log_rest[halves<T>];  // log1p(R)
    TwoParts<Double> inverse[halves<T>];   // 1 / S
    TwoParts<Double> largest[halves<T>];   // the probability of the maximum, 1 / (1 + R)

    SOFTGRAD_INLINE Probabilities<T> probabilities(const Double* factor) const {
        return {inverse, largest, factor, at_maximum};
    }
    SOFTGRAD_INLINE Probabilities<T> probabilities() const {
        Double ones[halves<T>];
        for (Double& one : ones) one = broadcast(1.0);
        return probabilities(ones);
    }
    // log1p(R) in one part.
    SOFTGRAD_INLINE Vec<T> log_rest_rounded() const {
        Double of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) of_halves[h] = log_rest[h].high + log_rest[h].low;
        return joined(of_halves, Vec<T>{});
    }
    // m + log1p(R); NaN where the maximum is not finite.
    SOFTGRAD_INLINE Vec<T> logsumexp() const {
        Double of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            // Not plus(): where the maximum is infinite R is NaN.
            const TwoParts<Double> sum = two_sum(half_of(maximum, h), log_rest[h].high);
            of_halves[h] = sum.high + (sum.low + log_rest[h].low);
        }
        return joined(of_halves, Vec<T>{});
    }
    // The gradient of the loss at the label, whose exponential is as it is stored: -R / (1 + R) where the label is the
    // maximum (p - 1 would cancel), else p - 1, with p <= 1/2. Adding 0 makes a -0 a +0.
    SOFTGRAD_INLINE Double slope_at_label(int half, Mask<T> is_maximum, Double exponential) const {
        const Double maximal = half_of(is_maximum ? broadcast(T(1)) : Vec<T>{}, half), r = rest[half].high;
        const Double p = exponential * double(ExpConstants<T>::unspare) * inverse[half].high;
        return maximal == 1.0 ? 0.0 - r / (1.0 + r) : p - 1.0;
    }
};

// Each step is taken for all packs before the next, so that the machine has something to do while one waits for a
// quotient.
template <class T>
SOFTGRAD_INLINE void find_rests(Pack<T>* packs, int count) {
    for (int k = 0; k < count; ++k)
        for (int h = 0; h < halves<T>; ++h) packs[k].rest[h] = rest_of<T>(packs[k].masses[h]);
}

template <class T>
SOFTGRAD_INLINE void find_logarithms(Pack<T>* packs, int count) {
    find_rests(packs, count);
    for (int k = 0; k < count; ++k)
        for (int h = 0; h < halves<T>; ++h) packs[k].log_rest[h] = log_of<T>(packs[k].rest[h]);
}

// What makes probabilities of exponentials.
template <class T>
SOFTGRAD_INLINE void find_inverses(Pack<T>* packs, int count) {
    for (int k = 0; k < count; ++k)
        for (int h = 0; h < halves<T>; ++h) {
            packs[k].inverse[h] = inverse_of<T>(packs[k].masses[h]);
            packs[k].largest[h] = largest_of<T>(packs[k].masses[h], packs[k].inverse[h]);
        }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
