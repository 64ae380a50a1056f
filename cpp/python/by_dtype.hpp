// What is compiled for each dtype, chosen by that of an array.
#pragma once

#include <nanobind/nanobind.h>

#include "arrays/dtypes.hpp"
#include "python/buffers.hpp"

namespace softgrad::python {

// Calls work.operator()<S>() for the dtype of the array.
template <class Work>
auto by_dtype(const Array& array, const Work& work) {
    switch (array.format()) {
#define SOFTGRAD_CASE(name, S, character) \
    case character:                       \
        return work.template operator()<S>();
        SOFTGRAD_DTYPES(SOFTGRAD_CASE)
#undef SOFTGRAD_CASE
    }
    throw nb::type_error("softgrad._core: an array of another dtype");
}

// Calls work.operator()<S>(), which computes, for the dtype of the array: without the lock of the interpreter where
// there is much to do.
template <class Work>
void compute(const Array& array, const Work& work) {
    by_dtype(array, [&]<class S>() {
        const Unlocked unlocked(array);
        work.template operator()<S>();
    });
}

}  // namespace softgrad::python
