// From rows in memory to the columns of a tile and back, 16 bytes of each of some rows at a time transposed in the
// registers. Entry by entry this took longer than the arithmetic on them.
#pragma once

#include "kernels/simd/vectors.hpp"
#include "kernels/table.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// Of row r of every slice the columns become of column c all rows, and the reverse.
SOFTGRAD_INLINE void transpose(Double (&v)[2]) {
    const Double first = v[0];
    v[0] = zip_low(first, v[1]);
    v[1] = zip_high(first, v[1]);
}
SOFTGRAD_INLINE void transpose(Float (&v)[4]) {
    const Double low[2] = {(Double)zip_low(v[0], v[1]), (Double)zip_low(v[2], v[3])};
    const Double high[2] = {(Double)zip_high(v[0], v[1]), (Double)zip_high(v[2], v[3])};
    v[0] = (Float)zip_low(low[0], low[1]);
    v[1] = (Float)zip_high(low[0], low[1]);
    v[2] = (Float)zip_low(high[0], high[1]);
    v[3] = (Float)zip_high(high[0], high[1]);
}

// Moves `count` columns of as many rows as a pack holds, the first at `row`, `stride` bytes apart.
template <class T, int count>
SOFTGRAD_INLINE void fill_columns(const char* row, int64_t stride, T* column, int64_t apart) {
    constexpr int together = SliceOf<T>::entries;
    Vec<T> vectors[together];
    for (int r = 0; r < together; ++r) {
        Slice<T> of_rows[slices];
        for (int s = 0; s < slices; ++s) {
            const char* at = row + (s * together + r) * stride;
            if constexpr (count == together) {
                __builtin_memcpy(&of_rows[s], at, sizeof of_rows[s]);
            } else {
                of_rows[s] = Slice<T>{};
                for (int c = 0; c < count; ++c) of_rows[s][c] = reinterpret_cast<const T*>(at)[c];
            }
        }
        Slice<double> raw[slices];
        for (int s = 0; s < slices; ++s) raw[s] = (Slice<double>)of_rows[s];
        vectors[r] = (Vec<T>)joined_slices(raw);
    }
    transpose(vectors);
    for (int c = 0; c < count; ++c) store(column + c * apart, vectors[c]);
}

template <class T, int count>
SOFTGRAD_INLINE void drain_columns(const T* column, int64_t apart, char* row, int64_t stride) {
    constexpr int together = SliceOf<T>::entries;
    Vec<T> vectors[together] = {};
    for (int c = 0; c < count; ++c) vectors[c] = load(column + c * apart);
    transpose(vectors);
    auto put = [&]<int s>() __attribute__((always_inline)) {
        if constexpr (s < slices)
            for (int r = 0; r < together; ++r) {
                char* at = row + (s * together + r) * stride;
                const Slice<T> of_row = (Slice<T>)slice_of<s>((Double)vectors[r]);
                if constexpr (count == together)
                    __builtin_memcpy(at, &of_row, sizeof of_row);
                else
                    for (int c = 0; c < count; ++c) reinterpret_cast<T*>(at)[c] = of_row[c];
            }
    };
    put.template operator()<0>();
    put.template operator()<1>();
    put.template operator()<2>();
    put.template operator()<3>();
}

// Calls move<count>(j) for slices of count entries from j on that cover a row; the last may be moved in part a second
// time.
template <class T, class Move>
SOFTGRAD_INLINE void for_slices(int64_t n, Move move) {
    constexpr int together = SliceOf<T>::entries;
    if (n >= together) {
        for (int64_t j = 0; j < n; j += together)
            move.template operator()<together>(j + together <= n ? j : n - together);
    } else if constexpr (together == 2) {
        move.template operator()<1>(0);
    } else if (n == 1) {
        move.template operator()<1>(0);
    } else if (n == 2) {
        move.template operator()<2>(0);
    } else {
        move.template operator()<3>(0);
    }
}

template <class T>
void fill_tile(const char* rows, int64_t stride, int64_t n, int64_t count, T* tile, int64_t apart) {
    constexpr int width = Simd<T>::width;
    int64_t i = 0;
    for (; i + width <= count; i += width)
        for_slices<T>(n, [&]<int columns>(int64_t j) __attribute__((always_inline)) {
            fill_columns<T, columns>(rows + i * stride + j * static_cast<int64_t>(sizeof(T)), stride,
                                     tile + j * apart + i, apart);
        });
    for (; i < count; ++i)
        for (int64_t j = 0; j < n; ++j) tile[j * apart + i] = reinterpret_cast<const T*>(rows + i * stride)[j];
}

template <class T>
void drain_tile(const T* tile, int64_t apart, int64_t n, int64_t count, char* rows, int64_t stride) {
    constexpr int width = Simd<T>::width;
    int64_t i = 0;
    for (; i + width <= count; i += width)
        for_slices<T>(n, [&]<int columns>(int64_t j) __attribute__((always_inline)) {
            drain_columns<T, columns>(tile + j * apart + i, apart,
                                      rows + i * stride + j * static_cast<int64_t>(sizeof(T)), stride);
        });
    for (; i < count; ++i)
        for (int64_t j = 0; j < n; ++j) reinterpret_cast<T*>(rows + i * stride)[j] = tile[j * apart + i];
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
