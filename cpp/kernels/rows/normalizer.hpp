// What every row kernel begins with: the maximum of a row, the sum of its exponentials with the maximum left out, and
// what normalization.hpp makes of them.
#pragma once

#include "kernels/arithmetic/normalization.hpp"
#include "kernels/rows/exponentials_below_maximum.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct Normalizer {
    T maximum;
    Maximum<T> of_row;
    int64_t maxima;             // how many entries equal the maximum
    double rest;                // R
    TwoParts<double> log_rest;  // log1p(R)
    TwoParts<double> inverse;   // 1 / S; times an exponential, the probability
    T at_maximum;               // the exponential of the maximum as it is stored
    TwoParts<double> largest;   // the probability of the maximum
    bool regular;               // false: the maximum is not finite, nothing else here is set, no exponential was stored

    inline Probabilities<T> probabilities(double factor) const {
        TwoParts<Double> inverses[halves<T>], of_maximum[halves<T>];
        Double factors[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            inverses[h] = {broadcast(inverse.high), broadcast(inverse.low)};
            of_maximum[h] = {broadcast(largest.high), broadcast(largest.low)};
            factors[h] = broadcast(factor);
        }
        return Probabilities<T>(inverses, of_maximum, factors, broadcast(at_maximum));
    }
};

// `of_row` is row_maximum(x, n). Also stores the exponentials, 2^spare too large, where `exponentials` is given; it may
// be x itself. `results` is where the results of the row will be written, or null. With `two_parts` the row is x +
// x_low; its maximum must have no second part.
template <class T, bool two_parts = false>
inline Normalizer<T> normalize(const T* x, int64_t n, const Maximum<T>& of_row, T* exponentials, const T* results,
                               [[maybe_unused]] const T* x_low = nullptr) {
    Normalizer<T> result;
    result.of_row = of_row;
    result.maximum = result.of_row.value;
    result.regular = is_finite(result.maximum);
    if (!result.regular) return result;

    const Vec<T> maximum = broadcast(result.maximum);
    const Origin<T> origin = origin_at<T>(maximum);
    const Exponential<T> at_maximum = exp_from(origin, maximum);
    result.at_maximum = at_maximum.value[0];
    const TwoParts<Double> e_maximum = half_of(at_maximum.in_parts(), 0);
    const BelowMaximum below =
        sum_below_maximum<T, two_parts>({x, x_low, n, result.of_row, origin, exponentials, results});
    result.maxima = below.maxima;

    const Masses<double> masses = {static_cast<double>(below.maxima), {e_maximum.high[0], e_maximum.low[0]}, below.sum};
    const TwoParts<double> rest = rest_of<T>(masses);
    result.rest = rest.high;
    result.log_rest = log_of<T>(rest);
    result.inverse = inverse_of<T>(masses);
    result.largest = largest_of<T>(masses, result.inverse);
    return result;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
