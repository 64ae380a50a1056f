// The scalars of a row, or of rows side by side: V is double or Double.
//
// With m the maximum, E = exp(m) on the row's scale (see Origin), `others` the sum of the exponentials of what is below
// m and c the number of entries equal to m: the normalizer is S = c E + others, and R = (c - 1) + others / E. The loss
// and the log-probabilities use log1p(R): what is added to 1 keeps its digits however small it is.
//
// For double all are in two parts; for float double has bits to spare, and the second parts are 0.
#pragma once

#include "kernels/arithmetic/exp_log.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class V>
SOFTGRAD_INLINE TwoParts<V> scaled(TwoParts<V> value, V factor) {
    const TwoParts<V> product = two_product(value.high, factor);
    return {product.high, product.low + value.low * factor};
}

template <class V>
SOFTGRAD_INLINE TwoParts<V> scaled(TwoParts<V> value, TwoParts<V> factor) {
    const TwoParts<V> product = scaled(value, factor.high);
    return {product.high, product.low + value.high * factor.low};
}

// A number in two parts, made one whose first part is the whole, rounded once.
template <class V>
SOFTGRAD_INLINE TwoParts<V> rounded_first(TwoParts<V> value) {
    const V high = value.high + value.low;
    return {high, (value.high - high) + value.low};
}

SOFTGRAD_INLINE TwoParts<double> sum_of(TwoParts<double> a, TwoParts<double> b) {
    const TwoParts<double> sum = two_sum(a.high, b.high);
    // The second part of log1p may be large: what comes out is one rounding and its rest again.
    return two_sum(sum.high, sum.low + (a.low + b.low));
}

// a + b, b in two parts, rounded once. An infinite a stays what it is, unless b is NaN.
template <class V>
SOFTGRAD_INLINE V plus(V a, TwoParts<V> b) {
    const TwoParts<V> sum = two_sum(a, b.high);
    return a - a == V{} ? sum.high + (sum.low + b.low) : a + (b.high + b.low);
}

template <class V>
struct Masses {
    V count;                      // c
    TwoParts<V> maximum, others;  // E, and the sum of the others; both 2^spare too large
};

// R.
template <class T, class V>
SOFTGRAD_INLINE TwoParts<V> rest_of(const Masses<V>& masses) {
    const V e = masses.maximum.high, others = masses.others.high, quotient = others / e;
    if constexpr (sizeof(T) == sizeof(float)) return {(masses.count - 1.0) + quotient, V{}};
    const V inverse = 1.0 / e;  // there before the sums are
    const TwoParts<V> undone = two_product(quotient, e);
    const V correction =
        ((others - undone.high) - undone.low + masses.others.low - quotient * masses.maximum.low) * inverse;
    const TwoParts<V> rest = two_sum(masses.count - 1.0, quotient);
    return rounded_first<V>({rest.high, rest.low + correction});
}

// 1 / S; times an exponential, the probability.
template <class T, class V>
SOFTGRAD_INLINE TwoParts<V> inverse_of(const Masses<V>& masses) {
    constexpr double spare = 1.0 / ExpConstants<T>::unspare;
    if constexpr (sizeof(T) == sizeof(float))
        return {spare / (masses.count * masses.maximum.high + masses.others.high), V{}};
    const TwoParts<V> of_maxima = two_product(masses.count, masses.maximum.high);
    TwoParts<V> sum = two_sum(of_maxima.high, masses.others.high);
    sum.low += masses.others.low + (of_maxima.low + masses.count * masses.maximum.low);
    const V inverse = 1.0 / sum.high;
    const TwoParts<V> back = two_product(inverse, sum.high);
    return rounded_first<V>({inverse * spare, ((1.0 - back.high) - back.low - inverse * sum.low) * (inverse * spare)});
}

// The probability of the maximum: exactly 1 / n where all are equal.
template <class T, class V>
SOFTGRAD_INLINE TwoParts<V> largest_of(const Masses<V>& masses, TwoParts<V> inverse) {
    constexpr double unspare = ExpConstants<T>::unspare;
    if constexpr (sizeof(T) == sizeof(float)) return {masses.maximum.high * (inverse.high * unspare), V{}};
    return rounded_first(scaled(inverse, TwoParts<V>{masses.maximum.high * unspare, masses.maximum.low * unspare}));
}

// log1p(R).
template <class T, class V>
SOFTGRAD_INLINE TwoParts<V> log_of(TwoParts<V> rest) {
    if constexpr (sizeof(T) == sizeof(float)) return {log1p_in_one(rest.high), V{}};
    const V inverse = 1.0 / (1.0 + rest.high);
    TwoParts<V> result = log1p(rest.high, inverse);
    result.low += rest.low * inverse;
    return result;
}

// From exponentials as they are stored, 2^spare too large, to their probabilities times a factor: one rounding where
// there is a fused multiply-add, and one more for a subnormal result. The maximum's own probability is known better.
template <class T>
class Probabilities {
    Vec<T> at_maximum_, largest_;
    static constexpr bool product_in_double =
        !fused && sizeof(T) == sizeof(float);  // where that of two floats is exact
    Vec<T> high_, low_, unspare_;
    Double inverse_[halves<T>];

  public:
    // inverse, largest and factor: of the halves of a vector. `at_maximum` is the exponential of the maximum as it is
    // stored.
    SOFTGRAD_INLINE Probabilities(const TwoParts<Double>* inverse, const TwoParts<Double>* largest,
                                  const Double* factor, Vec<T> at_maximum)
        : at_maximum_(at_maximum) {
        using C = ExpConstants<T>;
        Double high[halves<T>], low[halves<T>], before[halves<T>], of_maximum[halves<T>];
        auto times = [](TwoParts<Double> value, Double by) __attribute__((always_inline)) {
            return sizeof(T) == sizeof(float) ? TwoParts<Double>{value.high * by, Double{}} : scaled(value, by);
        };
        for (int h = 0; h < halves<T>; ++h) {
            const TwoParts<Double> scaled_inverse = times(inverse[h], factor[h]),
                                   scaled_largest = times(largest[h], factor[h]);
            inverse_[h] = scaled_inverse.high * double(C::unspare);
            // 2^-spare is taken out first where the product could overflow, else last: the product, or the part of it
            // that the rounding of the factor gives, could be subnormal.
            const Int64 first = (scaled_inverse.high > C::large_factor) | (scaled_inverse.high < -C::large_factor);
            before[h] = first ? broadcast(double(C::unspare)) : broadcast(1.0);
            high[h] = scaled_inverse.high * before[h];
            low[h] = scaled_inverse.low * before[h];
            of_maximum[h] = sizeof(T) == sizeof(float) ? scaled_largest.high : scaled_largest.high + scaled_largest.low;
        }
        largest_ = joined(of_maximum, Vec<T>{});
        high_ = joined(high, Vec<T>{});
        if constexpr (sizeof(T) == sizeof(float))
            for (int h = 0; h < halves<T>; ++h) low[h] = high[h] - half_of(high_, h);
        low_ = joined(low, Vec<T>{});
        unspare_ = joined(before, Vec<T>{}) == T(1) ? broadcast(C::unspare) : broadcast(T(1));
    }
    SOFTGRAD_INLINE Probabilities() = default;
    // Those of one lane, in every lane.
    SOFTGRAD_INLINE Probabilities of_lane(int lane) const {
        constexpr int half_width = Simd<double>::width;
        Probabilities result;
        result.at_maximum_ = broadcast(at_maximum_[lane]);
        result.largest_ = broadcast(largest_[lane]);
        result.high_ = broadcast(high_[lane]);
        result.low_ = broadcast(low_[lane]);
        result.unspare_ = broadcast(unspare_[lane]);
        for (int h = 0; h < halves<T>; ++h)
            result.inverse_[h] = broadcast(inverse_[lane / half_width][lane % half_width]);
        return result;
    }
    SOFTGRAD_INLINE Vec<T> below_maximum(Vec<T> e) const {
        if constexpr (product_in_double)
            return narrow(widen_low(e) * inverse_[0], widen_high(e) * inverse_[1]);
        else
            return fma(e, high_, e * low_) * unspare_;
    }
    SOFTGRAD_INLINE Vec<T> operator()(Vec<T> e) const { return e == at_maximum_ ? largest_ : below_maximum(e); }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
