// Products of the derivatives of softmax at the rows of an array.
#pragma once

#include "arrays/layout.hpp"
#include "arrays/staged_rows.hpp"
#include "kernels/table.hpp"

namespace softgrad {

// What is done with each row of x, v and w (null where the product takes none), times factor[r] (all 1 if null) *
// scale; a row of factor 0 is not looked at: 0. Classes that `where` leaves out have p = 0 and results of 0, whatever x
// and v hold there. A row whose classes are all at -inf has no p: NaN, or 0 with `massless_is_zero`.
template <class S>
void map_products(Product product, const RowView& x, const RowView* v, const RowView* w, const Transform& transform,
                  const double* factor, double scale, bool massless_is_zero, const RowView& out);

// The product `softmax`, `log_softmax_tangent` or `log_softmax_cotangent` with each row of v, times scale, from the
// rows of what softmax or log_softmax gave. Classes that `where` (null: none) leaves out have p = 0 and results of 0.
template <class S>
void map_products_of_output(Product product, const RowView& output, const RowView& v, const RowView* where,
                            double scale, const RowView& out);

// means[r] = <p, v>, 0 for a row whose classes are all at -inf.
template <class S>
void softmax_means(const RowView& x, const RowView& v, const Transform& transform, double* means);

}  // namespace softgrad
