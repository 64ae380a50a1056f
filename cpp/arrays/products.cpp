#include "arrays/products.hpp"

#include <algorithm>
#include <limits>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

namespace {

// Whether the classes of a row that take part, `apart` elements from each other, are all at -inf.
template <class T>
bool is_massless(const T* x, int64_t n, int64_t apart, const unsigned char* allowed) {
    for (int64_t j = 0; j < n; ++j)
        if ((!allowed || allowed[j]) && x[j * apart] != -std::numeric_limits<T>::infinity()) return false;
    return true;
}

// The vectors of a product as the kernels take them.
template <class T, size_t k>
struct TwoVectors {
    explicit TwoVectors(const Vectors<T, k>& vectors) {
        if constexpr (k > 0) v = vectors[0];
        if constexpr (k > 1) w = vectors[1];
    }
    const T *v = nullptr, *w = nullptr;
};

template <class S, size_t k>
void products_in_tiles(Product product, const RowView& x, const Views<k>& vectors, const double* factor, double scale,
                       bool massless_is_zero, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        each_tile_with<S, k>(x, vectors, out, begin, end,
                             [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, k>& tiles) {
            double factors[tile_rows] = {}, weights[tile_rows];
            for (int64_t i = 0; i < count; ++i) {
                weights[i] = massless_is_zero && is_massless(tile + i, n, tile_rows, nullptr) ? 0.0
                             : factor                                                         ? factor[first + i]
                                                                                              : 1.0;
                factors[i] = weights[i] * scale;
            }
            const TwoVectors<T, k> two(tiles);
            kernels<T>().tiles.product(product, tile, two.v, two.w, n, rows, factors, nullptr);
            if (factor || massless_is_zero) clear_ignored(tile, n, count, weights);
        });
    });
}

template <class S, size_t k>
void map_products(Product product, const RowView& x, const Views<k>& vectors, const Transform& transform,
                  const double* factor, double scale, bool massless_is_zero, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && fits_a_tile(n))
        return products_in_tiles<S, k>(product, x, vectors, factor, scale, massless_is_zero, out);
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(plain ? 0 : staged_size(n));
        Scratch<double, Use::vector> masked_vectors(plain ? 0 : static_cast<int64_t>(k) * n);
        each_row_with<S, k>(x, vectors, &out, begin, end,
                            [&](int64_t r, const T* from, const Vectors<T, k>& of_row, T* to) {
            const double factor_of_row = factor ? factor[r] : 1.0;
            const auto is_zero = [&](const unsigned char* allowed) {
                return massless_is_zero && is_massless(from, n, 1, allowed);
            };
            if (factor_of_row == 0.0 || (plain && is_zero(nullptr)))
                return static_cast<void>(std::fill(to, to + n, T(0)));
            if (plain) {
                const TwoVectors<T, k> two(of_row);
                kernels<T>().product(product, from, nullptr, two.v, two.w, n, factor_of_row * scale, to);
                return;
            }
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            if (row.allowed_count == 0 || is_zero(row.allowed)) return static_cast<void>(std::fill(to, to + n, T(0)));
            Vectors<double, k> masked;
            for (size_t v = 0; v < k; ++v)
                masked[v] = masked_vector(of_row[v], n, row, masked_vectors.data() + static_cast<int64_t>(v) * n);
            const TwoVectors<double, k> two(masked);
            instruction_set().kernels->two_parts.product(product, row.high, row.low, two.v, two.w, n,
                                                         factor_of_row * scale, row.high);
            for (int64_t j = 0; j < n; ++j) to[j] = row.allowed && !row.allowed[j] ? T(0) : static_cast<T>(row.high[j]);
        });
    });
}

}  // namespace

template <class S>
void map_products(Product product, const RowView& x, const RowView* v, const RowView* w, const Transform& transform,
                  const double* factor, double scale, bool massless_is_zero, const RowView& out) {
    if (w)
        map_products<S, 2>(product, x, {v, w}, transform, factor, scale, massless_is_zero, out);
    else if (v)
        map_products<S, 1>(product, x, {v}, transform, factor, scale, massless_is_zero, out);
    else
        map_products<S, 0>(product, x, {}, transform, factor, scale, massless_is_zero, out);
}

template <class S>
void softmax_means(const RowView& x, const RowView& v, const Transform& transform, double* means) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && fits_a_tile(n)) {
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile_with<S, 1>(x, {&v}, nullptr, begin, end,
                                 [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, 1>& of_v) {
                bool massless[tile_rows];
                for (int64_t i = 0; i < count; ++i) massless[i] = is_massless(tile + i, n, tile_rows, nullptr);
                double of_tile[tile_rows];
                kernels<T>().tiles.product(Product::mean, tile, of_v[0], nullptr, n, rows, nullptr, of_tile);
                for (int64_t i = 0; i < count; ++i) means[first + i] = massless[i] ? 0.0 : of_tile[i];
            });
        });
        return;
    }
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(plain ? 0 : staged_size(n));
        Scratch<double, Use::vector> masked_memory(plain ? 0 : n);
        Scratch<T, Use::gradient> exponentials(plain ? n : 0);
        each_row_with<S, 1>(x, {&v}, nullptr, begin, end,
                            [&](int64_t r, const T* from, const Vectors<T, 1>& vector, T*) {
            if (plain) {
                means[r] = is_massless(from, n, 1, nullptr)
                               ? 0.0
                               : kernels<T>().product(Product::mean, from, nullptr, vector[0], nullptr, n, 1.0,
                                                      exponentials.data());
                return;
            }
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            const double* masked = masked_vector(vector[0], n, row, masked_memory.data());
            means[r] = is_massless(from, n, 1, row.allowed)
                           ? 0.0
                           : instruction_set().kernels->two_parts.product(Product::mean, row.high, row.low, masked,
                                                                          nullptr, n, 1.0, row.high);
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format)                                                                \
    template void map_products<S>(Product, const RowView&, const RowView*, const RowView*, const Transform&, \
                                  const double*, double, bool, const RowView&);                              \
    template void softmax_means<S>(const RowView&, const RowView&, const Transform&, double*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
