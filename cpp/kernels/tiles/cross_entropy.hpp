// Cross-entropy of a tile at one class a row, as in rows/cross_entropy.hpp.
#pragma once

#include "kernels/tiles/packs.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// losses[i] of class labels[i], unscaled; the gradient times scale[i].
template <class T>
void cross_entropy_tile(T* tile, int64_t n, int64_t rows, const int64_t* labels, const double* scale, double* losses) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    T* at_label[tile_rows];
    T logits[tile_rows], exponentials[tile_rows];
    for (int64_t i = 0; i < rows; ++i) {
        at_label[i] = tile + labels[i] * tile_rows + i;
        logits[i] = *at_label[i];
    }
    Pack<T> packs[most_packs<T>];
    find_maxima(tile, n, rows, packs);
    sum_exponentials(tile, n, rows, scale ? tile : nullptr, packs);
    find_logarithms(packs, packs_of<T>(rows));
    if (scale) find_inverses(packs, packs_of<T>(rows));
    if (scale)
        for (int64_t i = 0; i < rows; ++i) exponentials[i] = *at_label[i];
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        const Vec<T> at_label_of_pack = load(logits + i);
        for (int h = 0; h < halves<T>; ++h)
            store(losses + i + h * half_width,
                  plus(half_of(pack.maximum, h) - half_of(at_label_of_pack, h), pack.log_rest[h]));
        if (!scale) return;
        const Mask<T> is_maximum = at_label_of_pack == pack.maximum;
        T slopes[width];
        Double factor[halves<T>], of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            factor[h] = load(scale + i + h * half_width);
            of_halves[h] = pack.slope_at_label(h, is_maximum, half_of(load(exponentials + i), h)) * factor[h];
        }
        scale_pack(tile + i, n, pack.probabilities(factor));
        store(slopes, joined(of_halves, Vec<T>{}));
        for (int lane = 0; lane < width; ++lane) *at_label[i + lane] = slopes[lane];
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
