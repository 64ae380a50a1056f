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

// Elements whose four logical stripes are summed together.
template <class T>
constexpr int64_t group = 4 * Simd<T>::lanes;

// Calls visit(offset, count, vector, depth) for the vectors of [begin, end), begin being a multiple of a group, in the order of
// the sums: groups of four stripes of the logical lanes, in a group lane by lane, so that the four elements of a lane stand
// together. count is the vector's width but for the last of the row. After the last depth of a lane: flush(vector).
template <class T, class Visit, class Flush>
SOFTGRAD_INLINE void for_groups(int64_t begin, int64_t end, Visit visit, Flush flush) {
    constexpr int width = Simd<T>::width, lanes = Simd<T>::lanes, vectors = lanes / width;
    int64_t base = begin;
    for (; base + group<T> <= end; base += group<T>)
        for (int v = 0; v < vectors; ++v) {
            for (int depth = 0; depth < 4; ++depth) visit(base + depth * lanes + v * width, width, v, depth);
            flush(v);
        }
    for (int v = 0; v < vectors && base + v * width < end; ++v) {
        for (int depth = 0; depth < 4; ++depth) {
            const int64_t offset = base + depth * lanes + v * width;
            if (offset >= end) break;
            visit(offset, static_cast<int>(end - offset < width ? end - offset : width), v, depth);
        }
        flush(v);
    }
}

// The maximum of a row, NaN passed over (-inf for an empty row), and which of at most 64 blocks hold an entry equal to it: only
// there is it looked for again.
template <class T>
struct Maximum {
    T value;
    int64_t block;   // elements of a block, a multiple of a group
    uint64_t blocks, holds;  // bit b: block b is in the row; it holds the maximum
    T elsewhere;     // the maximum of the other blocks

    // First the blocks that do not hold it, then those that do: nearly always one, so that no branch depends on where it is.
    template <class Without, class With>
    SOFTGRAD_INLINE void each_block(int64_t n, Without without, With with) const {
        auto each = [&](uint64_t bits, auto visit) __attribute__((always_inline)) {
            for (; bits; bits &= bits - 1) {
                const int64_t begin = __builtin_ctzll(bits) * block;
                visit(begin, begin + block < n ? begin + block : n);
            }
        };
        each(blocks & ~holds, without);
        each(holds, with);
    }
};

template <class T>
inline Maximum<T> row_maximum(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, most_blocks = 64, unrolled = 4;
    Maximum<T> result;
    result.block = ((n + most_blocks - 1) / most_blocks + group<T> - 1) / group<T> * group<T>;
    Vec<T> of_block[most_blocks], of_row = broadcast(T(-infinity));
    int blocks = 0;
    for (int64_t i = 0; i < n;) {
        const int64_t end = i + result.block < n ? i + result.block : n;
        Vec<T> kept[unrolled];
        for (int v = 0; v < unrolled; ++v) kept[v] = broadcast(T(-infinity));
        for (; i + unrolled * width <= end; i += unrolled * width)
            for (int v = 0; v < unrolled; ++v) kept[v] = maximum(load(x + i + v * width), kept[v]);
        for (; i < end; i += width)
            kept[0] = maximum(load_or_pad(x + i, static_cast<int>(end - i < width ? end - i : width), T(-infinity)), kept[0]);
        for (int v = 1; v < unrolled; ++v) kept[0] = maximum(kept[v], kept[0]);
        of_block[blocks++] = kept[0];
        of_row = maximum(kept[0], of_row);
    }
    result.value = largest_of_lanes(of_row);
    result.blocks = result.holds = 0;
    Vec<T> elsewhere = broadcast(T(-infinity));
    for (int b = 0; b < blocks; ++b) {
        const bool holds = any(of_block[b] == result.value);
        result.blocks |= uint64_t(1) << b;
        result.holds |= uint64_t(holds) << b;
        elsewhere = maximum(holds ? broadcast(T(-infinity)) : of_block[b], elsewhere);
    }
    result.elsewhere = largest_of_lanes(elsewhere);
    return result;
}

// a + b, b in two parts, rounded once. An infinite a stays what it is, unless b is NaN.
inline double plus(double a, TwoParts<double> b) {
    if (!is_finite(a)) return a + (b.high + b.low);
    const TwoParts<double> sum = two_sum(a, b.high);
    return sum.high + (sum.low + b.low);
}

inline TwoParts<double> scaled(TwoParts<double> value, double factor) {
    const TwoParts<double> product = two_product(value.high, factor);
    return {product.high, product.low + value.low * factor};
}

inline TwoParts<double> scaled(TwoParts<double> value, TwoParts<double> factor) {
    const TwoParts<double> product = scaled(value, factor.high);
    return {product.high, product.low + value.high * factor.low};
}

inline TwoParts<double> sum_of(TwoParts<double> a, TwoParts<double> b) {
    const TwoParts<double> sum = two_sum(a.high, b.high);
    // The second part of log1p may be large: what comes out is one rounding and its rest again.
    return two_sum(sum.high, sum.low + (a.low + b.low));
}

template <class T>
struct Normalizer {
    T maximum;
    Maximum<T> blocks;
    int64_t maxima;            // how many entries equal the maximum
    double rest;               // R
    TwoParts<double> log_rest; // log1p(R)
    TwoParts<double> inverse;  // 1 / S; times an exponential, the probability
    T at_maximum;              // the exponential of the maximum as it is stored
    TwoParts<double> largest;  // the probability of the maximum: exactly 1 / V where all are equal
    bool regular;              // false: the maximum is not finite, nothing else here is set, no exponential was stored
};

// Also stores the exponentials, 2^spare too large, where `exponentials` is given; it may be x itself. `results` is where the results of
// the row will be written, or null. With `two_parts` the row is x + x_low; its maximum must have no second part.
template <class T, bool two_parts = false>
inline Normalizer<T> normalize(const T* x, int64_t n, T* exponentials, const T* results, [[maybe_unused]] const T* x_low = nullptr) {
    Normalizer<T> result;
    result.blocks = row_maximum(x, n);
    result.maximum = result.blocks.value;
    result.regular = is_finite(result.maximum);
    if (!result.regular) return result;

    const Origin<T> origin = origin_at(result.maximum);
    const TwoParts<double> e_maximum = exp_at_origin(origin, result.maximum);
    const Vec<T> maximum = broadcast(result.maximum);
    result.at_maximum = static_cast<T>(e_maximum.high + e_maximum.low) / ExpConstants<T>::unspare;
    const Vec<T> at_maximum = broadcast(result.at_maximum);
    LaneSums<T> sums;
    FourTerms<T> terms;
    Mask<T> equal_count{};
    LaneResidues<T> residues;
    // While this row is worked on the next one comes from memory, and the lines to be written: a group's with its first stripe. (Shorter
    // rows follow each other closely enough for the machine to see.)
    const bool is_long = n > group<T>, writes_elsewhere = results && results != x;
    auto prefetch_next = [&](int64_t offset, int vector, int depth) __attribute__((always_inline)) {
        constexpr int line = 64 / sizeof(T), lines = 4 * Simd<T>::width / line;
        if (depth != 0 || !is_long) return;
        for (int64_t i = 0, at = n + offset + vector * (lines * line - Simd<T>::width); i < lines; ++i, at += line) {
            __builtin_prefetch(x + at);
            if (writes_elsewhere) __builtin_prefetch(results + at, 1);
        }
    };
    auto exponential = [&](int64_t offset, int count, int vector, int depth) __attribute__((always_inline)) {
        prefetch_next(offset, vector, depth);
        const Vec<T> v = load_or_pad(x + offset, count, T(-infinity));
        if constexpr (two_parts) return exp_from<T, true>(origin, v, load_or_pad(x_low + offset, count, T(0)));
        return exp_from<T>(origin, v);
    };
    auto store_exponential = [&](int64_t offset, Vec<T> value, int count) __attribute__((always_inline)) {
        if (exponentials) store_first(exponentials + offset, value, count);
    };
    auto add_exactly = [&](int64_t begin, int64_t end, bool holds_maximum) __attribute__((always_inline)) {
        auto visit = [&](int64_t offset, int count, int vector, int depth) __attribute__((always_inline)) {
            Exponential<T> e = exponential(offset, count, vector, depth);
            Vec<T> stored = e.value;
            if (holds_maximum) {
                const Mask<T> equal = load_or_pad(x + offset, count, T(-infinity)) == maximum;
                equal_count = equal ? equal_count + 1 : equal_count;
                stored = equal ? at_maximum : e.value;
                e.value = equal ? Vec<T>{} : e.value;
                e.scale = equal ? Vec<T>{} : e.scale;
            }
            terms.add(depth, e.value);
            residues.add(e.residue(), e.scale);
            store_exponential(offset, stored, count);
        };
        for_groups<T>(begin, end, visit, [&](int vector) __attribute__((always_inline)) {
            sums.add(vector, terms);
            residues.flush(vector);
        });
    };
    auto add_blocks = [&](auto add_without_maximum) __attribute__((always_inline)) {
        result.blocks.each_block(n, add_without_maximum, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
            add_exactly(begin, end, true);
        });
    };
    if (sizeof(T) == sizeof(double)) {
        add_blocks([&](int64_t begin, int64_t end) __attribute__((always_inline)) { add_exactly(begin, end, false); });
    } else if (n <= result.blocks.block) {
        add_exactly(0, n, true);
    } else if constexpr (sizeof(T) == sizeof(float)) {
        BoundedSums bounded(2 * power_of_two_at(origin, result.blocks.elsewhere));
        constexpr int64_t most = BoundedSums::most_terms * Simd<T>::lanes;
        auto visit = [&](int64_t offset, int count, int vector, int depth) __attribute__((always_inline)) {
            const Exponential<T> e = exponential(offset, count, vector, depth);
            bounded.add(vector, depth, e.value, e.u, e.scale);
            store_exponential(offset, e.value, count);
        };
        auto flush = [&](int vector) __attribute__((always_inline)) { bounded.flush(vector); };
        add_blocks([&](int64_t begin, int64_t end) __attribute__((always_inline)) {
            for (; begin < end; begin += most) {
                for_groups<T>(begin, end - begin < most ? end : begin + most, visit, flush);
                if (n > most) bounded.move_to(sums);
            }
        });
        bounded.move_to(sums);
    }

    result.maxima = 0;  // together they may be more than 2^31
    for (int lane = 0; lane < Simd<T>::width; ++lane) result.maxima += equal_count[lane];
    const double c = static_cast<double>(result.maxima);
    TwoParts<double> others = sums.total();
    others.low += residues.total();
    others.high *= ExpConstants<T>::unspare;
    others.low *= ExpConstants<T>::unspare;

    const TwoParts<double> all_maxima = two_product(c, e_maximum.high);
    TwoParts<double> sum = two_sum(all_maxima.high, others.high);
    sum.low += others.low + (all_maxima.low + c * e_maximum.low);
    const double inverse = 1.0 / sum.high;
    const TwoParts<double> back = two_product(inverse, sum.high);
    result.inverse = {inverse, ((1.0 - back.high) - back.low - inverse * sum.low) * inverse};

    result.largest = scaled(result.inverse, e_maximum.high);
    result.largest.low += result.inverse.high * e_maximum.low;

    const double quotient = others.high / e_maximum.high;
    const TwoParts<double> undone = two_product(quotient, e_maximum.high);
    const double correction = ((others.high - undone.high) - undone.low + others.low - quotient * e_maximum.low) / e_maximum.high;
    TwoParts<double> rest = two_sum(c - 1.0, quotient);
    rest.low += correction;
    result.rest = rest.high + rest.low;
    result.log_rest = log1p(result.rest);
    result.log_rest.low += ((rest.high - result.rest) + rest.low) / (1.0 + result.rest);
    return result;
}

// From exponentials as they are stored, 2^spare too large, to their probabilities times a factor: one rounding where there
// is a fused multiply-add, and one more for a subnormal result. The maximum's own probability is known better.
template <class T>
class Probabilities {
    Vec<T> high_, low_, unspare_, at_maximum_, largest_;

  public:
    Probabilities(const Normalizer<T>& row, double factor) {
        const TwoParts<double> inverse = scaled(row.inverse, factor), largest = scaled(row.largest, factor);
        // 2^-spare is taken out first where the product could overflow, else last: the product, or the part of it that the rounding of the
        // factor gives, could be subnormal.
        const bool first = inverse.high > ExpConstants<T>::large_factor || inverse.high < -ExpConstants<T>::large_factor;
        const double before = first ? ExpConstants<T>::unspare : 1.0;
        const T high = static_cast<T>(inverse.high * before);
        high_ = broadcast(high);
        low_ = broadcast(static_cast<T>((inverse.high * before - static_cast<double>(high)) + inverse.low * before));
        unspare_ = broadcast(first ? T(1) : ExpConstants<T>::unspare);
        at_maximum_ = broadcast(row.at_maximum);
        largest_ = broadcast(static_cast<T>(largest.high + largest.low));
    }
    SOFTGRAD_INLINE Vec<T> below_maximum(Vec<T> e) const { return fma(e, high_, e * low_) * unspare_; }
    SOFTGRAD_INLINE Vec<T> operator()(Vec<T> e) const { return e == at_maximum_ ? largest_ : below_maximum(e); }
};

#if !defined(SOFTGRAD_FUSED)
// Without one, the product of two floats is exact in double.
template <>
class Probabilities<float> {
    Double inverse_;
    Float at_maximum_, largest_;

  public:
    Probabilities(const Normalizer<float>& row, double factor)
        : inverse_(broadcast(row.inverse.high * factor * ExpConstants<float>::unspare)),
          at_maximum_(broadcast(row.at_maximum)),
          largest_(broadcast(static_cast<float>(row.largest.high * factor))) {}
    SOFTGRAD_INLINE Float below_maximum(Float e) const { return narrow(widen_low(e) * inverse_, widen_high(e) * inverse_); }
    SOFTGRAD_INLINE Float operator()(Float e) const { return e == at_maximum_ ? largest_ : below_maximum(e); }
};
#endif

}  // namespace softgrad::SOFTGRAD_ISA_NAME
