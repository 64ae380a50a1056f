// The exponentials of a row, some vectors at a time: kept, and added to the sums of those below the maximum.
#pragma once

#include "kernels/rows/row_to_sum.hpp"
#include "kernels/rows/sums_below_maximum.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// `moved`: the origin is not 0.
template <class T, int logical_lanes, bool two_parts, bool moved>
class RowExponentials {
    using Sums = SumsBelowMaximum<T, logical_lanes>;
    static constexpr int width = Simd<T>::width;
    // Each step of an exponential is taken for several vectors, so that the machine has something to begin while it
    // waits for the first; as many as its registers hold.
    static constexpr int together = SOFTGRAD_VECTOR_BYTES == 64 ? 8 : 4;
    const RowToSum<T>& row;
    Origin<T> origin;
    Vec<T> maximum;

  public:
    Mask<T> maxima{};  // minus how many entries equal the maximum

    SOFTGRAD_INLINE explicit RowExponentials(const RowToSum<T>& row)
        : row(row), origin(row.origin), maximum(broadcast(row.maximum.value)) {
        if constexpr (!moved) origin.subtract = Vec<T>{};  // known when it is compiled, so that nothing is subtracted
    }

    // Those of `count` vectors, vector i `at(i)` entries from `offset`, the last of `in_last` entries: stored, and e,
    // what of them is to be summed.
    template <int count, bool holds_maximum, class At>
    SOFTGRAD_INLINE void find(int64_t offset, int in_last, At at, Exponential<T>* e) {
        Vec<T> x[count], x_low[count];
        unrolled<0, count>([&]<int i>() __attribute__((always_inline)) {
            const int entries = i + 1 < count ? width : in_last;
            x[i] = load_or_pad(row.x + offset + at(i), entries, T(-infinity));
            if constexpr (two_parts) x_low[i] = load_or_pad(row.x_low + offset + at(i), entries, T(0));
        });
        exp_from<count, T, two_parts>(origin, x, x_low, e);
        unrolled<0, count>([&]<int i>() __attribute__((always_inline)) {
            if (row.exponentials)
                store_first(row.exponentials + offset + at(i), e[i].value, i + 1 < count ? width : in_last);
            if constexpr (holds_maximum) {
                const Mask<T> equal = x[i] == maximum;
                maxima -= equal;
                e[i] = without(e[i], equal);
            }
        });
    }

    // Adds [begin, end), whole groups.
    template <bool holds_maximum>
    SOFTGRAD_INLINE void add_groups(int64_t begin, int64_t end, Sums& sums) {
        constexpr int in_turn = 4, lanes = together / in_turn;
        Exponential<T> e[together];
        for (; begin < end; begin += group<T>)
            for (int v = 0; v < logical_lanes / width; v += lanes) {
                fetch_next_row(row, begin + v * in_turn * width, together * width);
                const auto at = [](int i) { return i / in_turn * width + i % in_turn * logical_lanes; };
                find<together, holds_maximum>(begin + v * width, width, at, e);
                unrolled<0, lanes>([&]<int i>()
                                       __attribute__((always_inline)) { sums.add_in_turn(v + i, e + i * in_turn); });
            }
    }

    // Adds [begin, end), no more than one group.
    template <bool holds_maximum>
    SOFTGRAD_INLINE void add_side_by_side(int64_t begin, int64_t end, Sums& sums) {
        auto add = [&]<int count>(int64_t in_last) __attribute__((always_inline)) {
            constexpr int of_lanes = logical_lanes / width;
            fetch_next_row(row, begin, count * width);
            Exponential<T> e[count];
            find<count, holds_maximum>(begin, static_cast<int>(in_last), [](int i) { return i * width; }, e);
            sums.template add_side_by_side<count>(of_lanes > together ? begin / width % of_lanes : 0, e);
        };
        for (; begin + together * width <= end; begin += together * width) add.template operator()<together>(width);
        const int64_t left = end - begin;
        const int vectors = static_cast<int>((left + width - 1) / width);
        unrolled<1, together + 1>([&]<int count>() __attribute__((always_inline)) {
            if (vectors == count) add.template operator()<count>(left - (count - 1) * width);
        });
    }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
