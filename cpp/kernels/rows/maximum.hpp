// The maximum of a row, and where it is.
#pragma once

#include "kernels/arithmetic/lane_sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
inline bool is_finite(T value) {
    return value - value == T(0);
}

template <class T>
inline bool has_nan(const T* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        if (x[i] != x[i]) return true;
    return false;
}

// The maximum of a row, NaN passed over (-inf for an empty row), the largest entry below it, and which of at most 64
// segments hold an entry equal to it: only there is it looked for again.
template <class T>
struct Maximum {
    T value, below;
    int64_t segment;           // elements of a segment, a multiple of a group
    uint64_t segments, holds;  // bit b: segment b is in the row; it holds the maximum

    // First the segments that do not hold it, then those that do: nearly always one, so that no branch depends on where
    // it is.
    template <class Without, class With>
    SOFTGRAD_INLINE void each_segment(int64_t n, Without without, With with) const {
        auto each = [&](uint64_t bits, auto visit) __attribute__((always_inline)) {
            for (; bits; bits &= bits - 1) {
                const int64_t begin = __builtin_ctzll(bits) * segment;
                visit(begin, begin + segment < n ? begin + segment : n);
            }
        };
        each(segments & ~holds, without);
        each(holds, with);
    }
};

// The largest of a part of a row but for what equals the maximum of the row, and `so_far`.
template <class T>
SOFTGRAD_INLINE Vec<T> largest_below(const T* x, int64_t n, T maximum_of_row, Vec<T> so_far) {
    constexpr int width = Simd<T>::width;
    const Vec<T> lowest = broadcast(T(-infinity));
    auto look = [&](Vec<T> v)
                    __attribute__((always_inline)) { so_far = maximum(v == maximum_of_row ? lowest : v, so_far); };
    int64_t i = 0;
    for (; i + width <= n; i += width) look(load(x + i));
    if (i < n) look(load_or_pad(x + i, static_cast<int>(n - i), T(-infinity)));
    return so_far;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
