// The exponentials of a row whose maximum is known, and the sum of those below it.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/arithmetic/lane_sums.hpp"
#include "kernels/arithmetic/normalization.hpp"
#include "kernels/rows/maximum.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct RowToSum {
    const T *x, *x_low;  // the row is x + x_low, where that is given; its maximum must have no second part
    int64_t n;
    Maximum<T> maximum;
    Origin<T> origin;
    T* exponentials;   // where they are stored, 2^spare too large; may be x, or null
    const T* results;  // where the results of the row will be written, or null
};

struct BelowMaximum {
    TwoParts<double> sum;  // 2^spare too large
    int64_t maxima;        // how many entries equal the maximum
};

// While a row is worked on the next one comes from memory, `count` entries of it, and the lines to be written. (Shorter
// rows follow each other closely enough for the machine to see.)
template <class T>
SOFTGRAD_INLINE void fetch_next_row(const RowToSum<T>& row, int64_t offset, int count) {
    if (row.n <= group<T>) return;
    constexpr int line = 64 / sizeof(T);
    for (int64_t i = 0, at = row.n + offset; i < count; i += line) {
        __builtin_prefetch(row.x + at + i);
        if (row.results && row.results != row.x) __builtin_prefetch(row.results + at + i, 1);
    }
}

template <class T>
inline int64_t sum_of_counts(Mask<T> counts) {
    typename Simd<T>::Integer lanes[Simd<T>::width];
    __builtin_memcpy(lanes, &counts, sizeof counts);
    int64_t sum = 0;  // may be more than 2^31
    for (auto lane : lanes) sum += lane;
    return sum;
}

// Sums of the exponentials of a row over its logical lanes.
template <class T>
class SumsBelowMaximum {
    static constexpr int width = Simd<T>::width, count = Simd<T>::logical_lanes / width;
    BoundedSum<T> sums[count];
    Vec<T> bound;

  public:
    // Entries after which to take the sum and begin anew: 64 of a lane, so that of what is lost in the bound the
    // roundings are 2^-20 (2^-49) at most.
    static constexpr int64_t most = 64 * Simd<T>::logical_lanes;
    // Entries that may be summed from one bound: for float what is lost in it is then no more than 2^-6 of the sum; for
    // double it never is.
    static constexpr int64_t longest = sizeof(T) == sizeof(float) ? int64_t(1) << 17 : INT64_MAX;

    inline explicit SumsBelowMaximum(Vec<T> bound) : bound(bound) { clear(); }
    inline void clear() {
        for (auto& sum : sums) sum = BoundedSum<T>(bound);
    }
    SOFTGRAD_INLINE void add_in_turn(int vector, const Exponential<T>* e) {
        BoundedSum<T> sum = sums[vector];
        for (int i = 0; i < 4; ++i) sum.add(e[i]);
        sums[vector] = sum;
    }
    template <int vectors>
    SOFTGRAD_INLINE void add_side_by_side(int vector, const Exponential<T>* e) {
        for (int i = 0; i < vectors; ++i) sums[vector + i].add(e[i]);
    }
    inline TwoParts<double> total() const {
        TwoParts<Vec<T>> of_lanes[count];
        for (int v = 0; v < count; ++v) of_lanes[v] = sums[v].above(bound);
        return total_of_lanes(of_lanes);
    }
};

template <class T>
inline TwoParts<double> sum_of_totals(TwoParts<double> a, TwoParts<double> b) {
    if constexpr (sizeof(T) == sizeof(float)) return {a.high + b.high, 0.0};
    return sum_of(a, b);
}

// `moved`: the origin is not 0. Inline, since a call costs as much as sixty entries.
template <class T, bool two_parts, bool moved>
SOFTGRAD_INLINE BelowMaximum sum_below_maximum_from(const RowToSum<T>& row) {
    constexpr int width = Simd<T>::width, logical_lanes = Simd<T>::logical_lanes, vectors = logical_lanes / width,
                  together = 4;
    Origin<T> origin = row.origin;
    if constexpr (!moved) origin.subtract = Vec<T>{};  // known when it is compiled, so that nothing is subtracted
    const Vec<T> maximum = broadcast(row.maximum.value), lowest = broadcast(T(-infinity));

    Vec<T> below = lowest;
    auto nothing = [](int64_t, int64_t) {};
    row.maximum.each_segment(row.n, nothing, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        auto look = [&](Vec<T> x) __attribute__((always_inline)) {
            below = softgrad::SOFTGRAD_ISA_NAME::maximum(x == maximum ? lowest : x, below);
        };
        for (; begin + width <= end; begin += width) look(load(row.x + begin));
        if (begin < end) look(load_or_pad(row.x + begin, static_cast<int>(end - begin), T(-infinity)));
    });
    const T in_segments = largest_of_lanes(below),
            largest = in_segments > row.maximum.elsewhere ? in_segments : row.maximum.elsewhere;

    Mask<T> maxima{};
    SumsBelowMaximum<T> sums(bound_at(origin, broadcast(largest)));
    auto add = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        // Stores the exponentials of x, and leaves those that are to be summed.
        auto exponentials = [&]<int n>(const Vec<T>* x, const Vec<T>* x_low, Exponential<T>* e, auto store_one)
                                __attribute__((always_inline)) {
            exp_from<n, T, two_parts>(origin, x, x_low, e);
            for (int i = 0; i < n; ++i) {
                if (row.exponentials) store_one(i, e[i].value);
                if constexpr (holds_maximum) {
                    const Mask<T> equal = x[i] == maximum;
                    maxima -= equal;
                    e[i] = without(e[i], equal);
                }
            }
        };
        // Four vectors, from one to the next `apart` entries: of the same logical lanes, or side by side.
        auto visit = [&]<int apart>(int64_t offset, int vector) __attribute__((always_inline)) {
            Vec<T> x[together], x_low[together];
            Exponential<T> e[together];
            for (int i = 0; i < together; ++i) {
                x[i] = load(row.x + offset + i * apart);
                if constexpr (two_parts) x_low[i] = load(row.x_low + offset + i * apart);
            }
            exponentials.template operator()<together>(x, x_low, e,
                                                       [&](int i, Vec<T> value) __attribute__((always_inline)) {
                store(row.exponentials + offset + i * apart, value);
            });
            if constexpr (apart == logical_lanes)
                sums.add_in_turn(vector, e);
            else
                sums.template add_side_by_side<together>(vector, e);
        };
        int64_t offset = begin;
        for (; offset + group<T> <= end; offset += group<T>)
            for (int v = 0; v < vectors; ++v) {
                fetch_next_row(row, offset + v * together * width, together * width);
                visit.template operator()<logical_lanes>(offset + v * width, v);
            }
        int vector = 0;
        for (; offset + together * width <= end; offset += together * width, vector = (vector + together) % vectors) {
            fetch_next_row(row, offset, together * width);
            visit.template operator()<width>(offset, vector);
        }
        for (; offset < end; offset += width, ++vector) {
            const int count = static_cast<int>(end - offset < width ? end - offset : width);
            const Vec<T> x = load_or_pad(row.x + offset, count, T(-infinity));
            Vec<T> x_low;
            if constexpr (two_parts) x_low = load_or_pad(row.x_low + offset, count, T(0));
            Exponential<T> e;
            exponentials.template operator()<1>(&x, &x_low, &e, [&](int, Vec<T> value) __attribute__((always_inline)) {
                store_first(row.exponentials + offset, value, count);
            });
            sums.template add_side_by_side<1>(vector, &e);
        }
    };
    TwoParts<double> sum{};
    int64_t added = 0;
    auto take = [&]() __attribute__((always_inline)) { sum = sum_of_totals<T>(sum, sums.total()); };
    auto add_segment = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        add.template operator()<holds_maximum>(begin, end);
        added += end - begin;
        if (added < SumsBelowMaximum<T>::most) return;
        take();
        sums.clear();
        added = 0;
    };
    row.maximum.each_segment(row.n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        add_segment.template operator()<false>(begin, end);
    }, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        add_segment.template operator()<true>(begin, end);
    });
    take();
    return {sum, sum_of_counts<T>(maxima)};
}

template <class T, bool two_parts, bool moved>
__attribute__((noinline)) BelowMaximum sum_below_maximum_by_parts(RowToSum<T> part) {
    BelowMaximum total{};
    const T maximum = part.maximum.value;
    for (int64_t left = part.n; left > 0; left -= part.n) {
        part.n = left < SumsBelowMaximum<T>::longest ? left : SumsBelowMaximum<T>::longest;
        part.maximum = row_maximum(part.x, part.n);
        if (part.maximum.value != maximum) {
            part.maximum.elsewhere = part.maximum.value;
            part.maximum.holds = 0;
        }
        part.maximum.value = maximum;
        const BelowMaximum of_part = sum_below_maximum_from<T, two_parts, moved>(part);
        total.sum = sum_of_totals<T>(total.sum, of_part.sum);
        total.maxima += of_part.maxima;
        part.x += part.n;
        if (two_parts) part.x_low += part.n;
        if (part.exponentials) part.exponentials += part.n;
        if (part.results) part.results += part.n;
    }
    return total;
}

template <class T, bool two_parts>
SOFTGRAD_INLINE BelowMaximum sum_below_maximum(const RowToSum<T>& row) {
    if (row.origin.subtract[0] != T(0)) return sum_below_maximum_by_parts<T, two_parts, true>(row);
    if (row.n > SumsBelowMaximum<T>::longest) return sum_below_maximum_by_parts<T, two_parts, false>(row);
    return sum_below_maximum_from<T, two_parts, false>(row);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
