// Rows with few entries a lane: the lanes of several are folded side by side. What a row waits for in its own takes as
// long as all the arithmetic on its entries.
#pragma once

#include "kernels/rows/row_exponentials.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Their logical lanes: those of the widest vector. Of each, no more entries than are summed at a time.
template <class T>
constexpr int medium_lanes = 64 / sizeof(T);
template <class T>
constexpr int64_t longest_medium_row = SumsBelowMaximum<T, medium_lanes<T>>::most;

// The two largest entries, lane by lane; equal ones count twice.
template <class T>
struct TwoLargest {
    Vec<T> first, second;

    SOFTGRAD_INLINE void add(Vec<T> entries) {
        second = maximum(minimum(entries, first), second);
        first = maximum(entries, first);
    }
    SOFTGRAD_INLINE TwoLargest with(TwoLargest other) const {
        return {maximum(other.first, first), maximum(minimum(other.first, first), maximum(other.second, second))};
    }
};

// NaN passed over.
template <class T>
SOFTGRAD_INLINE TwoLargest<T> two_largest(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, unrolled = 2;
    const Vec<T> lowest = broadcast(T(-infinity));
    TwoLargest<T> found[unrolled] = {{lowest, lowest}, {lowest, lowest}};
    int64_t i = 0;
    for (; i + unrolled * width <= n; i += unrolled * width)
        for (int v = 0; v < unrolled; ++v) found[v].add(load(x + i + v * width));
    if (i + width <= n) {
        found[0].add(load(x + i));
        i += width;
    }
    if (i < n) found[1].add(load_or_pad(x + i, static_cast<int>(n - i), T(-infinity)));
    return found[0].with(found[1]);
}

// Finds the maximum of each row, the largest entry below it, and how many are equal to it.
template <class T>
SOFTGRAD_INLINE void find_medium_maxima(const Rows<T>& rows, Pack<T>& pack) {
    constexpr int width = Simd<T>::width;
    const Vec<T> lowest = broadcast(T(-infinity));
    TwoLargest<T> of_rows[width];
    for (int r = 0; r < width; ++r)
        of_rows[r] = r < rows.count ? two_largest(rows.x[r], rows.n) : TwoLargest<T>{Vec<T>{}, lowest};
    const TwoLargest<T> found = fold_rows<width / 2>(
        of_rows, width, [](TwoLargest<T> a, TwoLargest<T> b) __attribute__((always_inline)) { return a.with(b); },
        []<int half, int from>(TwoLargest<T> a, TwoLargest<T> b) __attribute__((always_inline)) {
        return TwoLargest<T>{halves_of<half, from>(a.first, b.first), halves_of<half, from>(a.second, b.second)};
    });
    pack.maximum = found.first;
    pack.second = found.second;
    for (int h = 0; h < halves<T>; ++h) pack.masses[h].count = broadcast(1.0);
    if (!any(found.first == found.second)) return;
    for (int r = 0; r < rows.count; ++r) {
        if (found.second[r] != found.first[r]) continue;
        const Vec<T> maximum_of_row = broadcast(found.first[r]);
        Vec<T> below = lowest;
        Mask<T> maxima{};
        for (int64_t j = 0; j < rows.n; j += width) {
            const int count = static_cast<int>(rows.n - j < width ? rows.n - j : width);
            const Vec<T> v = load_or_pad(rows.x[r] + j, count, T(-infinity));
            const Mask<T> equal = v == maximum_of_row;
            maxima -= equal;
            below = maximum(equal ? lowest : v, below);
        }
        pack.second[r] = largest_of_lanes(below);
        pack.masses[r / Simd<double>::width].count[r % Simd<double>::width] = static_cast<double>(sum_of_lanes(maxima));
    }
}

// After the maxima.
template <class T, bool two_parts>
SOFTGRAD_INLINE void sum_medium_rows(const Rows<T>& rows, bool keep, const PackOrigins<T>& origins, Pack<T>& pack) {
    constexpr int width = Simd<T>::width;
    SumsBelowMaximum<T, medium_lanes<T>> sums[width];
    auto sum = [&]<bool moved>(int r) __attribute__((always_inline)) {
        const Maximum<T> of_row = {pack.maximum[r], pack.second[r], rows.n, 1, 1};
        const RowToSum<T> row = row_to_sum<T, two_parts>(rows, r, keep, of_row, origins);
        RowExponentials<T, medium_lanes<T>, two_parts, moved> exponentials(row);
        SumsBelowMaximum<T, medium_lanes<T>> of_lanes(row.bound);
        exponentials.template add_side_by_side<true>(0, rows.n, of_lanes);
        sums[r] = of_lanes;
    };
    for (int r = 0; r < rows.count; ++r)
        if (origins.subtract[r] == T(0))
            sum.template operator()<false>(r);
        else
            sum.template operator()<true>(r);
    // Only when the exponentials of all rows are on their way: one row waits for its own.
    FoldedLanes<T> folded[width] = {};
    for (int r = 0; r < rows.count; ++r) folded[r] = sums[r].folded();
    TwoParts<Double> totals[halves<T>];
    FoldedLanes<T>::totals(folded, totals);
    for (int h = 0; h < halves<T>; ++h) pack.masses[h].others = totals[h];
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
