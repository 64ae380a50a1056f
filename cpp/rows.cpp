#include "rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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

enum class Use { tile, target, staging };

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
template <class S, class Move>
void for_tile(const RowView& view, int64_t first, int64_t count, const Move& move) {
    int64_t row_offsets[tile_rows];
    view.rows.each(first, first + count, [&](int64_t r, int64_t at) { row_offsets[r - first] = at; });
    view.entries.each(0, view.entries.size(), [&](int64_t j, int64_t at) {
        for (int64_t i = 0; i < count; ++i) move(i, j, reinterpret_cast<S*>(view.data + row_offsets[i] + at));
    });
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

// Calls kernel(row, x, out) with contiguous rows of the dtype that is worked in; out is null without an output, and may be
// x. Other rows pass through a tile of scratch, the same one for input and output, since every kernel works in place.
template <class S, class Kernel>
void each_row(const RowView& x, const RowView* out, int64_t begin, int64_t end, const Kernel& kernel) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool gather = !is_direct<S>(x), scatter = out && !is_direct<S>(*out);
    if (!gather && !scatter) {
        for (int64_t r = begin; r < end; ++r) kernel(r, row_at<S>(x, r), out ? row_at<S>(*out, r) : nullptr);
        return;
    }
    const int64_t per_tile = std::clamp<int64_t>(tile_elements / std::max<int64_t>(n, 1), 1, tile_rows);
    Scratch<T, Use::tile> scratch(per_tile * n);
    T* tile = scratch.data();
    for (int64_t first = begin; first < end; first += per_tile) {
        const int64_t count = std::min(per_tile, end - first);
        if (gather) for_tile<S>(x, first, count, [&](int64_t i, int64_t j, const S* at) { tile[i * n + j] = widen(*at); });
        for (int64_t i = 0; i < count; ++i) {
            const int64_t r = first + i;
            T* staged = tile + i * n;
            kernel(r, gather ? staged : row_at<S>(x, r), scatter ? staged : out ? row_at<S>(*out, r) : nullptr);
        }
        if (scatter) for_tile<S>(*out, first, count, [&](int64_t i, int64_t j, S* at) { *at = narrow_to<S>(tile[i * n + j]); });
    }
}

// Calls row_loss(row, x, scale, gradient) for the rows that count.
template <class S, class RowLoss>
void each_loss(const CrossEntropyCall& call, const RowLoss& row_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const RowView* gradient = call.gradient ? &*call.gradient : nullptr;
    for_row_ranges(call.logits.rows.size(), n, [&](int64_t begin, int64_t end) {
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

void weighted_probabilities(const RowView& probabilities, double (*probability)(const char*), int64_t row, const double* class_weight,
                            double* q) {
    const char* at_row = probabilities.data + probabilities.rows.offset(row);
    probabilities.entries.each(0, probabilities.entries.size(), [&](int64_t j, int64_t at) {
        const double y = probability(at_row + at);
        q[j] = class_weight ? y * class_weight[j] : y;
    });
}

// The target weights of a row, spread over the classes that take part.
void stage_target(const Targets& targets, int64_t row, int64_t n, const unsigned char* allowed, int64_t allowed_count, double* q) {
    const double* w = targets.class_weight;
    const double kept = 1.0 - targets.smoothing;
    const double spread = targets.smoothing / static_cast<double>(std::max<int64_t>(allowed_count, 1));
    if (targets.labels)
        std::fill(q, q + n, 0.0);
    else
        weighted_probabilities(*targets.probabilities, targets.probability, row, w, q);
    if (targets.smoothing != 0.0)
        for (int64_t j = 0; j < n; ++j) q[j] = kept * q[j] + (allowed && !allowed[j] ? 0.0 : w ? spread * w[j] : spread);
    if (targets.labels) {
        const int64_t t = targets.labels[row];
        q[t] += kept * (w ? w[t] : 1.0);
    }
}

}  // namespace

template <class S>
void map_rows(RowMap function, const RowView& x, const Transform& transform, const RowView& out) {
    using T = Compute<S>;
    const int64_t n = x.entries.size();
    const bool is_log = function == RowMap::log_softmax;
    if (transform.is_identity()) {
        const auto kernel = is_log ? kernels<T>().log_softmax : kernels<T>().softmax;
        for_row_ranges(x.rows.size(), n, [&](int64_t begin, int64_t end) {
            each_row<S>(x, &out, begin, end, [&](int64_t, const T* from, T* to) { kernel(from, nullptr, to, n); });
        });
        return;
    }
    const auto& two_parts = instruction_set().kernels->two_parts;
    const auto kernel = is_log ? two_parts.log_softmax : two_parts.softmax;
    const T left_out = is_log ? -std::numeric_limits<T>::infinity() : T(0);
    for_row_ranges(x.rows.size(), n, [&](int64_t begin, int64_t end) {
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
    for_row_ranges(x.walk.size(), 1, [&](int64_t begin, int64_t end) {
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
    const auto kernel = kernels<T>().logsumexp;
    const auto staged_kernel = instruction_set().kernels->log_normalizer;
    for_row_ranges(x.rows.size(), n, [&](int64_t begin, int64_t end) {
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

template <class S>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const auto kernel = kernels<T>().cross_entropy;
    each_loss<S>(call, [&](int64_t r, const T* x, double scale, T* grad) { return kernel(x, n, labels[r], scale, grad); });
}

template <class S>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets, const Transform& transform, double z_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (transform.is_identity()) {
        const auto kernel = kernels<T>().soft_cross_entropy;
        each_loss<S>(call, [&](int64_t r, const T* x, double scale, T* grad) {
            Scratch<double, Use::target> scratch(n);
            stage_target(targets, r, n, nullptr, n, scratch.data());
            return kernel(x, nullptr, n, scratch.data(), z_loss, 0.0, 0.0, scale, grad);
        });
        return;
    }
    const auto kernel = instruction_set().kernels->two_parts.soft_cross_entropy;
    each_loss<S>(call, [&](int64_t r, const T* x, double scale, T* grad) {
        Scratch<double, Use::target> target(n);
        Scratch<double, Use::staging> scratch(staging_size(n));
        const StagedRow row = stage_row(x, n, transform, r, scratch.data());
        if (row.allowed_count == 0) {
            if (grad) std::fill(grad, grad + n, T(0));
            return 0.0;
        }
        stage_target(targets, r, n, row.allowed, row.allowed_count, target.data());
        const double loss = kernel(row.high, row.low, n, target.data(), z_loss, row.maximum, row.maximum_low, scale,
                                   grad ? row.high : nullptr);
        if (grad)
            for (int64_t j = 0; j < n; ++j)
                grad[j] = row.allowed && !row.allowed[j] ? T(0) : pulled_back(transform, x[j], row.high[j]);
        return loss;
    });
}

template <class S>
void token_logprobs(const RowView& logits, const int64_t* labels, double* logprobs, double* entropies, int64_t* ranks) {
    using T = Compute<S>;
    const int64_t n = logits.entries.size();
    const auto kernel = kernels<T>().token_logprobs;
    for_row_ranges(logits.rows.size(), n, [&](int64_t begin, int64_t end) {
        each_row<S>(logits, nullptr, begin, end, [&](int64_t r, const T* x, T*) {
            const TokenRow row = kernel(x, n, labels[r]);
            logprobs[r] = row.logprob;
            entropies[r] = row.entropy;
            ranks[r] = row.rank;
        });
    });
}

void probability_weights(const RowView& probabilities, double (*probability)(const char*), const double* class_weight, double* out) {
    const int64_t n = probabilities.entries.size();
    for_row_ranges(probabilities.rows.size(), n, [&](int64_t begin, int64_t end) {
        Scratch<double, Use::target> scratch(n);
        for (int64_t r = begin; r < end; ++r) {
            weighted_probabilities(probabilities, probability, r, class_weight, scratch.data());
            out[r] = sum(scratch.data(), n);
        }
    });
}

double sum(const double* values, int64_t n) { return instruction_set().kernels->sum(values, n); }

#define SOFTGRAD_INSTANTIATE(name, S, format)                                                                     \
    template void map_rows<S>(RowMap, const RowView&, const Transform&, const RowView&);                          \
    template void map_elements<S>(ElementMap, const Elements&, const Elements&);                                  \
    template void logsumexp<S>(const RowView&, const Transform&, S*);                                             \
    template void cross_entropy<S>(const CrossEntropyCall&, const int64_t*);                                      \
    template void soft_cross_entropy<S>(const CrossEntropyCall&, const Targets&, const Transform&, double);       \
    template void token_logprobs<S>(const RowView&, const int64_t*, double*, double*, int64_t*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
