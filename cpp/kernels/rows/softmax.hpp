// softmax: p_j = exp(x_j - m) / S.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T, bool two_parts = false>
void softmax_rows(const Rows<T>& rows) {
    NormalizedRows<T> normalized;
    normalize<T, two_parts>(rows, true, normalized);
    find_inverses(&normalized.pack, 1);
    const Probabilities<T> probabilities = normalized.pack.probabilities();
    for (int r = 0; r < rows.count; ++r) {
        if (normalized.regular(r))
            scale_row(normalized.of_row[r], probabilities.of_lane(r), rows.out[r], rows.n);
        else
            fill_row(rows.out[r], rows.n, T(not_a_number));
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
