// How the results of a row are written over its exponentials.
#pragma once

#include "kernels/rows/normalizer.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// out[j, j + count) = value(j, count) over [begin, end); value may read out. What whole vectors leave over is found
// first, with what is before it, and stored whole: a load that follows has to wait for a store of some lanes, also if
// it is of none of them.
template <class T, class Value>
SOFTGRAD_INLINE void write_row(T* out, int64_t begin, int64_t end, Value value) {
    constexpr int width = Simd<T>::width, unrolled = 4;
    if (end - begin < width) {
        const int count = static_cast<int>(end - begin);
        if (count > 0) store_first(out + begin, value(begin, count), count);
        return;
    }
    const Vec<T> last = value(end - width, width);
    int64_t j = begin;
    for (; j + unrolled * width <= end; j += unrolled * width)
        for (int v = 0; v < unrolled; ++v) store(out + j + v * width, value(j + v * width, width));
    for (; j + width < end; j += width) store(out + j, value(j, width));
    store(out + end - width, last);
}

// row[j] = use(row[j], j, count) over a row of stored exponentials. `use` is told at compile time whether one may
// belong to the maximum, as in the segments that hold it.
template <class T, class Use>
SOFTGRAD_INLINE void map_exponentials(const Maximum<T>& of_row, T* row, int64_t n, Use use) {
    auto write_segment = [&]<bool may_be_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_row(row, begin, end, [&](int64_t j, int count) __attribute__((always_inline)) {
            return use.template operator()<may_be_maximum>(load_or_pad(row + j, count, T(0)), j, count);
        });
    };
    of_row.each_segment(n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_segment.template operator()<false>(begin, end);
    }, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        write_segment.template operator()<true>(begin, end);
    });
}

// Stored exponentials become probabilities times a factor.
template <class T>
inline void scale_row(const Maximum<T>& of_row, const Probabilities<T>& probabilities, T* row, int64_t n) {
    map_exponentials(of_row, row, n, [&]<bool may_be_maximum>(Vec<T> e, int64_t, int) __attribute__((always_inline)) {
        if constexpr (may_be_maximum) return probabilities(e);
        return probabilities.below_maximum(e);
    });
}
template <class T>
inline void fill_row(T* row, int64_t n, T value) {
    for (int64_t j = 0; j < n; ++j) row[j] = value;
}

// The index of the maximum, the first where there are several, by the exponentials as they are stored.
template <class T>
inline int64_t index_of_maximum(const Maximum<T>& of_row, T at_maximum, const T* e, int64_t n) {
    constexpr int width = Simd<T>::width;
    int64_t k = n;
    of_row.each_segment(n, [](int64_t, int64_t) {}, [&](int64_t j, int64_t end) {
        if (k < n) return;
        while (j + width <= end && !any(load(e + j) == broadcast(at_maximum))) j += width;
        while (e[j] != at_maximum) ++j;
        k = j;
    });
    return k;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
