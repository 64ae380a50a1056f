// Rows of few classes, worked on with lanes across rows: entry j of `width` neighbouring rows is one pack. A row kernel would spend
// more on the scalars of a row than on its entries. Every lane does the same, wherever its row is.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/table.hpp"
#include "kernels/arithmetic/normalization.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// What the rows of one pack are made of.
template <class T>
struct Pack {
    Vec<T> maximum;
    Vec<T> second;      // the largest entry but for one that is the maximum; -inf if there is no other
    Vec<T> at_maximum;  // the exponential of the maximum as it is stored
    Masses<Double> masses[halves<T>];
    TwoParts<Double> rest[halves<T>];      // R; NaN where the maximum is not finite
    TwoParts<Double> log_rest[halves<T>];  // log1p(R)
    TwoParts<Double> inverse[halves<T>];   // 1 / S
    TwoParts<Double> largest[halves<T>];   // the probability of the maximum, 1 / (1 + R)

    SOFTGRAD_INLINE Probabilities<T> probabilities(const Double* factor) const { return {inverse, largest, factor, at_maximum}; }
};

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
        Vec<T> largest = broadcast(T(-infinity)), second = largest;
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> v = load(tile + i + j * few_tile_rows), smaller = largest < v ? largest : v;
            second = maximum(smaller, second);
            largest = maximum(v, largest);
        }
        packs[k].maximum = largest;
        packs[k].second = second;
    });
}

// After the maxima. Stores the exponentials, 2^spare too large, where `exponentials` is given.
template <class T>
SOFTGRAD_INLINE void sum_exponentials(const T* tile, int64_t n, int64_t rows, T* exponentials, Pack<T>* packs) {
    using C = ExpConstants<T>;
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Pack<T>& pack = packs[k];
        const Vec<T> largest = pack.maximum;
        const Origin<T> origin = origin_at<T>(largest);
        // Where the second is the maximum too, R is at least 1, and what is lost in the bound does not count.
        const Vec<T> bound = bound_at(origin, pack.second);
        BoundedSum<T> others(bound);
        Mask<T> maxima{};
        auto add_all = [&]<bool moved>() __attribute__((always_inline)) {
            Origin<T> from = origin;
            if constexpr (!moved) from.subtract = Vec<T>{};
            auto add = [&]<int together>(int64_t j) __attribute__((always_inline)) {
                Vec<T> v[together];
                Exponential<T> e[together];
                for (int m = 0; m < together; ++m) v[m] = load(tile + i + (j + m) * few_tile_rows);
                exp_from<together, T>(from, v, nullptr, e);
                for (int m = 0; m < together; ++m) {
                    const Mask<T> equal = v[m] == largest;
                    maxima -= equal;
                    others.add(without(e[m], equal));
                    if (exponentials) store(exponentials + i + (j + m) * few_tile_rows, e[m].value);
                }
            };
            int64_t j = 0;
            for (; j + 4 <= n; j += 4) add.template operator()<4>(j);
            if (j + 2 <= n) {
                add.template operator()<2>(j);
                j += 2;
            }
            if (j < n) add.template operator()<1>(j);
        };
        if (any(origin.subtract != Vec<T>{}))
            add_all.template operator()<true>();
        else
            add_all.template operator()<false>();

        const Exponential<T> at_maximum = exp_from(origin, largest);
        pack.at_maximum = at_maximum.value;
        const Vec<T> count = (Vec<T>)((Mask<T>)broadcast(C::integer_maker) + maxima) - C::integer_maker;
        for (int h = 0; h < halves<T>; ++h)
            pack.masses[h] = {half_of(count, h), half_of(at_maximum.in_parts(), h), half_of(others.above(bound), h)};
    });
}

template <class T>
SOFTGRAD_INLINE void find_rests(Pack<T>* packs, int64_t rows) {
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) packs[k].rest[h] = rest_of<T>(packs[k].masses[h]);
    });
}

template <class T>
SOFTGRAD_INLINE void find_logarithms(Pack<T>* packs, int64_t rows) {
    find_rests(packs, rows);
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) packs[k].log_rest[h] = log_of<T>(packs[k].rest[h]);
    });
}

// What makes probabilities of exponentials.
template <class T>
SOFTGRAD_INLINE void find_inverses(Pack<T>* packs, int64_t rows) {
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) {
            packs[k].inverse[h] = inverse_of<T>(packs[k].masses[h]);
            packs[k].largest[h] = largest_of<T>(packs[k].masses[h], packs[k].inverse[h]);
        }
    });
}

template <class T>
SOFTGRAD_INLINE void scale_pack(T* exponentials, int64_t n, const Probabilities<T>& probabilities) {
    for (int64_t j = 0; j < n; ++j) {
        T* at = exponentials + j * few_tile_rows;
        store(at, probabilities(load(at)));
    }
}

template <class T>
void few_softmax(T* tile, int64_t n, int64_t rows) {
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, tile, packs);
    find_inverses(packs, rows);
    const Double ones[2] = {1.0 + Double{}, 1.0 + Double{}};
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        scale_pack(tile + i, n, packs[k].probabilities(ones));
    });
}

template <class T>
void few_log_softmax(T* tile, int64_t n, int64_t rows) {
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials<T>(tile, n, rows, nullptr, packs);
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
    find_maxima(tile, n, rows, packs);
    sum_exponentials<T>(tile, n, rows, nullptr, packs);
    find_logarithms(packs, rows);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        Double parts[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            // Not plus(): where the maximum is infinite R is NaN.
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
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, scale ? tile : nullptr, packs);
    find_logarithms(packs, rows);
    if (scale) find_inverses(packs, rows);
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
            const Double p = half_of(load(exponentials + i), h) * double(ExpConstants<T>::unspare) * pack.inverse[h].high;
            const Double maximal = half_of(is_maximum ? broadcast(T(1)) : Vec<T>{}, h);
            // Adding 0 makes a -0 a +0.
            parts[h] = (maximal == 1.0 ? 0.0 - pack.rest[h].high * pack.largest[h].high : p - 1.0) * factor[h];
        }
        scale_pack(tile + i, n, pack.probabilities(factor));
        store(slopes, joined(parts, Vec<T>{}));
        for (int lane = 0; lane < width; ++lane) *at_target[i + lane] = slopes[lane];
    });
}

// The products of row_products.hpp times scale[i], in the place of the tile, with the rows of v and w; the mean goes to means[i] instead.
template <class T>
void few_product(Product product, T* tile, const T* v, const T* w, int64_t n, int64_t rows, const double* scale, double* means) {
    constexpr int half_width = Simd<double>::width;
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, tile, packs);
    find_rests(packs, rows);
    find_inverses(packs, rows);
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
        Double factor[halves<T>], inverse[halves<T>], at_maximum[halves<T>], not_largest[halves<T>];
        Int64 certain[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            factor[h] = scale ? load(scale + i + h * half_width) : Double{};
            inverse[h] = pack.inverse[h].high * double(ExpConstants<T>::unspare);
            at_maximum[h] = half_of(pack.at_maximum, h);
            not_largest[h] = pack.rest[h].high * pack.largest[h].high;
            certain[h] = pack.rest[h].high < 0.5;
        }
        auto probability = [&](int h, Double exponential) __attribute__((always_inline)) {
            return exponential == at_maximum[h] ? pack.largest[h].high : exponential * inverse[h];
        };
        if (product == Product::probabilities) {
            scale_pack(e, n, pack.probabilities(factor));
            continue;
        }
        if (product == Product::variances) {
            map([&](int h, Double exponential) __attribute__((always_inline)) {
                const Double p = probability(h, exponential);
                return p * ((exponential == at_maximum[h]) & certain[h] ? not_largest[h] : 1.0 - p) * factor[h];
            });
            continue;
        }
        if (product == Product::log_softmax_cotangent) {
            TwoParts<Double> of_others[halves<T>] = {}, of_maxima[halves<T>] = {};
            each([&](int64_t, int h, Double exponential, Double entry) __attribute__((always_inline)) {
                add_term<T>(of_others[h], exponential == at_maximum[h] ? Double{} : entry);
                add_term<T>(of_maxima[h], exponential == at_maximum[h] ? entry : Double{});
            }, v);
            Double others[halves<T>], total[halves<T>];
            for (int h = 0; h < halves<T>; ++h) {
                others[h] = of_others[h].high + of_others[h].low;
                total[h] = others[h] + (of_maxima[h].high + of_maxima[h].low);
            }
            map([&](int h, Double exponential, Double entry) __attribute__((always_inline)) {
                const Double p = probability(h, exponential);
                const Double at_largest = entry * not_largest[h] - p * others[h];
                return ((exponential == at_maximum[h]) & certain[h] ? at_largest : entry - p * total[h]) * factor[h];
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
                centre[h] = exponential == at_maximum[h] ? entry : centre[h];
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
                return probability(h, exponential) * (deviation(h, of_v, of_w) - second_apart[h]) * factor[h];
            }, v, w);
            continue;
        }
        const bool weighted = product == Product::softmax;
        map([&](int h, Double exponential, Double entry) __attribute__((always_inline)) {
            const Double deviation = (entry - centre[h]) - apart[h];
            return (weighted ? probability(h, exponential) * deviation : deviation) * factor[h];
        }, v);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
