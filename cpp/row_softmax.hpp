// softmax: p_j = exp(x_j - m) / S.
#pragma once

#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out may be x itself.
template <class T>
void softmax_row(const T* x, T* out, int64_t n) {
    const Normalizer<T> row = normalize(x, n, out);
    if (row.regular)
        scale_row(out, n, row, 1.0);
    else
        fill_row(out, n, T(not_a_number));
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
