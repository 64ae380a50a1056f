// Cross-entropy of rows of few classes against target weights q, as in row_soft_cross_entropy.hpp, without a z-loss.
#pragma once

#include "few_classes.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// A sum as one number; an infinite one has no second part.
SOFTGRAD_INLINE Double rounded(TwoParts<Double> sum) { return sum.high + (sum.high - sum.high == Double{} ? sum.low : Double{}); }

// The sum of each row of a tile of target weights.
inline void few_sums(const double* q, int64_t n, int64_t rows, double* sums) {
    for (int64_t i = 0; i < rows; i += Simd<double>::width) {
        TwoParts<Double> total{};
        for (int64_t j = 0; j < n; ++j) add_term<double>(total, load(q + i + j * few_tile_rows));
        store(sums + i, rounded(total));
    }
}

// Of one half of a pack; as TargetSums.
struct PackTargets {
    Double total, below_maximum, distance;
};

// A class with q_j = 0 contributes exactly 0, also where x_j = -inf.
template <class T>
SOFTGRAD_INLINE PackTargets sum_targets(const T* x, const double* q, int64_t n, Double maximum, int half) {
    TwoParts<Double> total{}, below{}, distance{};
    for (int64_t j = 0; j < n; ++j) {
        const Double logit = half_of(load(x + j * few_tile_rows), half), weight = load(q + j * few_tile_rows), term = weight * (maximum - logit);
        add_term<T>(total, weight);
        add_term<T>(below, logit == maximum ? Double{} : weight);
        add_term<T>(distance, weight == Double{} ? Double{} : term);
    }
    return {rounded(total), rounded(below), rounded(distance)};
}

// Q p - q times a factor, from exponentials as they are stored. The two may cancel: for float the difference is taken in double, for double
// with the factor of the exponential in two parts.
template <class T>
struct PackDifference {
    Double high, low, factor;

    SOFTGRAD_INLINE PackDifference() = default;
    SOFTGRAD_INLINE PackDifference(const Pack<T>& pack, int half, Double total, Double factor) : factor(factor) {
        const TwoParts<Double> inverse = inverse_in_parts(pack, half), scale = product_in_parts(total, factor),
                               scaled = product_in_parts(inverse.high, scale.high);
        high = scaled.high;
        low = scaled.low + (inverse.low * scale.high + inverse.high * scale.low);
    }
    SOFTGRAD_INLINE Double operator()(Double exponential, Double target) const {
        constexpr double unspare = ExpConstants<T>::unspare, spare = 1.0 / unspare;
        // Subtracted 2^spare too large as well, where nothing is subnormal.
        if constexpr (sizeof(T) == sizeof(double)) return fma(exponential, high, fma(exponential, low, target * factor * -spare)) * unspare;
        return exponential * (high * unspare) - target * factor;
    }
};

// losses[i], unscaled, with the tile q of weights; the gradient times scale[i].
template <class T>
void few_soft_cross_entropy(T* tile, int64_t n, int64_t rows, const double* q, const double* scale, double* losses) {
    constexpr int half_width = Simd<double>::width;
    constexpr double at_maximum = 1.0 / ExpConstants<T>::unspare;
    Pack<T> packs[most_packs<T>];
    PackTargets targets[most_packs<T>][halves<T>];
    find_maxima(tile, n, rows, packs);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h)
            targets[k][h] = sum_targets(tile + i, q + i + h * half_width, n, half_of(packs[k].maximum, h), h);
    });
    sum_exponentials(tile, n, rows, scale ? tile : nullptr, packs);
    find_logarithms(packs, rows);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        for (int h = 0; h < halves<T>; ++h) {
            const PackTargets& of_half = targets[k][h];
            TwoParts<Double> entropy = product_in_parts(pack.log_rest[h].high, of_half.total);
            entropy.low += pack.log_rest[h].low * of_half.total;
            store(losses + i + h * half_width, plus(of_half.distance, entropy));
        }
    });
    if (!scale) return;
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        PackDifference<T> differences[halves<T>];
        Double at_largest[halves<T>];
        Int64 certain[halves<T>];
        for (int h = 0; h < halves<T>; ++h) {
            const Double factor = load(scale + i + h * half_width);
            differences[h] = PackDifference<T>(pack, h, targets[k][h].total, factor);
            // Where p > 1/2, Q p - q = (Q - q) - Q R / (1 + R), with Q - q summed without it, does not lose what p - 1 would.
            certain[h] = pack.rest[h].high < 0.5;
            at_largest[h] = (targets[k][h].below_maximum - targets[k][h].total * (pack.rest[h].high * pack.inverse[h])) * factor;
        }
        for (int64_t j = 0; j < n; ++j) {
            T* const at = tile + i + j * few_tile_rows;
            const Vec<T> exponentials = load(at);
            Double parts[halves<T>];
            for (int h = 0; h < halves<T>; ++h) {
                const Double exponential = half_of(exponentials, h);
                const Double each = differences[h](exponential, load(q + i + j * few_tile_rows + h * half_width));
                parts[h] = (exponential == at_maximum) & certain[h] ? at_largest[h] : each;
            }
            store(at, joined(parts, Vec<T>{}));
        }
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
