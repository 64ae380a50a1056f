// Rows of any length, one after the other: the maximum and the sum of the exponentials below it.
#pragma once

#include "kernels/rows/row_exponentials.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
inline Maximum<T> row_maximum(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, most_segments = 64, unrolled = 4;
    Maximum<T> result;
    result.segment = ((n + most_segments - 1) / most_segments + group<T> - 1) / group<T> * group<T>;
    const Vec<T> lowest = broadcast(T(-infinity));
    Vec<T> of_segment[most_segments], of_row = lowest;
    int segments = 0;
    for (int64_t i = 0; i < n;) {
        const int64_t end = i + result.segment < n ? i + result.segment : n;
        Vec<T> kept[unrolled];
        for (int v = 0; v < unrolled; ++v) kept[v] = lowest;
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
    Vec<T> below = lowest;
    for (int b = 0; b < segments; ++b) {
        const bool holds = any(of_segment[b] == result.value);
        result.segments |= uint64_t(1) << b;
        result.holds |= uint64_t(holds) << b;
        below = maximum(holds ? lowest : of_segment[b], below);
    }
    result.each_segment(n, [](int64_t, int64_t) {}, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        below = largest_below(x + begin, end - begin, result.value, below);
    });
    result.below = largest_of_lanes(below);
    return result;
}

struct BelowMaximum {
    TwoParts<double> sum;  // 2^spare too large
    int64_t maxima;        // how many entries equal the maximum
};

// Entries that may be summed from one bound: for float what is lost in it is then no more than 2^-6 of the sum; for
// double it never is.
template <class T>
constexpr int64_t longest_sum = sizeof(T) == sizeof(float) ? int64_t(1) << 17 : INT64_MAX;

template <class T>
inline TwoParts<double> sum_of_totals(TwoParts<double> a, TwoParts<double> b) {
    if constexpr (sizeof(T) == sizeof(float)) return {a.high + b.high, 0.0};
    return sum_of(a, b);
}

// Inline, since a call costs as much as sixty entries.
template <class T, bool two_parts, bool moved>
SOFTGRAD_INLINE BelowMaximum sum_below_maximum_from(const RowToSum<T>& row) {
    constexpr int logical_lanes = Simd<T>::logical_lanes;
    RowExponentials<T, logical_lanes, two_parts, moved> exponentials(row);
    SumsBelowMaximum<T, logical_lanes> sums(row.bound);
    TwoParts<double> sum{};
    int64_t added = 0;
    auto add_segment = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        const int64_t rest = end - (end - begin) % group<T>;
        exponentials.template add_groups<holds_maximum>(begin, rest, sums);
        exponentials.template add_side_by_side<holds_maximum>(rest, end, sums);
        added += end - begin;
        if (added < SumsBelowMaximum<T, logical_lanes>::most) return;
        sum = sum_of_totals<T>(sum, sums.total());
        sums.clear();
        added = 0;
    };
    row.maximum.each_segment(row.n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        add_segment.template operator()<false>(begin, end);
    }, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        add_segment.template operator()<true>(begin, end);
    });
    sum = sum_of_totals<T>(sum, sums.total());
    // No part of a row has as many maxima as a lane can count.
    return {sum, static_cast<int64_t>(sum_of_lanes(exponentials.maxima))};
}

template <class T, bool two_parts, bool moved>
__attribute__((noinline)) BelowMaximum sum_below_maximum_by_parts(RowToSum<T> part) {
    BelowMaximum total{};
    const T maximum = part.maximum.value;
    for (int64_t left = part.n; left > 0; left -= part.n) {
        part.n = left < longest_sum<T> ? left : longest_sum<T>;
        part.maximum = row_maximum(part.x, part.n);
        if (part.maximum.value != maximum) {
            part.maximum.below = part.maximum.value;
            part.maximum.holds = 0;
        }
        part.maximum.value = maximum;
        part.bound = bound_at(part.origin, broadcast(part.maximum.below));
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
    if (row.n > longest_sum<T>) return sum_below_maximum_by_parts<T, two_parts, false>(row);
    return sum_below_maximum_from<T, two_parts, false>(row);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
