// Every public operation over whole arrays: rows found in memory, split over threads, given to the row kernels.
#pragma once

#include <cstdint>
#include <optional>

#include "layout.hpp"

namespace softgrad {

enum class RowMap { softmax, log_softmax };
enum class ElementMap { sigmoid, log_sigmoid };

template <class T>
void map_rows(RowMap function, const RowView& x, const RowView& out);

template <class T>
void map_elements(ElementMap function, const Elements& x, const Elements& out);

template <class T>
void logsumexp(const RowView& x, T* out);

// What the two forms of cross-entropy share. Row r counts with weight[r] (all 1 if null); a row of weight 0 is not looked
// at: loss 0, gradient 0. losses[r] = weight * loss, gradient = weight * upstream[r] * scale * d loss.
struct CrossEntropyCall {
    RowView logits;
    std::optional<RowView> gradient;
    const double* weight;
    const double* upstream;
    double scale;
    double* losses;
};

template <class T>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels);

// The target weights of a row: class_weight[j] * ((1 - smoothing) * y_j + smoothing / K), y from an index or from given
// probabilities.
struct Targets {
    const int64_t* labels;                  // or null:
    std::optional<RowView> probabilities;   // float or double
    bool probabilities_are_double;
    const double* class_weight;             // may be null
    double smoothing;
};

template <class T>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets);

// out[r] = sum over j of class_weight[j] * probabilities[r, j]; class_weight may be null.
template <class T>
void probability_weights(const RowView& probabilities, const double* class_weight, double* out);

double sum(const double* values, int64_t n);

}  // namespace softgrad
