// exp and log1p over vectors. The coefficients are printed by polynomials.py.
//
// exp:   x = n ln2 + t, |t| <= ln2 / 2, exp(x) = 2^n (1 + (t + t^2 q(t))). ln2 is in two parts, the first short enough
//        that n times it is exact; t^2 q(t) and what the second part gives are added before they meet the first, so
//        that the rounding of t is not in the result. Maximum error below 0.9 ulp.
// log1p: 1 + r = 2^k (1 + f), s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2 r(s^2))); what the addition
//        1 + r loses is added back. For r >= 0; in two parts, so that what it is added to is rounded once.
#pragma once

#include "kernels/arithmetic/two_parts.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
    static constexpr float log2e = 0x1.715476p+0f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float integer_maker = 0x1.8p23f;  // adding it rounds to an integer, left in the low bits
    static constexpr int mantissa_bits = 23, exponent_bias = 127;
    // Exponentials are held 2^spare too large, so that none is subnormal before the last rounding.
    static constexpr int spare = 64;
    static constexpr float unspare = 0x1p-64f;
    static constexpr double large_factor = 0x1p32;  // times an exponential as it is held far from an overflow
    static constexpr float vanishes = 150.0f;       // 2^20 times exp(-150) is far below what a float can hold
    static constexpr float direct_limit = 208.0f;   // twice the distance at which an exponential is subnormal
    static constexpr float tail[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23ccp-10f};
};

template <>
struct ExpConstants<double> {
    static constexpr double log2e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fefa3p-1, ln2_low = 0x1.3de6af278ece6p-42;
    static constexpr double integer_maker = 0x1.8p52;
    static constexpr int mantissa_bits = 52, exponent_bias = 1023;
    static constexpr int spare = 256;
    static constexpr double unspare = 0x1p-256;
    static constexpr double large_factor = 0x1p128;
    static constexpr double vanishes = 800.0;
    static constexpr double direct_limit = 1500.0;
    static constexpr double tail[] = {0x1.0000000000009p-1,  0x1.5555555555558p-3,  0x1.55555555503ap-5,
                                      0x1.111111110f7efp-7,  0x1.6c16c18611db6p-10, 0x1.a01a01b015facp-13,
                                      0x1.a0199386654bfp-16, 0x1.71ddf69838069p-19, 0x1.28b43b4eb75f9p-22,
                                      0x1.af635f116e264p-26};
};

// Where the exponentials of a row are measured from: exp(x - subtract) 2^-exponent, which for the maximum is near 1.
//
// The plain shift x - maximum rounds, at a cost of up to 64 ulp in the exponential when the logits have both signs. So
// x itself is reduced and only the integer exponent is shifted. Far from zero the reduction would lose bits of n; there
// the plain shift is exact wherever the result does not vanish: |x - m| <= |m| / 2 (Sterbenz).
template <class T>
struct Origin {
    Vec<T> subtract, lowest;
    Vec<T> integer_maker;  // leaves the integer plus all that the bits of its power of two need added
};

template <class T>
constexpr T zero_exponent = T(ExpConstants<T>::spare + ExpConstants<T>::exponent_bias);

// The maximum of a row a lane. Where one is not finite, neither is any result.
template <class T>
SOFTGRAD_INLINE Origin<T> origin_at(Vec<T> maxima) {
    using C = ExpConstants<T>;
    const Mask<T> near = (maxima > -C::direct_limit) & (maxima < C::direct_limit);
    const Vec<T> exponent = near ? (maxima * C::log2e + C::integer_maker) - C::integer_maker : Vec<T>{};
    // At `lowest` the exponent of the result is -spare - bias: its bits are those of 0, and what is below is taken
    // there.
    return {near ? Vec<T>{} : maxima, (C::ln2_high + C::ln2_low) * (exponent - zero_exponent<T>),
            C::integer_maker + (zero_exponent<T> - exponent)};
}

// The integer stands in the low bits; the shift drops what is above it.
SOFTGRAD_INLINE Float power_of_two(Float shifted) {
    return (Float)((Int32)shifted << ExpConstants<float>::mantissa_bits);
}
SOFTGRAD_INLINE Double power_of_two(Double shifted) {
    return (Double)((Int64)shifted << ExpConstants<double>::mantissa_bits);
}

// (1 + u) scale, where the rounding of u took u_error away, and that of t, which u is made of, t_error.
template <class T>
struct Exponential {
    Vec<T> value;  // times 2^spare
    Vec<T> u, u_error, scale, t, t_error;

    // Its value and what all these roundings took away; t^2 q(t) is about t^2 / 2.
    SOFTGRAD_INLINE TwoParts<Vec<T>> in_parts() const {
        return {value, ((u - ((T(1) + u) - T(1))) + fma(t, t_error, u_error)) * scale};
    }
};

// The exponentials of `together` vectors, each step for all of them: the steps of one wait for each other, and the
// machine looks only a few vectors ahead. With `two_parts` of x + x_low, x_low no more than a rounding of x.
template <int together, class T, bool two_parts = false>
SOFTGRAD_INLINE void exp_from(const Origin<T>& origin, const Vec<T>* x, [[maybe_unused]] const Vec<T>* x_low,
                              Exponential<T>* result) {
    using C = ExpConstants<T>;
    constexpr int degree = sizeof C::tail / sizeof(T) - 1;
    Vec<T> y[together], shifted[together], n[together], reduced[together], low[together], t[together], q[together],
        curve[together];
    const auto each = [](const auto& step) __attribute__((always_inline)) { unrolled<0, together>(step); };
    each([&]<int i>() __attribute__((always_inline)) { y[i] = x[i] - origin.subtract; });
    each([&]<int i>() __attribute__((always_inline)) { y[i] = maximum(origin.lowest, y[i]); });  // a NaN stays
    each([&]<int i>()
             __attribute__((always_inline)) { shifted[i] = fma(y[i], broadcast(C::log2e), origin.integer_maker); });
    each([&]<int i>() __attribute__((always_inline)) { n[i] = shifted[i] - origin.integer_maker; });
    each([&]<int i>()
             __attribute__((always_inline)) { reduced[i] = fma(n[i], broadcast(-C::ln2_high), y[i]); });  // exact
    each([&]<int i>() __attribute__((always_inline)) {
        // Far below, even the second part may be large.
        if constexpr (two_parts)
            low[i] = fma(n[i], broadcast(-C::ln2_low), y[i] > origin.lowest ? x_low[i] : Vec<T>{});
        else
            low[i] = n[i] * -C::ln2_low;
    });
    each([&]<int i>() __attribute__((always_inline)) { result[i].t = t[i] = reduced[i] + low[i]; });
    each([&]<int i>() __attribute__((always_inline)) { result[i].t_error = low[i] - (t[i] - reduced[i]); });
    each([&]<int i>() __attribute__((always_inline)) { q[i] = broadcast(C::tail[degree]); });
    unrolled<0, degree>([&]<int k>() __attribute__((always_inline)) {
        each([&]<int i>()
                 __attribute__((always_inline)) { q[i] = fma(q[i], t[i], broadcast(C::tail[degree - 1 - k])); });
    });
    each([&]<int i>() __attribute__((always_inline)) { t[i] = t[i] * t[i]; });
    each([&]<int i>() __attribute__((always_inline)) { curve[i] = fma(t[i], q[i], low[i]); });
    each([&]<int i>() __attribute__((always_inline)) { result[i].u = reduced[i] + curve[i]; });
    each([&]<int i>() __attribute__((always_inline)) { result[i].u_error = curve[i] - (result[i].u - reduced[i]); });
    each([&]<int i>() __attribute__((always_inline)) { result[i].scale = power_of_two(shifted[i]); });
    each([&]<int i>() __attribute__((always_inline)) { result[i].value = T(1) + result[i].u; });
    each([&]<int i>() __attribute__((always_inline)) { result[i].value = result[i].value * result[i].scale; });
}

template <class T, bool two_parts = false>
SOFTGRAD_INLINE Exponential<T> exp_from(const Origin<T>& origin, Vec<T> x, Vec<T> x_low = Vec<T>{}) {
    Exponential<T> result;
    exp_from<1, T, two_parts>(origin, &x, &x_low, &result);
    return result;
}

// u = 2^k (1 + f), u >= 1, and log(1 + f) = f - curve.
struct ReducedLog {
    Double k, f, curve;

    SOFTGRAD_INLINE explicit ReducedLog(Double u) {
        constexpr double coefficients[] = {0x1.555555555557cp-1, 0x1.99999999845d8p-2, 0x1.2492493fd0d51p-2,
                                           0x1.c71c529ddda92p-3, 0x1.74664f27d423ap-3, 0x1.399c612ab6fc9p-3,
                                           0x1.2f59349867c3dp-3};
        constexpr int degree = sizeof coefficients / sizeof(double) - 1;
        constexpr uint64_t one = 0x3ff0000000000000, half_sqrt2 = 0x3fe6a09e667f3bcd, mantissa = 0x000fffffffffffff;
        constexpr uint64_t maker_bits = 0x4338000000000000;  // of integer_maker
        using Bits = uint64_t __attribute__((vector_size(SOFTGRAD_VECTOR_BYTES)));
        const Bits bits = (Bits)u + (one - half_sqrt2);
        k = (Double)((bits >> 52) + (maker_bits - 1023)) - ExpConstants<double>::integer_maker;
        f = (Double)((bits & mantissa) + half_sqrt2) - 1.0;
        const Double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f;
        Double tail = broadcast(coefficients[degree]);
        for (int i = degree - 1; i >= 0; --i) tail = fma(tail, z, broadcast(coefficients[i]));
        curve = half_square - s * (half_square + z * tail);
    }
};

// log(1 + r) for r >= 0 (or NaN), in one part: its error is a few of the last bits of a double.
SOFTGRAD_INLINE Double log1p_in_one(Double r) {
    using C = ExpConstants<double>;
    const Double u = 1.0 + r, lost = r - (u - 1.0);  // counts where r is small
    const ReducedLog log(u);
    return fma(log.k, broadcast(C::ln2_high), log.f - (log.curve - fma(log.k, broadcast(C::ln2_low), lost)));
}

// log(1 + r) for r >= 0 (or NaN), in two parts; `inverse` is 1 / (1 + r), to a few roundings.
SOFTGRAD_INLINE TwoParts<Double> log1p(Double r, Double inverse) {
    using C = ExpConstants<double>;
    const TwoParts<Double> u = two_sum(broadcast(1.0), r);
    const ReducedLog log(u.high);
    const Double small = fma(log.k, broadcast(C::ln2_low), u.low * inverse);
    const TwoParts<Double> leading = two_sum(log.k * C::ln2_high, log.f);
    return {leading.high, leading.low - (log.curve - small)};
}

inline TwoParts<Double> log1p(Double r) { return log1p(r, 1.0 / (1.0 + r)); }

// log(1 + r) of one number, in one part.
inline double log1p_in_one(double r) { return log1p_in_one(broadcast(r))[0]; }

inline TwoParts<double> log1p(double r, double inverse) {
    const TwoParts<Double> result = log1p(broadcast(r), broadcast(inverse));
    return {result.high[0], result.low[0]};
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
