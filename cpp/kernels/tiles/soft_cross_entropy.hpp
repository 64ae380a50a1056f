// Cross-entropy of a tile against targets q, as in rows/soft_cross_entropy.hpp, without a z-loss.
#pragma once

#include "kernels/tiles/packs.hpp"
#include "kernels/tiles/sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// What TargetSums are of a row, of the rows in one half of a pack.
struct PackTargets {
    Double total, below_maximum, distance;
};

// A class with q_j = 0 contributes exactly 0, also where x_j = -inf.
template <class T>
SOFTGRAD_INLINE PackTargets sum_targets(const T* x, const double* q, int64_t n, Double maximum, int half) {
    TwoParts<Double> total{}, below{}, distance{};
    for (int64_t j = 0; j < n; ++j) {
        const Double logit = half_of(load(x + j * tile_rows), half), target = load(q + j * tile_rows),
                     term = target * (maximum - logit);
        add_term<T>(total, target);
        add_term<T>(below, logit == maximum ? Double{} : target);
        add_term<T>(distance, target == Double{} ? Double{} : term);
    }
    return {rounded(total), rounded(below), rounded(distance)};
}

// Q p - q times a factor, from exponentials as they are stored. The two may cancel: for float the difference is taken
// in double, for double with the factor of the exponential in two parts.
template <class T>
struct PackDifference {
    TwoParts<Double> inverse, largest;
    Double factor, at_maximum, where_certain;
    Int64 certain;

    SOFTGRAD_INLINE PackDifference() = default;
    SOFTGRAD_INLINE PackDifference(const Pack<T>& pack, int half, const PackTargets& targets, Double factor)
        : factor(factor), at_maximum(half_of(pack.at_maximum, half)) {
        const TwoParts<Double> scale = two_product(targets.total, factor), rest = pack.rest[half];
        inverse = scaled(pack.inverse[half], scale);
        largest = scaled(pack.largest[half], scale);
        // Where p > 1/2, Q p - q = (Q - q) - Q R / (1 + R), with Q - q summed without it, does not lose what p - 1
        // would.
        certain = rest.high < 0.5;
        where_certain = (targets.below_maximum - targets.total * (rest.high * pack.largest[half].high)) * factor;
    }
    SOFTGRAD_INLINE Double operator()(Double exponential, Double target) const {
        constexpr double unspare = ExpConstants<T>::unspare, spare = 1.0 / unspare;
        Double below;
        // Subtracted 2^spare too large as well, where nothing is subnormal.
        if constexpr (sizeof(T) == sizeof(double))
            below = fma(exponential, inverse.high, fma(exponential, inverse.low, target * factor * -spare)) * unspare;
        else
            below = exponential * (inverse.high * unspare) - target * factor;
        const Double uncertain = (largest.high - target * factor) + largest.low;
        return exponential == at_maximum ? (certain ? where_certain : uncertain) : below;
    }
};

// losses[i], unscaled, with the tile q of targets; the gradient times scale[i].
template <class T>
void soft_cross_entropy_tile(T* tile, int64_t n, int64_t rows, const double* q, const double* scale, double* losses) {
    constexpr int half_width = Simd<double>::width;
    Pack<T> packs[most_packs<T>];
    PackTargets targets[most_packs<T>][halves<T>];
    find_maxima(tile, n, rows, packs);
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        for (int h = 0; h < halves<T>; ++h)
            targets[k][h] = sum_targets(tile + i, q + i + h * half_width, n, half_of(packs[k].maximum, h), h);
    });
    sum_exponentials(tile, n, rows, scale ? tile : nullptr, packs);
    find_logarithms(packs, packs_of<T>(rows));
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        const Pack<T>& pack = packs[k];
        for (int h = 0; h < halves<T>; ++h) {
            const PackTargets& of_half = targets[k][h];
            TwoParts<Double> entropy = two_product(pack.log_rest[h].high, of_half.total);
            entropy.low += pack.log_rest[h].low * of_half.total;
            store(losses + i + h * half_width, plus(of_half.distance, entropy));
        }
    });
    if (!scale) return;
    find_inverses(packs, packs_of<T>(rows));
    each_pack<T>(rows, [&](int64_t i, int64_t k) __attribute__((always_inline)) {
        PackDifference<T> differences[halves<T>];
        for (int h = 0; h < halves<T>; ++h)
            differences[h] = PackDifference<T>(packs[k], h, targets[k][h], load(scale + i + h * half_width));
        for (int64_t j = 0; j < n; ++j) {
            T* const at = tile + i + j * tile_rows;
            const Vec<T> exponentials = load(at);
            Double of_halves[halves<T>];
            for (int h = 0; h < halves<T>; ++h)
                of_halves[h] = differences[h](half_of(exponentials, h), load(q + i + j * tile_rows + h * half_width));
            store(at, joined(of_halves, Vec<T>{}));
        }
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
