// What is done to the vectors of all unknowns of a softmax regression, arrays (k, p), in a range of their columns.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <utility>

namespace softgrad::python {

namespace nb = nanobind;

using Range = std::pair<int64_t, int64_t>;

void advance(Range columns, double length, nb::handle search, nb::handle curved, nb::handle direction,
             nb::handle residual);
void turn(Range columns, double ratio, nb::handle next, nb::handle search);
double divide(Range columns, nb::handle residual, nb::handle diagonal, nb::handle out);
std::pair<double, double> add_pull(Range columns, nb::handle ridge, nb::handle theta, nb::handle result);
void to_weights(Range columns, nb::handle theta, nb::handle centre, nb::handle inverse_scale, bool transposed,
                nb::handle weights, nb::handle along);
void from_weights(Range columns, nb::handle by_weights, nb::handle by_biases, nb::handle centre,
                  nb::handle inverse_scale, bool transposed, nb::handle by_theta);

}  // namespace softgrad::python
