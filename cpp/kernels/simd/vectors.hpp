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

template <class T>
SOFTGRAD_INLINE void store_first(T* to, Vec<T> v, int count) {
    if (count == Simd<T>::width) return store(to, v);
    T lanes[Simd<T>::width];
    store(lanes, v);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
}

inline double fma(double a, double b, double c) { return fused ? __builtin_fma(a, b, c) : a * b + c; }

// Whether any lane of a comparison is true.
template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    uint64_t words[sizeof mask / sizeof(uint64_t)], found = 0;
    __builtin_memcpy(words, &mask, sizeof mask);
    for (uint64_t word : words) found |= word;
    return found != 0;
}

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

}  // namespace softgrad::SOFTGRAD_ISA_NAME
