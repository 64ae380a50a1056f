// The SIMD vocabulary of the kernels: the operations of one instruction set, which CMakeLists.txt names by its file,
// and what follows from them.
#pragma once

#include "kernels/simd/types.hpp"
#include SOFTGRAD_OPERATIONS

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
SOFTGRAD_INLINE Vec<T> load_or_pad(const T* from, int count, T padding) {
    return count == Simd<T>::width ? load(from) : load_first(from, count, padding);
}

// As many as a vector of doubles has lanes.
SOFTGRAD_INLINE Double load_widened(const double* from, int count, double padding) {
    return load_or_pad(from, count, padding);
}
SOFTGRAD_INLINE Double load_widened(const float* from, int count, double padding) {
    HalfFloat half;
    if (count == Simd<double>::width) {
        __builtin_memcpy(&half, from, sizeof half);
        return __builtin_convertvector(half, Double);
    }
    Double v;
    for (int i = 0; i < Simd<double>::width; ++i) v[i] = i < count ? static_cast<double>(from[i]) : padding;
    return v;
}

template <class T>
SOFTGRAD_INLINE void store_first(T* to, Vec<T> v, int count) {
    count == Simd<T>::width ? store(to, v) : store_lanes(to, v, count);
}

inline double fma(double a, double b, double c) { return fused ? __builtin_fma(a, b, c) : a * b + c; }
inline float fma(float a, float b, float c) { return fused ? __builtin_fmaf(a, b, c) : a * b + c; }

// Lane i is lane i ^ by of v.
template <int by, class V>
SOFTGRAD_INLINE V exchanged(V v) {
    constexpr int width = sizeof v / sizeof v[0];
    static_assert(width == 2 || width == 4 || width == 8 || width == 16);
    if constexpr (width == 2)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by);
    else if constexpr (width == 4)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by);
    else if constexpr (width == 8)
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by, 4 ^ by, 5 ^ by, 6 ^ by, 7 ^ by);
    else
        return __builtin_shufflevector(v, v, 0 ^ by, 1 ^ by, 2 ^ by, 3 ^ by, 4 ^ by, 5 ^ by, 6 ^ by, 7 ^ by, 8 ^ by,
                                       9 ^ by, 10 ^ by, 11 ^ by, 12 ^ by, 13 ^ by, 14 ^ by, 15 ^ by);
}

// All lanes in one, by halves: combine(lanes, their partners).
template <int half, class V, class Combine>
SOFTGRAD_INLINE auto fold_lanes(V v, Combine combine) {
    const V folded = combine(v, exchanged<half>(v));
    if constexpr (half == 1)
        return folded[0];
    else
        return fold_lanes<half / 2>(folded, combine);
}

template <class V>
SOFTGRAD_INLINE auto sum_of_lanes(V v) {
    return fold_lanes<sizeof v / sizeof v[0] / 2>(v, [](V a, V b) __attribute__((always_inline)) { return a + b; });
}

template <class V>
SOFTGRAD_INLINE auto largest_of_lanes(V v) {
    return fold_lanes<sizeof v / sizeof v[0] / 2>(
        v, [](V a, V b) __attribute__((always_inline)) { return maximum(b, a); });
}

// Of every 2 * half lanes of a, and then of b, the half that begins at `from`.
template <int half, int from, class V>
SOFTGRAD_INLINE V halves_of(V a, V b) {
    constexpr int width = sizeof a / sizeof a[0];
    static_assert(width == 2 || width == 4 || width == 8 || width == 16);
    constexpr auto at = [](int lane) { return lane / half * 2 * half + lane % half + from; };
    if constexpr (width == 2)
        return __builtin_shufflevector(a, b, at(0), at(1));
    else if constexpr (width == 4)
        return __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3));
    else if constexpr (width == 8)
        return __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
    else
        return __builtin_shufflevector(a, b, at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9),
                                       at(10), at(11), at(12), at(13), at(14), at(15));
}

// Of as many rows as a vector has lanes: lane i of the result is all lanes of rows[i] in one, by halves as in
// fold_lanes. A row is a vector, or several, whose halves split<half, from>(a, b) gives.
template <int half, class Row, class Combine, class Split>
SOFTGRAD_INLINE Row fold_rows(Row* rows, int count, Combine combine, Split split) {
    for (int i = 0; i < count / 2; ++i) {
        const Row a = rows[2 * i], b = rows[2 * i + 1];
        rows[i] = combine(split.template operator()<half, 0>(a, b), split.template operator()<half, half>(a, b));
    }
    if constexpr (half == 1)
        return rows[0];
    else
        return fold_rows<half / 2>(rows, count / 2, combine, split);
}

template <class V>
SOFTGRAD_INLINE V sums_of_rows(V* rows) {
    constexpr int width = sizeof rows[0] / sizeof rows[0][0];
    return fold_rows<width / 2>(rows, width, [](V a, V b) __attribute__((always_inline)) {
        return a + b;
    }, []<int half, int from>(V a, V b) __attribute__((always_inline)) { return halves_of<half, from>(a, b); });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
