// What every row kernel begins with: the maxima of its rows, the sums of their exponentials with the maxima left out,
// and the scalars that packs.hpp makes of them.
#pragma once

#include "kernels/rows/long_rows.hpp"
#include "kernels/rows/medium_rows.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The scalars of one row.
template <class T>
struct Normalizer {
    Maximum<T> of_row;
    T maximum;
    double rest;                // R
    TwoParts<double> log_rest;  // log1p(R)
    TwoParts<double> inverse;   // 1 / S; times an exponential, the probability
    T at_maximum;               // the exponential of the maximum as it is stored
    TwoParts<double> largest;   // the probability of the maximum
    int64_t maxima;             // how many entries equal the maximum
};

// Those of rows that go through a kernel together: row i in lane i.
template <class T>
struct NormalizedRows {
    Maximum<T> of_row[Simd<T>::width];
    Pack<T> pack;

    // Otherwise the maximum is not finite, and nothing else is set.
    bool regular(int row) const { return is_finite(of_row[row].value); }
    Normalizer<T> row(int row) const {
        constexpr int half_width = Simd<double>::width;
        const int h = row / half_width, lane = row % half_width;
        auto of_lane = [&](TwoParts<Double> value) { return TwoParts<double>{value.high[lane], value.low[lane]}; };
        return {of_row[row],
                of_row[row].value,
                pack.rest[h].high[lane],
                of_lane(pack.log_rest[h]),
                of_lane(pack.inverse[h]),
                pack.at_maximum[row],
                of_lane(pack.largest[h]),
                static_cast<int64_t>(pack.masses[h].count[lane])};
    }
};

template <class T>
__attribute__((noinline)) void find_maxima(const Rows<T>& rows, NormalizedRows<T>& result) {
    Pack<T>& pack = result.pack;
    if (rows.n <= longest_medium_row<T>) {
        find_medium_maxima(rows, pack);
        for (int r = 0; r < rows.count; ++r) result.of_row[r] = {pack.maximum[r], pack.second[r], rows.n, 1, 1};
        return;
    }
    pack.maximum = pack.second = Vec<T>{};
    for (int r = 0; r < rows.count; ++r) {
        result.of_row[r] = row_maximum(rows.x[r], rows.n);
        pack.maximum[r] = result.of_row[r].value;
        pack.second[r] = result.of_row[r].below;
    }
}

// After the maxima. The exponentials are kept in `out`, 2^spare too large, if `keep`. With `two_parts` the rows are
// x + x_low; their maxima must have no second part.
template <class T, bool two_parts>
__attribute__((noinline)) void sum_exponentials(const Rows<T>& rows, bool keep, NormalizedRows<T>& result) {
    constexpr int width = Simd<T>::width, half_width = Simd<double>::width;
    Pack<T>& pack = result.pack;
    const PackOrigins<T> origins(pack);
    for (int h = 0; h < halves<T>; ++h) pack.masses[h].maximum = origins.at_maximum[h];
    if (rows.n <= longest_medium_row<T>) return sum_medium_rows<T, two_parts>(rows, keep, origins, pack);
    double counts[width], high[width] = {}, low[width] = {};
    for (double& count : counts) count = 1.0;
    for (int r = 0; r < rows.count; ++r) {
        if (!result.regular(r)) continue;
        const BelowMaximum below =
            sum_below_maximum<T, two_parts>(row_to_sum<T, two_parts>(rows, r, keep, result.of_row[r], origins));
        counts[r] = static_cast<double>(below.maxima);
        high[r] = below.sum.high;
        low[r] = below.sum.low;
    }
    for (int h = 0; h < halves<T>; ++h) {
        const int first = h * half_width;
        pack.masses[h].count = load(counts + first);
        pack.masses[h].others = {load(high + first), load(low + first)};
    }
}

template <class T, bool two_parts = false>
inline void normalize(const Rows<T>& rows, bool keep, NormalizedRows<T>& result) {
    find_maxima(rows, result);
    sum_exponentials<T, two_parts>(rows, keep, result);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
