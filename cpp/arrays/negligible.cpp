#include "arrays/negligible.hpp"

#include "arrays/parallel_rows.hpp"

namespace softgrad {

template <class T>
void clear_below(const RowView& rows, const double* thresholds, const RowView* vectors) {
    const int64_t n = rows.entries.size();
    const auto kernel = kernels<T>().clear_below;
    for_ranges(rows.rows.size(), n, 1, [&](int64_t begin, int64_t end) {
        rows.rows.each(begin, end, [&](int64_t r, int64_t at) {
            const char* const vector = vectors ? vectors->data + vectors->rows.offset(r) : nullptr;
            kernel(reinterpret_cast<T*>(rows.data + at), reinterpret_cast<const T*>(vector), n, thresholds[r]);
        });
    });
}

template void clear_below<float>(const RowView&, const double*, const RowView*);
template void clear_below<double>(const RowView&, const double*, const RowView*);

}  // namespace softgrad
