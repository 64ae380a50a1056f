// What becomes of the logits of a tile of weighted rows, before it goes into a product of matrices.
#pragma once

#include "kernels/tiles/products_of_output.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The weights of the rows of a vector from `row` on, and the size below which an entry of each is negligible.
template <class T>
struct Weighing {
    Double weight[halves<T>], threshold[halves<T>];

    SOFTGRAD_INLINE Weighing(const double* weights, double least) {
        for (int h = 0; h < halves<T>; ++h) {
            weight[h] = load(weights + h * Simd<double>::width);
            threshold[h] = weight[h] * least;
        }
    }
    // Makes value(half, entry) of the entries. What is negligible becomes 0, and all of a row without weight, whose
    // entries may be NaN.
    template <class Value>
    SOFTGRAD_INLINE void map(T* tile, int64_t n, Value value) const {
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> entries = load(tile + j * tile_rows);
            Double kept[halves<T>];
            for (int h = 0; h < halves<T>; ++h) {
                const Double each = value(h, half_of(entries, h));
                const Double magnitude = maximum(each, -each);
                kept[h] = ((magnitude < threshold[h]) | (weight[h] == 0.0)) ? Double{} : each;
            }
            store(tile + j * tile_rows, joined(kept, Vec<T>{}));
        }
    }
};

// Entries below `least` times the weight of their row become 0.
template <class T>
void clear_tile(T* tile, int64_t n, int64_t rows, const double* weights, double least) {
    for (int64_t i = 0; i < rows; i += Simd<T>::width)
        Weighing<T>(weights + i, least).map(tile + i, n, [](int, Double entry) __attribute__((always_inline)) {
            return entry;
        });
}

// Of a tile of probabilities p and one of v it becomes the weights times p (v - <p, v>), and 0 where that is below
// `least` times the weight and the largest entry of v.
template <class T>
void curvature_tile(T* tile, const T* v, int64_t n, int64_t rows, const double* weights, double least) {
    product_of_output_tile<T>(Product::softmax, tile, v, n, rows, 1.0);
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        Vec<T> largest{};
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> entry = load(v + i + j * tile_rows);
            largest = maximum(maximum(entry, -entry), largest);
        }
        Weighing<T> weighing(weights + i, least);
        for (int h = 0; h < halves<T>; ++h) weighing.threshold[h] *= half_of(largest, h);
        weighing.map(tile + i, n,
                     [&](int h, Double entry) __attribute__((always_inline)) { return entry * weighing.weight[h]; });
    }
}

// out: the entries times the factor of their row.
template <class T>
void scale_tile(const T* tile, int64_t n, int64_t rows, const double* factors, T* out) {
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        Double of_halves[halves<T>];
        for (int h = 0; h < halves<T>; ++h) of_halves[h] = load(factors + i + h * Simd<double>::width);
        const Vec<T> factor = joined(of_halves, Vec<T>{});
        for (int64_t j = 0; j < n; ++j) store(out + i + j * tile_rows, load(tile + i + j * tile_rows) * factor);
    }
}

// sums[j] += the sum of the entries j, in eight lanes whatever the width of a vector.
template <class T>
void add_sums_of_tile(const T* tile, int64_t n, int64_t rows, double* sums) {
    constexpr int lanes = 8, half_width = Simd<double>::width;
    for (int64_t j = 0; j < n; ++j) {
        Double totals[lanes / half_width] = {};
        for (int64_t i = 0; i < rows; i += Simd<T>::width)
            for (int h = 0; h < halves<T>; ++h)
                totals[(i + h * half_width) % lanes / half_width] += half_of(load(tile + i + j * tile_rows), h);
        for (int count = lanes / half_width / 2; count > 0; count /= 2)
            for (int t = 0; t < count; ++t) totals[t] += totals[t + count];
        sums[j] += sum_of_lanes(totals[0]);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
