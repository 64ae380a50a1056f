// logsumexp: m + log1p(R), rounded to the dtype of the row; or its two terms.
#pragma once

#include "kernels/rows/normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
void logsumexp_rows(const Rows<T>& rows, T* results) {
    NormalizedRows<T> normalized;
    normalize<T>(rows, false, normalized);
    find_logarithms(&normalized.pack, 1);
    const Vec<T> logsumexp = normalized.pack.logsumexp();
    for (int r = 0; r < rows.count; ++r) {
        results[r] = logsumexp[r];
        if (!normalized.regular(r))
            results[r] = has_nan(rows.x[r], rows.n) ? T(not_a_number) : normalized.of_row[r].value;
    }
}

// The logarithm of the normalizer above the maximum, log1p(R), of the row x + x_low.
inline void log_normalizer_row(const double* x, const double* x_low, int64_t n, double* parts) {
    NormalizedRows<double> normalized;
    normalize<double, true>({&x, &x_low, nullptr, n, 1}, false, normalized);
    find_logarithms(&normalized.pack, 1);
    const Normalizer<double> row = normalized.row(0);
    const bool regular = normalized.regular(0), infinite = !regular && !has_nan(x, n);
    parts[0] = regular ? row.log_rest.high : infinite ? row.maximum : not_a_number;
    parts[1] = regular ? row.log_rest.low : 0.0;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
