// softmax and log_softmax of arrays.
#pragma once

#include "arrays/layout.hpp"
#include "arrays/staged_rows.hpp"

namespace softgrad {

enum class RowMap { softmax, log_softmax };

template <class S>
void map_rows(RowMap function, const RowView& x, const Transform& transform, const RowView& out);

}  // namespace softgrad
