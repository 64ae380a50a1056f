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
    const auto zero = [&](T* to) { std::fill(to, to + n, T(0)); };
    if (plain)
        return for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            const auto counts = [&](int64_t r, const T* from, T* to) {
                if ((!factor || factor[r] != 0.0) && !(massless_is_zero && is_massless(from, n, 1, nullptr)))
                    return true;
                zero(to);
                return false;
            };
            each_pack_with<S, k>(x, vectors, &out, begin, end, counts,
                                 [&](const Rows<T>& rows, const auto& others, const int64_t* indices) {
                double scales[most_rows];
                for (int64_t i = 0; i < rows.count; ++i) scales[i] = (factor ? factor[indices[i]] : 1.0) * scale;
                kernels<T>().product(product, rows, k > 0 ? others[0] : nullptr, k > 1 ? others[k - 1] : nullptr,
                                     scales, nullptr);
            });
        });
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(staged_size(n));
        Scratch<double, Use::vector> masked_vectors(static_cast<int64_t>(k) * n);
        each_row_with<S, k>(x, vectors, &out, begin, end,
                            [&](int64_t r, const T* from, const Vectors<T, k>& of_row, T* to) {
            const double row_scale = (factor ? factor[r] : 1.0) * scale;
            if (factor && factor[r] == 0.0) return zero(to);
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            if (row.allowed_count == 0 || (massless_is_zero && is_massless(from, n, 1, row.allowed))) return zero(to);
            const double* masked[2] = {};
            for (size_t v = 0; v < k; ++v)
                masked[v] = masked_vector(of_row[v], n, row, masked_vectors.data() + static_cast<int64_t>(v) * n);
            const double *high = row.high, *low = row.low;
            instruction_set().kernels->two_parts.product(product, {&high, &low, &row.high, n, 1},
                                                         k > 0 ? &masked[0] : nullptr, k > 1 ? &masked[1] : nullptr,
                                                         &row_scale, nullptr);
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
    if (plain)
        return for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            Scratch<T, Use::gradient> exponentials(std::max(n, most_entries_together));
            const auto counts = [&](int64_t r, const T* from, const T*) {
                means[r] = 0.0;
                return !is_massless(from, n, 1, nullptr);
            };
            each_pack_with<S, 1>(x, {&v}, nullptr, begin, end, counts,
                                 [&](const Rows<T>& rows, const auto& others, const int64_t* indices) {
                T* out[most_rows];
                double ones[most_rows], of_rows[most_rows];
                for (int64_t i = 0; i < rows.count; ++i) {
                    out[i] = exponentials.data() + i * n;
                    ones[i] = 1.0;
                }
                kernels<T>().product(Product::mean, {rows.x, nullptr, out, n, rows.count}, others[0], nullptr, ones,
                                     of_rows);
                for (int64_t i = 0; i < rows.count; ++i) means[indices[i]] = of_rows[i];
            });
        });
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(staged_size(n));
        Scratch<double, Use::vector> masked_memory(n);
        each_row_with<S, 1>(x, {&v}, nullptr, begin, end,
                            [&](int64_t r, const T* from, const Vectors<T, 1>& vector, T*) {
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            const double* masked = masked_vector(vector[0], n, row, masked_memory.data());
            means[r] = 0.0;
            if (is_massless(from, n, 1, row.allowed)) return;
            const double *high = row.high, *low = row.low, one = 1.0;
            instruction_set().kernels->two_parts.product(Product::mean, {&high, &low, &row.high, n, 1}, &masked,
                                                         nullptr, &one, &means[r]);
        });
    });
}

// The rows of [first, first + count), which stand contiguously.
template <class T>
void find_rows(const RowView& view, int64_t first, int64_t count, T** rows) {
    view.rows.each(first, first + count,
                   [&](int64_t r, int64_t at) { rows[r - first] = reinterpret_cast<T*>(view.data + at); });
}

template <class S>
void map_products_of_output(Product product, const RowView& output, const RowView& v, const RowView* where,
                            double scale, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = output.entries.size();
    if (n == 0) return;
    if (!where && n <= most_tile_classes_of_output)
        return for_row_ranges<S>(output, [&](int64_t begin, int64_t end) {
            each_tile_with<S, 1>(output, {&v}, out, begin, end,
                                 [&](int64_t, int64_t, int64_t rows, T* tile, const Vectors<T, 1>& of_v) {
                kernels<T>().tiles.product_of_output(product, tile, of_v[0], n, rows, scale);
            });
        });
    const auto kernel = kernels<T>().products_of_output;
    if (!where && is_direct<S>(output) && is_direct<S>(v) && is_direct<S>(out))
        return for_row_ranges<S>(output, [&](int64_t begin, int64_t end) {
            const int64_t together = RowPack<T, 1>(n, true).most();
            const T *outputs[most_rows], *vectors[most_rows];
            T* products[most_rows];
            for (int64_t first = begin; first < end; first += together) {
                const int64_t count = std::min(together, end - first);
                find_rows(output, first, count, outputs);
                find_rows(v, first, count, vectors);
                find_rows(out, first, count, products);
                kernel(product, {outputs, nullptr, products, n, count}, vectors, scale);
            }
        });
    if (!where)
        return for_row_ranges<S>(output, [&](int64_t begin, int64_t end) {
            each_pack_with<S, 1>(output, {&v}, &out, begin, end, [](int64_t, const T*, const T*) { return true; },
                                 [&](const Rows<T>& rows, const auto& others, const int64_t*) {
                kernel(product, rows, others[0], scale);
            });
        });
    const T impossible = product == Product::softmax ? T(0) : -std::numeric_limits<T>::infinity();
    for_row_ranges<S>(output, [&](int64_t begin, int64_t end) {
        Scratch<T, Use::vector> masked(2 * n);
        T *const outputs = masked.data(), *const of_v = outputs + n;
        each_row_with<S, 1>(output, {&v}, &out, begin, end,
                            [&](int64_t r, const T* from, const Vectors<T, 1>& vectors, T* to) {
            const char* const allowed = where->data + where->rows.offset(r);
            where->entries.each(0, n, [&](int64_t j, int64_t at) {
                outputs[j] = allowed[at] ? from[j] : impossible;
                of_v[j] = allowed[at] ? vectors[0][j] : T(0);
            });
            const T *row = outputs, *vector = of_v;
            kernel(product, {&row, nullptr, &to, n, 1}, &vector, scale);
            where->entries.each(0, n, [&](int64_t j, int64_t at) {
                if (!allowed[at]) to[j] = T(0);
            });
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format)                                                                \
    template void map_products<S>(Product, const RowView&, const RowView*, const RowView*, const Transform&, \
                                  const double*, double, bool, const RowView&);                              \
    template void map_products_of_output<S>(Product, const RowView&, const RowView&, const RowView*, double, \
                                            const RowView&);                                                 \
    template void softmax_means<S>(const RowView&, const RowView&, const Transform&, double*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
