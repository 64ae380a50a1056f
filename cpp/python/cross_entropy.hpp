// Cross-entropy and its gradient.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>

#include "python/buffers.hpp"

namespace softgrad::python {

double cross_entropy_loss(nb::handle logits, nb::handle labels, const Axes& axes, nb::handle label_weight,
                          nb::handle sample_weight, nb::handle class_weight, double smoothing, nb::handle where,
                          double softcap, double temperature, double z_loss, nb::handle upstream, double scale,
                          double divisor, nb::handle losses, nb::handle gradient, nb::handle tangent);

// The mean of rows of the last axis that nothing has to be done to first, and its gradient; else none and nothing done.
std::optional<double> cross_entropy_if_plain(nb::handle logits, nb::handle labels, nb::handle gradient);

}  // namespace softgrad::python
