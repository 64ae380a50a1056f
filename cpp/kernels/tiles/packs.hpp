// Rows of few classes, worked on with lanes across rows: entry j of `width` neighbouring rows is one pack. A row kernel
// would spend more on the scalars of a row than on its entries. Every lane does the same, wherever its row is.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/packs.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
constexpr int most_packs = tile_rows / Simd<T>::width;

template <class T>
SOFTGRAD_INLINE int packs_of(int64_t rows) {
    return static_cast<int>((rows + Simd<T>::width - 1) / Simd<T>::width);
}

// Calls use(first row, which pack) for the packs of a tile.
template <class T, class Use>
SOFTGRAD_INLINE void each_pack(int64_t rows, Use use) {
    for (int64_t i = 0, k = 0; i < rows; i += Simd<T>::width, ++k) use(i, k);
}

template <class T>
SOFTGRAD_INLINE void find_maxima(const T* tile, int64_t n, int64_t rows, Pack<T>* packs) {
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Vec<T> largest = broadcast(T(-infinity)), second = largest;
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> v = load(tile + i + j * tile_rows);
            second = maximum(minimum(v, largest), second);
            largest = maximum(v, largest);
        }
        packs[k].maximum = largest;
        packs[k].second = second;
        Vec<T> count = broadcast(T(1));
        if (any(largest == second)) {
            count = Vec<T>{};
            for (int64_t j = 0; j < n; ++j)
                count += load(tile + i + j * tile_rows) == largest ? broadcast(T(1)) : Vec<T>{};
        }
        for (int h = 0; h < halves<T>; ++h) packs[k].masses[h].count = half_of(count, h);
    });
}

// After the maxima. Stores the exponentials, 2^spare too large, where `exponentials` is given.
template <class T>
SOFTGRAD_INLINE void sum_exponentials(const T* tile, int64_t n, int64_t rows, T* exponentials, Pack<T>* packs) {
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Pack<T>& pack = packs[k];
        const Vec<T> largest = pack.maximum;
        const Origin<T> origin = origin_at<T>(largest);
        // Where the second is the maximum too, R is at least 1, and what is lost in the bound does not count.
        const Vec<T> bound = bound_at(origin, pack.second);
        BoundedSum<T> others(bound);
        auto add_all = [&]<bool moved>() __attribute__((always_inline)) {
            Origin<T> from = origin;
            if constexpr (!moved) from.subtract = Vec<T>{};
            auto add = [&]<int together>(int64_t j) __attribute__((always_inline)) {
                Vec<T> v[together];
                Exponential<T> e[together];
                unrolled<0, together>(
                    [&]<int m>() __attribute__((always_inline)) { v[m] = load(tile + i + (j + m) * tile_rows); });
                exp_from<together, T>(from, v, nullptr, e);
                unrolled<0, together>([&]<int m>() __attribute__((always_inline)) {
                    others.add(without(e[m], v[m] == largest));
                    if (exponentials) store(exponentials + i + (j + m) * tile_rows, e[m].value);
                });
            };
            int64_t j = 0;
            for (; j + 8 <= n; j += 8) add.template operator()<8>(j);
            auto add_rest = [&]<int together>() __attribute__((always_inline)) {
                if (j + together > n) return;
                add.template operator()<together>(j);
                j += together;
            };
            add_rest.template operator()<4>();
            add_rest.template operator()<2>();
            add_rest.template operator()<1>();
        };
        if (any(origin.subtract != Vec<T>{}))
            add_all.template operator()<true>();
        else
            add_all.template operator()<false>();

        const Exponential<T> at_maximum = exp_from(origin, largest);
        pack.at_maximum = at_maximum.value;
        for (int h = 0; h < halves<T>; ++h) {
            pack.masses[h].maximum = half_of(at_maximum.in_parts(), h);
            pack.masses[h].others = half_of(others.above(bound), h);
        }
    });
}

template <class T>
SOFTGRAD_INLINE void scale_pack(T* exponentials, int64_t n, const Probabilities<T>& probabilities) {
    for (int64_t j = 0; j < n; ++j) {
        T* at = exponentials + j * tile_rows;
        store(at, probabilities(load(at)));
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
