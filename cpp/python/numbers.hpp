// The sum of numbers, and one number stored.
#pragma once

#include <nanobind/nanobind.h>

#include "python/buffers.hpp"

namespace softgrad::python {

double sum(nb::handle values);
void store_rounded(double value, nb::handle out);

}  // namespace softgrad::python
