// Products of sparse rows, in CSR form, with a dense matrix whose rows have k columns; and of their transpose.
#pragma once

#include "kernels/simd/vectors.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Vectors of one row that are in registers at a time.
constexpr int most_vectors = 8;

// Where the vectors of a part of a row start, `count` columns from the first: the last one ends with the part, and may
// overlap the one before it. All of them are read before one is written.
template <class T, int vectors>
struct Part {
    Vec<T> v[vectors];

    static SOFTGRAD_INLINE int64_t offset(int i, int64_t count) {
        return i + 1 < vectors ? int64_t{i} * Simd<T>::width : count - Simd<T>::width;
    }
    SOFTGRAD_INLINE void read(const T* from, int64_t count) {
        for (int i = 0; i < vectors; ++i) v[i] = load(from + offset(i, count));
    }
    SOFTGRAD_INLINE void write(T* to, int64_t count) const {
        for (int i = 0; i < vectors; ++i) store(to + offset(i, count), v[i]);
    }
    SOFTGRAD_INLINE void add(T factor, const T* from, int64_t count) {
        const Vec<T> f = broadcast(factor);
        for (int i = 0; i < vectors; ++i) v[i] = fma(f, load(from + offset(i, count)), v[i]);
    }
};

// Fewer columns than one vector has.
template <class T>
struct Part<T, 0> {
    T v[Simd<T>::width];

    SOFTGRAD_INLINE void read(const T* from, int64_t count) {
        for (int64_t i = 0; i < count; ++i) v[i] = from[i];
    }
    SOFTGRAD_INLINE void write(T* to, int64_t count) const {
        for (int64_t i = 0; i < count; ++i) to[i] = v[i];
    }
    SOFTGRAD_INLINE void add(T factor, const T* from, int64_t count) {
        for (int64_t i = 0; i < count; ++i) v[i] = fma(broadcast(factor), broadcast(from[i]), broadcast(v[i]))[0];
    }
};

// Calls work.operator()<vectors>(first column, number of columns) for the parts of a row of k columns.
template <class T, class Work>
SOFTGRAD_INLINE void over_parts(int64_t k, const Work& work) {
    constexpr int64_t width = Simd<T>::width, most = most_vectors * width;
    int64_t first = 0;
    for (; k - first > most; first += most) work.template operator()<most_vectors>(first, most);
    const int64_t count = k - first;
    switch (count < width ? 0 : (count + width - 1) / width) {
#define SOFTGRAD_PART(vectors) \
    case vectors:              \
        return work.template operator()<vectors>(first, count);
        SOFTGRAD_PART(0)
        SOFTGRAD_PART(1)
        SOFTGRAD_PART(2)
        SOFTGRAD_PART(3)
        SOFTGRAD_PART(4)
        SOFTGRAD_PART(5)
        SOFTGRAD_PART(6)
        SOFTGRAD_PART(7)
        SOFTGRAD_PART(8)
#undef SOFTGRAD_PART
    }
}

// out[i] = bias + the sum of X[i, j] * dense[j], in the order of the entries; bias may be null.
template <class T, class Index>
void sparse_product(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense, int64_t k,
                    const T* bias, T* out) {
    over_parts<T>(k, [=]<int vectors>(int64_t first, int64_t count) __attribute__((always_inline)) {
        Part<T, vectors> origin{};
        if (bias != nullptr) origin.read(bias + first, count);
        for (int64_t i = 0; i < n; ++i) {
            Part<T, vectors> sum = origin;
            for (Index e = starts[i]; e < starts[i + 1]; ++e) sum.add(values[e], dense + columns[e] * k + first, count);
            sum.write(out + i * k + first, count);
        }
    });
}

// out[j] += the sum of X[i, j] * dense[i], in the order of the rows.
template <class T, class Index>
void sparse_transposed_product(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense,
                               int64_t k, T* out) {
    over_parts<T>(k, [=]<int vectors>(int64_t first, int64_t count) __attribute__((always_inline)) {
        for (int64_t i = 0; i < n; ++i)
            for (Index e = starts[i]; e < starts[i + 1]; ++e) {
                T* to = out + columns[e] * k + first;
                Part<T, vectors> sum;
                sum.read(to, count);
                sum.add(values[e], dense + i * k + first, count);
                sum.write(to, count);
            }
    });
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
