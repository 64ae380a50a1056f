// Entries of rows that are too small to matter.
#pragma once

#include <nanobind/nanobind.h>

#include "python/buffers.hpp"

namespace softgrad::python {

void clear_below(nb::handle rows, nb::handle thresholds, nb::handle vectors);

}  // namespace softgrad::python
