// Cross-entropy at the class t of the label: loss (m - x_t) + log1p(R), gradient p - onehot(t), times `scale`.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The gradient at the label: -R / (1 + R) where the label is the maximum (p - 1 would cancel), else p - 1, with
// p <= 1/2. Adding 0 makes a -0 a +0.
template <class T>
inline double gradient_at_label(const Normalizer<T>& row, bool is_maximum, T exponential) {
    if (is_maximum) return 0.0 - row.rest / (1.0 + row.rest);
    return static_cast<double>(exponential * ExpConstants<T>::unspare) * row.inverse.high - 1.0;
}

// Returns the loss, unscaled. gradient may be null, or x itself.
template <class T>
double cross_entropy_row(const T* x, int64_t n, int64_t label, double scale, T* gradient) {
    const T logit = x[label];
    const Normalizer<T> row = normalize(x, n, row_maximum(x, n), gradient, gradient);
    if (!row.regular) {
        if (gradient) fill_row(gradient, n, T(not_a_number));
        return not_a_number;
    }
    if (gradient) {
        const double at_label = gradient_at_label(row, logit == row.maximum, gradient[label]);
        scale_row(row, scale, gradient, n);
        gradient[label] = static_cast<T>(at_label * scale);
    }
    return plus(static_cast<double>(row.maximum) - static_cast<double>(logit), row.log_rest);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
