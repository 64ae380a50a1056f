// Rows of few classes, worked on with lanes across rows: entry j of `width` neighbouring rows is one pack. A row kernel would spend
// more on the scalars of a row than on its entries.
//
// With the entries at x - m in two parts, the maximum's exponential is exactly 1: the normalizer is 1 + R, R the number of the other
// maxima plus the sum of the other exponentials, in double (for double in two parts). Every lane does the same, wherever its row is.
#pragma once

#include "kernels.hpp"
#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

SOFTGRAD_INLINE TwoParts<Double> product_in_parts(Double a, Double b) {
    const Double product = a * b;
#if defined(SOFTGRAD_FUSED)
    return {product, fma(a, b, -product)};
#else
    const Double splitter = broadcast(134217729.0);  // 2^27 + 1
    const Double a_scaled = splitter * a, b_scaled = splitter * b;
    const Double a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    const Double a_low = a - a_high, b_low = b - b_high;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
#endif
}

// The halves of a pack in double: two for float, one for double.
template <class T>
constexpr int halves = sizeof(double) / sizeof(T);

SOFTGRAD_INLINE Double half_of(Float v, int half) { return half ? widen_high(v) : widen_low(v); }
SOFTGRAD_INLINE Double half_of(Double v, int) { return v; }
SOFTGRAD_INLINE Float joined(const Double* parts, Float) { return narrow(parts[0], parts[1]); }
SOFTGRAD_INLINE Double joined(const Double* parts, Double) { return parts[0]; }

// What the rows of one pack are made of.
template <class T>
struct Pack {
    Vec<T> maximum;
    Mask<T> holds_nan;
    TwoParts<Double> rest[halves<T>];      // R; NaN where the maximum is not finite
    Double inverse[halves<T>];             // 1 / (1 + R)
    TwoParts<Double> log_rest[halves<T>];  // log1p(R)

    SOFTGRAD_INLINE void find_logarithms() {
        for (int h = 0; h < halves<T>; ++h) {
            log_rest[h] = log1p(rest[h].high, inverse[h]);
            log_rest[h].low += rest[h].low * inverse[h];
        }
    }
};

template <class T>
SOFTGRAD_INLINE TwoParts<Vec<T>> below_maximum(Vec<T> x, Vec<T> maximum) {
    return two_sum(x, -maximum);
}

// Stores the exponentials, 2^spare too large, where `exponentials` is given.
template <class T>
SOFTGRAD_INLINE Pack<T> normalize_pack(const T* x, int64_t n, T* exponentials) {
    using C = ExpConstants<T>;
    Pack<T> pack;
    pack.maximum = broadcast(T(-infinity));
    pack.holds_nan = Mask<T>{};
    for (int64_t j = 0; j < n; ++j) {
        const Vec<T> v = load(x + j * few_tile_rows);
        pack.holds_nan |= v != v;
        pack.maximum = maximum(v, pack.maximum);
    }
    const Origin<T> at_maximum = origin_at(T(0));
    const Vec<T> one = broadcast(T(1) / C::unspare);
    Vec<T> maxima{}, residues{};
    TwoParts<Double> others[halves<T>] = {};
    for (int64_t j = 0; j < n; ++j) {
        const Vec<T> v = load(x + j * few_tile_rows);
        const Mask<T> equal = v == pack.maximum;
        const TwoParts<Vec<T>> below = below_maximum<T>(v, pack.maximum);
        const Exponential<T> e = exp_from<T, true>(at_maximum, below.high, below.low);
        maxima = equal ? maxima + T(1) : maxima;
        const Vec<T> term = equal ? Vec<T>{} : e.value;
        residues = fma(equal ? Vec<T>{} : e.residue, e.scale, residues);
        for (int h = 0; h < halves<T>; ++h) {
            if constexpr (halves<T> == 2) {
                others[h].high += half_of(term, h);
            } else {
                const TwoParts<Double> sum = two_sum(others[h].high, half_of(term, h));
                others[h] = {sum.high, others[h].low + sum.low};
            }
        }
        if (exponentials) store(exponentials + j * few_tile_rows, equal ? one : e.value);
    }
    const Mask<T> finite = pack.maximum - pack.maximum == Vec<T>{};
    const Vec<T> others_of_maximum = finite ? maxima - T(1) : broadcast(T(not_a_number));
    for (int h = 0; h < halves<T>; ++h) {
        const TwoParts<Double> sum = two_sum(half_of(others_of_maximum, h), others[h].high * double(C::unspare));
        const Double low = (others[h].low + half_of(residues, h)) * double(C::unspare) + sum.low;
        // An infinite sum cannot be; a NaN stays one.
        pack.rest[h] = two_sum(sum.high, low);
        pack.inverse[h] = 1.0 / (1.0 + pack.rest[h].high);
    }
    return pack;
}

// Exponentials as they are stored become probabilities times a factor.
template <class T>
class PackProbabilities;

template <>
class PackProbabilities<float> {
    Double inverse_[2];

  public:
    SOFTGRAD_INLINE PackProbabilities(const Pack<float>& pack, const Double* factor) {
        for (int h = 0; h < 2; ++h) inverse_[h] = factor[h] * pack.inverse[h] * double(ExpConstants<float>::unspare);
    }
    SOFTGRAD_INLINE Float operator()(Float e) const { return narrow(widen_low(e) * inverse_[0], widen_high(e) * inverse_[1]); }
};

template <>
class PackProbabilities<double> {
    Double high_, low_, before_, after_;

  public:
    SOFTGRAD_INLINE PackProbabilities(const Pack<double>& pack, const Double* factor) {
        const TwoParts<Double> sum = two_sum(1.0 + Double{}, pack.rest[0].high);
        const Double sum_low = sum.low + pack.rest[0].low, inverse = pack.inverse[0];
        const TwoParts<Double> back = product_in_parts(inverse, sum.high);
        const Double inverse_low = ((1.0 - back.high) - back.low - inverse * sum_low) * inverse;
        const TwoParts<Double> scaled = product_in_parts(inverse, factor[0]);
        const Double low = scaled.low + inverse_low * factor[0];
        // 2^-spare is taken out first where the product could overflow, last where it could be subnormal.
        const Int64 first = (scaled.high > 1.0) | (scaled.high < -1.0);
        const Double unspare = broadcast(ExpConstants<double>::unspare), one = 1.0 + Double{};
        before_ = first ? unspare : one;
        after_ = first ? one : unspare;
        high_ = scaled.high;
        low_ = low;
    }
    SOFTGRAD_INLINE Double operator()(Double e) const {
        const Double kept = e * before_;
        return fma(kept, high_, kept * low_) * after_;
    }
};

template <class T>
SOFTGRAD_INLINE void scale_pack(T* exponentials, int64_t n, const PackProbabilities<T>& probabilities) {
    for (int64_t j = 0; j < n; ++j) {
        T* at = exponentials + j * few_tile_rows;
        store(at, probabilities(load(at)));
    }
}

template <class T>
void few_softmax(T* tile, int64_t n, int64_t rows) {
    const Double ones[2] = {1.0 + Double{}, 1.0 + Double{}};
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        const Pack<T> pack = normalize_pack(tile + i, n, tile + i);
        scale_pack(tile + i, n, PackProbabilities<T>(pack, ones));
    }
}

template <class T>
void few_log_softmax(T* tile, int64_t n, int64_t rows) {
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        Pack<T> pack = normalize_pack<T>(tile + i, n, nullptr);
        pack.find_logarithms();
        for (int64_t j = 0; j < n; ++j) {
            T* at = tile + i + j * few_tile_rows;
            const TwoParts<Vec<T>> below = below_maximum<T>(load(at), pack.maximum);
            Double parts[halves<T>];
            for (int h = 0; h < halves<T>; ++h) {
                const Double high = half_of(below.high, h), low = half_of(below.low, h);
                // Infinity has no second part.
                const Double second = high - high == 0.0 ? low : Double{};
                parts[h] = (high - pack.log_rest[h].high) + (second - pack.log_rest[h].low);
            }
            store(at, joined(parts, Vec<T>{}));
        }
    }
}

template <class T>
void few_logsumexp(const T* tile, int64_t n, int64_t rows, T* out) {
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        Pack<T> pack = normalize_pack<T>(tile + i, n, nullptr);
        pack.find_logarithms();
        Double parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            const TwoParts<Double> sum = two_sum(half_of(pack.maximum, h), pack.log_rest[h].high);
            parts[h] = sum.high + (sum.low + pack.log_rest[h].low);
        }
        const Mask<T> infinite = (pack.maximum - pack.maximum != Vec<T>{}) & ~pack.holds_nan;
        store(out + i, infinite ? pack.maximum : joined(parts, Vec<T>{}));
    }
}

// losses[i] of class targets[i], unscaled; the gradient times scale[i].
template <class T>
void few_cross_entropy(T* tile, int64_t n, int64_t rows, const int64_t* targets, const double* scale, double* losses) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    for (int64_t i = 0; i < rows; i += width) {
        T* at_target[width];
        T logits[width];
        for (int lane = 0; lane < width; ++lane) {
            at_target[lane] = tile + targets[i + lane] * few_tile_rows + i + lane;
            logits[lane] = *at_target[lane];
        }
        Pack<T> pack = normalize_pack(tile + i, n, scale ? tile + i : nullptr);
        pack.find_logarithms();
        T maximum[width];
        store(maximum, pack.maximum);
        for (int h = 0; h < halves<T>; ++h) {
            double high[half_width], low[half_width];
            store(high, pack.log_rest[h].high);
            store(low, pack.log_rest[h].low);
            for (int lane = 0; lane < half_width; ++lane) {
                const int64_t at = h * half_width + lane;
                losses[i + at] = plus(static_cast<double>(maximum[at]) - static_cast<double>(logits[at]), {high[lane], low[lane]});
            }
        }
        if (!scale) continue;
        T exponentials[width], slopes[width];
        for (int lane = 0; lane < width; ++lane) exponentials[lane] = *at_target[lane];
        const Mask<T> is_maximum = load(logits) == pack.maximum;
        Double factor[halves<T>], parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            factor[h] = load(scale + i + h * half_width);
            const Double p = half_of(load(exponentials), h) * double(ExpConstants<T>::unspare) * pack.inverse[h];
            const Double maximal = half_of(is_maximum ? broadcast(T(1)) : Vec<T>{}, h);
            // Adding 0 makes a -0 a +0.
            parts[h] = (maximal == 1.0 ? 0.0 - pack.rest[h].high * pack.inverse[h] : p - 1.0) * factor[h];
        }
        scale_pack(tile + i, n, PackProbabilities<T>(pack, factor));
        store(slopes, joined(parts, Vec<T>{}));
        for (int lane = 0; lane < width; ++lane) *at_target[lane] = slopes[lane];
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
