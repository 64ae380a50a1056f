// How the results of a row are written over its exponentials.
#pragma once

#include "kernels/rows/normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out[j, j + count) = value(j, count) over [begin, end).
template <class T, class Value>
SOFTGRAD_INLINE void write_row(T* out, int64_t begin, int64_t end, Value value) {
    constexpr int width = Simd<T>::width, unrolled = 4;
    int64_t j = begin;
    for (; j + unrolled * width <= end; j += unrolled * width)
        for (int v = 0; v < unrolled; ++v) store(out + j + v * width, value(j + v * width, width));
    for (; j + width <= end; j += width) store(out + j, value(j, width));
    if (j < end) store_first(out + j, value(j, static_cast<int>(end - j)), static_cast<int>(end - j));
}

// row[j] = use(row[j], j, count) over a row of stored exponentials. `use` is told at compile time whether one may
// belong to the maximum, as in the segments that hold it.
template <class T, class Use>
SOFTGRAD_INLINE void map_exponentials(const Normalizer<T>& normalizer, T* row, int64_t n, Use use) {
    auto write_segment = [&]<bool may_be_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_row(row, begin, end, [&](int64_t j, int count) __attribute__((always_inline)) {
            return use.template operator()<may_be_maximum>(load_or_pad(row + j, count, T(0)), j, count);
        });
    };
    normalizer.of_row.each_segment(n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_segment.template operator()<false>(begin, end);
    }, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_segment.template operator()<true>(begin, end);
    });
}

// Stored exponentials become probabilities times a factor.
template <class T>
inline void scale_row(const Normalizer<T>& normalizer, double factor, T* row, int64_t n) {
    const Probabilities<T> probabilities = normalizer.probabilities(factor);
    map_exponentials(normalizer, row, n,
                     [&]<bool may_be_maximum>(Vec<T> e, int64_t, int) __attribute__((always_inline)) {
        if constexpr (may_be_maximum) return probabilities(e);
        return probabilities.below_maximum(e);
    });
}

template <class T>
inline void fill_row(T* row, int64_t n, T value) {
    for (int64_t j = 0; j < n; ++j) row[j] = value;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
