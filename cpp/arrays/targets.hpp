// What the labels of rows become: targets q_j = class_weight[j] * ((1 - smoothing) * y_j + smoothing / K), y from an
// index or from given probabilities, K the number of classes that take part.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "arrays/kernels_of.hpp"
#include "arrays/layout.hpp"
#include "arrays/scratch.hpp"

namespace softgrad {

struct Probabilities {
    RowView view;
    bool (*read)(const RowView& view, int64_t first, int64_t count,
                 double* to);  // read_as_double of how they are stored
};

struct Labels {
    const int64_t* indices;  // or null:
    std::optional<Probabilities> probabilities;
    const double* class_weight;  // may be null
    double smoothing;
};

// The place of the first label that is no class; -1 if there is none.
int64_t first_outside(const int64_t* labels, int64_t n, int64_t classes);

// Rows of elements stored as S, one after the other; whether one of them has a minus sign.
template <class S>
bool read_as_double(const RowView& view, int64_t first, int64_t count, double* to);

// The targets of rows, one after the other, spread over the classes that take part.
void write_targets(const Labels& labels, int64_t first, int64_t count, int64_t n, const unsigned char* allowed,
                   int64_t allowed_count, double* q);

// Calls work(tile of the targets of `count` rows), which write(rows) puts one after the other; zeros in the rows
// that are missing.
template <class Write, class Work>
void with_target_tile(int64_t n, int64_t count, int64_t rows, const Write& write, const Work& work) {
    Scratch<double, Use::target> scratch(2 * n * tile_rows);
    double *const targets = scratch.data(), *const tile = targets + n * tile_rows;
    write(targets);
    std::fill(targets + count * n, targets + rows * n, 0.0);
    kernels<double>().fill(reinterpret_cast<const char*>(targets), n * static_cast<int64_t>(sizeof(double)), n, rows,
                           tile, tile_rows);
    work(tile);
}

// out[r] = sum over j of class_weight[j] * probabilities[r, j], not finite if one of these is negative or not finite;
// class_weight may be null.
void probability_weights(const Probabilities& probabilities, const double* class_weight, double* out);

}  // namespace softgrad
