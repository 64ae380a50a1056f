// The sum of a row of doubles.
#pragma once

#include "kernels/arithmetic/lane_sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

inline double sum_row(const double* q, int64_t n) {
    LaneSums<double> sums;
    FourTerms<double> terms;
    auto flush = [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms); };
    auto visit = [&](int64_t offset, int count, int, int depth)
                     __attribute__((always_inline)) { terms.add(depth, load_or_pad(q + offset, count, 0.0)); };
    for_groups<double>(0, n, visit, flush);
    const TwoParts<double> total = sums.total();
    return total.high + total.low;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
