// The options that transform the logits of a row, held for the length of a call.
#pragma once

#include <nanobind/nanobind.h>

#include <limits>
#include <optional>

#include "arrays/staged_rows.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

constexpr double no_softcap = std::numeric_limits<double>::infinity();

inline const Transform no_transform{std::nullopt, no_softcap, 1.0};

// The mask is kept here for the length of the call.
struct TransformArrays {
    OptionalArray where;
    Transform transform;

    TransformArrays(nb::handle mask, const Axes& axes, double softcap, double temperature)
        : where(optional_array(mask, Array::read)),
          transform{where ? std::optional<RowView>(where->rows(axes)) : std::nullopt, softcap, temperature} {
        if (where && where->format() != '?') throw nb::type_error("softgrad._core: a mask of another dtype");
    }
};

}  // namespace softgrad::python
