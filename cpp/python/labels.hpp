// Labels: which are classes, what those that are probabilities weigh, how likely they are.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "arrays/targets.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

// Labels that are probabilities, read as they are stored.
Probabilities probabilities_of(const Array& array, const Axes& axes);

// The place of the first label that is no class; -1 if there is none.
int64_t first_outside(nb::handle labels, int64_t classes);

void probability_weights(nb::handle probabilities, const Axes& axes, nb::handle class_weight, nb::handle out);

void token_logprobs(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle logprobs, nb::handle entropies,
                    nb::handle ranks);

}  // namespace softgrad::python
