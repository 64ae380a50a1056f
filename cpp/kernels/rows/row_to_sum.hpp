// A row whose maximum is known, as its exponentials are taken.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/packs.hpp"
#include "kernels/rows/maximum.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct RowToSum {
    const T *x, *x_low;  // the row is x + x_low, where that is given; its maximum must have no second part
    int64_t n;
    Maximum<T> maximum;
    Origin<T> origin;
    Vec<T> bound;      // of the exponentials below the maximum
    T* exponentials;   // where they are stored, 2^spare too large; may be x, or null
    const T* results;  // where the results of the row will be written, or null
    int64_t ahead;     // elements from this row to that of the next pack, which is fetched meanwhile
};

// The origins of the rows of a pack whose maxima are known, lane by lane, and what depends on them alone.
template <class T>
struct PackOrigins {
    T subtract[Simd<T>::width], lowest[Simd<T>::width], integer_maker[Simd<T>::width], bounds[Simd<T>::width];
    TwoParts<Double> at_maximum[halves<T>];

    SOFTGRAD_INLINE explicit PackOrigins(Pack<T>& pack) {
        const Origin<T> origins = origin_at<T>(pack.maximum);
        const Exponential<T> exponentials = exp_from(origins, pack.maximum);
        pack.at_maximum = exponentials.value;
        for (int h = 0; h < halves<T>; ++h) at_maximum[h] = half_of(exponentials.in_parts(), h);
        store(subtract, origins.subtract);
        store(lowest, origins.lowest);
        store(integer_maker, origins.integer_maker);
        store(bounds, bound_at(origins, pack.second));
    }
    SOFTGRAD_INLINE Origin<T> of_lane(int lane) const {
        return {broadcast(subtract[lane]), broadcast(lowest[lane]), broadcast(integer_maker[lane])};
    }
};

template <class T>
SOFTGRAD_INLINE int64_t to_next_pack(const Rows<T>& rows) {
    return rows.count > 1 ? (rows.x[1] - rows.x[0]) * rows.count : rows.n;
}

template <class T, bool two_parts>
SOFTGRAD_INLINE RowToSum<T> row_to_sum(const Rows<T>& rows, int r, bool keep, const Maximum<T>& maximum,
                                       const PackOrigins<T>& origins) {
    return {rows.x[r],
            two_parts ? rows.x_low[r] : nullptr,
            rows.n,
            maximum,
            origins.of_lane(r),
            broadcast(origins.bounds[r]),
            keep ? rows.out[r] : nullptr,
            rows.out ? rows.out[r] : nullptr,
            to_next_pack(rows)};
}

// While a row is worked on one of the next pack comes from memory, `count` entries of it, and the lines to be written.
template <class T>
SOFTGRAD_INLINE void fetch_next_row(const RowToSum<T>& row, int64_t offset, int count) {
    constexpr int line = 64 / sizeof(T);
    for (int64_t i = 0, at = row.ahead + offset; i < count; i += line) {
        __builtin_prefetch(row.x + at + i);
        if (row.results && row.results != row.x) __builtin_prefetch(row.results + at + i, 1);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
