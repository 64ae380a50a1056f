// Products of the derivatives of softmax, log_softmax and logsumexp at a row with a vector v of its length.
//
// With k the most probable class and v' = v - v_k (constants are in the null space of the Jacobian of softmax), the mean
// <p, v'> sums what the others contribute alone: no p near 1 is subtracted from 1. Everything past the exponentials is in double.
#pragma once

#include "kernels.hpp"
#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The first index of `value`, which is there.
template <class T>
inline int64_t first_equal(const T* x, int64_t n, T value) {
    constexpr int width = Simd<T>::width, words = sizeof(Mask<T>) / sizeof(uint64_t);
    int64_t i = 0;
    for (; i + 4 * width <= n; i += 4 * width) {
        const Vec<T> wanted = broadcast(value);
        const Mask<T> any = (load(x + i) == wanted) | (load(x + i + width) == wanted) | (load(x + i + 2 * width) == wanted) |
                            (load(x + i + 3 * width) == wanted);
        uint64_t bits[words], found = 0;
        __builtin_memcpy(bits, &any, sizeof any);
        for (uint64_t word : bits) found |= word;
        if (found) break;
    }
    while (i < n && x[i] != value) ++i;
    return i;
}

// Calls use(depth, first half in double, second half) for two packs; double has one half.
template <class Use>
SOFTGRAD_INLINE void in_double(FourTerms<float>& terms, int depth, Float a, Float b, Use use) {
    terms.low.add(depth, use(widen_low(a), widen_low(b)));
    terms.high.add(depth, use(widen_high(a), widen_high(b)));
}
template <class Use>
SOFTGRAD_INLINE void in_double(FourTerms<double>& terms, int depth, Double a, Double b, Use use) {
    terms.add(depth, use(a, b));
}
template <class Use>
SOFTGRAD_INLINE Float in_double(Float a, Float b, Use use) {
    return narrow(use(widen_low(a), widen_low(b)), use(widen_high(a), widen_high(b)));
}
template <class Use>
SOFTGRAD_INLINE Double in_double(Double a, Double b, Use use) {
    return use(a, b);
}

// The sum over a row of term(a_j, b_j), in double; a is padded with 0 and b with `padding`.
template <class T, class Term>
SOFTGRAD_INLINE double sum_of_terms(const T* a, const T* b, int64_t n, T padding, Term term) {
    LaneSums<T> sums;
    FourTerms<T> terms;
    auto flush = [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms); };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        in_double(terms, depth, load_or_pad(a + offset, count, T(0)), load_or_pad(b + offset, count, padding), term);
    };
    for_groups<T>(0, n, visit, flush);
    const TwoParts<double> total = sums.total();
    return total.high + total.low;
}

// to_j = use(a_j, b_j); to may be a.
template <class T, class Use>
SOFTGRAD_INLINE void map_pairs(const T* a, const T* b, int64_t n, T* to, Use use) {
    constexpr int width = Simd<T>::width;
    for (int64_t j = 0; j < n; j += width) {
        const int count = static_cast<int>(n - j < width ? n - j : width);
        store_first(to + j, in_double(load_or_pad(a + j, count, T(0)), load_or_pad(b + j, count, T(0)), use), count);
    }
}

// Returns <p, v>, 0 without a v. out holds the exponentials in between, and the product times `scale` in the end; it may be x,
// not v. With `two_parts` the row is x + x_low.
template <class T, bool two_parts = false>
double product_row(Product product, const T* x, const T* x_low, const T* v, int64_t n, double scale, T* out) {
    const Normalizer<T> row = normalize<T, two_parts>(x, n, out, x_low);
    if (!row.regular) {
        fill_row(out, n, T(not_a_number));
        return not_a_number;
    }
    const int64_t k = first_equal(out, n, row.at_maximum);
    constexpr double unspare = ExpConstants<T>::unspare;
    const double inverse = row.inverse.high + row.inverse.low, largest = row.largest.high + row.largest.low;
    const double v_k = v ? static_cast<double>(v[k]) : 0.0;
    // What the largest probability lacks to 1; where several share it, it is at most 1/2.
    const double p_k = row.maxima == 1 ? 1.0 / (1.0 + row.rest) : largest;
    const double not_k = row.maxima == 1 ? row.rest / (1.0 + row.rest) : 1.0 - largest;
    const Double centre = broadcast(v_k), at_maximum = broadcast(static_cast<double>(row.at_maximum));
    auto probability = [&](Double e) __attribute__((always_inline)) {
        return e == at_maximum ? broadcast(largest) : e * unspare * inverse;
    };

    if (product == Product::probabilities) {
        map_pairs(out, out, n, out, [&](Double e, Double) __attribute__((always_inline)) { return probability(e) * scale; });
        return 0.0;
    }
    if (product == Product::variances) {
        auto variance = [&](Double e, Double) __attribute__((always_inline)) {
            const Double p = probability(e);
            return p * (1.0 - p) * scale;
        };
        map_pairs(out, out, n, out, variance);
        out[k] = static_cast<T>(p_k * not_k * scale);
        return 0.0;
    }
    if (product == Product::log_softmax_cotangent) {
        // Summed without k, for g_k - p_k sum g = g_k (1 - p_k) - p_k (sum of the others).
        auto itself = [](Double, Double g) __attribute__((always_inline)) { return g; };
        const double before = sum_of_terms(v, v, k, T(0), itself), after = sum_of_terms(v + k + 1, v + k + 1, n - k - 1, T(0), itself);
        const double others = before + after, total = others + v_k;
        auto residual = [&](Double e, Double g) __attribute__((always_inline)) { return (g - probability(e) * total) * scale; };
        map_pairs(out, v, n, out, residual);
        out[k] = static_cast<T>((v_k * not_k - p_k * others) * scale);
        return 0.0;
    }
    auto weighted = [&](Double e, Double each) __attribute__((always_inline)) { return e * unspare * (each - centre); };
    const double apart = sum_of_terms(out, v, n, v[k], weighted) * inverse;
    if (product == Product::softmax) {
        auto covariance = [&](Double e, Double each) __attribute__((always_inline)) {
            return probability(e) * ((each - centre) - apart) * scale;
        };
        map_pairs(out, v, n, out, covariance);
    } else if (product == Product::log_softmax_tangent) {
        map_pairs(out, v, n, out, [&](Double, Double each) __attribute__((always_inline)) { return ((each - centre) - apart) * scale; });
    }
    return v_k + apart;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
