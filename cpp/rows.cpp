#include "rows.hpp"

#include <algorithm>
#include <vector>

#include "dispatch.hpp"
#include "thread_pool.hpp"

namespace softgrad {
namespace {

// Rows gathered together when a row does not stand in one piece: as many as a cache line holds of the smallest dtype, so
// that with the class axis first every line that is fetched is used whole.
constexpr int64_t tile_rows = 16;
constexpr int64_t tile_elements = 1 << 17;
// Below this many elements a piece is not worth handing to another thread.
constexpr int64_t piece_elements = 1 << 15;
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

enum class Use { tile, target };

// Memory that a thread keeps from call to call (touching fresh pages costs more than the arithmetic on them).
template <class T, Use use>
class Scratch {
  public:
    explicit Scratch(int64_t elements) {
        if (static_cast<int64_t>(storage().size()) < elements) storage().resize(static_cast<size_t>(elements));
    }
    ~Scratch() {
        if (static_cast<int64_t>(storage().size()) > scratch_kept) std::vector<T>().swap(storage());
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return storage().data(); }

  private:
    static std::vector<T>& storage() {
        thread_local std::vector<T> memory;
        return memory;
    }
};

// Calls work(begin, end) over [0, rows), in parallel where it pays.
template <class Work>
void for_row_ranges(int64_t rows, int64_t row_elements, const Work& work) {
    if (rows == 0) return;
    const int64_t per_row = std::max<int64_t>(row_elements, 1);
    const int64_t per_piece = std::max<int64_t>(1, (piece_elements + per_row - 1) / per_row);
    const int64_t pieces = (rows + per_piece - 1) / per_piece;
    parallel_for(pieces, [&](int64_t i) { work(i * per_piece, std::min(rows, (i + 1) * per_piece)); });
}

// Entry-major, so that neighbouring rows are read and written together.
template <class T, class Move>
void for_tile(const RowView& view, int64_t first, int64_t count, const Move& move) {
    int64_t row_offsets[tile_rows];
    view.rows.each(first, first + count, [&](int64_t r, int64_t at) { row_offsets[r - first] = at; });
    view.entries.each(0, view.entries.size(), [&](int64_t j, int64_t at) {
        for (int64_t i = 0; i < count; ++i) move(i, j, reinterpret_cast<T*>(view.data + row_offsets[i] + at));
    });
}

template <class T>
T* row_at(const RowView& view, int64_t row) {
    return reinterpret_cast<T*>(view.data + view.rows.offset(row));
}

// Calls kernel(row, x, out) with contiguous rows; out is null without an output, and may be x. Rows that are not
// contiguous pass through a tile of scratch, the same one for input and output, since every kernel works in place.
template <class T, class Kernel>
void each_row(const RowView& x, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
    const int64_t n = x.entries.size();
    const bool gather = !x.contiguous_rows<T>(), scatter = out && !out->contiguous_rows<T>();
    if (!gather && !scatter) {
        for (int64_t r = begin; r < end; ++r) kernel(r, row_at<T>(x, r), out ? row_at<T>(*out, r) : nullptr);
        return;
    }
    const int64_t per_tile = std::clamp<int64_t>(tile_elements / std::max<int64_t>(n, 1), 1, tile_rows);
    Scratch<T, Use::tile> scratch(per_tile * n);
    T* tile = scratch.data();
    for (int64_t first = begin; first < end; first += per_tile) {
        const int64_t count = std::min(per_tile, end - first);
        if (gather) for_tile<T>(x, first, count, [&](int64_t i, int64_t j, const T* at) { tile[i * n + j] = *at; });
        for (int64_t i = 0; i < count; ++i) {
            T* staged = tile + i * n;
            kernel(first + i, gather ? staged : row_at<T>(x, first + i), scatter ? staged : out ? row_at<T>(*out, first + i) : nullptr);
        }
        if (scatter) for_tile<T>(*out, first, count, [&](int64_t i, int64_t j, T* at) { *at = tile[i * n + j]; });
    }
}

template <class T, class RowLoss>
void each_loss(const CrossEntropyCall& call, const RowLoss& row_loss) {
    const int64_t n = call.logits.entries.size();
    const RowView* gradient = call.gradient ? &*call.gradient : nullptr;
    for_row_ranges(call.logits.rows.size(), n, [&](int64_t begin, int64_t end) {
        each_row<T>(call.logits, gradient, begin, end, [&](int64_t r, const T* x, T* grad) {
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

template <class Probability>
void weighted_probabilities(const RowView& probabilities, int64_t row, const double* class_weight, double* q) {
    const char* at_row = probabilities.data + probabilities.rows.offset(row);
    probabilities.entries.each(0, probabilities.entries.size(), [&](int64_t j, int64_t at) {
        const double y = static_cast<double>(*reinterpret_cast<const Probability*>(at_row + at));
        q[j] = class_weight ? y * class_weight[j] : y;
    });
}

}  // namespace

template <class T>
void map_rows(RowMap function, const RowView& x, const RowView& out) {
    const int64_t n = x.entries.size();
    const auto kernel = function == RowMap::softmax ? kernels<T>().softmax : kernels<T>().log_softmax;
    for_row_ranges(x.rows.size(), n, [&](int64_t begin, int64_t end) {
        each_row<T>(x, &out, begin, end, [&](int64_t, const T* from, T* to) { kernel(from, to, n); });
    });
}

template <class T>
void map_elements(ElementMap function, const Elements& x, const Elements& out) {
    const auto kernel = function == ElementMap::sigmoid ? kernels<T>().sigmoid : kernels<T>().log_sigmoid;
    const bool in_place = x.walk.contiguous(sizeof(T)) && out.walk.contiguous(sizeof(T));
    for_row_ranges(x.walk.size(), 1, [&](int64_t begin, int64_t end) {
        if (in_place) {
            kernel(reinterpret_cast<const T*>(x.data) + begin, reinterpret_cast<T*>(out.data) + begin, end - begin);
            return;
        }
        Scratch<T, Use::tile> scratch(end - begin);
        T* staged = scratch.data();
        x.walk.each(begin, end, [&](int64_t i, int64_t at) { staged[i - begin] = *reinterpret_cast<const T*>(x.data + at); });
        kernel(staged, staged, end - begin);
        out.walk.each(begin, end, [&](int64_t i, int64_t at) { *reinterpret_cast<T*>(out.data + at) = staged[i - begin]; });
    });
}

template <class T>
void logsumexp(const RowView& x, T* out) {
    const int64_t n = x.entries.size();
    const auto kernel = kernels<T>().logsumexp;
    for_row_ranges(x.rows.size(), n, [&](int64_t begin, int64_t end) {
        each_row<T>(x, nullptr, begin, end, [&](int64_t r, const T* row, T*) { out[r] = kernel(row, n); });
    });
}

template <class T>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels) {
    const int64_t n = call.logits.entries.size();
    const auto kernel = kernels<T>().cross_entropy;
    each_loss<T>(call, [&](int64_t r, const T* x, double scale, T* grad) { return kernel(x, n, labels[r], scale, grad); });
}

template <class T>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets) {
    const int64_t n = call.logits.entries.size();
    const auto kernel = kernels<T>().soft_cross_entropy;
    const double kept = 1.0 - targets.smoothing, spread = targets.smoothing / static_cast<double>(n);
    const double* w = targets.class_weight;
    each_loss<T>(call, [&](int64_t r, const T* x, double scale, T* grad) {
        Scratch<double, Use::target> scratch(n);
        double* q = scratch.data();
        if (targets.labels) {
            for (int64_t j = 0; j < n; ++j) q[j] = w ? spread * w[j] : spread;
            const int64_t t = targets.labels[r];
            q[t] += kept * (w ? w[t] : 1.0);
        } else {
            if (targets.probabilities_are_double)
                weighted_probabilities<double>(*targets.probabilities, r, w, q);
            else
                weighted_probabilities<float>(*targets.probabilities, r, w, q);
            if (targets.smoothing != 0.0)
                for (int64_t j = 0; j < n; ++j) q[j] = kept * q[j] + (w ? spread * w[j] : spread);
        }
        return kernel(x, n, q, scale, grad);
    });
}

template <class T>
void probability_weights(const RowView& probabilities, const double* class_weight, double* out) {
    const int64_t n = probabilities.entries.size();
    for_row_ranges(probabilities.rows.size(), n, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::target> scratch(n);
        for (int64_t r = begin; r < end; ++r) {
            weighted_probabilities<T>(probabilities, r, class_weight, scratch.data());
            out[r] = sum(scratch.data(), n);
        }
    });
}

double sum(const double* values, int64_t n) { return instruction_set().kernels->sum(values, n); }

#define SOFTGRAD_INSTANTIATE(T)                                                  \
    template void map_rows<T>(RowMap, const RowView&, const RowView&);           \
    template void map_elements<T>(ElementMap, const Elements&, const Elements&); \
    template void logsumexp<T>(const RowView&, T*);                              \
    template void cross_entropy<T>(const CrossEntropyCall&, const int64_t*);     \
    template void soft_cross_entropy<T>(const CrossEntropyCall&, const Targets&); \
    template void probability_weights<T>(const RowView&, const double*, double*);
SOFTGRAD_INSTANTIATE(float)
SOFTGRAD_INSTANTIATE(double)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
