// Sums of the exponentials of a row below its maximum, over logical lanes.
#pragma once

#include "kernels/arithmetic/bounded_sum.hpp"
#include "kernels/arithmetic/lane_sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T, int logical_lanes>
class SumsBelowMaximum {
    static constexpr int width = Simd<T>::width, count = logical_lanes / width;
    BoundedSum<T> sums[count];
    Vec<T> bound;

  public:
    // Entries after which to take the sum and begin anew: 64 of a lane, so that of what is lost in the bound the
    // roundings are 2^-20 (2^-49) at most.
    static constexpr int64_t most = 64 * logical_lanes;
    SOFTGRAD_INLINE SumsBelowMaximum() = default;
    SOFTGRAD_INLINE explicit SumsBelowMaximum(Vec<T> bound) : bound(bound) { clear(); }
    SOFTGRAD_INLINE void clear() {
        for (auto& sum : sums) sum = BoundedSum<T>(bound);
    }
    // Four vectors of one logical lane after the other.
    SOFTGRAD_INLINE void add_in_turn(int vector, const Exponential<T>* e) {
        BoundedSum<T> sum = sums[vector];
        unrolled<0, 4>([&]<int i>() __attribute__((always_inline)) { sum.add(e[i]); });
        sums[vector] = sum;
    }
    // Vectors that stand side by side.
    template <int vectors>
    SOFTGRAD_INLINE void add_side_by_side(int64_t vector, const Exponential<T>* e) {
        unrolled<0, vectors>([&]<int i>() __attribute__((always_inline)) { sums[(vector + i) % count].add(e[i]); });
    }
    SOFTGRAD_INLINE FoldedLanes<T> folded() const {
        TwoParts<Vec<T>> of_lanes[count];
        for (int v = 0; v < count; ++v) of_lanes[v] = sums[v].above(bound);
        return FoldedLanes<T>(of_lanes);
    }
    SOFTGRAD_INLINE TwoParts<double> total() const { return folded().total(); }
};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
