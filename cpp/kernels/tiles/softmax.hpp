// softmax of a tile.
#pragma once

#include "kernels/tiles/packs.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
void softmax_tile(T* tile, int64_t n, int64_t rows) {
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, tile, packs);
    find_inverses(packs, packs_of<T>(rows));
    const Double ones[2] = {1.0 + Double{}, 1.0 + Double{}};
    each_pack<T>(rows, [&](int64_t i, int64_t k)
                           __attribute__((always_inline)) { scale_pack(tile + i, n, packs[k].probabilities(ones)); });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
