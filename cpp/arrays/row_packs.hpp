// Rows given to kernels that take several together.
#pragma once

#include <algorithm>
#include <cstdint>

#include "arrays/gathered_rows.hpp"

namespace softgrad {

// Entries of rows that go through a kernel together, which reads them three times: what the innermost cache holds
// beside the results.
constexpr int64_t most_entries_together = 1 << 11;

// Rows collected for a kernel, with the same rows of k other arrays.
template <class T, size_t k>
class RowPack {
  public:
    RowPack(int64_t n, bool with_out)
        : n_(n),
          most_(std::clamp<int64_t>(most_entries_together / std::max<int64_t>(n, 1), 1, kernels<T>().together)),
          with_out_(with_out) {}
    void add(int64_t row, const T* x, const Vectors<T, k>& others, T* out) {
        indices_[count_] = row;
        x_[count_] = x;
        for (size_t v = 0; v < k; ++v) others_[v][count_] = others[v];
        out_[count_++] = out;
    }
    bool full() const { return count_ == most_; }
    int64_t most() const { return most_; }
    // Calls kernel(rows, the rows of the others, indices of the rows) with what was added.
    template <class Kernel>
    void empty(const Kernel& kernel) {
        if (count_ > 0) kernel(Rows<T>{x_, nullptr, with_out_ ? out_ : nullptr, n_, count_}, others_, indices_);
        count_ = 0;
    }

  private:
    int64_t n_, most_, count_ = 0;
    bool with_out_;
    int64_t indices_[most_rows];
    const T* x_[most_rows];
    const T* others_[std::max<size_t>(k, 1)][most_rows];
    T* out_[most_rows];
};

// Calls kernel(rows, the rows of the others, indices of the rows) with the rows of [begin, end) that counts(row, x,
// out) is true of.
template <class S, size_t k, class Counts, class Kernel>
void each_pack_with(const RowView& x, const Views<k>& others, const RowView* out, int64_t begin, int64_t end,
                    const Counts& counts, const Kernel& kernel) {
    using T = Compute<S>;
    RowPack<T, k> pack(x.entries.size(), out != nullptr);
    each_row_with<S, k>(x, others, out, begin, end, [&](int64_t r, const T* from, const Vectors<T, k>& vectors, T* to) {
        if (!counts(r, from, to)) return;
        pack.add(r, from, vectors, to);
        if (pack.full()) pack.empty(kernel);
    }, [&] { pack.empty(kernel); });
}

// Calls kernel(rows, indices of the rows) with the rows of [begin, end).
template <class S, class Kernel>
void each_pack(const RowView& x, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    each_pack_with<S, 0>(x, {}, out, begin, end, [](int64_t, const T*, const T*) { return true; },
                         [&](const Rows<T>& rows, const auto&, const int64_t* indices) { kernel(rows, indices); });
}

}  // namespace softgrad
