// The sums over rows of features that a softmax regression of few classes is made of. Some rows go through the logits
// and back to the features at a time, so that they are in the caches for the way back.
#pragma once

#include <cstdint>

#include "arrays/features.hpp"

namespace softgrad {

// Logits as an affine function of features, of k classes, at most most_tile_classes; the bias may be null.
template <class T>
struct AffineLogits {
    const T *weight, *bias;
    int64_t k;
};

// Where the transpose of the logits' function is added to: by weight and, null without a bias, by bias.
template <class T>
struct ByAffine {
    T* weight;
    double* bias;
};

// Adds the gradient of the loss of each row at its label times its weight, by the logits' function; gives the sum of
// the losses times the weights. A gradient by a logit below `least` times the weight is left out.
template <class Features>
double add_loss_gradient(const Features& features, const int64_t* labels, const double* weights, double least,
                         const AffineLogits<typename Features::Entry>& logits,
                         const ByAffine<typename Features::Entry>& out);

// Adds the Hessian of the losses of rows with the probabilities (n, k) times their weights, times the direction that
// the logits v say. What is below `least` times the weight and the largest entry of v is left out.
template <class Features>
void add_hessian_product(const Features& features, const typename Features::Entry* probabilities, const double* weights,
                         double least, const AffineLogits<typename Features::Entry>& direction,
                         const ByAffine<typename Features::Entry>& out);

// Adds the Hessian of the losses of rows times their weights, whose logits are their products with a weight (k, d), by
// the weights of the m classes `others`, to out (m, d, m, d): each class's block, and its blocks with the classes
// before it.
template <class T>
void add_hessian_matrix(const DenseFeatures<T>& features, const T* weight, int64_t k, const double* weights,
                        const int64_t* others, int64_t m, double* out);

}  // namespace softgrad
