// Cross-entropy against a target q (of any sum Q): loss Q log1p(R) + sum q_j (m - x_j), gradient Q p - q, times
// `scale`; with a z-loss of weight z on the normalizer l = logsumexp: z l^2 more, and 2 z l p.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

struct TargetSums {
    double total, below_maximum, distance;  // sum q_j; over the entries below m alone; sum q_j (m - x_j)
};

// A class with q_j = 0 contributes exactly 0, also where x_j = -inf.
template <class T, bool two_parts>
inline TargetSums target_sums(const T* x, [[maybe_unused]] const T* x_low, const double* q, int64_t n, double maximum) {
    LaneSums<double> total, below, distance;
    FourTerms<double> total_terms, below_terms, distance_terms;
    const Double zero{}, m = broadcast(maximum);
    auto flush = [&](int vector) __attribute__((always_inline)) {
        total.add(vector, total_terms);
        below.add(vector, below_terms);
        distance.add(vector, distance_terms);
    };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        const Double logit = load_widened(x + offset, count, maximum), target = load_or_pad(q + offset, count, 0.0);
        Double above = m - logit;
        if constexpr (two_parts) above -= load_or_pad(x_low + offset, count, 0.0);
        const Double term = target * above;
        total_terms.add(depth, target);
        below_terms.add(depth, logit == m ? zero : target);
        distance_terms.add(depth, target == zero ? zero : term);
    };
    for_groups<double>(0, n, visit, flush);
    const TwoParts<double> t = total.total(), b = below.total(), d = distance.total();
    return {t.high + t.low, b.high + b.low, d.high + d.low};
}

// e[j], a stored exponential, becomes p_scale * p_j - q_j * scale. The two may cancel: for float the difference is
// taken in double, for double with the factor of the exponential in two parts.
inline void subtract_targets(const Normalizer<float>& row, float* e, const double* q, int64_t n,
                             TwoParts<double> p_scale, double scale) {
    constexpr int half_width = Simd<double>::width;
    const Double inverse = broadcast(row.inverse.high * p_scale.high * ExpConstants<float>::unspare);
    const Double largest = broadcast(row.largest.high * p_scale.high),
                 at_maximum = broadcast(static_cast<double>(row.at_maximum));
    map_exponentials(row.of_row, e, n,
                     [&]<bool may_be_maximum>(Float each, int64_t j, int count) __attribute__((always_inline)) {
        Double of_halves[2];
        for (int h = 0; h < 2; ++h) {
            const int here = count - h * half_width < half_width ? count - h * half_width : half_width;
            const Double exponential = half_of(each, h), target = load_or_pad(q + j + h * half_width, here, 0.0);
            Double p = exponential * inverse;
            if constexpr (may_be_maximum) p = exponential == at_maximum ? largest : p;
            of_halves[h] = p - target * scale;
        }
        return joined(of_halves, each);
    });
}

inline void subtract_targets(const Normalizer<double>& row, double* e, const double* q, int64_t n,
                             TwoParts<double> p_scale, double scale) {
    const TwoParts<double> inverse = scaled(row.inverse, p_scale), largest = scaled(row.largest, p_scale);
    const Double high = broadcast(inverse.high), low = broadcast(inverse.low), at_maximum = broadcast(row.at_maximum);
    constexpr double spare = 1.0 / ExpConstants<double>::unspare;
    const Double largest_high = broadcast(largest.high), largest_low = broadcast(largest.low);
    map_exponentials(row.of_row, e, n,
                     [&]<bool may_be_maximum>(Double each, int64_t j, int count) __attribute__((always_inline)) {
        const Double target = load_or_pad(q + j, count, 0.0) * scale;
        // Subtracted 2^spare too large as well, where nothing is subnormal.
        const Double at_others = fma(each, high, fma(each, low, target * -spare)) * ExpConstants<double>::unspare;
        if constexpr (may_be_maximum) return each == at_maximum ? (largest_high - target) + largest_low : at_others;
        return at_others;
    });
}

template <class T, bool two_parts = false>
void soft_cross_entropy_rows(const Rows<T>& rows, const double* q, double z_loss, double origin, double origin_low,
                             const double* scale, double* losses) {
    constexpr int width = Simd<T>::width;
    const int64_t n = rows.n;
    NormalizedRows<T> normalized;
    find_maxima(rows, normalized);
    TargetSums sums[width];
    // Before the exponentials, which may be written over x.
    for (int r = 0; r < rows.count; ++r)
        if (normalized.regular(r))
            sums[r] = target_sums<T, two_parts>(rows.x[r], two_parts ? rows.x_low[r] : nullptr, q + r * n, n,
                                                static_cast<double>(normalized.of_row[r].value));
    sum_exponentials<T, two_parts>(rows, rows.out, normalized);
    find_logarithms(&normalized.pack, 1);
    if (rows.out) find_inverses(&normalized.pack, 1);
    for (int r = 0; r < rows.count; ++r) {
        T* const gradient = rows.out ? rows.out[r] : nullptr;
        if (!normalized.regular(r)) {
            if (gradient) fill_row(gradient, n, T(not_a_number));
            losses[r] = not_a_number;
            continue;
        }
        const Normalizer<T> row = normalized.row(r);
        const TwoParts<double> lse = sum_of(two_sum(origin, static_cast<double>(row.maximum)),
                                            {row.log_rest.high, row.log_rest.low + origin_low});
        const TwoParts<double> z_slope = z_loss == 0.0 ? TwoParts<double>{0.0, 0.0} : scaled(lse, 2.0 * z_loss);
        if (gradient) {
            const int64_t k = index_of_maximum(row.of_row, row.at_maximum, gradient, n);
            subtract_targets(row, gradient, q + r * n, n, scaled(sum_of({sums[r].total, 0.0}, z_slope), scale[r]),
                             scale[r]);
            // Where p > 1/2, Q p - q = (Q - q) - Q R / (1 + R), with Q - q summed without it, does not lose what p - 1
            // would.
            if (row.maxima == 1 && row.rest < 1.0)
                gradient[k] = static_cast<T>((sums[r].below_maximum - sums[r].total * (row.rest / (1.0 + row.rest)) +
                                              z_slope.high * row.largest.high) *
                                             scale[r]);
        }
        const TwoParts<double> entropy = scaled(row.log_rest, sums[r].total);
        losses[r] = z_loss == 0.0 ? plus(sums[r].distance, entropy)
                                  : plus(sums[r].distance, sum_of(entropy, scaled(scaled(z_slope, lse), 0.5)));
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
