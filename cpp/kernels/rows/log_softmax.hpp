// log_softmax: (x_j - m) - log1p(R), two terms of one sign.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out may be x itself. With `two_parts` the row is x + x_low.
template <class T, bool two_parts = false>
void log_softmax_row(const T* x, const T* x_low, T* out, int64_t n) {
    const Normalizer<T> row = normalize<T, two_parts>(x, n, row_maximum(x, n), nullptr, out, x_low);
    if (!row.regular) return fill_row(out, n, T(not_a_number));
    const Vec<T> maximum = broadcast(row.maximum),
                 log_rest = broadcast(static_cast<T>(row.log_rest.high + row.log_rest.low));
    auto value = [&](int64_t j, int count) __attribute__((always_inline)) {
        const Vec<T> below = load_or_pad(x + j, count, T(0)) - maximum;
        // -inf has no second part.
        if constexpr (two_parts) return below - (log_rest - load_or_pad(x_low + j, count, T(0)));
        return below - log_rest;
    };
    write_row(out, 0, n, value);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
