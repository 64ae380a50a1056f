// The kernels in use, by the type they work on.
#pragma once

#include "arrays/dtypes.hpp"
#include "dispatch/dispatch.hpp"

namespace softgrad {

template <class T>
const KernelsOf<T>& kernels();
template <>
inline const KernelsOf<float>& kernels<float>() {
    return instruction_set().kernels->float32;
}
template <>
inline const KernelsOf<double>& kernels<double>() {
    return instruction_set().kernels->float64;
}

template <class S>
const Conversions& conversions();
template <>
inline const Conversions& conversions<Float16>() {
    return instruction_set().kernels->float16;
}
template <>
inline const Conversions& conversions<BFloat16>() {
    return instruction_set().kernels->bfloat16;
}

inline double sum(const double* values, int64_t n) { return instruction_set().kernels->sum(values, n); }

}  // namespace softgrad
