#include "arrays/logsumexp.hpp"

#include <cmath>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

template <class S>
void logsumexp(const RowView& x, const Transform& transform, S* out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && fits_a_tile(n)) {
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile<S>(x, nullptr, begin, end, [&](int64_t first, int64_t count, int64_t rows, const T* tile) {
                T values[tile_rows];
                kernels<T>().tiles.logsumexp(tile, n, rows, values);
                for (int64_t i = 0; i < count; ++i) out[first + i] = narrow_to<S>(values[i]);
            });
        });
        return;
    }
    if (plain) {
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_pack<S>(x, nullptr, begin, end, [&](const Rows<T>& rows, const int64_t* indices) {
                T values[most_rows];
                kernels<T>().logsumexp(rows, values);
                for (int64_t i = 0; i < rows.count; ++i) out[indices[i]] = narrow_to<S>(values[i]);
            });
        });
        return;
    }
    const auto two_parts_kernel = instruction_set().kernels->log_normalizer;
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staged> scratch(staged_size(n));
        each_row<S>(x, nullptr, begin, end, [&](int64_t r, const T* from, T*) {
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            double parts[2];
            two_parts_kernel(row.high, row.low, n, parts);
            const double sum = row.maximum + parts[0], taken = sum - row.maximum;
            const double lost = (row.maximum - (sum - taken)) + (parts[0] - taken);
            out[r] = narrow_to<S>(static_cast<T>(std::isfinite(sum) ? sum + (lost + parts[1] + row.maximum_low) : sum));
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format) template void logsumexp<S>(const RowView&, const Transform&, S*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
