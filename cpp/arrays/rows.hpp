// Every public operation over whole arrays: rows found in memory, split over threads, given to the row kernels.
// The template argument S is how an element is stored (dtypes.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "arrays/dtypes.hpp"
#include "kernels/table.hpp"
#include "arrays/layout.hpp"
#include "arrays/transformed_rows.hpp"

namespace softgrad {

enum class RowMap { softmax, log_softmax };
enum class ElementMap { sigmoid, log_sigmoid };

template <class S>
void map_rows(RowMap function, const RowView& x, const Transform& transform, const RowView& out);

template <class S>
void map_elements(ElementMap function, const Elements& x, const Elements& out);

// out has one element a row, contiguous.
template <class S>
void logsumexp(const RowView& x, const Transform& transform, S* out);

// What is done with each row of x, v and w (null where the product takes none), times factor[r] (all 1 if null) * scale; a row of
// factor 0 is not looked at: 0. Classes that `where` leaves out have p = 0 and results of 0, whatever x and v hold there. A row whose
// classes are all at -inf has no p: NaN, or 0 with `massless_is_zero`.
template <class S>
void map_products(Product product, const RowView& x, const RowView* v, const RowView* w, const Transform& transform, const double* factor,
                  double scale, bool massless_is_zero, const RowView& out);

// means[r] = <p, v>, 0 for a row whose classes are all at -inf.
template <class S>
void softmax_means(const RowView& x, const RowView& v, const Transform& transform, double* means);

// What the forms of cross-entropy share. Row r counts with weight[r] (all 1 if null); a row of weight 0 is not looked at:
// loss 0, gradient 0. losses[r] = weight * loss, gradient = weight * upstream[r] * scale * d loss. With a tangent there is no
// gradient, and losses[r] = weight * <d loss, tangent>.
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

// The target weights of a row: class_weight[j] * ((1 - smoothing) * y_j + smoothing / K), y from an index or from given
// probabilities, K the number of classes that take part.
struct Probabilities {
    RowView view;
    bool (*read)(const RowView& view, int64_t first, int64_t count, double* to);  // read_as_double of how they are stored
};

struct Targets {
    const int64_t* labels;  // or null:
    std::optional<Probabilities> probabilities;
    const double* class_weight;  // may be null
    double smoothing;
};

// Rows of elements stored as S, one after the other; whether one of them has a minus sign.
template <class S>
bool read_as_double(const RowView& view, int64_t first, int64_t count, double* to);

template <class S>
void soft_cross_entropy(const CrossEntropyCall& call, const Targets& targets, const Transform& transform, double z_loss);

// Of the label of each row: log-probability, entropy of the row, rank.
template <class S>
void token_logprobs(const RowView& logits, const int64_t* labels, double* logprobs, double* entropies, int64_t* ranks);

// out[r] = sum over j of class_weight[j] * probabilities[r, j], not finite if one of these is negative or not finite; class_weight may be null.
void probability_weights(const Probabilities& probabilities, const double* class_weight, double* out);

double sum(const double* values, int64_t n);

}  // namespace softgrad
