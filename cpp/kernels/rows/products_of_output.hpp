// Products of the derivatives of softmax and log_softmax at a row whose output is given: p, or its logarithm.
//
// v is taken relative to v_k, k the most probable class, as in rows/products.hpp, which starts from the logits.
#pragma once

#include "kernels/arithmetic/lane_sums.hpp"
#include "kernels/arithmetic/products_of_output.hpp"
#include "kernels/rows/stores.hpp"
#include "kernels/tiles/sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
constexpr int lane_vectors = Simd<T>::logical_lanes / Simd<T>::width;

// Rows of `vectors` vectors, where that is not 0, are written out: loops take longer than the arithmetic on so few.
constexpr int most_vectors_written_out = 8;

// Calls visit<i>(offset, count) for the vectors of a short row.
template <class T, int vectors, class Visit>
SOFTGRAD_INLINE void for_written_out(int64_t n, Visit visit) {
    constexpr int width = Simd<T>::width;
    unrolled<0, vectors>([&]<int i>() __attribute__((always_inline)) {
        visit.template operator()<i>(i * width, i + 1 < vectors ? width : static_cast<int>(n - i * width));
    });
}

// Calls visit<vector>(offset, count) for the vectors of a row in the order of their logical lanes, and flush() after
// four of each.
template <class T, int vectors, class Visit, class Flush>
SOFTGRAD_INLINE void for_lanes(int64_t n, Visit visit, Flush flush) {
    constexpr int width = Simd<T>::width, logical_lanes = Simd<T>::logical_lanes;
    if constexpr (vectors > 0) {
        for_written_out<T, vectors>(n, [&]<int i>(int64_t j, int count) __attribute__((always_inline)) {
            visit.template operator()<i % lane_vectors<T>>(j, count);
        });
        return flush();
    }
    auto visit_all = [&](int64_t from) __attribute__((always_inline)) {
        unrolled<0, lane_vectors<T>>(
            [&]<int i>() __attribute__((always_inline)) { visit.template operator()<i>(from + i * width, width); });
    };
    int64_t j = 0;
    for (; j + group<T> <= n; j += group<T>) {
        for (int depth = 0; depth < 4; ++depth) visit_all(j + depth * logical_lanes);
        flush();
    }
    if (j == n) return;
    for (; j + logical_lanes <= n; j += logical_lanes) visit_all(j);
    unrolled<0, lane_vectors<T>>([&]<int i>() __attribute__((always_inline)) {
        const int64_t at = j + i * width;
        if (at < n) visit.template operator()<i>(at, static_cast<int>(n - at < width ? n - at : width));
    });
    flush();
}

// A sum over a row whose terms are added in its dtype, four of each logical lane and then four of these, before they
// are added in double, for double in two parts.
template <class T>
class SumsOfSixteen {
    static constexpr int vectors = lane_vectors<T> / 4, count = vectors * halves<T>;
    TwoParts<Double> sums[count] = {};

    static SOFTGRAD_INLINE void add(TwoParts<Double>& sum, TwoParts<Double> other) {
        if constexpr (sizeof(T) == sizeof(float))
            sum.high += other.high;
        else
            fold(sum, other);
    }

  public:
    Vec<T> terms[lane_vectors<T>] = {};

    SOFTGRAD_INLINE void flush() {
        for (int i = 0; i < vectors; ++i) {
            const Vec<T> four = (terms[i] + terms[i + 2 * vectors]) + (terms[i + vectors] + terms[i + 3 * vectors]);
            for (int h = 0; h < halves<T>; ++h) add(sums[i * halves<T> + h], {half_of(four, h), Double{}});
        }
        for (auto& each : terms) each = Vec<T>{};
    }
    SOFTGRAD_INLINE TwoParts<Double> folded() {
        for (int half = count / 2; half >= 1; half /= 2)
            for (int i = 0; i < half; ++i) add(sums[i], sums[i + half]);
        return sums[0];
    }
    // Of rows, a row a lane; room for as many as a vector of doubles has lanes.
    static SOFTGRAD_INLINE Double totals(TwoParts<Double>* rows, int64_t count) {
        constexpr int width = Simd<double>::width;
        for (int64_t r = count > 0 ? count : 0; r < width; ++r) rows[r] = TwoParts<Double>{};
        return rounded(fold_rows<width / 2>(rows, width,
                                            [](TwoParts<Double> a, TwoParts<Double> b) __attribute__((always_inline)) {
            add(a, b);
            return a;
        }, []<int half, int from>(TwoParts<Double> a, TwoParts<Double> b) __attribute__((always_inline)) {
            return TwoParts<Double>{halves_of<half, from>(a.high, b.high), halves_of<half, from>(a.low, b.low)};
        }));
    }
};

template <class T>
SOFTGRAD_INLINE void sums_of_pack(TwoParts<Double>* rows, int64_t count, Double* of_halves) {
    constexpr int width = Simd<double>::width;
    for (int h = 0; h < halves<T>; ++h) of_halves[h] = SumsOfSixteen<T>::totals(rows + h * width, count - h * width);
}

// Of each row all lanes in one, a row a lane; room for as many as a vector has lanes. Side by side that of few rows
// takes longer than one after the other.
template <class T, class Combine>
SOFTGRAD_INLINE Vec<T> folded_rows(Vec<T>* rows, int64_t count, Combine combine) {
    constexpr int width = Simd<T>::width;
    for (int64_t r = count; r < width; ++r) rows[r] = Vec<T>{};
    if (count > width / 4)
        return fold_rows<width / 2>(rows, width, combine,
                                    []<int half, int from>(Vec<T> a, Vec<T> b)
                                        __attribute__((always_inline)) { return halves_of<half, from>(a, b); });
    T of_rows[width] = {};
    for (int64_t r = 0; r < count; ++r) of_rows[r] = fold_lanes<width / 2>(rows[r], combine);
    return load(of_rows);
}
template <class T>
SOFTGRAD_INLINE Vec<T> largest_of_rows(Vec<T>* rows, int64_t count) {
    return folded_rows<T>(rows, count, [](Vec<T> a, Vec<T> b) __attribute__((always_inline)) { return maximum(a, b); });
}

// The largest entry, lane by lane; NaN passed over.
template <class T, int vectors>
SOFTGRAD_INLINE Vec<T> largest_by_lanes(const T* x, int64_t n) {
    constexpr int width = Simd<T>::width, together = 4;
    Vec<T> largest = broadcast(T(-infinity));
    if constexpr (vectors > 0) {
        for_written_out<T, vectors>(n, [&]<int i>(int64_t j, int count) __attribute__((always_inline)) {
            largest = maximum(load_or_pad(x + j, count, T(-infinity)), largest);
        });
        return largest;
    }
    int64_t j = 0;
    if (n >= together * width) {
        Vec<T> kept[together] = {largest, largest, largest, largest};
        for (; j + together * width <= n; j += together * width)
            unrolled<0, together>(
                [&]<int i>() __attribute__((always_inline)) { kept[i] = maximum(load(x + j + i * width), kept[i]); });
        largest = maximum(maximum(kept[0], kept[1]), maximum(kept[2], kept[3]));
    }
    for (; j + width <= n; j += width) largest = maximum(load(x + j), largest);
    if (j < n) largest = maximum(load_or_pad(x + j, static_cast<int>(n - j), T(-infinity)), largest);
    return largest;
}

// The largest v, lane by lane, of the entries where the output is `largest`.
template <class T, int vectors>
SOFTGRAD_INLINE Vec<T> v_where(const T* output, const T* v, int64_t n, T largest) {
    constexpr int width = Simd<T>::width;
    Vec<T> found = broadcast(T(-infinity));
    auto look = [&](Vec<T> y, Vec<T> entry)
                    __attribute__((always_inline)) { found = y == largest ? maximum(entry, found) : found; };
    if constexpr (vectors > 0) {
        for_written_out<T, vectors>(n, [&]<int i>(int64_t j, int count) __attribute__((always_inline)) {
            look(load_or_pad(output + j, count, T(not_a_number)), load_or_pad(v + j, count, T(0)));
        });
        return found;
    }
    int64_t j = 0;
    for (; j + width <= n; j += width) look(load(output + j), load(v + j));
    const int count = static_cast<int>(n - j);
    if (count > 0) look(load_first(output + j, count, T(not_a_number)), load_first(v + j, count, T(0)));
    return found;
}

// Of rows, a row a lane: the largest output, and the largest v of the classes that have it.
template <class T, int vectors>
struct MostProbable {
    Vec<T> output, v;

    SOFTGRAD_INLINE MostProbable(const Rows<T>& outputs, const T* const* v_rows) {
        constexpr int width = Simd<T>::width;
        constexpr int64_t stretch = 2 * group<T>;  // v is looked for in the stretch where the largest output was first
        const int64_t n = outputs.n, rows = outputs.count;
        Vec<T> of_rows[width];
        T largest[width] = {};
        int64_t from[width] = {};
        if (n <= stretch) {
            for (int64_t r = 0; r < rows; ++r) of_rows[r] = largest_by_lanes<T, vectors>(outputs.x[r], n);
            output = largest_of_rows<T>(of_rows, rows);
            store(largest, output);
        } else {
            for (int64_t r = 0; r < rows; ++r) {
                largest[r] = T(-infinity);
                for (int64_t j = 0; j < n; j += stretch) {
                    const T of_stretch =
                        largest_of_lanes(largest_by_lanes<T, 0>(outputs.x[r] + j, n - j < stretch ? n - j : stretch));
                    from[r] = of_stretch > largest[r] ? j : from[r];
                    largest[r] = of_stretch > largest[r] ? of_stretch : largest[r];
                }
            }
            output = load(largest);
        }
        for (int64_t r = 0; r < rows; ++r)
            of_rows[r] = v_where<T, vectors>(outputs.x[r] + from[r], v_rows[r] + from[r],
                                             n - from[r] < stretch ? n - from[r] : stretch, largest[r]);
        v = largest_of_rows<T>(of_rows, rows);
    }
};

// Asks for a row ahead.
template <class T>
SOFTGRAD_INLINE void ask_for(const T* row, int64_t n) {
    for (int64_t j = 0; j < n; j += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(row + j);
}

// <p, half the deviation of v from its centre>.
template <class T, int vectors, bool logarithms>
SOFTGRAD_INLINE TwoParts<Double> half_apart_of_row(const T* output, const T* v, int64_t n, T v_k) {
    const HalfDeviation<T> half(broadcast(v_k));
    SumsOfSixteen<T> sums;
    for_lanes<T, vectors>(n, [&]<int i>(int64_t j, int count) __attribute__((always_inline)) {
        Vec<T> p = load_or_pad(output + j, count, logarithms ? T(-infinity) : T(0));
        if constexpr (logarithms) p = probability_of<T>(p);
        sums.terms[i] = fma(p, half.from_centre(load_or_pad(v + j, count, v_k)), sums.terms[i]);
    }, [&]() __attribute__((always_inline)) { sums.flush(); });
    return sums.folded();
}

// Of rows, a row a lane.
template <class T, int vectors>
SOFTGRAD_INLINE CotangentSums<T> cotangent_sums(const Rows<T>& outputs, const T* const* v, double scale) {
    constexpr int width = Simd<T>::width;
    const int64_t n = outputs.n, rows = outputs.count;
    Vec<T> largest[width], certain[width];
    TwoParts<Double> others[width];
    for (int64_t r = 0; r < rows; ++r) {
        if constexpr (vectors > 0) ask_for(outputs.out[r], n);
        // Within a long row a maximum would wait for the one before.
        constexpr int chains = vectors > 0 ? 1 : 4;
        Vec<T> y_k[chains], g_k{};
        for (auto& each : y_k) each = broadcast(T(-infinity));
        SumsOfSixteen<T> sums;
        for_lanes<T, vectors>(n, [&]<int i>(int64_t j, int count) __attribute__((always_inline)) {
            const Vec<T> y = load_or_pad(outputs.x[r] + j, count, T(-infinity)), g = load_or_pad(v[r] + j, count, T(0));
            sums.terms[i] = is_certain<T>(y) ? sums.terms[i] : sums.terms[i] + g;
            g_k = is_certain<T>(y) ? g : g_k;
            y_k[i % chains] = maximum(y, y_k[i % chains]);
        }, [&]() __attribute__((always_inline)) { sums.flush(); });
        for (int i = 1; i < chains; ++i) y_k[0] = maximum(y_k[i], y_k[0]);
        largest[r] = y_k[0];
        certain[r] = g_k;
        others[r] = sums.folded();
    }
    Double of_others[halves<T>];
    sums_of_pack<T>(others, rows, of_others);
    const Vec<T> g_k =
        folded_rows<T>(certain, rows, [](Vec<T> a, Vec<T> b) __attribute__((always_inline)) { return a + b; });
    return {largest_of_rows<T>(largest, rows), g_k, of_others, scale};
}

// Products times `scale`; a row of `out` may be that of the outputs, not of v. Each step is done for all rows before
// the next, which waits for it. A row without probabilities has no product.
template <class T, int vectors>
SOFTGRAD_INLINE void products_of_output_pack(Product product, const Rows<T>& outputs, const T* const* v, double scale) {
    constexpr int width = Simd<T>::width;
    const int64_t n = outputs.n, rows = outputs.count;
    const T* const* const output = outputs.x;
    // What the next pack reads, if its rows follow, and this one writes, is asked for while there is arithmetic to do:
    // of short rows a step reads too little for the machine to foresee the rest.
    constexpr bool ask_ahead = vectors > 0;
    auto ask_for_next = [&](int64_t r) __attribute__((always_inline)) {
        ask_for(output[r] + rows * n, n);
        ask_for(v[r] + rows * n, n);
    };
    auto each_entry_of = [&](int64_t r) __attribute__((always_inline)) {
        return [=, out = outputs.out[r]](auto use) __attribute__((always_inline)) {
            auto value = [&](int64_t j, int count) __attribute__((always_inline)) {
                return use(load_or_pad(output[r] + j, count, T(0)), load_or_pad(v[r] + j, count, T(0)));
            };
            if constexpr (vectors == 0) return write_row(out, 0, n, value);
            // As write_row does.
            const Vec<T> last = value(n - width, width);
            unrolled<0, vectors - 1>(
                [&]<int i>() __attribute__((always_inline)) { store(out + i * width, value(i * width, width)); });
            store(out + n - width, last);
        };
    };
    if (product == Product::log_softmax_cotangent) {
        const CotangentSums<T> sums = cotangent_sums<T, vectors>(outputs, v, scale);
        double totals[width];
        T total[width], of_certain[width];
        for (int h = 0; h < halves<T>; ++h) store(totals + h * Simd<double>::width, sums.totals[h]);
        store(total, sums.total);
        store(of_certain, sums.of_certain);
        for (int64_t r = 0; r < rows; ++r) {
            if constexpr (ask_ahead) ask_for_next(r);
            if (!is_finite(sums.largest[r])) {
                fill_row(outputs.out[r], n, T(not_a_number));
                continue;
            }
            CotangentSums<T> of_row;
            for (Double& each : of_row.totals) each = broadcast(totals[r]);
            of_row.total = broadcast(total[r]);
            of_row.of_certain = broadcast(of_certain[r]);
            make_cotangents<T>(of_row, scale, each_entry_of(r));
        }
        return;
    }
    if constexpr (ask_ahead)
        for (int64_t r = 0; r < rows; ++r) ask_for(outputs.out[r], n);
    const MostProbable<T, vectors> most_probable(outputs, v);
    T v_k[width], apart[width];
    store(v_k, most_probable.v);
    TwoParts<Double> of_rows[width];
    auto find_apart = [&]<bool logarithms>() __attribute__((always_inline)) {
        for (int64_t r = 0; r < rows; ++r) {
            if constexpr (ask_ahead) ask_for_next(r);
            of_rows[r] = half_apart_of_row<T, vectors, logarithms>(output[r], v[r], n, v_k[r]);
        }
    };
    if (product == Product::softmax)
        find_apart.template operator()<false>();
    else
        find_apart.template operator()<true>();
    Double totals[halves<T>];
    sums_of_pack<T>(of_rows, rows, totals);
    store(apart, joined(totals, Vec<T>{}));
    for (int64_t r = 0; r < rows; ++r) {
        if (!is_finite(most_probable.output[r])) {
            fill_row(outputs.out[r], n, T(not_a_number));
            continue;
        }
        HalfDeviation<T> half(broadcast(v_k[r]));
        half.apart = broadcast(apart[r]);
        make_deviations(product, half, scale, each_entry_of(r));
    }
}

template <class T>
void products_of_output_rows(Product product, const Rows<T>& outputs, const T* const* v, double scale) {
    constexpr int width = Simd<T>::width;
    bool done = false;
    if (outputs.n > width && scale == 1.0)
        unrolled<2, most_vectors_written_out + 1>([&]<int vectors>() __attribute__((always_inline)) {
            if ((outputs.n + width - 1) / width != vectors) return;
            done = true;
            if (product == Product::softmax)
                products_of_output_pack<T, vectors>(Product::softmax, outputs, v, 1.0);
            else if (product == Product::log_softmax_cotangent)
                products_of_output_pack<T, vectors>(Product::log_softmax_cotangent, outputs, v, 1.0);
            else
                done = false;
        });
    if (!done) products_of_output_pack<T, 0>(product, outputs, v, scale);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
