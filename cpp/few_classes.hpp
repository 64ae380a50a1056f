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
    TwoParts<Double> rest[halves<T>];      // R; NaN where the maximum is not finite
    Double inverse[halves<T>];             // 1 / (1 + R)
    TwoParts<Double> log_rest[halves<T>];  // log1p(R)
};

// x - maximum, x not above it: the one of x and -maximum that is the larger in magnitude is then the smaller of the two.
template <class T>
SOFTGRAD_INLINE TwoParts<Vec<T>> below_maximum(Vec<T> x, Vec<T> largest) {
    const Vec<T> far = x < -largest ? x : -largest, near = maximum(-largest, x);  // a NaN stays
    const Vec<T> sum = far + near;
    return {sum, near - (sum - far)};
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

template <class T>
constexpr int most_packs = few_tile_rows / Simd<T>::width;

// Calls use(first row, which pack) for the packs of a tile. What a pack needs is found for all of them before the next step, so that the
// machine has something to do while one waits for a quotient.
template <class T, class Use>
SOFTGRAD_INLINE void each_pack(int64_t rows, Use use) {
    for (int64_t i = 0, k = 0; i < rows; i += Simd<T>::width, ++k) use(i, k);
}

template <class T>
SOFTGRAD_INLINE void find_maxima(const T* tile, int64_t n, int64_t rows, Pack<T>* packs) {
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Vec<T> largest = broadcast(T(-infinity));
        for (int64_t j = 0; j < n; ++j) largest = maximum(load(tile + i + j * few_tile_rows), largest);
        packs[k].maximum = largest;
    });
}

// After the maxima. Stores the exponentials, 2^spare too large, where `exponentials` is given; those of the maxima, and no others that
// matter, are exactly that power of two.
template <class T>
SOFTGRAD_INLINE void sum_exponentials(const T* tile, int64_t n, int64_t rows, T* exponentials, Pack<T>* packs) {
    using C = ExpConstants<T>;
    const Origin<T> at_maximum = origin_at(T(0));
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Pack<T>& pack = packs[k];
        const Vec<T> largest = pack.maximum;
        Mask<T> maxima{};
        Vec<T> residues{};
        TwoParts<Double> others[halves<T>] = {};
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> v = load(tile + i + j * few_tile_rows);
            const Mask<T> equal = v == largest;
            const TwoParts<Vec<T>> below = below_maximum<T>(v, largest);
            const Exponential<T> e = exp_from<T, true>(at_maximum, below.high, below.low);
            maxima -= equal;
            // That of the maximum is 0.
            residues = fma(e.residue(), e.scale, residues);
            const Vec<T> term = (Vec<T>)((Mask<T>)e.value & ~equal);
            for (int h = 0; h < halves<T>; ++h) add_term<T>(others[h], half_of(term, h));
            if (exponentials) store(exponentials + i + j * few_tile_rows, e.value);
        }
        const Mask<T> finite = largest - largest == Vec<T>{};
        const Vec<T> count = (Vec<T>)((Mask<T>)broadcast(C::integer_maker) + maxima) - C::integer_maker;
        const Vec<T> others_of_maximum = finite ? count - T(1) : broadcast(T(not_a_number));
        for (int h = 0; h < halves<T>; ++h) {
            const TwoParts<Double> sum = two_sum(half_of(others_of_maximum, h), others[h].high * double(C::unspare));
            const Double low = (others[h].low + half_of(residues, h)) * double(C::unspare) + sum.low;
            // An infinite sum cannot be; a NaN stays one.
            pack.rest[h] = two_sum(sum.high, low);
        }
    });
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) packs[k].inverse[h] = 1.0 / (1.0 + packs[k].rest[h].high);
    });
}

template <class T>
SOFTGRAD_INLINE void normalize_packs(const T* tile, int64_t n, int64_t rows, T* exponentials, Pack<T>* packs) {
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, exponentials, packs);
}

template <class T>
SOFTGRAD_INLINE void find_logarithms(Pack<T>* packs, int64_t rows) {
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        Pack<T>& pack = packs[k];
        for (int h = 0; h < halves<T>; ++h) {
            pack.log_rest[h] = log1p(pack.rest[h].high, pack.inverse[h]);
            pack.log_rest[h].low += pack.rest[h].low * pack.inverse[h];
        }
    });
}

// 1 / (1 + R) of one half.
template <class T>
SOFTGRAD_INLINE TwoParts<Double> inverse_in_parts(const Pack<T>& pack, int half) {
    const TwoParts<Double> sum = two_sum(1.0 + Double{}, pack.rest[half].high);
    const Double inverse = pack.inverse[half];
    const TwoParts<Double> back = product_in_parts(inverse, sum.high);
    return {inverse, ((1.0 - back.high) - back.low - inverse * (sum.low + pack.rest[half].low)) * inverse};
}

// Exponentials as they are stored become probabilities times a factor.
template <class T>
class PackProbabilities;

template <>
class PackProbabilities<float> {
#if defined(SOFTGRAD_FUSED)
    Float high_, low_, unspare_;

  public:
    SOFTGRAD_INLINE PackProbabilities(const Pack<float>& pack, const Double* factor) {
        using C = ExpConstants<float>;
        Double parts[2], before[2];
        for (int h = 0; h < 2; ++h) {
            parts[h] = factor[h] * pack.inverse[h];
            // As in Probabilities.
            before[h] = (parts[h] > C::large_factor) | (parts[h] < -C::large_factor) ? broadcast(double(C::unspare)) : broadcast(1.0);
            parts[h] *= before[h];
        }
        high_ = joined(parts, Float{});
        for (int h = 0; h < 2; ++h) parts[h] -= half_of(high_, h);
        low_ = joined(parts, Float{});
        unspare_ = joined(before, Float{}) == 1.0f ? broadcast(C::unspare) : broadcast(1.0f);
    }
    SOFTGRAD_INLINE Float operator()(Float e) const { return fma(e, high_, e * low_) * unspare_; }
#else
    // The product of two floats is exact in double.
    Double inverse_[2];

  public:
    SOFTGRAD_INLINE PackProbabilities(const Pack<float>& pack, const Double* factor) {
        for (int h = 0; h < 2; ++h) inverse_[h] = factor[h] * pack.inverse[h] * double(ExpConstants<float>::unspare);
    }
    SOFTGRAD_INLINE Float operator()(Float e) const { return narrow(widen_low(e) * inverse_[0], widen_high(e) * inverse_[1]); }
#endif
};

template <>
class PackProbabilities<double> {
    Double high_, low_, before_, after_;

  public:
    SOFTGRAD_INLINE PackProbabilities(const Pack<double>& pack, const Double* factor) {
        const TwoParts<Double> inverse = inverse_in_parts(pack, 0), scaled = product_in_parts(inverse.high, factor[0]);
        const Double low = scaled.low + inverse.low * factor[0];
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
    Pack<T> packs[most_packs<T>];
    normalize_packs(tile, n, rows, tile, packs);
    const Double ones[2] = {1.0 + Double{}, 1.0 + Double{}};
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        scale_pack(tile + i, n, PackProbabilities<T>(packs[k], ones));
    });
}

template <class T>
void few_log_softmax(T* tile, int64_t n, int64_t rows) {
    Pack<T> packs[most_packs<T>];
    normalize_packs<T>(tile, n, rows, nullptr, packs);
    find_logarithms(packs, rows);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Double parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) parts[h] = packs[k].log_rest[h].high + packs[k].log_rest[h].low;
        const Vec<T> log_rest = joined(parts, Vec<T>{});
        for (int64_t j = 0; j < n; ++j) {
            T* at = tile + i + j * few_tile_rows;
            store(at, (load(at) - packs[k].maximum) - log_rest);
        }
    });
}

template <class T>
void few_logsumexp(const T* tile, int64_t n, int64_t rows, T* out) {
    Pack<T> packs[most_packs<T>];
    normalize_packs<T>(tile, n, rows, nullptr, packs);
    find_logarithms(packs, rows);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        Double parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            const TwoParts<Double> sum = two_sum(half_of(pack.maximum, h), pack.log_rest[h].high);
            parts[h] = sum.high + (sum.low + pack.log_rest[h].low);
        }
        Vec<T> result = joined(parts, Vec<T>{});
        const Mask<T> infinite = pack.maximum - pack.maximum != Vec<T>{};
        if (any(infinite)) {
            Mask<T> holds_nan{};
            for (int64_t j = 0; j < n; ++j) {
                const Vec<T> v = load(tile + i + j * few_tile_rows);
                holds_nan |= v != v;
            }
            result = infinite & ~holds_nan ? pack.maximum : result;
        }
        store(out + i, result);
    });
}

// a + b, b in two parts, rounded once. An infinite a stays what it is, unless b is NaN.
SOFTGRAD_INLINE Double plus(Double a, TwoParts<Double> b) {
    const TwoParts<Double> sum = two_sum(a, b.high);
    return a - a == Double{} ? sum.high + (sum.low + b.low) : a + (b.high + b.low);
}

// losses[i] of class targets[i], unscaled; the gradient times scale[i].
template <class T>
void few_cross_entropy(T* tile, int64_t n, int64_t rows, const int64_t* targets, const double* scale, double* losses) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    T* at_target[few_tile_rows];
    T logits[few_tile_rows], exponentials[few_tile_rows];
    for (int64_t i = 0; i < rows; ++i) {
        at_target[i] = tile + targets[i] * few_tile_rows + i;
        logits[i] = *at_target[i];
    }
    Pack<T> packs[most_packs<T>];
    normalize_packs(tile, n, rows, scale ? tile : nullptr, packs);
    find_logarithms(packs, rows);
    if (scale)
        for (int64_t i = 0; i < rows; ++i) exponentials[i] = *at_target[i];
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        const Vec<T> at_target_of_pack = load(logits + i);
        for (int h = 0; h < halves<T>; ++h)
            store(losses + i + h * half_width, plus(half_of(pack.maximum, h) - half_of(at_target_of_pack, h), pack.log_rest[h]));
        if (!scale) return;
        const Mask<T> is_maximum = at_target_of_pack == pack.maximum;
        T slopes[width];
        Double factor[halves<T>], parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            factor[h] = load(scale + i + h * half_width);
            const Double p = half_of(load(exponentials + i), h) * double(ExpConstants<T>::unspare) * pack.inverse[h];
            const Double maximal = half_of(is_maximum ? broadcast(T(1)) : Vec<T>{}, h);
            // Adding 0 makes a -0 a +0.
            parts[h] = (maximal == 1.0 ? 0.0 - pack.rest[h].high * pack.inverse[h] : p - 1.0) * factor[h];
        }
        scale_pack(tile + i, n, PackProbabilities<T>(pack, factor));
        store(slopes, joined(parts, Vec<T>{}));
        for (int lane = 0; lane < width; ++lane) *at_target[i + lane] = slopes[lane];
    });
}

// The products of row_products.hpp times scale[i], in the place of the tile, with the rows of v and w; the mean goes to means[i] instead.
template <class T>
void few_product(Product product, T* tile, const T* v, const T* w, int64_t n, int64_t rows, const double* scale, double* means) {
    constexpr int half_width = Simd<double>::width;
    constexpr double unspare = ExpConstants<T>::unspare, at_maximum = 1.0 / unspare;
    Pack<T> packs[most_packs<T>];
    normalize_packs(tile, n, rows, tile, packs);
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        T* const e = tile + i;
        const Pack<T>& pack = packs[i / Simd<T>::width];
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
