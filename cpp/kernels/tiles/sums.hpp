// Sums over the rows of a tile, a row a lane.
#pragma once

#include "kernels/arithmetic/two_parts.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Terms of float need no second part of a sum in double.
template <class T>
SOFTGRAD_INLINE void add_term(TwoParts<Double>& sum, Double term) {
    if constexpr (sizeof(T) == sizeof(float)) {
        sum.high += term;
    } else {
        const TwoParts<Double> next = two_sum(sum.high, term);
        sum = {next.high, sum.low + next.low};
    }
}

// A sum as one number; an infinite one has no second part.
SOFTGRAD_INLINE Double rounded(TwoParts<Double> sum) {
    return sum.high + (sum.high - sum.high == Double{} ? sum.low : Double{});
}

// The sum of each row of a tile of targets.
inline void sum_tile(const double* q, int64_t n, int64_t rows, double* sums) {
    for (int64_t i = 0; i < rows; i += Simd<double>::width) {
        TwoParts<Double> total{};
        for (int64_t j = 0; j < n; ++j) add_term<double>(total, load(q + i + j * tile_rows));
        store(sums + i, rounded(total));
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
