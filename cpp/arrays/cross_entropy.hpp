// Cross-entropy of the rows of an array, and its gradient.
#pragma once

#include <cstdint>
#include <optional>

#include "arrays/layout.hpp"
#include "arrays/target_weights.hpp"
#include "arrays/transformed_rows.hpp"

namespace softgrad {

// What the forms of cross-entropy share. Row r counts with weight[r] (all 1 if null); a row of weight 0 is not looked
// at: loss 0, gradient 0. losses[r] = weight * loss, gradient = weight * upstream[r] * scale * d loss. With a tangent
// there is no gradient, and losses[r] = weight * <d loss, tangent>.
struct CrossEntropyCall {
    RowView logits;
    std::optional<RowView> gradient, tangent;
    const double* weight;
    const double* upstream;
    double scale;
    double* losses;
};

template <class S>
void cross_entropy(const CrossEntropyCall& call, const int64_t* labels);

template <class S>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets, const Transform& transform,
                        double z_loss);

}  // namespace softgrad
