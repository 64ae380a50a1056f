// Cross-entropy of the rows of an array, and its gradient.
#pragma once

#include <cstdint>
#include <optional>

#include "arrays/layout.hpp"
#include "arrays/staged_rows.hpp"
#include "arrays/targets.hpp"

namespace softgrad {

// What makes the loss of a row.
struct CrossEntropyOptions {
    Transform transform;
    double z_loss;
};

// A row whose label weight is 0 is not looked at: loss 0, gradient 0. The weight of another is its label weight where
// the target is its label alone, and its sample weight where the class weights are in the target; all are 1 if null.
// losses[r] = weight * loss, gradient = weight * upstream[r] * scale * d loss. With a tangent there is no gradient, and
// losses[r] = weight * <d loss, tangent>.
struct CrossEntropyRows {
    RowView logits;
    std::optional<RowView> gradient, tangent;
    const double* label_weight;
    const double* sample_weight;
    const double* upstream;
    double scale;
    double* losses;
};

// Chooses the kernel, for the dtype S of the logits.
template <class S>
void cross_entropy(const CrossEntropyRows& rows, const Labels& labels, const CrossEntropyOptions& options);

// The sum of the losses over `divisor`, rounded to the type that S is worked on in. rows.losses may be null. Throws
// std::out_of_range, with nothing written, if a label is no class.
template <class S>
double reduced_cross_entropy(const CrossEntropyRows& rows, const Labels& labels, const CrossEntropyOptions& options,
                             double divisor);

}  // namespace softgrad
