// Rows of few classes, worked on with lanes across rows: entry j of `width` neighbouring rows is one pack. A row kernel
// would spend more on the scalars of a row than on its entries. Every lane does the same, wherever its row is.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/arithmetic/normalization.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// What the rows of one pack are made of.
template <class T>
struct Pack {
    Vec<T> maximum;
    Vec<T> second;      // the largest entry but for one that is the maximum; -inf if there is no other
    Vec<T> at_maximum;  // the exponential of the maximum as it is stored
    Masses<Double> masses[halves<T>];
    TwoParts<Double> rest[halves<T>];      // R; NaN where the maximum is not finite
    TwoParts<Double> log_rest[halves<T>];  // log1p(R)
    TwoParts<Double> inverse[halves<T>];   // 1 / S
    TwoParts<Double> largest[halves<T>];   // the probability of the maximum, 1 / (1 + R)

    SOFTGRAD_INLINE Probabilities<T> probabilities(const Double* factor) const {
        return {inverse, largest, factor, at_maximum};
    }
};

template <class T>
constexpr int most_packs = tile_rows / Simd<T>::width;

// Calls use(first row, which pack) for the packs of a tile. What a pack needs is found for all of them before the next
// step, so that the machine has something to do while one waits for a quotient.
template <class T, class Use>
SOFTGRAD_INLINE void each_pack(int64_t rows, Use use) {
    for (int64_t i = 0, k = 0; i < rows; i += Simd<T>::width, ++k) use(i, k);
}

template <class T>
SOFTGRAD_INLINE void find_maxima(const T* tile, int64_t n, int64_t rows, Pack<T>* packs) {
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Vec<T> largest = broadcast(T(-infinity)), second = largest;
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> v = load(tile + i + j * tile_rows), smaller = largest < v ? largest : v;
            second = maximum(smaller, second);
            largest = maximum(v, largest);
        }
        packs[k].maximum = largest;
        packs[k].second = second;
    });
}

// After the maxima. Stores the exponentials, 2^spare too large, where `exponentials` is given.
template <class T>
SOFTGRAD_INLINE void sum_exponentials(const T* tile, int64_t n, int64_t rows, T* exponentials, Pack<T>* packs) {
    using C = ExpConstants<T>;
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        Pack<T>& pack = packs[k];
        const Vec<T> largest = pack.maximum;
        const Origin<T> origin = origin_at<T>(largest);
        // Where the second is the maximum too, R is at least 1, and what is lost in the bound does not count.
        const Vec<T> bound = bound_at(origin, pack.second);
        BoundedSum<T> others(bound);
        Mask<T> maxima{};
        auto add_all = [&]<bool moved>() __attribute__((always_inline)) {
            Origin<T> from = origin;
            if constexpr (!moved) from.subtract = Vec<T>{};
            auto add = [&]<int together>(int64_t j) __attribute__((always_inline)) {
                Vec<T> v[together];
                Exponential<T> e[together];
                for (int m = 0; m < together; ++m) v[m] = load(tile + i + (j + m) * tile_rows);
                exp_from<together, T>(from, v, nullptr, e);
                for (int m = 0; m < together; ++m) {
                    const Mask<T> equal = v[m] == largest;
                    maxima -= equal;
                    others.add(without(e[m], equal));
                    if (exponentials) store(exponentials + i + (j + m) * tile_rows, e[m].value);
                }
            };
            int64_t j = 0;
            for (; j + 4 <= n; j += 4) add.template operator()<4>(j);
            if (j + 2 <= n) {
                add.template operator()<2>(j);
                j += 2;
            }
            if (j < n) add.template operator()<1>(j);
        };
        if (any(origin.subtract != Vec<T>{}))
            add_all.template operator()<true>();
        else
            add_all.template operator()<false>();

        const Exponential<T> at_maximum = exp_from(origin, largest);
        pack.at_maximum = at_maximum.value;
        const Vec<T> count = (Vec<T>)((Mask<T>)broadcast(C::integer_maker) + maxima) - C::integer_maker;
        for (int h = 0; h < halves<T>; ++h)
            pack.masses[h] = {half_of(count, h), half_of(at_maximum.in_parts(), h), half_of(others.above(bound), h)};
    });
}

template <class T>
SOFTGRAD_INLINE void find_rests(Pack<T>* packs, int64_t rows) {
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) packs[k].rest[h] = rest_of<T>(packs[k].masses[h]);
    });
}

template <class T>
SOFTGRAD_INLINE void find_logarithms(Pack<T>* packs, int64_t rows) {
    find_rests(packs, rows);
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) packs[k].log_rest[h] = log_of<T>(packs[k].rest[h]);
    });
}

// What makes probabilities of exponentials.
template <class T>
SOFTGRAD_INLINE void find_inverses(Pack<T>* packs, int64_t rows) {
    each_pack<T>(rows, [&](int64_t, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h) {
            packs[k].inverse[h] = inverse_of<T>(packs[k].masses[h]);
            packs[k].largest[h] = largest_of<T>(packs[k].masses[h], packs[k].inverse[h]);
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
