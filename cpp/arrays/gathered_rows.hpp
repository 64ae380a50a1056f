// Rows given to kernels one after the other: where they stand, or gathered in scratch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "arrays/moves.hpp"
#include "arrays/scratch.hpp"

namespace softgrad {

// Rows gathered together where a row is not contiguous: of each class then some neighbouring lines are read and
// written.
constexpr int64_t most_gathered_rows = 64;
static_assert(most_gathered_rows <= tile_rows);
constexpr int64_t most_gathered_elements = 1 << 19;
// Rows of two bytes an entry are widened where they are contiguous: no more of them than the innermost caches hold.
constexpr int64_t most_widened_elements = 1 << 13;

// Elements from row to row where rows are gathered: an odd number of lines, so that neighbours do not fall on the same
// places of a cache.
template <class T>
int64_t row_distance(int64_t n) {
    constexpr int64_t per_line = 64 / sizeof(T);
    return ((n + per_line - 1) / per_line | 1) * per_line;
}

// Whether the rows of a view, none of them contiguous, are neighbours that the transposing kernels can move.
template <class S>
bool stands_side_by_side(const RowView& view) {
    return std::is_same_v<S, Compute<S>> && view.rows.stride() == static_cast<int64_t>(sizeof(S));
}

// Rows to `to`, `apart` elements from row to row.
template <class S>
void gather_rows(const RowView& view, int64_t first, int64_t count, Compute<S>* to, int64_t apart) {
    using T = Compute<S>;
    if constexpr (sizeof(S) == 2)
        if (view.entries.contiguous(sizeof(S))) return widen_rows<S>(view, first, count, to, apart);
    if (stands_side_by_side<S>(view))
        return each_rectangle(view, first, count,
                              [&](int64_t i, int64_t j, int64_t rows, int64_t entries, const char* at, int64_t stride) {
            kernels<T>().fill(at, stride, rows, entries, to + i * apart + j, apart);
        });
    for_entries<S>(view, first, count, [&](int64_t i, int64_t j, const S* at) { to[i * apart + j] = widen(*at); });
}

template <class S>
void scatter_rows(const Compute<S>* from, int64_t apart, const RowView& view, int64_t first, int64_t count) {
    using T = Compute<S>;
    if constexpr (sizeof(S) == 2)
        if (view.entries.contiguous(sizeof(S))) return narrow_rows<S>(from, apart, view, first, count);
    if (stands_side_by_side<S>(view))
        return each_rectangle(view, first, count,
                              [&](int64_t i, int64_t j, int64_t rows, int64_t entries, char* at, int64_t stride) {
            kernels<T>().drain(from + i * apart + j, apart, rows, entries, at, stride);
        });
    for_entries<S>(view, first, count, [&](int64_t i, int64_t j, S* at) { *at = narrow_to<S>(from[i * apart + j]); });
}

// Whether a kernel can work on the rows where they stand.
template <class S>
bool is_direct(const RowView& view) {
    return std::is_same_v<S, Compute<S>> && view.entries.contiguous(sizeof(S));
}

template <class S>
Compute<S>* row_at(const RowView& view, int64_t row) {
    return reinterpret_cast<Compute<S>*>(view.data + view.rows.offset(row));
}

// Calls kernel(row, x, vectors, out) with contiguous rows of the dtype that is worked in; out is null without an
// output, and may be x. Other rows pass through scratch, the same one for x and out, since every kernel works
// in place. finish() is called before rows that were handed over leave the scratch.
template <class S, size_t k, class Kernel, class Finish>
void each_row_with(const RowView& x, const Views<k>& others, const RowView* out, int64_t begin, int64_t end,
                   const Kernel& kernel, const Finish& finish) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool gather = !is_direct<S>(x), scatter = out && !is_direct<S>(*out);
    const auto indirect = [](const RowView* view) { return !is_direct<S>(*view); };
    const bool gather_others = std::any_of(others.begin(), others.end(), indirect);
    Vectors<T, k> vectors;
    if (!gather && !gather_others && !scatter) {
        for (int64_t r = begin; r < end; ++r) {
            for (size_t v = 0; v < k; ++v) vectors[v] = row_at<S>(*others[v], r);
            kernel(r, row_at<S>(x, r), vectors, out ? row_at<S>(*out, r) : nullptr);
        }
        return finish();
    }
    const auto is_strided = [](const RowView* view) { return !view->entries.contiguous(sizeof(S)); };
    const bool strided =
        is_strided(&x) || (out && is_strided(out)) || std::any_of(others.begin(), others.end(), is_strided);
    const int64_t together = strided ? most_gathered_elements : most_widened_elements;
    const int64_t at_a_time = std::clamp<int64_t>(together / std::max<int64_t>(n, 1), 1, most_gathered_rows);
    const int64_t apart = row_distance<T>(n), size = at_a_time * apart;
    Scratch<T, Use::rows> scratch(gather || scatter ? size : 0);
    Scratch<T, Use::other_rows> other_scratch(gather_others ? static_cast<int64_t>(k) * size : 0);
    T* gathered = scratch.data();
    for (int64_t first = begin; first < end; first += at_a_time) {
        const int64_t count = std::min(at_a_time, end - first);
        if (gather) gather_rows<S>(x, first, count, gathered, apart);
        for (size_t v = 0; v < k; ++v)
            if (indirect(others[v]))
                gather_rows<S>(*others[v], first, count, other_scratch.data() + static_cast<int64_t>(v) * size, apart);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t r = first + i;
            T* of_row = gathered + i * apart;
            for (size_t v = 0; v < k; ++v)
                vectors[v] = indirect(others[v]) ? other_scratch.data() + static_cast<int64_t>(v) * size + i * apart
                                                 : row_at<S>(*others[v], r);
            kernel(r, gather ? of_row : row_at<S>(x, r), vectors,
                   scatter ? of_row
                   : out   ? row_at<S>(*out, r)
                           : nullptr);
        }
        finish();
        if (scatter) scatter_rows<S>(gathered, apart, *out, first, count);
    }
}

template <class S, size_t k, class Kernel>
void each_row_with(const RowView& x, const Views<k>& others, const RowView* out, int64_t begin, int64_t end,
                   const Kernel& kernel) {
    each_row_with<S, k>(x, others, out, begin, end, kernel, [] {});
}

template <class S, class Kernel>
void each_row(const RowView& x, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    each_row_with<S, 0>(x, {}, out, begin, end,
                        [&](int64_t r, const T* from, const Vectors<T, 0>&, T* to) { kernel(r, from, to); });
}

}  // namespace softgrad
