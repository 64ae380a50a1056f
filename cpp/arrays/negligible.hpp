// Entries of rows that are too small to matter.
#pragma once

#include "arrays/layout.hpp"

namespace softgrad {

// Entries of a size below the threshold of their row become 0; the entries of a row are contiguous.
template <class T>
void clear_below(const RowView& rows, const double* thresholds);

}  // namespace softgrad
