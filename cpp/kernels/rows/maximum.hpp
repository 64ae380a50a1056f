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

// The maximum of a row, NaN passed over (-inf for an empty row), and which of at most 64 segments hold an entry equal
// to it: only there is it looked for again.
template <class T>
struct Maximum {
    T value;
    int64_t segment;           // elements of a segment, a multiple of a group
    uint64_t segments, holds;  // bit b: segment b is in the row; it holds the maximum
    T elsewhere;               // the maximum of the other segments

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

template <class T>
inline Maximum<T> row_maximum(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, most_segments = 64, unrolled = 4;
    Maximum<T> result;
    result.segment = ((n + most_segments - 1) / most_segments + group<T> - 1) / group<T> * group<T>;
    Vec<T> of_segment[most_segments], of_row = broadcast(T(-infinity));
    int segments = 0;
    for (int64_t i = 0; i < n;) {
        const int64_t end = i + result.segment < n ? i + result.segment : n;
        Vec<T> kept[unrolled];
        for (int v = 0; v < unrolled; ++v) kept[v] = broadcast(T(-infinity));
        for (; i + unrolled * width <= end; i += unrolled * width)
            for (int v = 0; v < unrolled; ++v) kept[v] = maximum(load(x + i + v * width), kept[v]);
        for (; i < end; i += width)
            kept[0] =
                maximum(load_or_pad(x + i, static_cast<int>(end - i < width ? end - i : width), T(-infinity)), kept[0]);
        for (int v = 1; v < unrolled; ++v) kept[0] = maximum(kept[v], kept[0]);
        of_segment[segments++] = kept[0];
        of_row = maximum(kept[0], of_row);
    }
    result.value = largest_of_lanes(of_row);
    result.segments = result.holds = 0;
    Vec<T> elsewhere = broadcast(T(-infinity));
    for (int b = 0; b < segments; ++b) {
        const bool holds = any(of_segment[b] == result.value);
        result.segments |= uint64_t(1) << b;
        result.holds |= uint64_t(holds) << b;
        elsewhere = maximum(holds ? broadcast(T(-infinity)) : of_segment[b], elsewhere);
    }
    result.elsewhere = largest_of_lanes(elsewhere);
    return result;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
