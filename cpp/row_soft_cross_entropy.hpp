// Cross-entropy against target weights q (any sum Q): loss Q log1p(R) + sum q_j (m - x_j), gradient Q p - q, times `scale`.
#pragma once

#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

struct TargetSums {
    double total, below_maximum, distance;  // sum q_j; over the entries below m alone; sum q_j (m - x_j)
};

// A class with q_j = 0 contributes exactly 0, also where x_j = -inf.
template <class T>
inline TargetSums target_sums(const T* x, const double* q, int64_t n, double maximum) {
    LaneSums<double> total, below, distance;
    FourTerms<double> total_terms, below_terms, distance_terms;
    const Double zero{}, m = broadcast(maximum);
    auto flush = [&](int vector) __attribute__((always_inline)) {
        total.add(vector, total_terms);
        below.add(vector, below_terms);
        distance.add(vector, distance_terms);
    };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        double logits[Simd<double>::width];
        for (int i = 0; i < Simd<double>::width; ++i) logits[i] = i < count ? static_cast<double>(x[offset + i]) : maximum;
        const Double logit = load(logits), weight = load_or_pad(q + offset, count, 0.0);
        const Double term = weight * (m - logit);
        total_terms.add(depth, weight);
        below_terms.add(depth, logit == m ? zero : weight);
        distance_terms.add(depth, weight == zero ? zero : term);
    };
    for_groups<double>(n, visit, flush);
    const TwoParts<double> t = total.total(), b = below.total(), d = distance.total();
    return {t.high + t.low, b.high + b.low, d.high + d.low};
}

// Returns the loss, unscaled. gradient may be null, or x itself.
template <class T>
double soft_cross_entropy_row(const T* x, int64_t n, const double* q, double scale, T* gradient) {
    const T maximum = row_maximum(x, n);
    TargetSums sums{};
    int64_t where_maximum = 0;
    if (is_finite(maximum)) {
        sums = target_sums(x, q, n, static_cast<double>(maximum));
        while (x[where_maximum] != maximum) ++where_maximum;
    }
    const Normalizer<T> row = normalize(x, n, gradient);
    if (!row.regular) {
        if (gradient) fill_row(gradient, n, T(not_a_number));
        return not_a_number;
    }
    if (gradient) {
        const double p_scale = row.inverse.high * (sums.total * scale) * ExpConstants<T>::unspare;
        for (int64_t j = 0; j < n; ++j)
            gradient[j] = static_cast<T>(static_cast<double>(gradient[j]) * p_scale - q[j] * scale);
        // At a single maximum Q p - q = (Q - q) - Q R / (1 + R), where Q - q is summed without it: no cancellation.
        if (row.maxima == 1)
            gradient[where_maximum] =
                static_cast<T>((sums.below_maximum - sums.total * (row.rest / (1.0 + row.rest))) * scale);
    }
    return (sums.total == 0.0 ? 0.0 : sums.total * row.log_rest) + sums.distance;
}

// The sum of target weights; also of any row of doubles.
inline double sum_row(const double* q, int64_t n) {
    LaneSums<double> sums;
    FourTerms<double> terms;
    auto flush = [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms); };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        terms.add(depth, load_or_pad(q + offset, count, 0.0));
    };
    for_groups<double>(n, visit, flush);
    const TwoParts<double> total = sums.total();
    return total.high + total.low;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
