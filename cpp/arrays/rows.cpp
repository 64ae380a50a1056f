#include "arrays/rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "threads/thread_pool.hpp"

namespace softgrad {
namespace {

// Rows gathered together when a row does not stand in one piece: of each class then some neighbouring lines are read and written.
constexpr int64_t tile_rows = 64;
static_assert(tile_rows <= few_tile_rows);
constexpr int64_t tile_elements = 1 << 19;
// Rows of two bytes an entry are widened where they stand in one piece: no more of them than the innermost caches hold.
constexpr int64_t widened_elements = 1 << 13;
// What a piece should cost, and from what cost on a call is shared out: waking a thread takes as long as some 100 us of work. The cost of a
// row is its number of elements, and for few classes, where the scalars of the row count, few_overhead more. (design.md has the figures.)
constexpr int64_t piece_cost = 1 << 13, shared_cost = 1 << 17, few_overhead = 20;
constexpr int64_t scratch_kept = 1 << 20;

template <class T>
const RowKernels<T>& kernels();
template <>
const RowKernels<float>& kernels<float>() {
    return instruction_set().kernels->float32;
}
template <>
const RowKernels<double>& kernels<double>() {
    return instruction_set().kernels->float64;
}

enum class Use { tile, other_tiles, target, staging, gradient, terms, vector };

// Memory that a thread keeps from call to call (touching fresh pages costs more than the arithmetic on them), from the beginning of a
// line on: a vector that lies in two lines is read twice.
template <class T, Use use>
class Scratch {
    struct alignas(64) Line {
        T elements[64 / sizeof(T)];
    };
    static constexpr int64_t per_line = 64 / sizeof(T);

  public:
    explicit Scratch(int64_t elements) {
        const size_t lines = static_cast<size_t>((elements + per_line - 1) / per_line);
        if (storage().size() < lines) storage().resize(lines);
    }
    ~Scratch() {
        if (static_cast<int64_t>(storage().size()) * per_line > scratch_kept) std::vector<Line>().swap(storage());
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return reinterpret_cast<T*>(storage().data()); }

  private:
    static std::vector<Line>& storage() {
        thread_local std::vector<Line> memory;
        return memory;
    }
};

// Which kernel a row of n entries has.
bool is_few(int64_t n) { return n > 0 && n <= few_classes; }

// Calls work(begin, end) over [0, rows) in pieces of multiples of `together` rows, in parallel where it pays.
template <class Work>
void for_ranges(int64_t rows, int64_t row_cost, int64_t together, const Work& work) {
    if (rows == 0) return;
    const int64_t per_row = std::max<int64_t>(row_cost, 1), wanted = (piece_cost + per_row - 1) / per_row;
    if (rows < shared_cost / per_row) return work(0, rows);
    const int64_t per_piece = (wanted + together - 1) / together * together, pieces = (rows + per_piece - 1) / per_piece;
    parallel_for(pieces, [&](int64_t i) { work(i * per_piece, std::min(rows, (i + 1) * per_piece)); });
}

// The same over the rows of a view: what goes through a tile stays together.
template <class S, class Work>
void for_row_ranges(const RowView& view, const Work& work) {
    const int64_t n = view.entries.size();
    if (is_few(n)) return for_ranges(view.rows.size(), n + few_overhead, few_tile_rows, work);
    for_ranges(view.rows.size(), n, view.entries.contiguous(sizeof(S)) ? 1 : tile_rows, work);
}

// Calls move(i, j, element) for `count` rows from `first` on that do not stand in one piece, entry by entry, so that neighbouring rows are
// read and written together.
template <class S, class Move>
void for_entries(const RowView& view, int64_t first, int64_t count, const Move& move) {
    int64_t rows[few_tile_rows];
    view.rows.each(first, first + count, [&](int64_t r, int64_t offset) { rows[r - first] = offset; });
    view.entries.each(0, view.entries.size(), [&](int64_t j, int64_t at) {
        for (int64_t i = 0; i < count; ++i) move(i, j, reinterpret_cast<S*>(view.data + rows[i] + at));
    });
}

template <class S>
const Conversions& conversions();
template <>
const Conversions& conversions<Float16>() {
    return instruction_set().kernels->float16;
}
template <>
const Conversions& conversions<BFloat16>() {
    return instruction_set().kernels->bfloat16;
}

// Rows of two bytes an entry, each in one piece, to floats `apart` from row to row and back; at once where they follow each other.
template <class S>
void widen_rows(const RowView& view, int64_t first, int64_t count, float* to, int64_t apart) {
    const int64_t n = view.entries.size();
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t step) {
        const int64_t together = apart == n && step == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together)
            conversions<S>().widen(reinterpret_cast<const uint16_t*>(view.data + at + i * step), to + (r - first + i) * apart, together * n);
    });
}

template <class S>
void narrow_rows(const float* from, int64_t apart, const RowView& view, int64_t first, int64_t count) {
    const int64_t n = view.entries.size();
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t step) {
        const int64_t together = apart == n && step == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together)
            conversions<S>().narrow(from + (r - first + i) * apart, reinterpret_cast<uint16_t*>(view.data + at + i * step), together * n);
    });
}

// Elements from row to row in a tile of whole rows: an odd number of lines, so that neighbours do not fall on the same places of a cache.
template <class T>
int64_t row_distance(int64_t n) {
    constexpr int64_t per_line = 64 / sizeof(T);
    return ((n + per_line - 1) / per_line | 1) * per_line;
}

// Calls move(i, j, rows, entries, at, step) for the rectangles of `count` rows from `first` on whose rows are neighbours in memory: rows
// from first + i, entries from j on, `step` bytes apart.
template <class Move>
void each_rectangle(const RowView& view, int64_t first, int64_t count, const Move& move) {
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t rows, int64_t row_at, int64_t) {
        view.entries.each_run(0, view.entries.size(), [&](int64_t j, int64_t entries, int64_t at, int64_t step) {
            move(r - first, j, rows, entries, view.data + row_at + at, step);
        });
    });
}

// Whether the rows of a view, each in pieces, are neighbours that the transposing kernels can move.
template <class S>
bool stands_side_by_side(const RowView& view) {
    return std::is_same_v<S, Compute<S>> && view.rows.step() == static_cast<int64_t>(sizeof(S));
}

// Rows into a tile, `apart` elements from row to row.
template <class S>
void gather_rows(const RowView& view, int64_t first, int64_t count, Compute<S>* tile, int64_t apart) {
    using T = Compute<S>;
    if constexpr (sizeof(S) == 2)
        if (view.entries.contiguous(sizeof(S))) return widen_rows<S>(view, first, count, tile, apart);
    if (stands_side_by_side<S>(view))
        return each_rectangle(view, first, count, [&](int64_t i, int64_t j, int64_t rows, int64_t entries, const char* at, int64_t step) {
            kernels<T>().fill(at, step, rows, entries, tile + i * apart + j, apart);
        });
    for_entries<S>(view, first, count, [&](int64_t i, int64_t j, const S* at) { tile[i * apart + j] = widen(*at); });
}

template <class S>
void scatter_rows(const Compute<S>* tile, int64_t apart, const RowView& view, int64_t first, int64_t count) {
    using T = Compute<S>;
    if constexpr (sizeof(S) == 2)
        if (view.entries.contiguous(sizeof(S))) return narrow_rows<S>(tile, apart, view, first, count);
    if (stands_side_by_side<S>(view))
        return each_rectangle(view, first, count, [&](int64_t i, int64_t j, int64_t rows, int64_t entries, char* at, int64_t step) {
            kernels<T>().drain(tile + i * apart + j, apart, rows, entries, at, step);
        });
    for_entries<S>(view, first, count, [&](int64_t i, int64_t j, S* at) { *at = narrow_to<S>(tile[i * apart + j]); });
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

// Classes from which lines are asked for ahead, fewer than the lines that a cache has for one place: those of images of 2^k pixels share it.
constexpr int64_t few_ahead = 6;

// Calls move(element of the tile, element) for the entries of a tile of few classes whose rows do not stand in one piece: entry by entry,
// and then in one run where the rows are neighbours.
template <class S, class Tile, class Move>
void for_few(const RowView& view, int64_t first, int64_t count, Tile* tile, const Move& move) {
    if (view.rows.step() != static_cast<int64_t>(sizeof(S)))
        return for_entries<S>(view, first, count, [&](int64_t i, int64_t j, S* at) { move(tile[j * few_tile_rows + i], *at); });
    each_rectangle(view, first, count, [&](int64_t i, int64_t j, int64_t rows, int64_t entries, char* at, int64_t step) {
        for (Tile* column = tile + j * few_tile_rows + i; entries > 0; --entries, column += few_tile_rows, at += step) {
            if (entries > few_ahead)
                for (int64_t byte = 0; byte < rows * static_cast<int64_t>(sizeof(S)); byte += 64)
                    __builtin_prefetch(at + few_ahead * step + byte, std::is_const_v<Tile>);
            for (int64_t r = 0; r < rows; ++r) move(column[r], reinterpret_cast<S*>(at)[r]);
        }
    });
}

// `count` rows of few classes and what is missing to whole packs.
template <class T>
int64_t whole_packs(int64_t count) {
    const int64_t together = kernels<T>().few.together;
    return (count + together - 1) / together * together;
}

// Fills a tile with `count` rows from `first` on, and with zeros what is missing to whole packs.
template <class S>
void fill_tile(const RowView& view, int64_t first, int64_t count, Compute<S>* tile) {
    using T = Compute<S>;
    const int64_t n = view.entries.size(), rows = whole_packs<T>(count);
    if (rows != count)
        for (int64_t j = 0; j < n; ++j) std::fill(tile + j * few_tile_rows + count, tile + j * few_tile_rows + rows, T(0));
    if (!view.entries.contiguous(sizeof(S)))
        return for_few<S>(view, first, count, tile, [](T& staged, const S& element) { staged = widen(element); });
    const auto fill = kernels<T>().fill;
    if constexpr (sizeof(S) == sizeof(T)) {
        view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t step) {
            fill(view.data + at, step, n, run, tile + r - first, few_tile_rows);
        });
    } else {
        T widened[few_classes * few_tile_rows];
        widen_rows<S>(view, first, count, widened, n);
        fill(reinterpret_cast<const char*>(widened), n * static_cast<int64_t>(sizeof(T)), n, count, tile, few_tile_rows);
    }
}

template <class S>
void drain_tile(const Compute<S>* tile, const RowView& view, int64_t first, int64_t count) {
    using T = Compute<S>;
    const int64_t n = view.entries.size();
    if (!view.entries.contiguous(sizeof(S)))
        return for_few<S>(view, first, count, tile, [](const T& staged, S& element) { element = narrow_to<S>(staged); });
    const auto drain = kernels<T>().drain;
    if constexpr (sizeof(S) == sizeof(T)) {
        view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t step) {
            drain(tile + r - first, few_tile_rows, n, run, view.data + at, step);
        });
    } else {
        T narrowed[few_classes * few_tile_rows];
        drain(tile, few_tile_rows, n, count, reinterpret_cast<char*>(narrowed), n * static_cast<int64_t>(sizeof(T)));
        narrow_rows<S>(narrowed, n, view, first, count);
    }
}

// What is read beside x: k arrays of its shape, and the same rows of them.
template <size_t k>
using Views = std::array<const RowView*, k>;
template <class T, size_t k>
using Vectors = std::array<const T*, k>;

// Calls kernel(first, count, rows, tile of x, tiles of the others) over tiles of rows of few classes. out, to which the first tile goes,
// is a RowView or nullptr.
template <class S, size_t k, class Out, class Kernel>
void each_tile_with(const RowView& x, const Views<k>& others, const Out& out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    const int64_t n = x.entries.size(), size = n * few_tile_rows;
    Scratch<T, Use::tile> scratch(size);
    Scratch<T, Use::other_tiles> other_scratch(static_cast<int64_t>(k) * size);
    T* tile = scratch.data();
    Vectors<T, k> tiles;
    for (size_t v = 0; v < k; ++v) tiles[v] = other_scratch.data() + static_cast<int64_t>(v) * size;
    for (int64_t first = begin; first < end; first += few_tile_rows) {
        const int64_t count = std::min(few_tile_rows, end - first);
        fill_tile<S>(x, first, count, tile);
        for (size_t v = 0; v < k; ++v) fill_tile<S>(*others[v], first, count, other_scratch.data() + static_cast<int64_t>(v) * size);
        kernel(first, count, whole_packs<T>(count), tile, tiles);
        if constexpr (!std::is_null_pointer_v<Out>) drain_tile<S>(tile, out, first, count);
    }
}

template <class S, class Out, class Kernel>
void each_tile(const RowView& x, const Out& out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    each_tile_with<S, 0>(x, {}, out, begin, end, [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, 0>&) {
        kernel(first, count, rows, tile);
    });
}

// Calls kernel(row, x, vectors, out) with contiguous rows of the dtype that is worked in; out is null without an output, and may be x.
// Other rows pass through tiles of scratch, the same one for x and out, since every kernel works in place.
template <class S, size_t k, class Kernel>
void each_row_with(const RowView& x, const Views<k>& others, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
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
        return;
    }
    const auto in_pieces = [](const RowView* view) { return !view->entries.contiguous(sizeof(S)); };
    const bool strided = in_pieces(&x) || (out && in_pieces(out)) || std::any_of(others.begin(), others.end(), in_pieces);
    const int64_t together = strided ? tile_elements : widened_elements;
    const int64_t per_tile = std::clamp<int64_t>(together / std::max<int64_t>(n, 1), 1, tile_rows);
    const int64_t apart = row_distance<T>(n), size = per_tile * apart;
    Scratch<T, Use::tile> scratch(gather || scatter ? size : 0);
    Scratch<T, Use::other_tiles> other_scratch(gather_others ? static_cast<int64_t>(k) * size : 0);
    T* tile = scratch.data();
    for (int64_t first = begin; first < end; first += per_tile) {
        const int64_t count = std::min(per_tile, end - first);
        if (gather) gather_rows<S>(x, first, count, tile, apart);
        for (size_t v = 0; v < k; ++v)
            if (indirect(others[v])) gather_rows<S>(*others[v], first, count, other_scratch.data() + static_cast<int64_t>(v) * size, apart);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t r = first + i;
            T* staged = tile + i * apart;
            for (size_t v = 0; v < k; ++v)
                vectors[v] = indirect(others[v]) ? other_scratch.data() + static_cast<int64_t>(v) * size + i * apart : row_at<S>(*others[v], r);
            kernel(r, gather ? staged : row_at<S>(x, r), vectors, scatter ? staged : out ? row_at<S>(*out, r) : nullptr);
        }
        if (scatter) scatter_rows<S>(tile, apart, *out, first, count);
    }
}

template <class S, class Kernel>
void each_row(const RowView& x, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    each_row_with<S, 0>(x, {}, out, begin, end, [&](int64_t r, const T* from, const Vectors<T, 0>&, T* to) { kernel(r, from, to); });
}

// A vector that goes with a staged row: in double, 0 in the classes that are left out.
template <class T>
const double* stage_vector(const T* v, int64_t n, const StagedRow& row, double* memory) {
    for (int64_t j = 0; j < n; ++j) memory[j] = row.allowed && !row.allowed[j] ? 0.0 : static_cast<double>(v[j]);
    return memory;
}

// <gradient, v>, where a class without gradient counts for nothing, whatever v holds there. A gradient that sums to 0 over the
// row is multiplied by v minus its value at the largest component: a constant in v then leaves nothing to cancel.
template <class T>
double along(const T* gradient, const T* v, int64_t n, bool sums_to_zero) {
    double centre = 0.0, largest = 0.0;
    if (sums_to_zero)
        for (int64_t j = 0; j < n; ++j)
            if (std::fabs(gradient[j]) > largest) {
                largest = std::fabs(gradient[j]);
                centre = static_cast<double>(v[j]);
            }
    Scratch<double, Use::terms> scratch(n);
    double* terms = scratch.data();
    for (int64_t j = 0; j < n; ++j)
        terms[j] = gradient[j] == T(0) ? 0.0 : static_cast<double>(gradient[j]) * (static_cast<double>(v[j]) - centre);
    return sum(terms, n);
}

// Calls row_loss(row, x, scale, gradient) for the rows that count. `sums_to_zero`: so does the gradient of a row.
template <class S, class RowLoss>
void each_loss(const CrossEntropyCall& call, bool sums_to_zero, const RowLoss& row_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (call.tangent) {
        for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
            Scratch<T, Use::gradient> scratch(n);
            each_row_with<S, 1>(call.logits, {&*call.tangent}, nullptr, begin, end, [&](int64_t r, const T* x, const Vectors<T, 1>& v, T*) {
                const double weight = call.weight ? call.weight[r] : 1.0;
                call.losses[r] = 0.0;
                if (weight == 0.0) return;
                row_loss(r, x, 1.0, scratch.data());
                call.losses[r] = weight * along(scratch.data(), v[0], n, sums_to_zero);
            });
        });
        return;
    }
    const RowView* gradient = call.gradient ? &*call.gradient : nullptr;
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        each_row<S>(call.logits, gradient, begin, end, [&](int64_t r, const T* x, T* grad) {
            const double weight = call.weight ? call.weight[r] : 1.0;
            if (weight == 0.0) {
                call.losses[r] = 0.0;
                if (grad) std::fill(grad, grad + n, T(0));
                return;
            }
            const double scale = weight * (call.upstream ? call.upstream[r] : 1.0) * call.scale;
            call.losses[r] = weight * row_loss(r, x, scale, grad);
        });
    });
}

// A row of weight 0 has a result of 0 whatever it holds, which may be NaN.
template <class T>
void clear_ignored(T* tile, int64_t n, int64_t count, const double* weight) {
    for (int64_t i = 0; i < count; ++i)
        if (weight[i] == 0.0)
            for (int64_t j = 0; j < n; ++j) tile[j * few_tile_rows + i] = T(0);
}

// Whether the classes of a row that take part, `apart` elements from each other, are all at -inf.
template <class T>
bool is_massless(const T* x, int64_t n, int64_t apart, const unsigned char* allowed) {
    for (int64_t j = 0; j < n; ++j)
        if ((!allowed || allowed[j]) && x[j * apart] != -std::numeric_limits<T>::infinity()) return false;
    return true;
}

void multiply_by_class_weight(double* q, int64_t n, int64_t count, const double* class_weight) {
    if (!class_weight) return;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < n; ++j) q[i * n + j] *= class_weight[j];
}

// The target weights of rows, one after the other, spread over the classes that take part.
void stage_targets(const Targets& targets, int64_t first, int64_t count, int64_t n, const unsigned char* allowed, int64_t allowed_count,
                   double* q) {
    const double* w = targets.class_weight;
    const double kept = 1.0 - targets.smoothing;
    const double spread = targets.smoothing / static_cast<double>(std::max<int64_t>(allowed_count, 1));
    if (targets.labels)
        std::fill(q, q + count * n, 0.0);
    else {
        targets.probabilities->read(targets.probabilities->view, first, count, q);
        multiply_by_class_weight(q, n, count, w);
    }
    if (targets.smoothing != 0.0)
        for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < n; ++j)
                q[i * n + j] = kept * q[i * n + j] + (allowed && !allowed[j] ? 0.0 : w ? spread * w[j] : spread);
    if (targets.labels)
        for (int64_t i = 0; i < count; ++i) {
            const int64_t t = targets.labels[first + i];
            q[i * n + t] += kept * (w ? w[t] : 1.0);
        }
}

// Calls work(tile of the target weights of `count` rows), which stage(rows) puts one after the other; zeros in the rows that are missing.
template <class Stage, class Work>
void with_target_tile(int64_t n, int64_t count, int64_t rows, const Stage& stage, const Work& work) {
    Scratch<double, Use::target> scratch(2 * n * few_tile_rows);
    double *const staged = scratch.data(), *const tile = staged + n * few_tile_rows;
    stage(staged);
    std::fill(staged + count * n, staged + rows * n, 0.0);
    kernels<double>().fill(reinterpret_cast<const char*>(staged), n * static_cast<int64_t>(sizeof(double)), n, rows, tile, few_tile_rows);
    work(tile);
}

}  // namespace

template <class S>
void map_rows(RowMap function, const RowView& x, const Transform& transform, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool is_log = function == RowMap::log_softmax;
    if (transform.is_identity() && is_few(n)) {
        const auto kernel = is_log ? kernels<T>().few.log_softmax : kernels<T>().few.softmax;
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile<S>(x, out, begin, end, [&](int64_t, int64_t, int64_t rows, T* tile) { kernel(tile, n, rows); });
        });
        return;
    }
    if (transform.is_identity()) {
        const auto kernel = is_log ? kernels<T>().log_softmax : kernels<T>().softmax;
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_row<S>(x, &out, begin, end, [&](int64_t, const T* from, T* to) { kernel(from, nullptr, to, n); });
        });
        return;
    }
    const auto& two_parts = instruction_set().kernels->two_parts;
    const auto kernel = is_log ? two_parts.log_softmax : two_parts.softmax;
    const T left_out = is_log ? -std::numeric_limits<T>::infinity() : T(0);
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staging> scratch(staging_size(n));
        each_row<S>(x, &out, begin, end, [&](int64_t r, const T* from, T* to) {
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            if (row.allowed_count == 0) return static_cast<void>(std::fill(to, to + n, left_out));
            kernel(row.high, row.low, row.high, n);
            for (int64_t j = 0; j < n; ++j) to[j] = row.allowed && !row.allowed[j] ? left_out : static_cast<T>(row.high[j]);
        });
    });
}

template <class S>
void map_elements(ElementMap function, const Elements& x, const Elements& out) {
    using T = Compute<S>;
    const auto kernel = function == ElementMap::sigmoid ? kernels<T>().sigmoid : kernels<T>().log_sigmoid;
    const bool direct = std::is_same_v<S, T> && x.walk.contiguous(sizeof(S)) && out.walk.contiguous(sizeof(S));
    for_ranges(x.walk.size(), 1, 1, [&](int64_t begin, int64_t end) {
        if (direct) {
            kernel(reinterpret_cast<const T*>(x.data) + begin, reinterpret_cast<T*>(out.data) + begin, end - begin);
            return;
        }
        Scratch<T, Use::tile> scratch(end - begin);
        T* staged = scratch.data();
        x.walk.each(begin, end, [&](int64_t i, int64_t at) { staged[i - begin] = widen(*reinterpret_cast<const S*>(x.data + at)); });
        kernel(staged, staged, end - begin);
        out.walk.each(begin, end, [&](int64_t i, int64_t at) { *reinterpret_cast<S*>(out.data + at) = narrow_to<S>(staged[i - begin]); });
    });
}

template <class S>
void logsumexp(const RowView& x, const Transform& transform, S* out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && is_few(n)) {
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile<S>(x, nullptr, begin, end, [&](int64_t first, int64_t count, int64_t rows, const T* tile) {
                T values[few_tile_rows];
                kernels<T>().few.logsumexp(tile, n, rows, values);
                for (int64_t i = 0; i < count; ++i) out[first + i] = narrow_to<S>(values[i]);
            });
        });
        return;
    }
    const auto kernel = kernels<T>().logsumexp;
    const auto staged_kernel = instruction_set().kernels->log_normalizer;
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staging> scratch(plain ? 0 : staging_size(n));
        each_row<S>(x, nullptr, begin, end, [&](int64_t r, const T* from, T*) {
            if (plain) {
                out[r] = narrow_to<S>(kernel(from, n));
                return;
            }
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            double parts[2];
            staged_kernel(row.high, row.low, n, parts);
            const double sum = row.maximum + parts[0], taken = sum - row.maximum;
            const double lost = (row.maximum - (sum - taken)) + (parts[0] - taken);
            out[r] = narrow_to<S>(static_cast<T>(std::isfinite(sum) ? sum + (lost + parts[1] + row.maximum_low) : sum));
        });
    });
}

namespace {

// The vectors of a product as the kernels take them.
template <class T, size_t k>
struct TwoVectors {
    explicit TwoVectors(const Vectors<T, k>& vectors) {
        if constexpr (k > 0) v = vectors[0];
        if constexpr (k > 1) w = vectors[1];
    }
    const T *v = nullptr, *w = nullptr;
};

template <class S, size_t k>
void few_products(Product product, const RowView& x, const Views<k>& vectors, const double* factor, double scale, bool massless_is_zero,
                  const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        each_tile_with<S, k>(x, vectors, out, begin, end, [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, k>& tiles) {
            double factors[few_tile_rows] = {}, weights[few_tile_rows];
            for (int64_t i = 0; i < count; ++i) {
                weights[i] = massless_is_zero && is_massless(tile + i, n, few_tile_rows, nullptr) ? 0.0 : factor ? factor[first + i] : 1.0;
                factors[i] = weights[i] * scale;
            }
            const TwoVectors<T, k> two(tiles);
            kernels<T>().few.product(product, tile, two.v, two.w, n, rows, factors, nullptr);
            if (factor || massless_is_zero) clear_ignored(tile, n, count, weights);
        });
    });
}

template <class S, size_t k>
void map_products(Product product, const RowView& x, const Views<k>& vectors, const Transform& transform, const double* factor, double scale,
                  bool massless_is_zero, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && is_few(n)) return few_products<S, k>(product, x, vectors, factor, scale, massless_is_zero, out);
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staging> scratch(plain ? 0 : staging_size(n));
        Scratch<double, Use::vector> staged_vectors(plain ? 0 : static_cast<int64_t>(k) * n);
        each_row_with<S, k>(x, vectors, &out, begin, end, [&](int64_t r, const T* from, const Vectors<T, k>& of_row, T* to) {
            const double factor_of_row = factor ? factor[r] : 1.0;
            const auto is_zero = [&](const unsigned char* allowed) { return massless_is_zero && is_massless(from, n, 1, allowed); };
            if (factor_of_row == 0.0 || (plain && is_zero(nullptr))) return static_cast<void>(std::fill(to, to + n, T(0)));
            if (plain) {
                const TwoVectors<T, k> two(of_row);
                kernels<T>().product(product, from, nullptr, two.v, two.w, n, factor_of_row * scale, to);
                return;
            }
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            if (row.allowed_count == 0 || is_zero(row.allowed)) return static_cast<void>(std::fill(to, to + n, T(0)));
            Vectors<double, k> staged;
            for (size_t v = 0; v < k; ++v) staged[v] = stage_vector(of_row[v], n, row, staged_vectors.data() + static_cast<int64_t>(v) * n);
            const TwoVectors<double, k> two(staged);
            instruction_set().kernels->two_parts.product(product, row.high, row.low, two.v, two.w, n, factor_of_row * scale, row.high);
            for (int64_t j = 0; j < n; ++j) to[j] = row.allowed && !row.allowed[j] ? T(0) : static_cast<T>(row.high[j]);
        });
    });
}

}  // namespace

template <class S>
void map_products(Product product, const RowView& x, const RowView* v, const RowView* w, const Transform& transform, const double* factor,
                  double scale, bool massless_is_zero, const RowView& out) {
    if (w)
        map_products<S, 2>(product, x, {v, w}, transform, factor, scale, massless_is_zero, out);
    else if (v)
        map_products<S, 1>(product, x, {v}, transform, factor, scale, massless_is_zero, out);
    else
        map_products<S, 0>(product, x, {}, transform, factor, scale, massless_is_zero, out);
}

template <class S>
void softmax_means(const RowView& x, const RowView& v, const Transform& transform, double* means) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool plain = transform.is_identity();
    if (plain && is_few(n)) {
        for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
            each_tile_with<S, 1>(x, {&v}, nullptr, begin, end, [&](int64_t first, int64_t count, int64_t rows, T* tile, const Vectors<T, 1>& of_v) {
                bool massless[few_tile_rows];
                for (int64_t i = 0; i < count; ++i) massless[i] = is_massless(tile + i, n, few_tile_rows, nullptr);
                double of_tile[few_tile_rows];
                kernels<T>().few.product(Product::mean, tile, of_v[0], nullptr, n, rows, nullptr, of_tile);
                for (int64_t i = 0; i < count; ++i) means[first + i] = massless[i] ? 0.0 : of_tile[i];
            });
        });
        return;
    }
    for_row_ranges<S>(x, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::staging> scratch(plain ? 0 : staging_size(n));
        Scratch<double, Use::vector> staged_vector(plain ? 0 : n);
        Scratch<T, Use::gradient> exponentials(plain ? n : 0);
        each_row_with<S, 1>(x, {&v}, nullptr, begin, end, [&](int64_t r, const T* from, const Vectors<T, 1>& vector, T*) {
            if (plain) {
                means[r] = is_massless(from, n, 1, nullptr)
                               ? 0.0
                               : kernels<T>().product(Product::mean, from, nullptr, vector[0], nullptr, n, 1.0, exponentials.data());
                return;
            }
            const StagedRow row = stage_row(from, n, transform, r, scratch.data());
            const double* staged = stage_vector(vector[0], n, row, staged_vector.data());
            means[r] = is_massless(from, n, 1, row.allowed) ? 0.0
                                                            : instruction_set().kernels->two_parts.product(Product::mean, row.high, row.low, staged,
                                                                                                           nullptr, n, 1.0, row.high);
        });
    });
}

// Calls losses_of(first row, count, rows of the tile, tile, scale or null, losses) over tiles.
template <class S, class LossesOf>
void each_few_loss(const CrossEntropyCall& call, const LossesOf& losses_of) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const auto work = [&](int64_t first, int64_t count, int64_t rows, T* tile) {
        double scale[few_tile_rows], losses[few_tile_rows];
        std::fill(scale, scale + few_tile_rows, 1.0);
        if (call.weight) std::copy(call.weight + first, call.weight + first + count, scale);
        if (call.upstream)
            for (int64_t i = 0; i < count; ++i) scale[i] *= call.upstream[first + i];
        for (double& each : scale) each *= call.scale;
        losses_of(first, count, rows, tile, call.gradient ? scale : nullptr, losses);
        std::copy(losses, losses + count, call.losses + first);
        if (!call.weight) return;
        for (int64_t r = first; r < first + count; ++r) call.losses[r] = call.weight[r] == 0.0 ? 0.0 : call.weight[r] * call.losses[r];
        clear_ignored(tile, n, count, call.weight + first);
    };
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        if (call.gradient)
            each_tile<S>(call.logits, *call.gradient, begin, end, work);
        else
            each_tile<S>(call.logits, nullptr, begin, end, work);
    });
}

template <class S>
void few_cross_entropy(const CrossEntropyCall& call, const int64_t* labels) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    each_few_loss<S>(call, [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
        int64_t targets[few_tile_rows] = {};
        std::copy(labels + first, labels + first + count, targets);
        kernels<T>().few.cross_entropy(tile, n, rows, targets, scale, losses);
    });
}

template <class S>
void few_soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    each_few_loss<S>(call, [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
        const auto stage = [&](double* staged) { stage_targets(targets, first, count, n, nullptr, n, staged); };
        with_target_tile(n, count, rows, stage, [&](const double* q) {
            kernels<T>().few.soft_cross_entropy(tile, n, rows, q, scale, losses);
        });
    });
}

template <class S>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (is_few(n) && !call.tangent) return few_cross_entropy<S>(call, labels);
    const auto kernel = kernels<T>().cross_entropy;
    each_loss<S>(call, true, [&](int64_t r, const T* x, double scale, T* grad) { return kernel(x, n, labels[r], scale, grad); });
}

template <class S>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets, const Transform& transform, double z_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (transform.is_identity() && is_few(n) && z_loss == 0.0 && !call.tangent) return few_soft_cross_entropy<S>(call, targets);
    if (transform.is_identity()) {
        const auto kernel = kernels<T>().soft_cross_entropy;
        each_loss<S>(call, z_loss == 0.0, [&](int64_t r, const T* x, double scale, T* grad) {
            Scratch<double, Use::target> scratch(n);
            stage_targets(targets, r, 1, n, nullptr, n, scratch.data());
            return kernel(x, nullptr, n, scratch.data(), z_loss, 0.0, 0.0, scale, grad);
        });
        return;
    }
    const auto kernel = instruction_set().kernels->two_parts.soft_cross_entropy;
    each_loss<S>(call, z_loss == 0.0 && !transform.has_softcap(), [&](int64_t r, const T* x, double scale, T* grad) {
        Scratch<double, Use::target> target(n);
        Scratch<double, Use::staging> scratch(staging_size(n));
        const StagedRow row = stage_row(x, n, transform, r, scratch.data());
        if (row.allowed_count == 0) {
            if (grad) std::fill(grad, grad + n, T(0));
            return 0.0;
        }
        stage_targets(targets, r, 1, n, row.allowed, row.allowed_count, target.data());
        const double loss = kernel(row.high, row.low, n, target.data(), z_loss, row.maximum, row.maximum_low, scale,
                                   grad ? row.high : nullptr);
        if (grad)
            for (int64_t j = 0; j < n; ++j)
                grad[j] = row.allowed && !row.allowed[j] ? T(0) : pulled_back(transform, x[j], row.high[j]);
        return loss;
    });
}

template <class S>
bool read_as_double(const RowView& view, int64_t first, int64_t count, double* to) {
    const int64_t n = view.entries.size();
    const bool contiguous = view.entries.contiguous(sizeof(S));
    // Collected where they pass: a loop of its own would take a tenth of a loss and more.
    uint64_t signs = 0;
    const auto read = [](const char* from, double& element, uint64_t& bits) {
        element = static_cast<double>(widen(*reinterpret_cast<const S*>(from)));
        bits |= std::bit_cast<uint64_t>(element);
    };
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t step) {
        const int64_t together = contiguous && step == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together) {
            const char* const from = view.data + at + i * step;
            double* const rows = to + (r - first + i) * n;
            uint64_t bits = 0;
            if (contiguous)
                for (int64_t j = 0; j < together * n; ++j) read(from + j * static_cast<int64_t>(sizeof(S)), rows[j], bits);
            else
                view.entries.each(0, n, [&](int64_t j, int64_t of_entry) { read(from + of_entry, rows[j], bits); });
            signs |= bits;
        }
    });
    return signs >> 63;
}

template <class S>
void token_logprobs(const RowView& logits, const int64_t* labels, double* logprobs, double* entropies, int64_t* ranks) {
    using T = Compute<S>;
    const int64_t n = logits.entries.size();
    const auto kernel = kernels<T>().token_logprobs;
    for_row_ranges<S>(logits, [&](int64_t begin, int64_t end) {
        each_row<S>(logits, nullptr, begin, end, [&](int64_t r, const T* x, T*) {
            const TokenRow row = kernel(x, n, labels[r]);
            logprobs[r] = row.logprob;
            entropies[r] = row.entropy;
            ranks[r] = row.rank;
        });
    });
}

namespace {

double nan_if_negative(const double* q, int64_t n) {
    const bool negative = std::any_of(q, q + n, [](double each) { return each < 0.0; });
    return negative ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

}  // namespace

void probability_weights(const Probabilities& probabilities, const double* class_weight, double* out) {
    const int64_t n = probabilities.view.entries.size();
    if (is_few(n)) {
        for_ranges(probabilities.view.rows.size(), n + few_overhead, few_tile_rows, [&](int64_t begin, int64_t end) {
            for (int64_t first = begin; first < end; first += few_tile_rows) {
                const int64_t count = std::min(few_tile_rows, end - first), rows = whole_packs<double>(count);
                double nan_where_wrong[few_tile_rows] = {};
                const auto stage = [&](double* staged) {
                    if (probabilities.read(probabilities.view, first, count, staged))
                        for (int64_t i = 0; i < count; ++i) nan_where_wrong[i] = nan_if_negative(staged + i * n, n);
                    multiply_by_class_weight(staged, n, count, class_weight);
                };
                with_target_tile(n, count, rows, stage, [&](const double* q) {
                    double sums[few_tile_rows];
                    instruction_set().kernels->few_sums(q, n, rows, sums);
                    for (int64_t i = 0; i < count; ++i) out[first + i] = sums[i] + nan_where_wrong[i];
                });
            }
        });
        return;
    }
    for_ranges(probabilities.view.rows.size(), n, 1, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::target> scratch(n);
        double* const q = scratch.data();
        for (int64_t r = begin; r < end; ++r) {
            const bool minus = probabilities.read(probabilities.view, r, 1, q);
            const double nan_where_wrong = minus ? nan_if_negative(q, n) : 0.0;
            multiply_by_class_weight(q, n, 1, class_weight);
            out[r] = sum(q, n) + nan_where_wrong;
        }
    });
}

double sum(const double* values, int64_t n) { return instruction_set().kernels->sum(values, n); }

#define SOFTGRAD_INSTANTIATE(name, S, format)                                                                     \
    template void map_rows<S>(RowMap, const RowView&, const Transform&, const RowView&);                          \
    template void map_elements<S>(ElementMap, const Elements&, const Elements&);                                  \
    template void logsumexp<S>(const RowView&, const Transform&, S*);                                             \
    template void map_products<S>(Product, const RowView&, const RowView*, const RowView*, const Transform&, const double*, double, bool, const RowView&); \
    template void softmax_means<S>(const RowView&, const RowView&, const Transform&, double*);                    \
    template void cross_entropy<S>(const CrossEntropyCall&, const int64_t*);                                      \
    template void soft_cross_entropy<S>(const CrossEntropyCall&, const Targets&, const Transform&, double);       \
    template bool read_as_double<S>(const RowView&, int64_t, int64_t, double*);                                   \
    template void token_logprobs<S>(const RowView&, const int64_t*, double*, double*, int64_t*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
