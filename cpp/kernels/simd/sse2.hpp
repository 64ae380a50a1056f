// SSE2, which every x86-64 has.
#pragma once

#include <immintrin.h>

#include "kernels/simd/portable.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

using portable::fma, portable::fused, portable::load_first, portable::maximum, portable::minimum, portable::store_lanes;
using portable::joined_slices, portable::slice_of;
using portable::narrow_float16, portable::widen_float16;

template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    return _mm_movemask_epi8((__m128i)mask) != 0;
}

SOFTGRAD_INLINE Double widen_low(Float v) { return _mm_cvtps_pd(v); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm_cvtps_pd(_mm_movehl_ps(v, v)); }

// In registers: through memory the load would wait for two narrower stores.
SOFTGRAD_INLINE Float narrow(Double low, Double high) { return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high)); }

SOFTGRAD_INLINE Float zip_low(Float a, Float b) { return _mm_unpacklo_ps(a, b); }
SOFTGRAD_INLINE Float zip_high(Float a, Float b) { return _mm_unpackhi_ps(a, b); }
SOFTGRAD_INLINE Double zip_low(Double a, Double b) { return _mm_unpacklo_pd(a, b); }
SOFTGRAD_INLINE Double zip_high(Double a, Double b) { return _mm_unpackhi_pd(a, b); }

}  // namespace softgrad::SOFTGRAD_ISA_NAME
