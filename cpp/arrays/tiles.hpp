// Rows of few classes given to kernels in tiles, whose lanes run across rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "arrays/moves.hpp"
#include "arrays/scratch.hpp"

namespace softgrad {

// Which kernel a row of n entries has.
inline bool fits_a_tile(int64_t n, int64_t most = most_tile_classes) { return n > 0 && n <= most; }

// Classes from which lines are asked for ahead, fewer than the lines that a cache has for one place: those of images of
// 2^k pixels share it.
constexpr int64_t classes_ahead = 6;

// Calls move(element of the tile, element) for the entries of a tile of few classes whose rows are not
// contiguous: entry by entry, and then in one run where the rows are neighbours.
template <class S, class Tile, class Move>
void for_tile_entries(const RowView& view, int64_t first, int64_t count, Tile* tile, const Move& move) {
    if (view.rows.stride() != static_cast<int64_t>(sizeof(S)))
        return for_entries<S>(view, first, count,
                              [&](int64_t i, int64_t j, S* at) { move(tile[j * tile_rows + i], *at); });
    each_rectangle(view, first, count,
                   [&](int64_t i, int64_t j, int64_t rows, int64_t entries, char* at, int64_t stride) {
        for (Tile* column = tile + j * tile_rows + i; entries > 0; --entries, column += tile_rows, at += stride) {
            if (entries > classes_ahead)
                for (int64_t byte = 0; byte < rows * static_cast<int64_t>(sizeof(S)); byte += 64)
                    __builtin_prefetch(at + classes_ahead * stride + byte, std::is_const_v<Tile>);
            for (int64_t r = 0; r < rows; ++r) move(column[r], reinterpret_cast<S*>(at)[r]);
        }
    });
}

// `count` rows of few classes and what is missing to whole packs.
template <class T>
int64_t whole_packs(int64_t count) {
    const int64_t together = kernels<T>().together;
    return (count + together - 1) / together * together;
}

// Fills a tile with `count` rows from `first` on, and with zeros what is missing to whole packs.
template <class S>
void fill_tile(const RowView& view, int64_t first, int64_t count, Compute<S>* tile) {
    using T = Compute<S>;
    const int64_t n = view.entries.size(), rows = whole_packs<T>(count);
    if (rows != count)
        for (int64_t j = 0; j < n; ++j) std::fill(tile + j * tile_rows + count, tile + j * tile_rows + rows, T(0));
    if (!view.entries.contiguous(sizeof(S)))
        return for_tile_entries<S>(view, first, count, tile,
                                   [](T& of_tile, const S& element) { of_tile = widen(element); });
    const auto fill = kernels<T>().fill;
    if constexpr (sizeof(S) == sizeof(T)) {
        view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t stride) {
            fill(view.data + at, stride, n, run, tile + r - first, tile_rows);
        });
    } else {
        T widened[most_tile_classes * tile_rows];
        widen_rows<S>(view, first, count, widened, n);
        fill(reinterpret_cast<const char*>(widened), n * static_cast<int64_t>(sizeof(T)), n, count, tile, tile_rows);
    }
}

// Asks for rows that are to be read, or written, while there is other work: the machine does not foresee the next tile.
template <class S, bool to_write>
void fetch_tile(const RowView& view, int64_t first, int64_t count) {
    constexpr int64_t line = 64;
    const int64_t row_bytes = view.entries.size() * static_cast<int64_t>(sizeof(S));
    if (!view.entries.contiguous(sizeof(S))) return;
    view.rows.each_run(first, first + count, [&](int64_t, int64_t run, int64_t at, int64_t stride) {
        if (stride != row_bytes) return;
        for (int64_t byte = 0; byte < run * row_bytes; byte += line)
            __builtin_prefetch(view.data + at + byte, to_write);
    });
}

template <class S>
void drain_tile(const Compute<S>* tile, const RowView& view, int64_t first, int64_t count) {
    using T = Compute<S>;
    const int64_t n = view.entries.size();
    if (!view.entries.contiguous(sizeof(S)))
        return for_tile_entries<S>(view, first, count, tile,
                                   [](const T& of_tile, S& element) { element = narrow_to<S>(of_tile); });
    const auto drain = kernels<T>().drain;
    if constexpr (sizeof(S) == sizeof(T)) {
        view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t stride) {
            drain(tile + r - first, tile_rows, n, run, view.data + at, stride);
        });
    } else {
        T narrowed[most_tile_classes * tile_rows];
        drain(tile, tile_rows, n, count, reinterpret_cast<char*>(narrowed), n * static_cast<int64_t>(sizeof(T)));
        narrow_rows<S>(narrowed, n, view, first, count);
    }
}

// Calls kernel(first, count, rows, tile of x, tiles of the others) over tiles of rows of few classes. out, to which the
// first tile goes, is a RowView or nullptr.
template <class S, size_t k, class Out, class Kernel>
void each_tile_with(const RowView& x, const Views<k>& others, const Out& out, int64_t begin, int64_t end,
                    const Kernel& kernel) {
    using T = Compute<S>;
    const int64_t n = x.entries.size(), size = n * tile_rows;
    Scratch<T, Use::rows> scratch(size);
    Scratch<T, Use::other_rows> other_scratch(static_cast<int64_t>(k) * size);
    T* tile = scratch.data();
    Vectors<T, k> tiles;
    for (size_t v = 0; v < k; ++v) tiles[v] = other_scratch.data() + static_cast<int64_t>(v) * size;
    for (int64_t first = begin; first < end; first += tile_rows) {
        const int64_t count = std::min(tile_rows, end - first);
        fill_tile<S>(x, first, count, tile);
        for (size_t v = 0; v < k; ++v)
            fill_tile<S>(*others[v], first, count, other_scratch.data() + static_cast<int64_t>(v) * size);
        const int64_t next = first + tile_rows, next_count = std::min(tile_rows, end - next);
        if (next_count > 0) {
            fetch_tile<S, false>(x, next, next_count);
            for (size_t v = 0; v < k; ++v) fetch_tile<S, false>(*others[v], next, next_count);
        }
        if constexpr (!std::is_null_pointer_v<Out>) fetch_tile<S, true>(out, first, count);
        kernel(first, count, whole_packs<T>(count), tile, tiles);
        if constexpr (!std::is_null_pointer_v<Out>) drain_tile<S>(tile, out, first, count);
    }
}

template <class S, class Out, class Kernel>
void each_tile(const RowView& x, const Out& out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    each_tile_with<S, 0>(x, {}, out, begin, end,
                         [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, 0>&) {
        kernel(first, count, rows, tile);
    });
}

// A row of weight 0 has a result of 0 whatever it holds, which may be NaN.
template <class T>
void clear_ignored(T* tile, int64_t n, int64_t count, const double* weight) {
    for (int64_t i = 0; i < count; ++i)
        if (weight[i] == 0.0)
            for (int64_t j = 0; j < n; ++j) tile[j * tile_rows + i] = T(0);
}

}  // namespace softgrad
