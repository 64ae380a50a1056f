// NEON of 64-bit ARM.
#pragma once

#include <arm_neon.h>

#include "kernels/simd/portable.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

using portable::any, portable::load_first, portable::maximum, portable::minimum, portable::store_lanes;
using portable::joined_slices, portable::slice_of;
using portable::narrow, portable::widen_high, portable::widen_low;
using portable::narrow_float16, portable::widen_float16;

constexpr bool fused = true;

SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) {
    return (Float)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) {
    return (Double)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}

SOFTGRAD_INLINE Float zip_low(Float a, Float b) { return (Float)vzip1q_f32((float32x4_t)a, (float32x4_t)b); }
SOFTGRAD_INLINE Float zip_high(Float a, Float b) { return (Float)vzip2q_f32((float32x4_t)a, (float32x4_t)b); }
SOFTGRAD_INLINE Double zip_low(Double a, Double b) { return (Double)vzip1q_f64((float64x2_t)a, (float64x2_t)b); }
SOFTGRAD_INLINE Double zip_high(Double a, Double b) { return (Double)vzip2q_f64((float64x2_t)a, (float64x2_t)b); }

}  // namespace softgrad::SOFTGRAD_ISA_NAME
