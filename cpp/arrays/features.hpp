// Rows of features, dense or sparse, and their products with a matrix of few columns.
#pragma once

#include <algorithm>
#include <cstdint>

#include "arrays/tiles.hpp"

namespace softgrad {

// Rows in C order. A matrix by which they are multiplied has a row a column of the product.
template <class T>
class DenseFeatures {
  public:
    using Entry = T;
    const int64_t n, d;

    DenseFeatures(const T* x, int64_t n, int64_t d) : n(n), d(d), x_(x) {}

    // Products with one weight (k, d), plus a bias, which may be null.
    class Affine {
      public:
        Affine(const DenseFeatures& features, const T* weight, const T* bias, int64_t k)
            : features_(features), k_(k), apart_(whole_packs<T>(k)), columns_((features.d + 1) * apart_) {
            T* const columns = columns_.data();
            std::fill(columns, columns + (features.d + 1) * apart_, T(0));
            for (int64_t c = 0; c < k; ++c)
                for (int64_t j = 0; j < features.d; ++j) columns[j * apart_ + c] = weight[c * features.d + j];
            if (bias) std::copy(bias, bias + k, columns + features.d * apart_);
        }
        int64_t apart() const { return apart_; }
        // Of `count` rows from the first on, to rows that are apart() apart.
        void operator()(int64_t first, int64_t count, T* out) {
            const int64_t d = features_.d;
            kernels<T>().dense.product(features_.row(first), count, d, columns_.data(), apart_,
                                       columns_.data() + d * apart_, out);
        }

      private:
        const DenseFeatures& features_;
        const int64_t k_, apart_;
        Scratch<T, Use::columns> columns_;
    };

    const T* row(int64_t i) const { return x_ + i * d; }
    // Asks for rows while there is other work.
    void fetch(int64_t first, int64_t count) const {
        constexpr int64_t line = 64;
        const char* const from = reinterpret_cast<const char*>(row(first));
        for (int64_t byte = 0; byte < count * d * static_cast<int64_t>(sizeof(T)); byte += line)
            __builtin_prefetch(from + byte, 0, 2);
    }

    // Adds the transpose of a tile of k classes times the rows from the first on to out (k, d).
    void gather(int64_t first, int64_t count, const T* tile, int64_t k, T* out) const {
        Scratch<T, Use::gradient> rest((tile_rows + k) * kernels<T>().together);
        kernels<T>().dense.transposed_product(row(first), count, d, tile, k, out, rest.data());
    }

  private:
    const T* x_;
};

// Rows in CSR form, whose places are Index. A matrix by which they are multiplied has a column a column of the product.
template <class T, class Index>
class SparseFeatures {
  public:
    using Entry = T;
    const int64_t n, d;

    SparseFeatures(const T* values, const Index* columns, const Index* starts, int64_t n, int64_t d)
        : n(n), d(d), values_(values), columns_(columns), starts_(starts) {}

    // Whether every row lies within so many entries, and every entry within the columns.
    bool within(int64_t entries) const {
        bool inside = starts_[0] == 0 && starts_[n] <= entries;
        for (int64_t i = 0; i < n; ++i) inside &= starts_[i] <= starts_[i + 1];
        if (!inside) return false;
        for (Index e = 0; e < starts_[n]; ++e) inside &= columns_[e] >= 0 && columns_[e] < d;
        return inside;
    }

    // Products with one weight (d, k), plus a bias, which may be null.
    class Affine {
      public:
        Affine(const SparseFeatures& features, const T* weight, const T* bias, int64_t k)
            : features_(features), weight_(weight), bias_(bias), k_(k) {}
        int64_t apart() const { return k_; }
        void operator()(int64_t first, int64_t count, T* out) {
            kernel().product(features_.values_, features_.columns_, features_.starts_ + first, count, weight_, k_,
                             bias_, out);
        }

      private:
        const SparseFeatures& features_;
        const T *const weight_, *const bias_;
        const int64_t k_;
    };

    void fetch(int64_t, int64_t) const {}
    // Adds the transpose of the rows from the first on times the tile's to out (d, k).
    void gather(int64_t first, int64_t count, const T* tile, int64_t k, T* out) const {
        Scratch<T, Use::gradient> rows(tile_rows * k);
        kernels<T>().drain(tile, tile_rows, k, count, reinterpret_cast<char*>(rows.data()),
                           k * static_cast<int64_t>(sizeof(T)));
        gather_rows(first, count, rows.data(), k, out);
    }
    // The same with `dense` (count, k) in C order.
    void gather_rows(int64_t first, int64_t count, const T* dense, int64_t k, T* out) const {
        kernel().transposed_product(values_, columns_, starts_ + first, count, dense, k, out);
    }

  private:
    static const SparseKernels<T, Index>& kernel() {
        if constexpr (sizeof(Index) == 4)
            return kernels<T>().sparse32;
        else
            return kernels<T>().sparse64;
    }
    const T* values_;
    const Index *columns_, *starts_;
};

}  // namespace softgrad
