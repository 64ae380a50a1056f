// Products of the derivatives of softmax, log_softmax and logsumexp.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "python/buffers.hpp"

namespace softgrad::python {

void row_products(const std::string& name, nb::handle x, nb::handle v, nb::handle w, const Axes& axes, nb::handle where,
                  double temperature, nb::handle factor, double scale, bool massless_is_zero, nb::handle out);
void products_of_output(const std::string& name, nb::handle output, nb::handle v, const Axes& axes, nb::handle where,
                        double scale, nb::handle out);
// Of the last axis, without a mask or a scale. Nothing is written and the result is false where the arrays are no plain
// ones: NumPy's of one floating dtype but bfloat16 and of one shape, `out` apart from the others but for `output`.
bool products_of_output_if_plain(const std::string& name, nb::handle output, nb::handle v, nb::handle out);
void softmax_means(nb::handle x, nb::handle v, const Axes& axes, nb::handle where, nb::handle out);

}  // namespace softgrad::python
