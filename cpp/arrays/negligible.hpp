// Entries of rows that are too small to matter.
#pragma once

#include "arrays/layout.hpp"

namespace softgrad {

// Entries of a size below the threshold of their row, times the largest in size of the row of `vectors` if they are not
// null, become 0. The entries of a row are contiguous.
template <class T>
void clear_below(const RowView& rows, const double* thresholds, const RowView* vectors);

}  // namespace softgrad
