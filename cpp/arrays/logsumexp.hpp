// logsumexp of arrays.
#pragma once

#include "arrays/layout.hpp"
#include "arrays/staged_rows.hpp"

namespace softgrad {

// out has one element a row, contiguous.
template <class S>
void logsumexp(const RowView& x, const Transform& transform, S* out);

}  // namespace softgrad
