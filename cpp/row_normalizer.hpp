// What every row kernel begins with: the maximum of a row and the sum of its exponentials with the maximum left out.
//
// With m the maximum, E = exp(m) on the row's scale (see Origin), `others` the sum of the exponentials of what is below m
// and c the number of entries equal to m: the normalizer is S = c E + others, and R = (c - 1) + others / E. The loss and
// the log-probabilities use log1p(R): what is added to 1 keeps its digits however small it is.
#pragma once

#include "other_exponentials.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// a + b, b in two parts, rounded once. An infinite a stays what it is, unless b is NaN.
inline double plus(double a, TwoParts<double> b) {
    if (!is_finite(a)) return a + (b.high + b.low);
    const TwoParts<double> sum = two_sum(a, b.high);
    return sum.high + (sum.low + b.low);
}

inline TwoParts<double> scaled(TwoParts<double> value, double factor) {
    const TwoParts<double> product = two_product(value.high, factor);
    return {product.high, product.low + value.low * factor};
}

inline TwoParts<double> scaled(TwoParts<double> value, TwoParts<double> factor) {
    const TwoParts<double> product = scaled(value, factor.high);
    return {product.high, product.low + value.high * factor.low};
}

inline TwoParts<double> sum_of(TwoParts<double> a, TwoParts<double> b) {
    const TwoParts<double> sum = two_sum(a.high, b.high);
    // The second part of log1p may be large: what comes out is one rounding and its rest again.
    return two_sum(sum.high, sum.low + (a.low + b.low));
}

template <class T>
struct Normalizer {
    T maximum;
    Maximum<T> blocks;
    int64_t maxima;            // how many entries equal the maximum
    double rest;               // R
    TwoParts<double> log_rest; // log1p(R)
    TwoParts<double> inverse;  // 1 / S; times an exponential, the probability
    T at_maximum;              // the exponential of the maximum as it is stored
    TwoParts<double> largest;  // the probability of the maximum: exactly 1 / V where all are equal
    bool regular;              // false: the maximum is not finite, nothing else here is set, no exponential was stored
};

// Also stores the exponentials, 2^spare too large, where `exponentials` is given; it may be x itself. `results` is where the results of
// the row will be written, or null. With `two_parts` the row is x + x_low; its maximum must have no second part.
template <class T, bool two_parts = false>
inline Normalizer<T> normalize(const T* x, int64_t n, T* exponentials, const T* results, [[maybe_unused]] const T* x_low = nullptr) {
    Normalizer<T> result;
    result.blocks = row_maximum(x, n);
    result.maximum = result.blocks.value;
    result.regular = is_finite(result.maximum);
    if (!result.regular) return result;

    const Origin<T> origin = origin_at(result.maximum);
    const TwoParts<double> e_maximum = exp_at_origin(origin, result.maximum);
    const double inverse_e = 1.0 / e_maximum.high;  // there before the sums are
    result.at_maximum = static_cast<T>(e_maximum.high + e_maximum.low) / ExpConstants<T>::unspare;
    const RowToSum<T> row{x, x_low, n, result.blocks, origin, result.at_maximum, exponentials, results};
    const Others sums = sum_others<T, two_parts>(row);
    result.maxima = sums.maxima;
    const double c = static_cast<double>(result.maxima);
    const TwoParts<double> others = {sums.sum.high * ExpConstants<T>::unspare, sums.sum.low * ExpConstants<T>::unspare};

    const TwoParts<double> all_maxima = two_product(c, e_maximum.high);
    TwoParts<double> sum = two_sum(all_maxima.high, others.high);
    sum.low += others.low + (all_maxima.low + c * e_maximum.low);
    const double inverse = 1.0 / sum.high;
    const TwoParts<double> back = two_product(inverse, sum.high);
    result.inverse = {inverse, ((1.0 - back.high) - back.low - inverse * sum.low) * inverse};

    result.largest = scaled(result.inverse, e_maximum.high);
    result.largest.low += result.inverse.high * e_maximum.low;

    const double quotient = others.high / e_maximum.high;
    const TwoParts<double> undone = two_product(quotient, e_maximum.high);
    const double correction = ((others.high - undone.high) - undone.low + others.low - quotient * e_maximum.low) * inverse_e;
    TwoParts<double> rest = two_sum(c - 1.0, quotient);
    rest.low += correction;
    result.rest = rest.high + rest.low;
    const double inverse_of_one_more = 1.0 / (1.0 + result.rest);
    result.log_rest = log1p(result.rest, inverse_of_one_more);
    result.log_rest.low += ((rest.high - result.rest) + rest.low) * inverse_of_one_more;
    return result;
}

// From exponentials as they are stored, 2^spare too large, to their probabilities times a factor: one rounding where there
// is a fused multiply-add, and one more for a subnormal result. The maximum's own probability is known better.
template <class T>
class Probabilities {
    Vec<T> high_, low_, unspare_, at_maximum_, largest_;

  public:
    Probabilities(const Normalizer<T>& row, double factor) {
        const TwoParts<double> inverse = scaled(row.inverse, factor), largest = scaled(row.largest, factor);
        // 2^-spare is taken out first where the product could overflow, else last: the product, or the part of it that the rounding of the
        // factor gives, could be subnormal.
        const bool first = inverse.high > ExpConstants<T>::large_factor || inverse.high < -ExpConstants<T>::large_factor;
        const double before = first ? ExpConstants<T>::unspare : 1.0;
        const T high = static_cast<T>(inverse.high * before);
        high_ = broadcast(high);
        low_ = broadcast(static_cast<T>((inverse.high * before - static_cast<double>(high)) + inverse.low * before));
        unspare_ = broadcast(first ? T(1) : ExpConstants<T>::unspare);
        at_maximum_ = broadcast(row.at_maximum);
        largest_ = broadcast(static_cast<T>(largest.high + largest.low));
    }
    SOFTGRAD_INLINE Vec<T> below_maximum(Vec<T> e) const { return fma(e, high_, e * low_) * unspare_; }
    SOFTGRAD_INLINE Vec<T> operator()(Vec<T> e) const { return e == at_maximum_ ? largest_ : below_maximum(e); }
};

#if !defined(SOFTGRAD_FUSED)
// Without one, the product of two floats is exact in double.
template <>
class Probabilities<float> {
    Double inverse_;
    Float at_maximum_, largest_;

  public:
    Probabilities(const Normalizer<float>& row, double factor)
        : inverse_(broadcast(row.inverse.high * factor * ExpConstants<float>::unspare)),
          at_maximum_(broadcast(row.at_maximum)),
          largest_(broadcast(static_cast<float>(row.largest.high * factor))) {}
    SOFTGRAD_INLINE Float below_maximum(Float e) const { return narrow(widen_low(e) * inverse_, widen_high(e) * inverse_); }
    SOFTGRAD_INLINE Float operator()(Float e) const { return e == at_maximum_ ? largest_ : below_maximum(e); }
};
#endif

}  // namespace softgrad::SOFTGRAD_ISA_NAME
