// Rows split over the threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "arrays/row_packs.hpp"
#include "arrays/tiles.hpp"
#include "threads/thread_pool.hpp"

namespace softgrad {

// What a range should cost, and from what cost on a call is shared out: waking a thread takes as long as some 100 us of
// work. The cost of a row is its number of elements, and for few classes, where the scalars of the row count,
// tile_row_overhead more. (docs/design has the figures.)
constexpr int64_t range_cost = 1 << 13, shared_cost = 1 << 17, tile_row_overhead = 20;

// Calls work(begin, end) over [0, rows) in ranges of multiples of `together` rows, in parallel where it pays.
template <class Work>
void for_ranges(int64_t rows, int64_t row_cost, int64_t together, const Work& work) {
    if (rows == 0) return;
    const int64_t per_row = std::max<int64_t>(row_cost, 1), wanted = (range_cost + per_row - 1) / per_row;
    if (rows < shared_cost / per_row) return work(0, rows);
    const int64_t per_range = (wanted + together - 1) / together * together,
                  ranges = (rows + per_range - 1) / per_range;
    parallel_for(ranges, [&](int64_t i) { work(i * per_range, std::min(rows, (i + 1) * per_range)); });
}

// Calls work(begin, end) over ranges of the rows of a view; what goes through a tile stays together.
template <class S, class Work>
void for_row_ranges(const RowView& view, const Work& work) {
    const int64_t n = view.entries.size();
    if (fits_a_tile(n)) return for_ranges(view.rows.size(), n + tile_row_overhead, tile_rows, work);
    for_ranges(view.rows.size(), n, view.entries.contiguous(sizeof(S)) ? 1 : most_gathered_rows, work);
}

}  // namespace softgrad
