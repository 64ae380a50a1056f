// AVX2, with the fused multiply-add and the conversions of float16.
#pragma once

#include <immintrin.h>

#include "kernels/simd/portable.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

constexpr bool fused = true;

// Lane by lane through memory the load would wait for the stores.
SOFTGRAD_INLINE Float load_first(const float* from, int count, float padding) {
    const Int32 is_first = Int32{0, 1, 2, 3, 4, 5, 6, 7} < count;
    return is_first ? _mm256_maskload_ps(from, (__m256i)is_first) : broadcast(padding);
}
SOFTGRAD_INLINE Double load_first(const double* from, int count, double padding) {
    const Int64 is_first = Int64{0, 1, 2, 3} < static_cast<int64_t>(count);
    return is_first ? _mm256_maskload_pd(from, (__m256i)is_first) : broadcast(padding);
}
template <class M>
SOFTGRAD_INLINE bool any(M mask) {
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
}

SOFTGRAD_INLINE void store_lanes(float* to, Float v, int count) {
    _mm256_maskstore_ps(to, (__m256i)(Int32{0, 1, 2, 3, 4, 5, 6, 7} < count), v);
}
SOFTGRAD_INLINE void store_lanes(double* to, Double v, int count) {
    _mm256_maskstore_pd(to, (__m256i)(Int64{0, 1, 2, 3} < static_cast<int64_t>(count)), v);
}

SOFTGRAD_INLINE Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE Double fma(Double a, Double b, Double c) { return _mm256_fmadd_pd(a, b, c); }
SOFTGRAD_INLINE HalfFloat fma(HalfFloat a, HalfFloat b, HalfFloat c) { return _mm_fmadd_ps(a, b, c); }
SOFTGRAD_INLINE HalfDouble fma(HalfDouble a, HalfDouble b, HalfDouble c) { return _mm_fmadd_pd(a, b, c); }

// GCC makes a comparison and a blend of it where the comparison serves twice.
SOFTGRAD_INLINE Float maximum(Float a, Float kept) { return _mm256_max_ps(a, kept); }
SOFTGRAD_INLINE Double maximum(Double a, Double kept) { return _mm256_max_pd(a, kept); }
SOFTGRAD_INLINE Float minimum(Float a, Float other) { return _mm256_min_ps(other, a); }
SOFTGRAD_INLINE Double minimum(Double a, Double other) { return _mm256_min_pd(other, a); }

SOFTGRAD_INLINE Double widen_low(Float v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
SOFTGRAD_INLINE Double widen_high(Float v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }

// In registers: through memory the load would wait for two narrower stores.
SOFTGRAD_INLINE Float narrow(Double low, Double high) {
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}

SOFTGRAD_INLINE Double joined_slices(const Slice<double>* s) { return _mm256_set_m128d(s[1], s[0]); }
template <int k>
SOFTGRAD_INLINE Slice<double> slice_of(Double v) {
    return k ? _mm256_extractf128_pd(v, 1) : _mm256_castpd256_pd128(v);
}
SOFTGRAD_INLINE Float zip_low(Float a, Float b) { return _mm256_unpacklo_ps(a, b); }
SOFTGRAD_INLINE Float zip_high(Float a, Float b) { return _mm256_unpackhi_ps(a, b); }
SOFTGRAD_INLINE Double zip_low(Double a, Double b) { return _mm256_unpacklo_pd(a, b); }
SOFTGRAD_INLINE Double zip_high(Double a, Double b) { return _mm256_unpackhi_pd(a, b); }

SOFTGRAD_INLINE Float widen_float16(HalfUInt16 half) { return _mm256_cvtph_ps((__m128i)half); }
SOFTGRAD_INLINE HalfUInt16 narrow_float16(Float value) {
    return (HalfUInt16)_mm256_cvtps_ph(portable::quieted(value), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
