// softmax, log_softmax, logsumexp and the sigmoids.
#pragma once

#include <nanobind/nanobind.h>

#include "python/buffers.hpp"

namespace softgrad::python {

void softmax(nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature);
void log_softmax(nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature);
void logsumexp(nb::handle x, nb::handle out, const Axes& axes, nb::handle where);

// A map over the last axis, without options: what a small call has time for. If x is no array that nothing has to be
// done to first, the result is false, and nothing has happened.
bool softmax_if_plain(nb::handle x, nb::handle out);
bool log_softmax_if_plain(nb::handle x, nb::handle out);
bool logsumexp_if_plain(nb::handle x, nb::handle out);

void sigmoid(nb::handle x, nb::handle out);
void log_sigmoid(nb::handle x, nb::handle out);

}  // namespace softgrad::python
