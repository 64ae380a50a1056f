#include "arrays/cross_entropy.hpp"

#include <algorithm>
#include <cmath>

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
            each_row_with<S, 1>(call.logits, {&*call.tangent}, nullptr, begin, end,
                                [&](int64_t r, const T* x, const Vectors<T, 1>& v, T*) {
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

// Calls losses_of(first row, count, rows of the tile, tile, scale or null, losses) over tiles.
template <class S, class LossesOf>
void each_tile_loss(const CrossEntropyCall& call, const LossesOf& losses_of) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    const auto work = [&](int64_t first, int64_t count, int64_t rows, T* tile) {
        double scale[tile_rows], losses[tile_rows];
        std::fill(scale, scale + tile_rows, 1.0);
        if (call.weight) std::copy(call.weight + first, call.weight + first + count, scale);
        if (call.upstream)
            for (int64_t i = 0; i < count; ++i) scale[i] *= call.upstream[first + i];
        for (double& each : scale) each *= call.scale;
        losses_of(first, count, rows, tile, call.gradient ? scale : nullptr, losses);
        std::copy(losses, losses + count, call.losses + first);
        if (!call.weight) return;
        for (int64_t r = first; r < first + count; ++r)
            call.losses[r] = call.weight[r] == 0.0 ? 0.0 : call.weight[r] * call.losses[r];
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
void cross_entropy_in_tiles(const CrossEntropyCall& call, const int64_t* labels) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    each_tile_loss<S>(call,
                      [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
        int64_t targets[tile_rows] = {};
        std::copy(labels + first, labels + first + count, targets);
        kernels<T>().tiles.cross_entropy(tile, n, rows, targets, scale, losses);
    });
}

template <class S>
void soft_cross_entropy_in_tiles(const CrossEntropyCall& call, const Targets& targets) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    each_tile_loss<S>(call,
                      [&](int64_t first, int64_t count, int64_t rows, T* tile, const double* scale, double* losses) {
        const auto write = [&](double* weights) {
            write_target_weights(targets, first, count, n, nullptr, n, weights);
        };
        with_target_tile(n, count, rows, write, [&](const double* q) {
            kernels<T>().tiles.soft_cross_entropy(tile, n, rows, q, scale, losses);
        });
    });
}

}  // namespace

template <class S>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (fits_a_tile(n) && !call.tangent) return cross_entropy_in_tiles<S>(call, labels);
    const auto kernel = kernels<T>().cross_entropy;
    each_loss<S>(call, true,
                 [&](int64_t r, const T* x, double scale, T* grad) { return kernel(x, n, labels[r], scale, grad); });
}

template <class S>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets, const Transform& transform,
                        double z_loss) {
    using T = Compute<S>;
    const int64_t n = call.logits.entries.size();
    if (transform.is_identity() && fits_a_tile(n) && z_loss == 0.0 && !call.tangent)
        return soft_cross_entropy_in_tiles<S>(call, targets);
    if (transform.is_identity()) {
        const auto kernel = kernels<T>().soft_cross_entropy;
        each_loss<S>(call, z_loss == 0.0, [&](int64_t r, const T* x, double scale, T* grad) {
            Scratch<double, Use::target> scratch(n);
            write_target_weights(targets, r, 1, n, nullptr, n, scratch.data());
            return kernel(x, nullptr, n, scratch.data(), z_loss, 0.0, 0.0, scale, grad);
        });
        return;
    }
    const auto kernel = instruction_set().kernels->two_parts.soft_cross_entropy;
    each_loss<S>(call, z_loss == 0.0 && !transform.has_softcap(), [&](int64_t r, const T* x, double scale, T* grad) {
        Scratch<double, Use::target> target(n);
        Scratch<double, Use::transformed> scratch(transformed_size(n));
        const TransformedRow row = transform_row(x, n, transform, r, scratch.data());
        if (row.allowed_count == 0) {
            if (grad) std::fill(grad, grad + n, T(0));
            return 0.0;
        }
        write_target_weights(targets, r, 1, n, row.allowed, row.allowed_count, target.data());
        const double loss = kernel(row.high, row.low, n, target.data(), z_loss, row.maximum, row.maximum_low, scale,
                                   grad ? row.high : nullptr);
        if (grad)
            for (int64_t j = 0; j < n; ++j)
                grad[j] = row.allowed && !row.allowed[j] ? T(0) : pulled_back(transform, x[j], row.high[j]);
        return loss;
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format)                                \
    template void cross_entropy<S>(const CrossEntropyCall&, const int64_t*); \
    template void soft_cross_entropy<S>(const CrossEntropyCall&, const Targets&, const Transform&, double);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
