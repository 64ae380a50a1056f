// The products of rows/products.hpp, of a tile.
#pragma once

#include "kernels/tiles/packs.hpp"
#include "kernels/tiles/sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The product times scale[i], in the place of the tile, with the rows of v and w; the mean goes to means[i] instead.
template <class T>
void product_tile(Product product, T* tile, const T* v, const T* w, int64_t n, int64_t rows, const double* scale,
                  double* means) {
    constexpr int half_width = Simd<double>::width;
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, tile, packs);
    find_rests(packs, packs_of<T>(rows));
    find_inverses(packs, packs_of<T>(rows));
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        T* const e = tile + i;
        const Pack<T>& pack = packs[i / Simd<T>::width];
        // Calls use(j, h, exponentials, entries of the vectors) for the halves h of every entry j.
        auto each = [&](auto use, auto... vectors) __attribute__((always_inline)) {
            for (int64_t j = 0; j < n; ++j)
                for (int h = 0; h < halves<T>; ++h)
                    use(j, h, half_of(load(e + j * tile_rows), h), half_of(load(vectors + i + j * tile_rows), h)...);
        };
        // The entries of the tile become value(h, exponentials, entries of the vectors).
        auto map = [&](auto value, auto... vectors) __attribute__((always_inline)) {
            Double of_halves[halves<T>];
            each([&](int64_t j, int h, Double exponential, auto... entries) __attribute__((always_inline)) {
                of_halves[h] = value(h, exponential, entries...);
                if (h == halves<T> - 1) store(e + j * tile_rows, joined(of_halves, Vec<T>{}));
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
            mean_apart(apart, [&](int h, Double entry) __attribute__((always_inline)) { return entry - centre[h]; },
                       vector);
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
