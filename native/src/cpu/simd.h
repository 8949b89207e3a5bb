// Vectors of the instruction set that a file is compiled for. Everything here has internal linkage
// and calls nothing of the standard library: an inline function shared between files compiled for
// different processors could end up on the wrong one.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gammanet {
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
  typedef float Four __attribute__((vector_size(16)));
  Four total = {};
  for (int i = 0; i < kWidth; i += 4) {
    Four part;
    memcpy(&part, reinterpret_cast<const char*>(&v) + 4 * i, sizeof part);
    total += part;
  }
  return (total[0] + total[2]) + (total[1] + total[3]);
}

// The larger value in each lane; the first argument's where both are zeros or one is NaN. (The
// masks, all ones, keep GCC from warning of its own header.)
GAMMANET_INLINE Vec maximum(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_max_ps(0xFFFF, (__m512)b, (__m512)a);
#elif defined(__AVX2__)
  return (Vec)_mm256_max_ps((__m256)b, (__m256)a);
#else
  return a < b ? b : a;
#endif
}

// NaN stays NaN.
GAMMANET_INLINE Vec relu(Vec x) { return maximum(x, Vec{}); }

GAMMANET_INLINE Vec minimum(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_min_ps(0xFFFF, (__m512)b, (__m512)a);
#elif defined(__AVX2__)
  return (Vec)_mm256_min_ps((__m256)b, (__m256)a);
#else
  return b < a ? b : a;
#endif
}

// e^x within 1e-7 of itself; arguments beyond [-87, 88] count as these.
GAMMANET_INLINE Vec exponential(Vec x) {
  x = minimum(maximum(x, splat(-87.0f)), splat(88.0f));
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const Vec shifted = x * 1.44269504f + 12582912.0f;
  const Vec n = shifted - 12582912.0f;
  const Vec r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  Vec p = r * 0.00138116605f + 0.00837013498f;
  p = p * r + 0.0416685268f;
  p = p * r + 0.166665092f;
  p = p * r + 0.49999994f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return (Vec)((IVec)p + ((IVec)shifted << 23));
}

// 1 / x within 1.2e-7 of itself, for x of at least 1, without a division, which is slow for wide vectors.
GAMMANET_INLINE Vec reciprocal(Vec x) {
#if defined(__AVX512F__)
  const Vec y = (Vec)_mm512_maskz_rcp14_ps(0xFFFF, (__m512)x);
  return y + y * (1.0f - x * y);
#else
  return 1.0f / x;
#endif
}

GAMMANET_INLINE Vec sigmoid(Vec x) { return reciprocal(1.0f + exponential(-x)); }

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|); beyond 20 that is x in float32.
GAMMANET_INLINE Vec softplus(Vec x) {
  const Vec y = exponential(minimum(x, -x));
  Vec p = y * 0.00523262937f - 0.0295049865f;
  p = p * y + 0.0782255605f;
  p = p * y - 0.136632144f;
  p = p * y + 0.191059932f;
  p = p * y - 0.24842979f;
  p = p * y + 0.333190978f;
  p = p * y - 0.499994934f;
  p = p * y + 0.99999994f;
  return maximum(x, Vec{}) + p * y;
}

GAMMANET_INLINE Vec elu(Vec x) { return x < 0.0f ? exponential(x) - 1.0f : x; }

// Asks for memory line by line, some with each step: bursts of requests would hold up the arithmetic
// as long as the loads would have.
class Ahead {
 public:
  template <class Product>
  Ahead(const Product& p, int64_t steps)
      : at_(p.ahead),
        end_(p.ahead ? p.ahead + p.ahead_floats : p.ahead),
        each_(p.ahead && steps > 0 ? (p.ahead_floats / kLine + steps) / steps * kLine : 0) {}
  GAMMANET_INLINE void fetch() {
    const float* stop = end_ - at_ < each_ ? end_ : at_ + each_;
    for (; at_ < stop; at_ += kLine) {
      __builtin_prefetch(at_, 0, 2);
    }
  }

 private:
  static constexpr int64_t kLine = 16;
  const float *at_, *end_;
  int64_t each_;
};

// ---- Channels: whole vectors and one part ----

struct Whole {
  static constexpr bool part = false;
};
struct Part {
  static constexpr bool part = true;
};

template <class Size>
GAMMANET_INLINE Vec load(const float* p, int64_t rest, Size) {
  return Size::part ? load_part(p, rest) : load(p);
}

template <class Size>
GAMMANET_INLINE void store(float* p, Vec v, int64_t rest, Size) {
  if (Size::part) {
    store_part(p, v, rest);
  } else {
    store(p, v);
  }
}

// body(k, rest, size) for the vectors that begin at channel k; the last may be a part of `rest`.
template <class Body>
GAMMANET_INLINE void over_channels(int64_t c, const Body& body) {
  const int64_t rest = c % kWidth, whole = c - rest;
  for (int64_t k = 0; k < whole; k += kWidth) {
    body(k, rest, Whole());
  }
  if (rest) {
    body(whole, rest, Part());
  }
}

}  // namespace
}  // namespace gammanet
