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

template <bool two_parts>
inline Others sum_others(const RowToSum<double>& row) {
    constexpr int width = Simd<double>::width;
    const Double maximum = broadcast(row.maximum.value), at_maximum = broadcast(row.at_maximum);
    LaneSums<double> sums;
    FourTerms<double> terms;
    LaneResidues<double> residues;
    Int64 maxima{};
    auto add = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        auto visit = [&](int64_t offset, int count, int vector, int depth) __attribute__((always_inline)) {
            if (depth == 0) fetch_next_row(row, offset + vector * 3 * width, 4 * width);
            const Double x = load_or_pad(row.x + offset, count, -infinity);
            Double low{};
            if constexpr (two_parts) low = load_or_pad(row.x_low + offset, count, 0.0);
            Exponential<double> e = exp_from<double, two_parts>(row.origin, x, low);
            Double stored = e.value;
            if constexpr (holds_maximum) {
                const Int64 equal = x == maximum;
                maxima -= equal;
                stored = equal ? at_maximum : e.value;
                e.value = equal ? Double{} : e.value;
                e.scale = equal ? Double{} : e.scale;
            }
            terms.add(depth, e.value);
            residues.add(e.residue(), e.scale);
            if (row.exponentials) store_first(row.exponentials + offset, stored, count);
        };
        for_groups<double>(begin, end, visit, [&](int vector) __attribute__((always_inline)) {
            sums.add(vector, terms);
            residues.flush(vector);
        });
    };
    row.maximum.each_block(
        row.n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add.template operator()<false>(begin, end); },
        [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add.template operator()<true>(begin, end); });
    TwoParts<double> sum = sums.total();
    sum.low += residues.total();
    return {sum, sum_of_counts<double>(maxima)};
}

// Sums of exponentials none of which is above `bound`, in float: a sum that begins at the bound is never below what is added, so
// that what the addition rounds away is had from two subtractions (Dekker), and what the exponential's own rounding took away in the
// same step. The bound must be of the size of the largest term, for the terms that are lost in it add up in `errors` alone.
class BoundedSums {
    static constexpr int width = Simd<float>::width, count = Simd<float>::lanes / width;
    Float sums[count], errors[count], bound;

    static SOFTGRAD_INLINE void add(Float& sum, Float& error, const Exponential<float>& e) {
        const Float next = sum + e.value;
        error += fma(e.u, e.scale, e.scale - (next - sum));
        sum = next;
    }

  public:
    static constexpr int together = 4;
    // Entries after which the errors go to float64, or so: 64 of a lane, whose roundings are then no more than 2^-20 of what is lost.
    static constexpr int64_t most = 4096;

    inline explicit BoundedSums(float bound) : bound(broadcast(bound)) { clear(); }
    inline void clear() {
        for (int v = 0; v < count; ++v) {
            sums[v] = bound;
            errors[v] = Float{};
        }
    }
    // Four entries of the lanes of one vector, in their order.
    SOFTGRAD_INLINE void add_in_turn(int vector, const Exponential<float>* e) {
        Float sum = sums[vector], error = errors[vector];
        for (int i = 0; i < together; ++i) add(sum, error, e[i]);
        sums[vector] = sum;
        errors[vector] = error;
    }
    // One entry of the lanes of each of so many vectors.
    template <int vectors>
    SOFTGRAD_INLINE void add_side_by_side(int vector, const Exponential<float>* e) {
        for (int i = 0; i < vectors; ++i) add(sums[vector + i], errors[vector + i], e[i]);
    }
    inline double total() const {
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
        return sum_of_lanes(folded[0]) + static_cast<double>(sum_of_lanes(folded_errors[0]));
    }
};

// `moved`: the origin is not 0. Inline, since a call costs as much as sixty entries.
template <bool moved>
SOFTGRAD_INLINE Others sum_others_from(const RowToSum<float>& row) {
    Origin<float> origin = row.origin;
    if constexpr (!moved) origin.subtract = 0.0f;  // known when it is compiled, so that nothing is subtracted
    constexpr int width = Simd<float>::width, lanes = Simd<float>::lanes, vectors = lanes / width, together = BoundedSums::together;
    const Float maximum = broadcast(row.maximum.value), at_maximum = broadcast(row.at_maximum), lowest = broadcast(float(-infinity));
    auto nothing = [](int64_t, int64_t) {};

    Int32 maxima{};
    Float below = lowest;
    row.maximum.each_block(row.n, nothing, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
        auto look = [&](Float x) __attribute__((always_inline)) {
            const Int32 equal = x == maximum;
            maxima -= equal;
            below = softgrad::SOFTGRAD_ISA_NAME::maximum(equal ? lowest : x, below);
        };
        for (; begin + width <= end; begin += width) look(load(row.x + begin));
        if (begin < end) look(load_or_pad(row.x + begin, static_cast<int>(end - begin), float(-infinity)));
    });
    const float in_blocks = largest_of_lanes(below), largest = in_blocks > row.maximum.elsewhere ? in_blocks : row.maximum.elsewhere;

    BoundedSums sums(2 * power_of_two_at(origin, largest));
    auto add = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        // x[i], the exponentials of vectors `apart` entries apart, and what is to be stored.
        auto exponentials = [&]<int count>(const Float* x, Exponential<float>* e, Float* stored) __attribute__((always_inline)) {
            exp_from<count, float>(origin, x, nullptr, e);
            for (int i = 0; i < count; ++i) {
                stored[i] = e[i].value;
                if constexpr (holds_maximum) {
                    const Int32 equal = x[i] == maximum;
                    stored[i] = equal ? at_maximum : stored[i];
                    e[i].value = equal ? Float{} : e[i].value;
                    e[i].scale = equal ? Float{} : e[i].scale;
                }
            }
        };
        auto visit = [&]<int apart>(int64_t offset, int vector) __attribute__((always_inline)) {
            Float x[together], stored[together];
            Exponential<float> e[together];
            for (int i = 0; i < together; ++i) x[i] = load(row.x + offset + i * apart);
            exponentials.template operator()<together>(x, e, stored);
            if constexpr (apart == lanes)
                sums.add_in_turn(vector, e);
            else
                sums.add_side_by_side<together>(vector, e);
            if (row.exponentials)
                for (int i = 0; i < together; ++i) store(row.exponentials + offset + i * apart, stored[i]);
        };
        int64_t offset = begin;
        for (; offset + group<float> <= end; offset += group<float>)
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
            const Float x = load_or_pad(row.x + offset, count, float(-infinity));
            Float stored;
            Exponential<float> e;
            exponentials.template operator()<1>(&x, &e, &stored);
            sums.add_side_by_side<1>(vector, &e);
            if (row.exponentials) store_first(row.exponentials + offset, stored, count);
        }
    };
    double sum = 0.0;
    int64_t added = 0;
    auto add_block = [&]<bool holds_maximum>(int64_t begin, int64_t end) __attribute__((always_inline)) {
        add.template operator()<holds_maximum>(begin, end);
        added += end - begin;
        if (added < BoundedSums::most) return;
        sum += sums.total();
        sums.clear();
        added = 0;
    };
    row.maximum.each_block(
        row.n, [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add_block.template operator()<false>(begin, end); },
        [&](int64_t begin, int64_t end) __attribute__((always_inline)) { add_block.template operator()<true>(begin, end); });
    return {{sum + sums.total(), 0.0}, sum_of_counts<float>(maxima)};
}

// Of as many entries as are summed from one bound, what is lost in it is no more than 2^-6 of the sum.
constexpr int64_t longest_part = int64_t(1) << 17;

template <bool moved>
__attribute__((noinline)) Others sum_others_in_parts(RowToSum<float> part) {
    Others others{};
    const float maximum = part.maximum.value;
    for (int64_t left = part.n; left > 0; left -= part.n) {
        part.n = left < longest_part ? left : longest_part;
        part.maximum = row_maximum(part.x, part.n);
        if (part.maximum.value != maximum) {
            part.maximum.elsewhere = part.maximum.value;
            part.maximum.holds = 0;
        }
        part.maximum.value = maximum;
        const Others of_part = sum_others_from<moved>(part);
        others.sum.high += of_part.sum.high;
        others.maxima += of_part.maxima;
        part.x += part.n;
        if (part.exponentials) part.exponentials += part.n;
        if (part.results) part.results += part.n;
    }
    return others;
}

SOFTGRAD_INLINE Others sum_others(const RowToSum<float>& row) {
    if (row.origin.subtract != 0.0f) return sum_others_in_parts<true>(row);
    return row.n > longest_part ? sum_others_in_parts<false>(row) : sum_others_from<false>(row);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
