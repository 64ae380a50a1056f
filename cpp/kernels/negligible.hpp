// Entries that are too small to matter become 0.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// A NaN is below nothing.
template <class T>
void clear_below(T* x, int64_t n, T threshold) {
    constexpr int width = Simd<T>::width;
    const Vec<T> least = broadcast(threshold);
    const auto clear = [&](int64_t i) __attribute__((always_inline)) {
        const Vec<T> v = load(x + i);
        store(x + i, (v < least) & (v > -least) ? Vec<T>{} : v);
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
