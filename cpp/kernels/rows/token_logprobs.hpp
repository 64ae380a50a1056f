// Of one class t in a row: log-probability -((m - x_t) + log1p(R)), and beside it the entropy of the row,
// log1p(R) + sum p_j (m - x_j), all terms >= 0, and the rank of t, 1 + the number of larger logits.
#pragma once

#include "kernels/rows/normalizer.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
TokenRow token_logprobs_row(const T* x, int64_t n, int64_t label) {
    const T logit = x[label];
    NormalizedRows<T> normalized;
    normalize<T>({&x, nullptr, nullptr, n, 1}, false, normalized);
    find_logarithms(&normalized.pack, 1);
    find_inverses(&normalized.pack, 1);
    const Normalizer<T> row = normalized.row(0);
    if (!normalized.regular(0) || row.rest != row.rest) return {not_a_number, not_a_number, 0};

    const Vec<T> maximum = broadcast(row.maximum), vanished = broadcast(row.maximum - ExpConstants<T>::vanishes);
    const Vec<T> chosen = broadcast(logit);
    const Origin<T> origin = origin_at<T>(maximum);
    LaneSums<T> distances;
    FourTerms<T> terms;
    LaneResidues<T> residues;
    Mask<T> larger_count{};
    auto flush = [&](int vector) __attribute__((always_inline)) {
        distances.add(vector, terms);
        residues.flush(vector);
    };
    auto product = [](Double a, Double b) __attribute__((always_inline)) { return a * b; };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        const Vec<T> v = load_or_pad(x + offset, count, T(-infinity));
        const Mask<T> larger = v > chosen;
        larger_count = larger ? larger_count + 1 : larger_count;
        const Exponential<T> e = exp_from(origin, v);
        // What has vanished contributes 0, also at -inf.
        const Vec<T> below = v > vanished ? maximum - v : Vec<T>{};
        terms.add(depth, product, e.value, below);
        residues.add(e.in_parts().low, below);
    };
    for_groups<T>(0, n, visit, flush);
    int64_t rank = 1;
    for (int lane = 0; lane < Simd<T>::width; ++lane) rank += larger_count[lane];
    TwoParts<double> distance = distances.total();
    distance.low += residues.total();
    const TwoParts<double> mean = scaled(scaled(row.inverse, distance), static_cast<double>(ExpConstants<T>::unspare));
    const TwoParts<double> entropy = sum_of(mean, row.log_rest);
    return {0.0 - plus(static_cast<double>(row.maximum) - static_cast<double>(logit), row.log_rest),
            entropy.high + entropy.low, rank};
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
