// log_softmax of a tile.
#pragma once

#include "kernels/tiles/packs.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
void log_softmax_tile(T* tile, int64_t n, int64_t rows) {
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials<T>(tile, n, rows, nullptr, packs);
    find_logarithms(packs, packs_of<T>(rows));
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Double of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) of_halves[h] = packs[k].log_rest[h].high + packs[k].log_rest[h].low;
        const Vec<T> log_rest = joined(of_halves, Vec<T>{});
        for (int64_t j = 0; j < n; ++j) {
            T* at = tile + i + j * tile_rows;
            store(at, (load(at) - packs[k].maximum) - log_rest);
        }
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
