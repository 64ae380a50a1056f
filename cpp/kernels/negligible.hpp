// Entries that are too small to matter become 0.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// A NaN is passed over.
template <class T>
SOFTGRAD_INLINE T largest_magnitude(const T* v, int64_t n) {
    constexpr int width = Simd<T>::width;
    T largest = T(0);
    if (n < width) {
        for (int64_t i = 0; i < n; ++i) {
            const T magnitude = v[i] < T(0) ? -v[i] : v[i];
            largest = magnitude > largest ? magnitude : largest;
        }
        return largest;
    }
    Vec<T> lanes{};
    const auto add = [&](int64_t i) __attribute__((always_inline)) {
        const Vec<T> entries = load(v + i);
        lanes = maximum(-entries, maximum(entries, lanes));
    };
    for (int64_t i = 0; i + width <= n; i += width) add(i);
    add(n - width);
    return largest_of_lanes(lanes);
}

// What is below the threshold, times the largest magnitude of v if that is not null, becomes 0. A NaN is below nothing.
template <class T>
void clear_below(T* x, const T* v, int64_t n, double least) {
    if (v != nullptr) least *= static_cast<double>(largest_magnitude(v, n));
    const T threshold = static_cast<T>(least);
    constexpr int width = Simd<T>::width;
    const Vec<T> limit = broadcast(threshold);
    const auto clear = [&](int64_t i) __attribute__((always_inline)) {
        const Vec<T> entries = load(x + i);
        store(x + i, ((entries < limit) & (entries > -limit)) ? Vec<T>{} : entries);
    };
    if (n < width) {
        for (int64_t i = 0; i < n; ++i)
            if (x[i] < threshold && x[i] > -threshold) x[i] = T(0);
        return;
    }
    for (int64_t i = 0; i + width <= n; i += width) clear(i);
    // What the last vector shares with the one before it is cleared twice.
    clear(n - width);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
