// AVX-512, with the fused multiply-add and the conversions of float16.
#pragma once

#include <immintrin.h>

#include "kernels/simd/portable.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

constexpr bool fused = true;

// Lane by lane through memory the load would wait for the stores.
SOFTGRAD_INLINE Float load_first(const float* from, int count, float padding) {
    return _mm512_mask_loadu_ps(broadcast(padding), static_cast<__mmask16>((1u << count) - 1), from);
}
SOFTGRAD_INLINE Double load_first(const double* from, int count, double padding) {
    return _mm512_mask_loadu_pd(broadcast(padding), static_cast<__mmask8>((1u << count) - 1), from);
}
template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
}

SOFTGRAD_INLINE void store_lanes(float* to, Float v, int count) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}
SOFTGRAD_INLINE void store_lanes(double* to, Double v, int count) {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), v);
}

SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return _mm512_fmadd_pd(a, b, c); }
SOFTGRAD_INLINE HalfFloat fma(HalfFloat a, HalfFloat b, HalfFloat c) { return _mm256_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE HalfDouble fma(HalfDouble a, HalfDouble b, HalfDouble c) { return _mm256_fmadd_pd(a, b, c); }
SOFTGRAD_INLINE Slice<float> fma(Slice<float> a, Slice<float> b, Slice<float> c) { return _mm_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE Slice<double> fma(Slice<double> a, Slice<double> b, Slice<double> c) { return _mm_fmadd_pd(a, b, c); }

// GCC makes a comparison and a blend of it where the comparison serves twice.
SOFTGRAD_INLINE Float maximum(Float a, Float kept) { return _mm512_max_ps(a, kept); }
SOFTGRAD_INLINE Double maximum(Double a, Double kept) { return _mm512_max_pd(a, kept); }
SOFTGRAD_INLINE Float minimum(Float a, Float other) { return _mm512_min_ps(other, a); }
SOFTGRAD_INLINE Double minimum(Double a, Double other) { return _mm512_min_pd(other, a); }

SOFTGRAD_INLINE Double widen_low(Float v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }

// In registers: through memory the load would wait for two narrower stores.
SOFTGRAD_INLINE Float narrow(Double low, Double high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}

SOFTGRAD_INLINE Double joined_slices(const Slice<double>* s) {
    const __m512d low = _mm512_insertf64x2(_mm512_castpd128_pd512(s[0]), s[1], 1);
    return _mm512_insertf64x2(_mm512_insertf64x2(low, s[2], 2), s[3], 3);
}
template <int k>
SOFTGRAD_INLINE Slice<double> slice_of(Double v) {
    return _mm512_extractf64x2_pd(v, k);
}
SOFTGRAD_INLINE Float zip_low(Float a, Float b) { return _mm512_unpacklo_ps(a, b); }
SOFTGRAD_INLINE Float zip_high(Float a, Float b) { return _mm512_unpackhi_ps(a, b); }
SOFTGRAD_INLINE Double zip_low(Double a, Double b) { return _mm512_unpacklo_pd(a, b); }
SOFTGRAD_INLINE Double zip_high(Double a, Double b) { return _mm512_unpackhi_pd(a, b); }

SOFTGRAD_INLINE Float widen_float16(HalfUInt16 half) { return _mm512_cvtph_ps((__m256i)half); }
SOFTGRAD_INLINE HalfUInt16 narrow_float16(Float value) {
    return (HalfUInt16)_mm512_cvtps_ph(portable::quieted(value), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
