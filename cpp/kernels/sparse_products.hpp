// Products of sparse rows, in CSR form, with a dense matrix whose rows have k columns; and of their transpose.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Vectors of one row that are in registers at a time.
constexpr int most_vectors = 8;

// Where the vectors of a part of a row start, `count` columns from the first: the last one ends with the part, and may
// overlap the one before it. All of them are read before one is written.
template <class T, int lanes, int vectors>
struct Part {
    using V __attribute__((vector_size(lanes * sizeof(T)))) = T;
    V v[vectors];

    static SOFTGRAD_INLINE int64_t offset(int i, int64_t count) {
        return i + 1 < vectors ? int64_t{i} * lanes : count - lanes;
    }
    SOFTGRAD_INLINE void read(const T* from, int64_t count) {
        for (int i = 0; i < vectors; ++i) __builtin_memcpy(&v[i], from + offset(i, count), sizeof v[i]);
    }
    SOFTGRAD_INLINE void write(T* to, int64_t count) const {
        for (int i = 0; i < vectors; ++i) __builtin_memcpy(to + offset(i, count), &v[i], sizeof v[i]);
    }
    SOFTGRAD_INLINE void add(T factor, const T* from, int64_t count) {
        const V f = factor - V{};
        Part other;
        other.read(from, count);
        for (int i = 0; i < vectors; ++i) v[i] = fma(f, other.v[i], v[i]);
    }
};

// Fewer columns than the shortest vector has.
template <class T>
struct Scalars {
    T v[SliceOf<T>::entries];

    SOFTGRAD_INLINE void read(const T* from, int64_t count) {
        for (int64_t i = 0; i < count; ++i) v[i] = from[i];
    }
    SOFTGRAD_INLINE void write(T* to, int64_t count) const {
        for (int64_t i = 0; i < count; ++i) to[i] = v[i];
    }
    SOFTGRAD_INLINE void add(T factor, const T* from, int64_t count) {
        for (int64_t i = 0; i < count; ++i) v[i] = fma(factor, from[i], v[i]);
    }
};

// Of fewer columns than a vector of twice as many lanes has, those that are there and no shorter than a slice.
template <class T, int lanes, class Work>
SOFTGRAD_INLINE void over_narrow_part(int64_t first, int64_t count, const Work& work) {
    if constexpr (lanes < SliceOf<T>::entries)
        work.template operator()<Scalars<T>>(first, count);
    else if (count < lanes)
        over_narrow_part<T, lanes / 2>(first, count, work);
    else if (count == lanes)
        work.template operator()<Part<T, lanes, 1>>(first, count);
    else
        work.template operator()<Part<T, lanes, 2>>(first, count);
}

// Calls work.operator()<part>(first column, number of columns) for the parts of a row of k columns.
template <class T, class Work>
SOFTGRAD_INLINE void over_parts(int64_t k, const Work& work) {
    constexpr int width = Simd<T>::width, most = most_vectors * width;
    int64_t first = 0;
    for (; k - first > most; first += most) work.template operator()<Part<T, width, most_vectors>>(first, most);
    const int64_t count = k - first;
    if (count < width) return over_narrow_part<T, width / 2>(first, count, work);
    with_count<most_vectors>((count + width - 1) / width, [&]<int vectors>() __attribute__((always_inline)) {
        work.template operator()<Part<T, width, vectors>>(first, count);
    });
}

// out[i] = bias + the sum of X[i, j] * dense[j], in the order of the entries; bias may be null.
template <class T, class Index>
void sparse_product(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense, int64_t k,
                    const T* bias, T* out) {
    over_parts<T>(k, [=]<class Columns>(int64_t first, int64_t count) __attribute__((always_inline)) {
        Columns origin{};
        if (bias != nullptr) origin.read(bias + first, count);
        for (int64_t i = 0; i < n; ++i) {
            Columns sum = origin;
            for (Index e = starts[i]; e < starts[i + 1]; ++e) sum.add(values[e], dense + columns[e] * k + first, count);
            sum.write(out + i * k + first, count);
        }
    });
}

// out[j] += the sum of X[i, j] * dense[i], in the order of the rows.
template <class T, class Index>
void sparse_transposed_product(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense,
                               int64_t k, T* out) {
    over_parts<T>(k, [=]<class Columns>(int64_t first, int64_t count) __attribute__((always_inline)) {
        for (int64_t i = 0; i < n; ++i)
            for (Index e = starts[i]; e < starts[i + 1]; ++e) {
                T* to = out + columns[e] * k + first;
                Columns sum;
                sum.read(to, count);
                sum.add(values[e], dense + i * k + first, count);
                sum.write(to, count);
            }
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
