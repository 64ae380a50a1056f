// The exponentials of a row whose maximum is known, and the sum of those below it.
#pragma once

#include "exp_log.hpp"
#include "row_maximum.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
struct RowToSum {
    const T *x, *x_low;  // the row is x + x_low, where that is given; its maximum must have no second part
    int64_t n;
    Maximum<T> maximum;
    Origin<T> origin;
    T at_maximum;        // the exponential of the maximum, as it is stored
    T* exponentials;     // where they are stored, 2^spare too large; may be x, or null
    const T* results;    // where the results of the row will be written, or null
};

struct Others {
    TwoParts<double> sum;  // 2^spare too large
    int64_t maxima;        // how many entries equal the maximum
};

// While a row is worked on the next one comes from memory, `count` entries of it, and the lines to be written. (Shorter rows follow each
// other closely enough for the machine to see.)
template <class T>
SOFTGRAD_INLINE void fetch_next_row(const RowToSum<T>& row, int64_t offset, int count) {
    if (row.n <= group<T>) return;
    constexpr int line = 64 / sizeof(T);
    for (int64_t i = 0, at = row.n + offset; i < count; i += line) {
        __builtin_prefetch(row.x + at + i);
        if (row.results && row.results != row.x) __builtin_prefetch(row.results + at + i, 1);
    }
}

template <class T>
inline int64_t sum_of_counts(Mask<T> counts) {
    typename Simd<T>::Integer lanes[Simd<T>::width];
    __builtin_memcpy(lanes, &counts, sizeof counts);
    int64_t sum = 0;  // may be more than 2^31
    for (auto lane : lanes) sum += lane;
    return sum;
}

// Sums of the exponentials of a row over its logical lanes, none of them above `bound`.
template <class T>
class OtherSums;

// In float: a sum that begins at the bound is never below what is added, so that what the addition rounds away is had from two
// subtractions (Dekker), and what the exponential's own rounding took away in the same step. The bound must be of the size of the largest
// term, for the terms that are lost in it add up in `errors` alone.
template <>
class OtherSums<float> {
    static constexpr int width = Simd<float>::width, count = Simd<float>::lanes / width;
    Float sums[count], errors[count], bound;

    static SOFTGRAD_INLINE void add(Float& sum, Float& error, const Exponential<float>& e) {
        const Float next = sum + e.value;
        error += fma(e.u, e.scale, e.scale - (next - sum));
        sum = next;
    }

  public:
    // Entries after which to take the sum and begin anew: 64 of a lane, so that the roundings of the errors are 2^-20 of them at most.
    static constexpr int64_t most = 4096;
    // Entries that may be summed from one bound: what is lost in it is then no more than 2^-6 of the sum.
    static constexpr int64_t longest = int64_t(1) << 17;

    inline explicit OtherSums(float bound) : bound(broadcast(bound)) { clear(); }
    inline void clear() {
        for (int v = 0; v < count; ++v) {
            sums[v] = bound;
            errors[v] = Float{};
        }
    }
    SOFTGRAD_INLINE void add_in_turn(int vector, const Exponential<float>* e) {
        Float sum = sums[vector], error = errors[vector];
        for (int i = 0; i < 4; ++i) add(sum, error, e[i]);
        sums[vector] = sum;
        errors[vector] = error;
    }
    template <int vectors>
    SOFTGRAD_INLINE void add_side_by_side(int vector, const Exponential<float>* e) {
        for (int i = 0; i < vectors; ++i) add(sums[vector + i], errors[vector + i], e[i]);
    }
    inline TwoParts<double> total() const {
        Double folded[2 * count];
        Float folded_errors[count];
        for (int v = 0; v < count; ++v) {
            folded[2 * v] = widen_low(sums[v] - bound);
            folded[2 * v + 1] = widen_high(sums[v] - bound);
            folded_errors[v] = errors[v];
        }
        for (int half = count; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) folded[i] += folded[i + half];
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) folded_errors[i] += folded_errors[i + half];
        return {sum_of_lanes(folded[0]) + static_cast<double>(sum_of_lanes(folded_errors[0])), 0.0};
    }
};

// In two doubles, which need no bound.
template <>
class OtherSums<double> {
    LaneSums<double> sums;
    LaneResidues<double> residues;

  public:
    static constexpr int64_t most = INT64_MAX, longest = INT64_MAX;

    inline explicit OtherSums(double) {}
    inline void clear() { *this = OtherSums(0.0); }
    SOFTGRAD_INLINE void add_in_turn(int vector, const Exponential<double>* e) {
        FourTerms<double> terms;
        for (int i = 0; i < 4; ++i) terms.add(i, e[i].value);
        for (int i = 0; i < 4; ++i) residues.add(e[i].residue(), e[i].scale);
        sums.add(vector, terms);
        residues.flush(vector);
    }
    template <int vectors>
    SOFTGRAD_INLINE void add_side_by_side(int vector, const Exponential<double>* e) {
        for (int i = 0; i < vectors; ++i) {
            sums.add(vector + i, e[i].value);
            residues.add(e[i].residue(), e[i].scale);
            residues.flush(vector + i);
        }
    }
    inline TwoParts<double> total() const {
        TwoParts<double> sum = sums.total();
        sum.low += residues.total();
        return sum;
    }
};

// `moved`: the origin is not 0. Inline, since a call costs as much as sixty entries.
template <class T, bool two_parts, bool moved>
SOFTGRAD_INLINE Others sum_others_from(const RowToSum<T>& row) {
    constexpr int width = Simd<T>::width, lanes = Simd<T>::lanes, vectors = lanes / width, together = 4;
    Origin<T> origin = row.origin;
    if constexpr (!moved) origin.subtract = T(0);  // known when it is compiled, so that nothing is subtracted
    const Vec<T> maximum = broadcast(row.maximum.value), at_maximum = broadcast(row.at_maximum), lowest = broadcast(T(-infinity));

    Vec<T> below = lowest;
    auto nothing = [](int64_t, int64_t) {};
    row.maximum.each_block(row.n, nothing, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        auto look = [&](Vec<T> x) __attribute__((always_inline)) {
            below = softgrad::SOFTGRAD_ISA_NAME::maximum(x == maximum ? lowest : x, below);
        };
        for (; begin + width <= end; begin += width) look(load(row.x + begin));
        if (begin < end) look(load_or_pad(row.x + begin, static_cast<int>(end - begin), T(-infinity)));
    });
    const T in_blocks = largest_of_lanes(below), largest = in_blocks > row.maximum.elsewhere ? in_blocks : row.maximum.elsewhere;

    Mask<T> maxima{};
    OtherSums<T> sums(2 * power_of_two_at(origin, largest));
    auto add = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        // The exponentials of x, in `stored` as they are to be stored.
        auto exponentials = [&]<int n>(const Vec<T>* x, const Vec<T>* x_low, Exponential<T>* e, Vec<T>* stored) __attribute__((always_inline)) {
            exp_from<n, T, two_parts>(origin, x, x_low, e);
            for (int i = 0; i < n; ++i) {
                stored[i] = e[i].value;
                if constexpr (holds_maximum) {
                    const Mask<T> equal = x[i] == maximum;
                    maxima -= equal;
                    stored[i] = equal ? at_maximum : stored[i];
                    e[i].value = equal ? Vec<T>{} : e[i].value;
                    e[i].scale = equal ? Vec<T>{} : e[i].scale;
                }
            }
        };
        // Four vectors, from one to the next `apart` entries: of the same lanes, or side by side.
        auto visit = [&]<int apart>(int64_t offset, int vector) __attribute__((always_inline)) {
            Vec<T> x[together], x_low[together], stored[together];
            Exponential<T> e[together];
            for (int i = 0; i < together; ++i) {
                x[i] = load(row.x + offset + i * apart);
                if constexpr (two_parts) x_low[i] = load(row.x_low + offset + i * apart);
            }
            exponentials.template operator()<together>(x, x_low, e, stored);
            if constexpr (apart == lanes)
                sums.add_in_turn(vector, e);
            else
                sums.template add_side_by_side<together>(vector, e);
            if (row.exponentials)
                for (int i = 0; i < together; ++i) store(row.exponentials + offset + i * apart, stored[i]);
        };
        int64_t offset = begin;
        for (; offset + group<T> <= end; offset += group<T>)
            for (int v = 0; v < vectors; ++v) {
                fetch_next_row(row, offset + v * together * width, together * width);
                visit.template operator()<lanes>(offset + v * width, v);
            }
        int vector = 0;
        for (; offset + together * width <= end; offset += together * width, vector = (vector + together) % vectors) {
            fetch_next_row(row, offset, together * width);
            visit.template operator()<width>(offset, vector);
        }
        for (; offset < end; offset += width, ++vector) {
            const int count = static_cast<int>(end - offset < width ? end - offset : width);
            const Vec<T> x = load_or_pad(row.x + offset, count, T(-infinity));
            Vec<T> x_low, stored;
            if constexpr (two_parts) x_low = load_or_pad(row.x_low + offset, count, T(0));
            Exponential<T> e;
            exponentials.template operator()<1>(&x, &x_low, &e, &stored);
            sums.template add_side_by_side<1>(vector, &e);
            if (row.exponentials) store_first(row.exponentials + offset, stored, count);
        }
    };
    TwoParts<double> sum{};
    int64_t added = 0;
    auto take = [&]() __attribute__((always_inline)) {
        const TwoParts<double> taken = sums.total();
        sum.high += taken.high;
        sum.low += taken.low;
    };
    auto add_block = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        add.template operator()<holds_maximum>(begin, end);
        added += end - begin;
        if (added < OtherSums<T>::most) return;
        take();
        sums.clear();
        added = 0;
    };
    row.maximum.each_block(
        row.n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add_block.template operator()<false>(begin, end); },
        [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add_block.template operator()<true>(begin, end); });
    take();
    return {sum, sum_of_counts<T>(maxima)};
}

template <class T, bool two_parts, bool moved>
__attribute__((noinline)) Others sum_others_in_parts(RowToSum<T> part) {
    Others others{};
    const T maximum = part.maximum.value;
    for (int64_t left = part.n; left > 0; left -= part.n) {
        part.n = left < OtherSums<T>::longest ? left : OtherSums<T>::longest;
        part.maximum = row_maximum(part.x, part.n);
        if (part.maximum.value != maximum) {
            part.maximum.elsewhere = part.maximum.value;
            part.maximum.holds = 0;
        }
        part.maximum.value = maximum;
        const Others of_part = sum_others_from<T, two_parts, moved>(part);
        others.sum.high += of_part.sum.high;
        others.sum.low += of_part.sum.low;
        others.maxima += of_part.maxima;
        part.x += part.n;
        if (two_parts) part.x_low += part.n;
        if (part.exponentials) part.exponentials += part.n;
        if (part.results) part.results += part.n;
    }
    return others;
}

template <class T, bool two_parts>
SOFTGRAD_INLINE Others sum_others(const RowToSum<T>& row) {
    if (row.origin.subtract != T(0)) return sum_others_in_parts<T, two_parts, true>(row);
    if (row.n > OtherSums<T>::longest) return sum_others_in_parts<T, two_parts, false>(row);
    return sum_others_from<T, two_parts, false>(row);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
