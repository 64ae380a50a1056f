// A sum of exponentials, lane by lane, that begins at a bound of them: it is never below what is added, so that what
// the addition rounds away is had from two subtractions (Dekker), and what the exponential's own rounding took away in
// the same step.
//
// The bound must be of the size of the largest term, for the terms that are lost in it add up in `error` alone.
#pragma once

#include "kernels/arithmetic/exp_log.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct BoundedSum {
    Vec<T> sum, error;

    SOFTGRAD_INLINE BoundedSum() = default;
    SOFTGRAD_INLINE explicit BoundedSum(Vec<T> bound) : sum(bound), error{} {}
    SOFTGRAD_INLINE void add(const Exponential<T>& e) {
        const Vec<T> next = sum + e.value;
        error += fma(e.u, e.scale, e.scale - (next - sum));
        // For float far below what counts; for double the logsumexp of two classes near 0 would miss it.
        if constexpr (sizeof(T) == sizeof(double)) error = fma(e.u_error, e.scale, error);
        sum = next;
    }
    // The first is exact.
    SOFTGRAD_INLINE TwoParts<Vec<T>> above(Vec<T> bound) const { return {sum - bound, error}; }
};

// Twice the power of two of the exponential of x: no exponential of what is not above x is larger.
template <class T>
SOFTGRAD_INLINE Vec<T> bound_at(const Origin<T>& origin, Vec<T> x) {
    const Vec<T> y = maximum(origin.lowest, x - origin.subtract);
    return T(2) * power_of_two(fma(y, broadcast(ExpConstants<T>::log2e), origin.integer_maker));
}

// A term that is 0 where `left_out`.
template <class T>
SOFTGRAD_INLINE Exponential<T> without(Exponential<T> e, Mask<T> left_out) {
    e.value = (Vec<T>)((Mask<T>)e.value & ~left_out);
    e.scale = (Vec<T>)((Mask<T>)e.scale & ~left_out);
    return e;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
