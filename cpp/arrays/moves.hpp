// Rows of a view read and written where kernels cannot work on them as they stand.
#pragma once

#include <cstdint>

#include "arrays/dtypes.hpp"
#include "arrays/kernels_of.hpp"
#include "arrays/layout.hpp"

namespace softgrad {

// Calls move(i, j, element) for `count` rows from `first` on that are not contiguous, entry by entry, so that
// neighbouring rows are read and written together.
template <class S, class Move>
void for_entries(const RowView& view, int64_t first, int64_t count, const Move& move) {
    int64_t rows[tile_rows];
    view.rows.each(first, first + count, [&](int64_t r, int64_t offset) { rows[r - first] = offset; });
    view.entries.each(0, view.entries.size(), [&](int64_t j, int64_t at) {
        for (int64_t i = 0; i < count; ++i) move(i, j, reinterpret_cast<S*>(view.data + rows[i] + at));
    });
}

// Rows of two bytes an entry, each contiguous, to floats `apart` from row to row and back; at once where they follow
// each other.
template <class S>
void widen_rows(const RowView& view, int64_t first, int64_t count, float* to, int64_t apart) {
    const int64_t n = view.entries.size();
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t stride) {
        const int64_t together = apart == n && stride == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together)
            conversions<S>().widen(reinterpret_cast<const uint16_t*>(view.data + at + i * stride),
                                   to + (r - first + i) * apart, together * n);
    });
}

template <class S>
void narrow_rows(const float* from, int64_t apart, const RowView& view, int64_t first, int64_t count) {
    const int64_t n = view.entries.size();
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t stride) {
        const int64_t together = apart == n && stride == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together)
            conversions<S>().narrow(from + (r - first + i) * apart,
                                    reinterpret_cast<uint16_t*>(view.data + at + i * stride), together * n);
    });
}

// Calls move(i, j, rows, entries, at, stride) for the rectangles of `count` rows from `first` on whose rows are
// neighbours in memory: rows from first + i, entries from j on, `stride` bytes apart.
template <class Move>
void each_rectangle(const RowView& view, int64_t first, int64_t count, const Move& move) {
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t rows, int64_t row_at, int64_t) {
        view.entries.each_run(0, view.entries.size(), [&](int64_t j, int64_t entries, int64_t at, int64_t stride) {
            move(r - first, j, rows, entries, view.data + row_at + at, stride);
        });
    });
}

}  // namespace softgrad
