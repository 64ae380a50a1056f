// The sums over rows of features that a softmax regression is made of.
#pragma once

#include <nanobind/nanobind.h>

namespace softgrad::python {

namespace nb = nanobind;

double add_loss_gradient(nb::handle x, nb::handle labels, nb::handle weights, double least, nb::handle weight,
                         nb::handle bias, nb::handle out, nb::handle out_bias);
void add_hessian_product(nb::handle x, nb::handle probabilities, nb::handle weights, double least, nb::handle weight,
                         nb::handle bias, nb::handle out, nb::handle out_bias);
void add_hessian_matrix(nb::handle x, nb::handle weight, nb::handle weights, nb::handle others, nb::handle out);

}  // namespace softgrad::python
