// softmax: p_j = exp(x_j - m) / S.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out may be x itself. With `two_parts` the row is x + x_low.
template <class T, bool two_parts = false>
void softmax_row(const T* x, const T* x_low, T* out, int64_t n) {
    const Normalizer<T> row = normalize<T, two_parts>(x, n, row_maximum(x, n), out, out, x_low);
    if (row.regular)
        scale_row(row, 1.0, out, n);
    else
        fill_row(out, n, T(not_a_number));
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
