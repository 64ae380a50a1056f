// The log-probability of a label in each row, and what is told beside it.
#pragma once

#include <cstdint>

#include "arrays/layout.hpp"

namespace softgrad {

// The log-probability of the label of each row, the entropy of the row and the rank of the label.
template <class S>
void token_logprobs(const RowView& logits, const int64_t* labels, double* logprobs, double* entropies, int64_t* ranks);

}  // namespace softgrad
