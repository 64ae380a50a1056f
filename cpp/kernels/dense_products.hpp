// Products of a few dense rows with a matrix of few columns, and of their transpose: BLAS is made for many columns.
#pragma once

#include "kernels/simd/vectors.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Sums that are in registers together, beside the vectors that one step adds to them and one more.
constexpr int registers = SOFTGRAD_VECTOR_BYTES == 64 ? 32 : 16;
template <int vectors>
constexpr int sums_together = (registers - 1 - vectors) / vectors;

// out[i, c] = bias[c] + the sum of x[i, j] * weight[j, c], in the order of j, for some vectors of c.
template <class T, int vectors, int rows>
SOFTGRAD_INLINE void product_of_few(const T* x, int64_t d, const T* weight, int64_t apart, const T* bias, T* out) {
    constexpr int width = Simd<T>::width;
    Vec<T> sums[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) sums[r][v] = load(bias + v * width);
    for (int64_t j = 0; j < d; ++j) {
        Vec<T> of_column[vectors];
        for (int v = 0; v < vectors; ++v) of_column[v] = load(weight + j * apart + v * width);
        for (int r = 0; r < rows; ++r) {
            const Vec<T> entry = broadcast(x[r * d + j]);
            for (int v = 0; v < vectors; ++v) sums[r][v] = fma(entry, of_column[v], sums[r][v]);
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) store(out + r * apart + v * width, sums[r][v]);
}

// Rows of d entries times a weight (d, apart), plus the bias; `apart`, also between the rows of out, is a multiple of
// the lanes of a vector.
template <class T>
void dense_product(const T* x, int64_t n, int64_t d, const T* weight, int64_t apart, const T* bias, T* out) {
    constexpr int width = Simd<T>::width;
    constexpr int most_vectors = 4;
    for (int64_t first = 0; first < apart; first += most_vectors * width) {
        const int64_t left = (apart - first) / width;
        with_count<most_vectors>(left, [&]<int vectors>() __attribute__((always_inline)) {
            constexpr int together = sums_together<vectors> < 8 ? sums_together<vectors> : 8;
            int64_t i = 0;
            for (; i + together <= n; i += together)
                product_of_few<T, vectors, together>(x + i * d, d, weight + first, apart, bias + first,
                                                     out + i * apart + first);
            for (; i < n; ++i)
                product_of_few<T, vectors, 1>(x + i * d, d, weight + first, apart, bias + first,
                                              out + i * apart + first);
        });
    }
}

// out[c, j] += the sum of tile[c, i] * x[i, j], in the order of i, for some classes and vectors of j.
template <class T, int classes, int vectors>
SOFTGRAD_INLINE void transposed_product_of_few(const T* x, int64_t n, int64_t stride, const T* tile, T* out,
                                               int64_t apart) {
    constexpr int width = Simd<T>::width;
    Vec<T> sums[classes][vectors] = {};
    for (int64_t i = 0; i < n; ++i) {
        Vec<T> of_row[vectors];
        for (int v = 0; v < vectors; ++v) of_row[v] = load(x + i * stride + v * width);
        for (int c = 0; c < classes; ++c) {
            const Vec<T> factor = broadcast(tile[c * tile_rows + i]);
            for (int v = 0; v < vectors; ++v) sums[c][v] = fma(factor, of_row[v], sums[c][v]);
        }
    }
    for (int c = 0; c < classes; ++c)
        for (int v = 0; v < vectors; ++v) {
            T* to = out + c * apart + v * width;
            store(to, load(to) + sums[c][v]);
        }
}

// The transpose of rows (n, d) times the tile of k classes of them, added to out (k, d); `rest` is for what is left of
// d beside whole vectors: n vectors, and k more.
template <class T>
void dense_transposed_product(const T* x, int64_t n, int64_t d, const T* tile, int64_t k, T* out, T* rest) {
    constexpr int width = Simd<T>::width;
    constexpr int most_vectors = 2, most_classes = sums_together<most_vectors>;
    const int64_t groups = (k + most_classes - 1) / most_classes, whole = d / width * width;
    auto add = [&]<int vectors>(const T* from, int64_t stride, T* to, int64_t apart) __attribute__((always_inline)) {
        for (int64_t g = 0; g < groups; ++g) {
            const int64_t first = k * g / groups, classes = k * (g + 1) / groups - first;
            with_count<most_classes>(classes, [&]<int count>() __attribute__((always_inline)) {
                transposed_product_of_few<T, count, vectors>(from, n, stride, tile + first * tile_rows,
                                                             to + first * apart, apart);
            });
        }
    };
    int64_t j = 0;
    for (; j + most_vectors * width <= d; j += most_vectors * width)
        add.template operator()<most_vectors>(x + j, d, out + j, d);
    if (j < whole) add.template operator()<1>(x + j, d, out + j, d);
    const int left = static_cast<int>(d - whole);
    if (left == 0) return;
    T* const sums = rest + n * width;
    for (int64_t i = 0; i < n; ++i) store(rest + i * width, load_first(x + i * d + whole, left, T(0)));
    for (int64_t c = 0; c < k; ++c) store(sums + c * width, load_first(out + c * d + whole, left, T(0)));
    add.template operator()<1>(rest, width, sums, width);
    for (int64_t c = 0; c < k; ++c) store_lanes(out + c * d + whole, load(sums + c * width), left);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
