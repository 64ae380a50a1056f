// What the products of the derivatives of softmax and log_softmax are made of where the output is given, in a row or
// with a row a lane.
//
// They are worked out in the row's own dtype, but for sums over a row, and for products with a scale that is not 1.
#pragma once

#include "kernels/arithmetic/exp_log.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Of the logarithm of a probability.
template <class T>
SOFTGRAD_INLINE Exponential<T> exp_of_logarithm(Vec<T> y) {
    Origin<T> origin = origin_at<T>(Vec<T>{});
    origin.subtract = Vec<T>{};  // known when it is compiled, so that nothing is subtracted
    return exp_from(origin, y);
}

template <class T>
SOFTGRAD_INLINE Vec<T> probability_of(Vec<T> y) {
    return exp_of_logarithm<T>(y).value * ExpConstants<T>::unspare;
}

// A probability, and what it lacks to 1: near 1 that is all its logarithm says.
struct Certainty {
    Double p, lacking;

    SOFTGRAD_INLINE explicit Certainty(Double y) {
        const Exponential<double> e = exp_of_logarithm<double>(y);
        const Double power = e.scale * ExpConstants<double>::unspare;  // 1 near 1
        p = e.value * ExpConstants<double>::unspare;
        lacking = (1.0 - power) - power * (e.u + e.u_error);
    }
};

// (v - <p, v>) / 2 = (v - v_k) / 2 - <p, v - v_k> / 2: no difference of finite numbers overflows.
template <class T>
struct HalfDeviation {
    Vec<T> centre, apart;  // v_k / 2, <p, v - v_k> / 2

    SOFTGRAD_INLINE explicit HalfDeviation(Vec<T> v_k) : centre(T(0.5) * v_k), apart{} {}
    SOFTGRAD_INLINE Vec<T> from_centre(Vec<T> v) const { return fma(v, broadcast(T(0.5)), -centre); }
    SOFTGRAD_INLINE Vec<T> operator()(Vec<T> v) const { return from_centre(v) - apart; }
};

// each_entry(use) makes use(output, v) of each entry.
template <class T, class EachEntry>
SOFTGRAD_INLINE void make_deviations(Product product, HalfDeviation<T> half, double scale, EachEntry each_entry) {
    const double twice = 2.0 * scale;
    const bool weighted = product == Product::softmax;
    if (weighted && scale == 1.0)
        each_entry([&](Vec<T> p, Vec<T> v) __attribute__((always_inline)) { return (p + p) * half(v); });
    else if (weighted)
        each_entry([&](Vec<T> p, Vec<T> v) __attribute__((always_inline)) {
            auto product = [&](Double p, Double deviation)
                               __attribute__((always_inline)) { return p * deviation * twice; };
            return in_double(product, p, half(v));
        });
    else if (scale == 1.0)
        each_entry([&](Vec<T>, Vec<T> v) __attribute__((always_inline)) { return half(v) + half(v); });
    else
        each_entry([&](Vec<T>, Vec<T> v) __attribute__((always_inline)) {
            return in_double([&](Double deviation) __attribute__((always_inline)) { return deviation * twice; },
                             half(v));
        });
}

// Whether a class is more probable than all others together, by the logarithm of its probability.
template <class T>
SOFTGRAD_INLINE Mask<T> is_certain(Vec<T> y) {
    return y > T(-0.69);
}

// What g - p sum g takes beside y and g.
template <class T>
struct CotangentSums {
    Vec<T> largest;            // output; a row where it is not finite has no product
    Double totals[halves<T>];  // sum g
    Vec<T> total;              // the same, rounded
    Vec<T> of_certain;         // the product at a certain class k: g_k (1 - p_k) - p_k (sum of the others)

    SOFTGRAD_INLINE CotangentSums() = default;
    // y and g at the certain class, if there is one; the sum of g at the others. Without one y is the largest.
    SOFTGRAD_INLINE CotangentSums(Vec<T> y_k, Vec<T> g_k, const Double* others, double scale) : largest(y_k) {
        Double products[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            const Certainty certainty(half_of(y_k, h));
            const Double of_k = half_of(g_k, h), of_others = others[h];
            totals[h] = of_k + of_others;
            products[h] = (of_k * certainty.lacking - certainty.p * of_others) * scale;
        }
        total = joined(totals, Vec<T>{});
        of_certain = joined(products, Vec<T>{});
    }
};

template <class T, class EachEntry>
SOFTGRAD_INLINE void make_cotangents(const CotangentSums<T>& sums, double scale, EachEntry each_entry) {
    auto make = [&](auto value) __attribute__((always_inline)) {
        each_entry([&](Vec<T> y, Vec<T> g) __attribute__((always_inline)) {
            return is_certain<T>(y) ? sums.of_certain : value(probability_of<T>(y), g);
        });
    };
    auto in_row = [&](Vec<T> p, Vec<T> g) __attribute__((always_inline)) { return fma(p, -sums.total, g); };
    const Mask<T> is_finite = sums.total - sums.total == Vec<T>{};
    const bool unscaled = scale == 1.0;
    if (unscaled && !any(~is_finite)) return make(in_row);
    make([&](Vec<T> p, Vec<T> g) __attribute__((always_inline)) {
        Double value[halves<T>];
        for (int h = 0; h < halves<T>; ++h) value[h] = (half_of(g, h) - half_of(p, h) * sums.totals[h]) * scale;
        const Vec<T> product = joined(value, Vec<T>{});
        // A row does not depend on its neighbours.
        return unscaled ? (is_finite ? in_row(p, g) : product) : product;
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
