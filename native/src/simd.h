// Vectors of the instruction set that a file is compiled for. Everything here has internal linkage
// and calls nothing of the standard library: an inline function shared between files compiled for
// different processors could end up on the wrong one.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * 4)));
typedef int32_t IVec __attribute__((vector_size(kWidth * 4)));
typedef float UnalignedVec __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

#define GAMMANET_INLINE inline __attribute__((always_inline))

GAMMANET_INLINE Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }

GAMMANET_INLINE void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }

GAMMANET_INLINE Vec splat(float x) { return x - Vec{}; }

// The first n elements, 0 < n < kWidth; the others are 0.
GAMMANET_INLINE Vec load_part(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
  Vec v = {};
  for (int64_t i = 0; i < n; ++i) {
    v[i] = p[i];
  }
  return v;
#endif
}

GAMMANET_INLINE void store_part(float* p, Vec v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
  for (int64_t i = 0; i < n; ++i) {
    p[i] = v[i];
  }
#endif
}

GAMMANET_INLINE float sum(Vec v) {
  float s[kWidth];
  memcpy(s, &v, sizeof s);
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) {
      s[i] += s[i + half];
    }
  }
  return s[0];
}

// NaN stays NaN in both.
GAMMANET_INLINE Vec relu(Vec x) { return x < 0.0f ? Vec{} : x; }

GAMMANET_INLINE Vec maximum(Vec a, Vec b) { return a < b ? b : a; }

}  // namespace
