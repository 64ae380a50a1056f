// Cross-entropy at the class t of the label: loss (m - x_t) + log1p(R), gradient p - onehot(t), times a scale.
#pragma once

#include "kernels/rows/stores.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
void cross_entropy_rows(const Rows<T>& rows, const int64_t* labels, const double* scale, double* losses) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    T logits[width] = {}, exponentials[width] = {};
    for (int r = 0; r < rows.count; ++r) logits[r] = rows.x[r][labels[r]];
    NormalizedRows<T> normalized;
    normalize<T>(rows, rows.out, normalized);
    Pack<T>& pack = normalized.pack;
    find_logarithms(&pack, 1);
    const Vec<T> at_label = load(logits);
    double of_rows[width], factors[width] = {}, slopes[width];
    for (int h = 0; h < halves<T>; ++h)
        store(of_rows + h * half_width, plus(half_of(pack.maximum, h) - half_of(at_label, h), pack.log_rest[h]));
    for (int r = 0; r < rows.count; ++r) losses[r] = normalized.regular(r) ? of_rows[r] : not_a_number;
    if (!rows.out) return;

    find_inverses(&pack, 1);
    for (int r = 0; r < rows.count; ++r) {
        exponentials[r] = rows.out[r][labels[r]];
        factors[r] = scale[r];
    }
    const Mask<T> is_maximum = at_label == pack.maximum;
    Double factor[halves<T>];
    for (int h = 0; h < halves<T>; ++h) {
        factor[h] = load(factors + h * half_width);
        store(slopes + h * half_width, pack.slope_at_label(h, is_maximum, half_of(load(exponentials), h)) * factor[h]);
    }
    const Probabilities<T> probabilities = pack.probabilities(factor);
    for (int r = 0; r < rows.count; ++r) {
        T* const gradient = rows.out[r];
        if (!normalized.regular(r)) {
            fill_row(gradient, rows.n, T(not_a_number));
            continue;
        }
        scale_row(normalized.of_row[r], probabilities.of_lane(r), gradient, rows.n);
        gradient[labels[r]] = static_cast<T>(slopes[r]);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
