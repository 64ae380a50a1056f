// logsumexp: m + log1p(R), rounded to the dtype of the row; or its two terms.
#pragma once

#include "kernels/rows/normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
T logsumexp_row(const T* x, int64_t n) {
    const Normalizer<T> row = normalize<T>(x, n, row_maximum(x, n), nullptr, nullptr);
    if (row.regular) return static_cast<T>(plus(static_cast<double>(row.maximum), row.log_rest));
    return has_nan(x, n) ? T(not_a_number) : row.maximum;
}

// The logarithm of the normalizer above the maximum, log1p(R), of the row x + x_low.
inline void log_normalizer_row(const double* x, const double* x_low, int64_t n, double* parts) {
    const Normalizer<double> row = normalize<double, true>(x, n, row_maximum(x, n), nullptr, nullptr, x_low);
    const bool infinite = !row.regular && !has_nan(x, n);
    parts[0] = row.regular ? row.log_rest.high : infinite ? row.maximum : not_a_number;
    parts[1] = row.regular ? row.log_rest.low : 0.0;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
