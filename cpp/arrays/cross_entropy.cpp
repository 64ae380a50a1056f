#include "arrays/cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

namespace {

// <gradient, v>, where a class without gradient counts for nothing, whatever v holds there. A gradient that sums to 0
// over the row is multiplied by v minus its value at the largest component: a constant in v then leaves nothing to
// cancel.
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
    for (int64_t j = 0; j < n; ++j) {
        // Made before it is chosen, so that nothing branches on what is 0.
        const double term = static_cast<double>(gradient[j]) * (static_cast<double>(v[j]) - centre);
        terms[j] = gradient[j] == T(0) ? 0.0 : term;
    }
    return sum(terms, n);
}

// The weight of a row, 0 where it does not count.
struct RowWeights {
    const double *label_weight, *weight;

    bool all_one() const { return !label_weight && !weight; }
    double operator()(int64_t row) const {
        if (label_weight && label_weight[row] == 0.0) return 0.0;
        return weight ? weight[row] : 1.0;
    }
};

// What the gradient of a row is multiplied by.
double scale_of(const CrossEntropyRows& call, const RowWeights& weights, int64_t row) {
    return weights(row) * (call.upstream ? call.upstream[row] : 1.0) * call.scale;
}

// Whether a row counts; if it does not, its results are 0, whatever it holds.
template <class T>
bool row_counts(const CrossEntropyRows& call, const RowWeights& weights, int64_t row, T* gradient, int64_t n) {
    if (weights(row) != 0.0) return true;
    call.losses[row] = 0.0;
    if (gradient) std::fill(gradient, gradient + n, T(0));
    return false;
}

// The derivatives along the tangent, from gradient_of(row, x, gradient). `sums_to_zero`: so does the gradient of a row.
template <class S, class GradientOf>
void each_tangent_loss(const CrossEntropyRows& call, const RowWeights& weights, bool sums_to_zero,
                       const GradientOf& gradient_of) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        Scratch<T, Use::gradient> scratch(n);
        each_row_with<S, 1>(call.logits, {&*call.tangent}, nullptr, begin, end,
                            [&](int64_t r, const T* x, const Vectors<T, 1>& v, T*) {
            if (!row_counts<T>(call, weights, r, nullptr, n)) return;
            gradient_of(r, x, scratch.data());
            call.losses[r] = weights(r) * along(scratch.data(), v[0], n, sums_to_zero);
        });
    });
}

// Calls losses_of(rows, indices of the rows, scale, losses) for the rows that count.
template <class S, class LossesOf>
void each_pack_loss(const CrossEntropyRows& call, const RowWeights& weights, const LossesOf& losses_of) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const RowView* gradient = call.gradient ? &*call.gradient : nullptr;
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        each_pack_with<S, 0>(call.logits, {}, gradient, begin, end, [&](int64_t r, const T*, T* grad) {
            return row_counts(call, weights, r, grad, n);
        }, [&](const Rows<T>& rows, const auto&, const int64_t* indices) {
            double scale[most_rows], losses[most_rows];
            for (int64_t i = 0; i < rows.count; ++i) scale[i] = scale_of(call, weights, indices[i]);
            losses_of(rows, indices, scale, losses);
            for (int64_t i = 0; i < rows.count; ++i) call.losses[indices[i]] = weights(indices[i]) * losses[i];
        });
    });
}

// Calls losses_of(first row, count, rows of the tile, tile, scale or null, losses) over tiles.
template <class S, class LossesOf>
void each_tile_loss(const CrossEntropyRows& call, const RowWeights& weights, const LossesOf& losses_of) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const auto work = [&](int64_t first, int64_t count, int64_t rows, T* tile) {
        double weight[tile_rows], scale[tile_rows], losses[tile_rows];
        std::fill(weight, weight + tile_rows, 1.0);
        if (!weights.all_one())
            for (int64_t i = 0; i < count; ++i) weight[i] = weights(first + i);
        std::copy(weight, weight + tile_rows, scale);
        if (call.upstream)
            for (int64_t i = 0; i < count; ++i) scale[i] *= call.upstream[first + i];
        for (double& each : scale) each *= call.scale;
        losses_of(first, count, rows, tile, call.gradient ? scale : nullptr, losses);
        if (weights.all_one()) return static_cast<void>(std::copy(losses, losses + count, call.losses + first));
        for (int64_t i = 0; i < count; ++i) call.losses[first + i] = weight[i] == 0.0 ? 0.0 : weight[i] * losses[i];
        clear_ignored(tile, n, count, weight);
    };
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        if (call.gradient)
            each_tile<S>(call.logits, *call.gradient, begin, end, work);
        else
            each_tile<S>(call.logits, nullptr, begin, end, work);
    });
}

// Against the class index of each row, with the logits as they are.
template <class S>
void to_indices(const CrossEntropyRows& call, const int64_t* indices) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const RowWeights weights{call.label_weight, call.label_weight};
    if (fits_a_tile(n, most_tile_classes_written) && !call.tangent) {
        each_tile_loss<S>(
            call, weights,
            [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
            int64_t labels[tile_rows] = {};
            std::copy(indices + first, indices + first + count, labels);
            kernels<T>().tiles.cross_entropy(tile, n, rows, labels, scale, losses);
        });
        return;
    }
    const auto kernel = kernels<T>().cross_entropy;
    if (call.tangent)
        return each_tangent_loss<S>(call, weights, true, [&](int64_t r, const T* x, T* grad) {
            const double one = 1.0;
            double loss;
            kernel({&x, nullptr, &grad, n, 1}, &indices[r], &one, &loss);
        });
    each_pack_loss<S>(call, weights, [&](const Rows<T>& rows, const int64_t* of, const double* scale, double* losses) {
        int64_t labels[most_rows];
        for (int64_t i = 0; i < rows.count; ++i) labels[i] = indices[of[i]];
        kernel(rows, labels, scale, losses);
    });
}

// Against the target of each row, with the logits as they are.
template <class S>
void to_targets(const CrossEntropyRows& call, const Labels& labels, double z_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const RowWeights weights{call.label_weight, call.sample_weight};
    if (fits_a_tile(n) && !call.tangent && z_loss == 0.0) {
        each_tile_loss<S>(
            call, weights,
            [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
            const auto write = [&](double* q) { write_targets(labels, first, count, n, nullptr, n, q); };
            with_target_tile(n, count, rows, write, [&](const double* q) {
                kernels<T>().tiles.soft_cross_entropy(tile, n, rows, q, scale, losses);
            });
        });
        return;
    }
    const auto losses_of = [&](const Rows<T>& rows, const int64_t* of, const double* scale, double* losses) {
        Scratch<double, Use::target> q(rows.count * n);
        for (int64_t i = 0; i < rows.count; ++i) write_targets(labels, of[i], 1, n, nullptr, n, q.data() + i * n);
        kernels<T>().soft_cross_entropy(rows, q.data(), z_loss, 0.0, 0.0, scale, losses);
    };
    if (!call.tangent) return each_pack_loss<S>(call, weights, losses_of);
    each_tangent_loss<S>(call, weights, z_loss == 0.0, [&](int64_t r, const T* x, T* gradient) {
        const double one = 1.0;
        double loss;
        losses_of({&x, nullptr, &gradient, n, 1}, &r, &one, &loss);
    });
}

// Against the target of each row, with transformed logits.
template <class S>
void of_staged(const CrossEntropyRows& call, const Labels& labels, const CrossEntropyOptions& options) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const Transform& transform = options.transform;
    const RowWeights weights{call.label_weight, call.sample_weight};
    const auto kernel = instruction_set().kernels->two_parts.soft_cross_entropy;
    const bool sums_to_zero = options.z_loss == 0.0 && !transform.has_softcap();
    const auto row_loss = [&](int64_t r, const T* x, double scale, T* grad) {
        Scratch<double, Use::target> q(n);
        Scratch<double, Use::staged> scratch(staged_size(n));
        const StagedRow row = stage_row(x, n, transform, r, scratch.data());
        if (row.allowed_count == 0) {
            if (grad) std::fill(grad, grad + n, T(0));
            return 0.0;
        }
        write_targets(labels, r, 1, n, row.allowed, row.allowed_count, q.data());
        const double *high = row.high, *low = row.low;
        double loss;
        kernel({&high, &low, grad ? &row.high : nullptr, n, 1}, q.data(), options.z_loss, row.maximum, row.maximum_low,
               &scale, &loss);
        if (grad)
            for (int64_t j = 0; j < n; ++j)
                grad[j] = row.allowed && !row.allowed[j] ? T(0) : pulled_back(transform, x[j], row.high[j]);
        return loss;
    };
    if (call.tangent)
        return each_tangent_loss<S>(call, weights, sums_to_zero,
                                    [&](int64_t r, const T* x, T* gradient) { row_loss(r, x, 1.0, gradient); });
    const RowView* gradient = call.gradient ? &*call.gradient : nullptr;
    for_row_ranges<S>(call.logits, [&](int64_t begin, int64_t end) {
        each_row<S>(call.logits, gradient, begin, end, [&](int64_t r, const T* x, T* grad) {
            if (row_counts(call, weights, r, grad, n))
                call.losses[r] = weights(r) * row_loss(r, x, scale_of(call, weights, r), grad);
        });
    });
}

}  // namespace

template <class S>
void cross_entropy(const CrossEntropyRows& call, const Labels& labels, const CrossEntropyOptions& options) {
    if (!options.transform.is_identity()) return of_staged<S>(call, labels, options);
    if (labels.indices && labels.smoothing == 0.0 && options.z_loss == 0.0) return to_indices<S>(call, labels.indices);
    to_targets<S>(call, labels, options.z_loss);
}

template <class S>
double reduced_cross_entropy(const CrossEntropyRows& rows, const Labels& labels, const CrossEntropyOptions& options,
                             double divisor) {
    const int64_t count = rows.logits.rows.size();
    if (labels.indices && first_outside(labels.indices, count, rows.logits.entries.size()) >= 0)
        throw std::out_of_range("softgrad._core: a label that is no class");
    Scratch<double, Use::losses> scratch(rows.losses ? 0 : count);
    CrossEntropyRows call = rows;
    if (!rows.losses) call.losses = scratch.data();
    cross_entropy<S>(call, labels, options);
    return static_cast<Compute<S>>(sum(call.losses, count) / divisor);
}

#define SOFTGRAD_INSTANTIATE(name, S, format)                                                                    \
    template void cross_entropy<S>(const CrossEntropyRows&, const Labels&, const CrossEntropyOptions&);          \
    template double reduced_cross_entropy<S>(const CrossEntropyRows&, const Labels&, const CrossEntropyOptions&, \
                                             double);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
