// logsumexp: m + log1p(R).
#pragma once

#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
T logsumexp_row(const T* x, int64_t n) {
    const Normalizer<T> row = normalize<T>(x, n, nullptr);
    if (row.regular) return static_cast<T>(plus(static_cast<double>(row.maximum), row.log_rest));
    return has_nan(x, n) ? T(not_a_number) : row.maximum;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
