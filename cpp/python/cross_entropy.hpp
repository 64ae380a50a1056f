// Cross-entropy and its gradient.
#pragma once

#include <nanobind/nanobind.h>

#include "python/buffers.hpp"

namespace softgrad::python {

double cross_entropy_loss(nb::handle logits, nb::handle labels, const Axes& axes, nb::handle label_weight,
                          nb::handle sample_weight, nb::handle class_weight, double smoothing, nb::handle where,
                          double softcap, double temperature, double z_loss, nb::handle upstream, double scale,
                          double divisor, nb::handle losses, nb::handle gradient, nb::handle tangent);

void cross_entropy(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle weight, nb::handle upstream,
                   double scale, nb::handle losses, nb::handle gradient, nb::handle tangent);
void soft_cross_entropy(nb::handle logits, const Axes& axes, nb::handle labels, nb::handle probabilities,
                        nb::handle class_weight, double smoothing, nb::handle where, double softcap, double temperature,
                        double z_loss, nb::handle weight, nb::handle upstream, double scale, nb::handle losses,
                        nb::handle gradient, nb::handle tangent);

}  // namespace softgrad::python
