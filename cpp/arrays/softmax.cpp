#include "arrays/softmax.hpp"

#include <algorithm>
#include <limits>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

template <class S>
void map_rows(RowMap function, const RowView& x, const Transform& transform, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool is_log = function == RowMap::log_softmax;
    if (transform.is_identity() && fits_a_tile(n, most_tile_classes_written)) {
        const auto kernel = is_log ? kernels<T>().tiles.log_softmax : kernels<T>().tiles.softmax;
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile<S>(x, out, begin, end, [&](int64_t, int64_t, int64_t rows, T* tile) { kernel(tile, n, rows); });
        });
        return;
    }
    if (transform.is_identity()) {
        const auto kernel = is_log ? kernels<T>().log_softmax : kernels<T>().softmax;
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_pack<S>(x, &out, begin, end, [&](const Rows<T>& rows, const int64_t*) { kernel(rows); });
        });
        return;
    }
    const auto& two_parts = instruction_set().kernels->two_parts;
    const auto kernel = is_log ? two_parts.log_softmax : two_parts.softmax;
    const T left_out = is_log ? -std::numeric_limits<T>::infinity() : T(0);
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(staged_size(n));
        each_row<S>(x, &out, begin, end, [&](int64_t r, const T* from, T* to) {
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            if (row.allowed_count == 0) return static_cast<void>(std::fill(to, to + n, left_out));
            const double *high = row.high, *low = row.low;
            kernel({&high, &low, &row.high, n, 1});
            for (int64_t j = 0; j < n; ++j)
                to[j] = row.allowed && !row.allowed[j] ? left_out : static_cast<T>(row.high[j]);
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format) \
    template void map_rows<S>(RowMap, const RowView&, const Transform&, const RowView&);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
