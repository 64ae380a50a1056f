// sigmoid and log_sigmoid, from e = exp(-|x|), in double also for float: one rounding at the end.
#pragma once

#include "kernels/arithmetic/exp_log.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

SOFTGRAD_INLINE Double exp_of_minus_abs(Double x) {
    return exp_from(origin_at<double>(Double{}), x < 0.0 ? x : -x).value * ExpConstants<double>::unspare;
}

struct Sigmoid {
    SOFTGRAD_INLINE Double operator()(Double x) const {
        const Double e = exp_of_minus_abs(x);
        return (x < 0.0 ? e : broadcast(1.0)) / (1.0 + e);
    }
};

struct LogSigmoid {
    SOFTGRAD_INLINE Double operator()(Double x) const {
        const Double smaller = x < 0.0 ? x : Double{};
        const TwoParts<Double> log = log1p(exp_of_minus_abs(x));
        return (smaller - log.high) - log.low;
    }
};

template <class Function>
SOFTGRAD_INLINE Double apply(Function f, Double x) {
    return f(x);
}
template <class Function>
SOFTGRAD_INLINE Float apply(Function f, Float x) {
    return narrow(f(widen_low(x)), f(widen_high(x)));
}

// out may be x itself.
template <class T, class Function>
void map(const T* x, T* out, int64_t n) {
    constexpr int width = Simd<T>::width;
    int64_t i = 0;
    for (; i + width <= n; i += width) store(out + i, apply(Function{}, load(x + i)));
    if (i < n) {
        const int count = static_cast<int>(n - i);
        store_first(out + i, apply(Function{}, load_or_pad(x + i, count, T(0))), count);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
