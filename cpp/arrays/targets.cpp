#include "arrays/targets.hpp"

#include <bit>
#include <limits>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

namespace {

void multiply_by_class_weight(double* q, int64_t n, int64_t count, const double* class_weight) {
    if (!class_weight) return;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < n; ++j) q[i * n + j] *= class_weight[j];
}

double nan_if_negative(const double* q, int64_t n) {
    const bool negative = std::any_of(q, q + n, [](double each) { return each < 0.0; });
    return negative ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

}  // namespace

void write_targets(const Labels& labels, int64_t first, int64_t count, int64_t n, const unsigned char* allowed,
                   int64_t allowed_count, double* q) {
    const double* w = labels.class_weight;
    const double kept = 1.0 - labels.smoothing;
    const double spread = labels.smoothing / static_cast<double>(std::max<int64_t>(allowed_count, 1));
    if (labels.indices)
        std::fill(q, q + count * n, 0.0);
    else {
        labels.probabilities->read(labels.probabilities->view, first, count, q);
        multiply_by_class_weight(q, n, count, w);
    }
    // In one run where every class has the same share: over a few classes the loop of a row is too short.
    if (labels.smoothing != 0.0 && !allowed && !w)
        for (int64_t e = 0; e < count * n; ++e) q[e] = kept * q[e] + spread;
    else if (labels.smoothing != 0.0)
        for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < n; ++j)
                q[i * n + j] = kept * q[i * n + j] + (allowed && !allowed[j] ? 0.0 : w ? spread * w[j] : spread);
    if (labels.indices)
        for (int64_t i = 0; i < count; ++i) {
            const int64_t t = labels.indices[first + i];
            q[i * n + t] += kept * (w ? w[t] : 1.0);
        }
}

int64_t first_outside(const int64_t* labels, int64_t n, int64_t classes) {
    int64_t i = 0;
    // Without its sign a negative label is beyond all classes.
    while (i < n && static_cast<uint64_t>(labels[i]) < static_cast<uint64_t>(classes)) ++i;
    return i < n ? i : -1;
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
    view.rows.each_run(first, first + count, [&](int64_t r, int64_t run, int64_t at, int64_t stride) {
        const int64_t together = contiguous && stride == n * static_cast<int64_t>(sizeof(S)) ? run : 1;
        for (int64_t i = 0; i < run; i += together) {
            const char* const from = view.data + at + i * stride;
            double* const rows = to + (r - first + i) * n;
            uint64_t bits = 0;
            if (contiguous)
                for (int64_t j = 0; j < together * n; ++j)
                    read(from + j * static_cast<int64_t>(sizeof(S)), rows[j], bits);
            else
                view.entries.each(0, n, [&](int64_t j, int64_t of_entry) { read(from + of_entry, rows[j], bits); });
            signs |= bits;
        }
    });
    return signs >> 63;
}

void probability_weights(const Probabilities& probabilities, const double* class_weight, double* out) {
    const int64_t n = probabilities.view.entries.size();
    if (fits_a_tile(n)) {
        for_ranges(probabilities.view.rows.size(), n + tile_row_overhead, tile_rows, [&](int64_t begin, int64_t end) {
            for (int64_t first = begin; first < end; first += tile_rows) {
                const int64_t count = std::min(tile_rows, end - first), rows = whole_packs<double>(count);
                double nan_where_wrong[tile_rows] = {};
                const auto write = [&](double* targets) {
                    if (probabilities.read(probabilities.view, first, count, targets))
                        for (int64_t i = 0; i < count; ++i) nan_where_wrong[i] = nan_if_negative(targets + i * n, n);
                    multiply_by_class_weight(targets, n, count, class_weight);
                };
                with_target_tile(n, count, rows, write, [&](const double* q) {
                    double sums[tile_rows];
                    instruction_set().kernels->sum_tile(q, n, rows, sums);
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

#define SOFTGRAD_INSTANTIATE(name, S, format) \
    template bool read_as_double<S>(const RowView&, int64_t, int64_t, double*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
