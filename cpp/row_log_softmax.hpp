// log_softmax: (x_j - m) - log1p(R), two terms of one sign.
#pragma once

#include "row_normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out may be x itself.
template <class T>
void log_softmax_row(const T* x, T* out, int64_t n) {
    const Normalizer<T> row = normalize<T>(x, n, nullptr);
    if (!row.regular) return fill_row(out, n, T(not_a_number));
    const Vec<T> maximum = broadcast(row.maximum), log_rest = broadcast(static_cast<T>(row.log_rest.high + row.log_rest.low));
    constexpr int width = Simd<T>::width;
    int64_t j = 0;
    for (; j + width <= n; j += width) store(out + j, (load(x + j) - maximum) - log_rest);
    for (; j < n; ++j) out[j] = (x[j] - maximum[0]) - log_rest[0];
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
