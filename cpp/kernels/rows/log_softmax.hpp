// log_softmax: (x_j - m) - log1p(R), two terms of one sign.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T, bool two_parts = false>
void log_softmax_rows(const Rows<T>& rows) {
    NormalizedRows<T> normalized;
    normalize<T, two_parts>(rows, false, normalized);
    find_logarithms(&normalized.pack, 1);
    const Vec<T> log_rests = normalized.pack.log_rest_rounded();
    for (int r = 0; r < rows.count; ++r) {
        if (!normalized.regular(r)) {
            fill_row(rows.out[r], rows.n, T(not_a_number));
            continue;
        }
        const T* const x = rows.x[r];
        const Vec<T> maximum = broadcast(normalized.of_row[r].value), log_rest = broadcast(log_rests[r]);
        write_row(rows.out[r], 0, rows.n, [&](int64_t j, int count) __attribute__((always_inline)) {
            const Vec<T> below = load_or_pad(x + j, count, T(0)) - maximum;
            // -inf has no second part.
            if constexpr (two_parts) return below - (log_rest - load_or_pad(rows.x_low[r] + j, count, T(0)));
            return below - log_rest;
        });
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
