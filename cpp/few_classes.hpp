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

// Terms of float need no second part of a sum in double.
template <class T>
SOFTGRAD_INLINE void add_term(TwoParts<Double>& sum, Double term) {
    if constexpr (sizeof(T) == sizeof(float)) {
        sum.high += term;
    } else {
        const TwoParts<Double> next = two_sum(sum.high, term);
        sum = {next.high, sum.low + next.low};
    }
}

// Stores the exponentials, 2^spare too large, where `exponentials` is given; those of the maxima, and no others that matter, are
// exactly that power of two.
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
        residues = fma(equal ? Vec<T>{} : e.residue(), e.scale, residues);
        for (int h = 0; h < halves<T>; ++h) add_term<T>(others[h], half_of(term, h));
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
        // As in Probabilities.
        constexpr double large = ExpConstants<double>::large_factor;
        const Int64 first = (scaled.high > large) | (scaled.high < -large);
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

// The products of row_products.hpp times scale[i], in the place of the tile, with the rows of v and w; the mean goes to means[i] instead.
template <class T>
void few_product(Product product, T* tile, const T* v, const T* w, int64_t n, int64_t rows, const double* scale, double* means) {
    constexpr int half_width = Simd<double>::width;
    constexpr double unspare = ExpConstants<T>::unspare, at_maximum = 1.0 / unspare;
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        T* const e = tile + i;
        const Pack<T> pack = normalize_pack(e, n, e);
        // Calls use(j, h, exponentials, entries of the vectors) for the halves h of every entry j.
        auto each = [&](auto use, auto... vectors) __attribute__((always_inline)) {
            for (int64_t j = 0; j < n; ++j)
                for (int h = 0; h < halves<T>; ++h)
                    use(j, h, half_of(load(e + j * few_tile_rows), h), half_of(load(vectors + i + j * few_tile_rows), h)...);
        };
        // The entries of the tile become value(h, exponentials, entries of the vectors).
        auto map = [&](auto value, auto... vectors) __attribute__((always_inline)) {
            Double parts[halves<T>];
            each([&](int64_t j, int h, Double exponential, auto... entries) __attribute__((always_inline)) {
                parts[h] = value(h, exponential, entries...);
                if (h == halves<T> - 1) store(e + j * few_tile_rows, joined(parts, Vec<T>{}));
            }, vectors...);
        };
        Double factor[halves<T>], inverse[halves<T>], not_largest[halves<T>];
        Int64 certain[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            factor[h] = scale ? load(scale + i + h * half_width) : Double{};
            inverse[h] = pack.inverse[h] * unspare;
            not_largest[h] = pack.rest[h].high * pack.inverse[h];
            certain[h] = pack.rest[h].high < 0.5;
        }
        if (product == Product::probabilities) {
            scale_pack(e, n, PackProbabilities<T>(pack, factor));
            continue;
        }
        if (product == Product::variances) {
            map([&](int h, Double exponential) __attribute__((always_inline)) {
                const Double p = exponential * inverse[h];
                return p * ((exponential == at_maximum) & certain[h] ? not_largest[h] : 1.0 - p) * factor[h];
            });
            continue;
        }
        if (product == Product::log_softmax_cotangent) {
            TwoParts<Double> of_others[halves<T>] = {}, of_maxima[halves<T>] = {};
            each([&](int64_t, int h, Double exponential, Double entry) __attribute__((always_inline)) {
                add_term<T>(of_others[h], exponential == at_maximum ? Double{} : entry);
                add_term<T>(of_maxima[h], exponential == at_maximum ? entry : Double{});
            }, v);
            Double others[halves<T>], total[halves<T>];
            for (int h = 0; h < halves<T>; ++h) {
                others[h] = of_others[h].high + of_others[h].low;
                total[h] = others[h] + (of_maxima[h].high + of_maxima[h].low);
            }
            map([&](int h, Double exponential, Double entry) __attribute__((always_inline)) {
                const Double p = exponential * inverse[h];
                const Double at_largest = entry * not_largest[h] - p * others[h];
                return ((exponential == at_maximum) & certain[h] ? at_largest : entry - p * total[h]) * factor[h];
            }, v);
            continue;
        }
        // <p, term>, where term(h, entries of the vectors) is 0 at the maximum.
        auto mean_apart = [&](Double* apart, auto term, auto... vectors) __attribute__((always_inline)) {
            TwoParts<Double> sum[halves<T>] = {};
            each([&](int64_t, int h, Double exponential, auto... entries) __attribute__((always_inline)) {
                add_term<T>(sum[h], exponential * term(h, entries...));
            }, vectors...);
            for (int h = 0; h < halves<T>; ++h) apart[h] = (sum[h].high + sum[h].low) * inverse[h];
        };
        // A vector at the maximum, and its mean less that.
        auto find_mean = [&](const T* vector, Double* centre, Double* apart) __attribute__((always_inline)) {
            for (int h = 0; h < halves<T>; ++h) centre[h] = Double{};
            each([&](int64_t, int h, Double exponential, Double entry) __attribute__((always_inline)) {
                centre[h] = exponential == at_maximum ? entry : centre[h];
            }, vector);
            mean_apart(apart, [&](int h, Double entry) __attribute__((always_inline)) { return entry - centre[h]; }, vector);
        };
        Double centre[halves<T>], apart[halves<T>];
        find_mean(v, centre, apart);
        if (product == Product::mean) {
            for (int h = 0; h < halves<T>; ++h) store(means + i + h * half_width, centre[h] + apart[h]);
            continue;
        }
        if (product == Product::softmax_second) {
            Double w_centre[halves<T>], w_apart[halves<T>], second_apart[halves<T>];
            find_mean(w, w_centre, w_apart);
            auto deviation = [&](int h, Double of_v, Double of_w) __attribute__((always_inline)) {
                return ((of_v - centre[h]) - apart[h]) * ((of_w - w_centre[h]) - w_apart[h]) - apart[h] * w_apart[h];
            };
            mean_apart(second_apart, deviation, v, w);
            map([&](int h, Double exponential, Double of_v, Double of_w) __attribute__((always_inline)) {
                return exponential * inverse[h] * (deviation(h, of_v, of_w) - second_apart[h]) * factor[h];
            }, v, w);
            continue;
        }
        const bool weighted = product == Product::softmax;
        map([&](int h, Double exponential, Double entry) __attribute__((always_inline)) {
            const Double deviation = (entry - centre[h]) - apart[h];
            return (weighted ? exponential * inverse[h] * deviation : deviation) * factor[h];
        }, v);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
