// Products of the derivatives of softmax, log_softmax and logsumexp at a row with a vector v of its length.
//
// With k the most probable class and v' = v - v_k (constants are in the null space of the Jacobian of softmax), the
// mean <p, v'> sums what the others contribute alone: no p near 1 is subtracted from 1. Everything past the
// exponentials is in double.
#pragma once

#include "kernels/rows/stores.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The sum over a row of term(a_j, b_j), in double; a is padded with 0 and b with `padding`.
template <class T, class Term>
SOFTGRAD_INLINE double sum_of_terms(const T* a, const T* b, int64_t n, T padding, Term term) {
    LaneSums<T> sums;
    FourTerms<T> terms;
    auto flush = [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms); };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        terms.add(depth, term, load_or_pad(a + offset, count, T(0)), load_or_pad(b + offset, count, padding));
    };
    for_groups<T>(0, n, visit, flush);
    const TwoParts<double> total = sums.total();
    return total.high + total.low;
}

// Returns <p, v>, 0 without a v. `out` holds the exponentials, and the product times `scale` in the end.
template <class T>
inline double product_row(Product product, const Normalizer<T>& row, const T* v, const T* w, int64_t n, double scale,
                          T* out) {
    const int64_t k = index_of_maximum(row.of_row, row.at_maximum, out, n);
    const double unscaled = (row.inverse.high + row.inverse.low) * ExpConstants<T>::unspare;
    const double largest = row.largest.high + row.largest.low, v_k = v ? static_cast<double>(v[k]) : 0.0;
    // What the largest probability lacks to 1; where several share it, it is at most 1/2.
    const double p_k = row.maxima == 1 ? 1.0 / (1.0 + row.rest) : largest;
    const double not_k = row.maxima == 1 ? row.rest / (1.0 + row.rest) : 1.0 - largest;
    const Double centre = broadcast(v_k), at_maximum = broadcast(static_cast<double>(row.at_maximum));

    // out_j = use(p_j factor, entries of the vectors) in double.
    auto map_with = [&](double factor, auto use, auto... vectors) __attribute__((always_inline)) {
        const Double inverse = broadcast(unscaled * factor), at_largest = broadcast(largest * factor);
        map_exponentials(row.of_row, out, n,
                         [&]<bool may_be_maximum>(Vec<T> e, [[maybe_unused]] int64_t j, [[maybe_unused]] int count)
                             __attribute__((always_inline)) {
            auto apply = [&](Double each, auto... entries) __attribute__((always_inline)) {
                if constexpr (may_be_maximum) return use(each == at_maximum ? at_largest : each * inverse, entries...);
                return use(each * inverse, entries...);
            };
            return in_double(apply, e, load_or_pad(vectors + j, count, T(0))...);
        });
    };
    if (product == Product::variances) {
        map_with(1.0, [&](Double p) __attribute__((always_inline)) { return p * (1.0 - p) * scale; });
        out[k] = static_cast<T>(p_k * not_k * scale);
        return 0.0;
    }
    if (product == Product::log_softmax_cotangent) {
        // Summed without k, for g_k - p_k sum g = g_k (1 - p_k) - p_k (sum of the others).
        auto itself = [](Double, Double g) __attribute__((always_inline)) { return g; };
        const double before = sum_of_terms(v, v, k, T(0), itself),
                     after = sum_of_terms(v + k + 1, v + k + 1, n - k - 1, T(0), itself);
        const double others = before + after;
        map_with((others + v_k) * scale,
                 [&](Double p, Double g) __attribute__((always_inline)) { return g * scale - p; }, v);
        out[k] = static_cast<T>((v_k * not_k - p_k * others) * scale);
        return 0.0;
    }
    // <p, u - u_k>
    auto mean_apart = [&](const T* u) __attribute__((always_inline)) {
        const Double u_k = broadcast(static_cast<double>(u[k]));
        auto weighted = [&](Double e, Double each) __attribute__((always_inline)) { return e * (each - u_k); };
        return sum_of_terms(out, u, n, u[k], weighted) * unscaled;
    };
    const double apart = mean_apart(v);
    if (product == Product::softmax_second) {
        const double w_apart = mean_apart(w), at_k = apart * w_apart;
        const Double w_centre = broadcast(static_cast<double>(w[k]));
        // The product of the deviations, relative to that at k.
        auto deviation = [&](Double of_v, Double of_w) __attribute__((always_inline)) {
            return ((of_v - centre) - apart) * ((of_w - w_centre) - w_apart) - at_k;
        };
        LaneSums<T> sums;
        FourTerms<T> terms;
        auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
            terms.add(depth,
                      [&](Double e, Double of_v, Double of_w) __attribute__((always_inline)) {
                return e * deviation(of_v, of_w);
            }, load_or_pad(out + offset, count, T(0)), load_or_pad(v + offset, count, v[k]),
                      load_or_pad(w + offset, count, w[k]));
        };
        for_groups<T>(0, n, visit, [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms); });
        const TwoParts<double> total = sums.total();
        const double second_apart = (total.high + total.low) * unscaled;
        map_with(scale, [&](Double p, Double of_v, Double of_w) __attribute__((always_inline)) {
            return p * (deviation(of_v, of_w) - second_apart);
        }, v, w);
        return v_k + apart;
    }
    if (product == Product::softmax)
        map_with(scale, [&](Double p, Double each) __attribute__((always_inline)) {
            return p * ((each - centre) - apart);
        }, v);
    else if (product == Product::log_softmax_tangent)
        map_with(scale, [&](Double, Double each) __attribute__((always_inline)) {
            return ((each - centre) - apart) * scale;
        }, v);
    return v_k + apart;
}

template <class T, bool two_parts = false>
void product_rows(Product product, const Rows<T>& rows, const T* const* v, const T* const* w, const double* scale,
                  double* means) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    NormalizedRows<T> normalized;
    normalize<T, two_parts>(rows, true, normalized);
    find_rests(&normalized.pack, 1);
    find_inverses(&normalized.pack, 1);
    double factors[width] = {};
    for (int r = 0; r < rows.count; ++r) factors[r] = scale[r];
    Double factor[halves<T>];
    for (int h = 0; h < halves<T>; ++h) factor[h] = load(factors + h * half_width);
    const Probabilities<T> probabilities = normalized.pack.probabilities(factor);
    for (int r = 0; r < rows.count; ++r) {
        double mean = not_a_number;
        if (!normalized.regular(r))
            fill_row(rows.out[r], rows.n, T(not_a_number));
        else if (product == Product::probabilities)
            scale_row(normalized.of_row[r], probabilities.of_lane(r), rows.out[r], rows.n);
        else
            mean = product_row(product, normalized.row(r), v ? v[r] : nullptr, w ? w[r] : nullptr, rows.n, scale[r],
                               rows.out[r]);
        if (means) means[r] = mean;
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
