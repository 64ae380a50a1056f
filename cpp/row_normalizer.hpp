// What every row kernel begins with: the maximum of a row and the sum of its exponentials with the maximum left out.
//
// With m the maximum, E = exp(m) on the row's scale (see Origin), `others` the sum of the exponentials of what is below m
// and c the number of entries equal to m: the normalizer is S = c E + others, and R = (c - 1) + others / E. The loss and
// the log-probabilities use log1p(R): what is added to 1 keeps its digits however small it is.
#pragma once

#include "exp_log.hpp"
#include "lane_sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
inline bool is_finite(T value) {
    return value - value == T(0);
}

template <class T>
inline bool has_nan(const T* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        if (x[i] != x[i]) return true;
    return false;
}

// The maximum, NaN passed over; -inf for an empty row.
template <class T>
inline T row_maximum(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, vectors = Simd<T>::lanes / width;
    Vec<T> kept[vectors];
    for (int v = 0; v < vectors; ++v) kept[v] = broadcast(T(-infinity));
    int64_t i = 0;
    for (; i + vectors * width <= n; i += vectors * width)
        for (int v = 0; v < vectors; ++v) kept[v] = maximum(load(x + i + v * width), kept[v]);
    for (; i + width <= n; i += width) kept[0] = maximum(load(x + i), kept[0]);
    for (int v = 1; v < vectors; ++v) kept[0] = maximum(kept[v], kept[0]);
    T lanes[width];
    store(lanes, kept[0]);
    T result = T(-infinity);
    for (int lane = 0; lane < width; ++lane) result = lanes[lane] > result ? lanes[lane] : result;
    for (; i < n; ++i) result = x[i] > result ? x[i] : result;
    return result;
}

// Calls visit(offset, count, vector, depth) for the vectors of a row in the order of the sums: groups of four stripes of
// the logical lanes, in a group lane by lane, so that the four elements of a lane stand together. count is the vector's
// width but for the last of the row. After the last depth of a lane: flush(vector).
template <class T, class Visit, class Flush>
SOFTGRAD_INLINE void for_groups(int64_t n, Visit visit, Flush flush) {
    constexpr int width = Simd<T>::width, lanes = Simd<T>::lanes, vectors = lanes / width;
    int64_t base = 0;
    for (; base + 4 * lanes <= n; base += 4 * lanes)
        for (int v = 0; v < vectors; ++v) {
            for (int depth = 0; depth < 4; ++depth) visit(base + depth * lanes + v * width, width, v, depth);
            flush(v);
        }
    for (int v = 0; v < vectors && base + v * width < n; ++v) {
        for (int depth = 0; depth < 4; ++depth) {
            const int64_t offset = base + depth * lanes + v * width;
            if (offset >= n) break;
            visit(offset, static_cast<int>(n - offset < width ? n - offset : width), v, depth);
        }
        flush(v);
    }
}

// The pairwise sum of the (up to four) elements that a lane has in a group.
template <class V>
struct FourTerms {
    V pairs[2] = {};
    SOFTGRAD_INLINE void add(int depth, V term) { pairs[depth / 2] = depth % 2 ? pairs[depth / 2] + term : term; }
    SOFTGRAD_INLINE V take() {
        const V sum = pairs[0] + pairs[1];
        pairs[0] = pairs[1] = V{};
        return sum;
    }
};

template <class T>
SOFTGRAD_INLINE Vec<T> load_or_pad(const T* from, int count, T padding) {
    if (count == Simd<T>::width) return load(from);
    T lanes[Simd<T>::width];
    for (int i = 0; i < Simd<T>::width; ++i) lanes[i] = i < count ? from[i] : padding;
    return load(lanes);
}

template <class T>
SOFTGRAD_INLINE void store_first(T* to, Vec<T> v, int count) {
    if (count == Simd<T>::width) return store(to, v);
    T lanes[Simd<T>::width];
    store(lanes, v);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
}

template <class T>
struct Normalizer {
    T maximum;
    int64_t maxima;            // how many entries equal the maximum
    double rest;               // R
    double log_rest;           // log1p(R)
    TwoParts<double> inverse;  // 1 / S
    bool regular;              // false: the maximum is not finite, nothing else here is set, no exponential was stored

    double logsumexp() const { return static_cast<double>(maximum) + log_rest; }
};

// Also stores the exponentials, on the scale that `inverse` belongs to, where `exponentials` is given; it may be x itself.
template <class T>
inline Normalizer<T> normalize(const T* x, int64_t n, T* exponentials) {
    Normalizer<T> result;
    result.maximum = row_maximum(x, n);
    result.regular = is_finite(result.maximum);
    if (!result.regular) return result;

    const Origin<T> origin = origin_at(result.maximum);
    const Vec<T> maximum = broadcast(result.maximum);
    LaneSums<T> sums;
    FourTerms<Vec<T>> terms;
    Mask<T> equal_count{};
    auto flush = [&](int vector) __attribute__((always_inline)) { sums.add(vector, terms.take()); };
    auto visit = [&](int64_t offset, int count, int, int depth) __attribute__((always_inline)) {
        const Vec<T> v = load_or_pad(x + offset, count, T(-infinity));
        const Vec<T> e = exp_from(origin, v);
        const Mask<T> equal = v == maximum;
        equal_count -= equal;
        terms.add(depth, equal ? Vec<T>{} : e);
        if (exponentials) store_first(exponentials + offset, e, count);
    };
    for_groups<T>(n, visit, flush);

    result.maxima = 0;
    for (int lane = 0; lane < Simd<T>::width; ++lane) result.maxima += equal_count[lane];
    const double c = static_cast<double>(result.maxima);
    const TwoParts<double> others = sums.total(), e = exp_at_origin(origin, result.maximum);

    const TwoParts<double> largest = two_product(c, e.high);
    TwoParts<double> sum = two_sum(largest.high, others.high);
    sum.low += others.low + (largest.low + c * e.low);
    const double inverse = 1.0 / sum.high;
    const TwoParts<double> back = two_product(inverse, sum.high);
    result.inverse = {inverse, ((1.0 - back.high) - back.low - inverse * sum.low) * inverse};

    const double quotient = others.high / e.high;
    const TwoParts<double> undone = two_product(quotient, e.high);
    const double correction = ((others.high - undone.high) - undone.low + others.low - quotient * e.low) / e.high;
    const TwoParts<double> rest = two_sum(c - 1.0, quotient);
    result.rest = rest.high + (rest.low + correction);
    result.log_rest = log1p(result.rest);
    return result;
}

// row[j] *= factor, rounded once; factor in two parts.
template <class T>
inline void scale_row(T* row, int64_t n, TwoParts<double> factor) {
    const T high = static_cast<T>(factor.high);
    const T low = static_cast<T>((factor.high - static_cast<double>(high)) + factor.low);
    const Vec<T> factor_high = broadcast(high), factor_low = broadcast(low);
    constexpr int width = Simd<T>::width;
    int64_t j = 0;
    for (; j + width <= n; j += width) {
        const Vec<T> e = load(row + j);
        store(row + j, fma(e, factor_high, e * factor_low));
    }
    if (j < n) {
        const int count = static_cast<int>(n - j);
        const Vec<T> e = load_or_pad(row + j, count, T(0));
        store_first(row + j, fma(e, factor_high, e * factor_low), count);
    }
}

inline TwoParts<double> scaled(TwoParts<double> value, double factor) {
    const TwoParts<double> product = two_product(value.high, factor);
    return {product.high, product.low + value.low * factor};
}

template <class T>
inline void fill_row(T* row, int64_t n, T value) {
    for (int64_t j = 0; j < n; ++j) row[j] = value;
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
