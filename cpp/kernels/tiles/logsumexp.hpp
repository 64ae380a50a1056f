// logsumexp of a tile.
#pragma once

#include "kernels/tiles/packs.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
void logsumexp_tile(const T* tile, int64_t n, int64_t rows, T* out) {
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials<T>(tile, n, rows, nullptr, packs);
    find_logarithms(packs, packs_of<T>(rows));
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        Double of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            // Not plus(): where the maximum is infinite R is NaN.
            const TwoParts<Double> sum = two_sum(half_of(pack.maximum, h), pack.log_rest[h].high);
            of_halves[h] = sum.high + (sum.low + pack.log_rest[h].low);
        }
        Vec<T> result = joined(of_halves, Vec<T>{});
        const Mask<T> infinite = pack.maximum - pack.maximum != Vec<T>{};
        if (any(infinite)) {
            Mask<T> holds_nan{};
            for (int64_t j = 0; j < n; ++j) {
                const Vec<T> v = load(tile + i + j * tile_rows);
                holds_nan |= v != v;
            }
            result = infinite & ~holds_nan ? pack.maximum : result;
        }
        store(out + i, result);
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
