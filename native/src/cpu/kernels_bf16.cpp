// Products of bfloat16 numbers summed in float32, for processors with AVX512-BF16.
#include "kernels.h"

#include "product.h"
#include "simd.h"

namespace gammanet {

namespace {

struct Bfloat16 {
  using Number = uint16_t;
  using Right = __m512bh;
  static constexpr int kStep = 2;
  static GAMMANET_INLINE __m512bh load_right(const uint16_t* p) {
    return (__m512bh)_mm512_loadu_si512(p);
  }
  static GAMMANET_INLINE __m512bh load_left(const uint16_t* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static GAMMANET_INLINE Vec add(Vec sums, __m512bh left, __m512bh right) {
    return (Vec)_mm512_dpbf16_ps((__m512)sums, left, right);
  }
};

// Numbers k ... k + 15 of two rows in bfloat16, side by side.
GAMMANET_INLINE __m512i pairs(const float* first, const float* second, int64_t k, int64_t rest) {
  const Vec zero = {};
  const Vec a = !first ? zero : rest < kWidth ? load_part(first + k, rest) : load(first + k);
  const Vec b = !second ? zero : rest < kWidth ? load_part(second + k, rest) : load(second + k);
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
  const __m512i order = _mm512_set_epi16(
      31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
      3, 18, 2, 17, 1, 16, 0);
  return _mm512_maskz_permutexvar_epi16(0xFFFFFFFF, order, both);
}

// Transposes 16 x 16 numbers of 32 bits. (The masks, all ones, as in simd.h.)
GAMMANET_INLINE void transpose(__m512i (&m)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_maskz_unpacklo_epi32(0xFFFF, m[i], m[i + 1]);
    t[i + 1] = _mm512_maskz_unpackhi_epi32(0xFFFF, m[i], m[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    m[i] = _mm512_maskz_unpacklo_epi64(0xFF, t[i], t[i + 2]);
    m[i + 1] = _mm512_maskz_unpackhi_epi64(0xFF, t[i], t[i + 2]);
    m[i + 2] = _mm512_maskz_unpacklo_epi64(0xFF, t[i + 1], t[i + 3]);
    m[i + 3] = _mm512_maskz_unpackhi_epi64(0xFF, t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_maskz_shuffle_i32x4(0xFFFF, m[i], m[i + 4], 0x88);
    t[i + 4] = _mm512_maskz_shuffle_i32x4(0xFFFF, m[i], m[i + 4], 0xDD);
    t[i + 8] = _mm512_maskz_shuffle_i32x4(0xFFFF, m[i + 8], m[i + 12], 0x88);
    t[i + 12] = _mm512_maskz_shuffle_i32x4(0xFFFF, m[i + 8], m[i + 12], 0xDD);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    m[i] = _mm512_maskz_shuffle_i32x4(0xFFFF, t[i], t[i + 8], 0x88);
    m[i + 8] = _mm512_maskz_shuffle_i32x4(0xFFFF, t[i], t[i + 8], 0xDD);
    m[i + 4] = _mm512_maskz_shuffle_i32x4(0xFFFF, t[i + 4], t[i + 12], 0x88);
    m[i + 12] = _mm512_maskz_shuffle_i32x4(0xFFFF, t[i + 4], t[i + 12], 0xDD);
  }
}

// ---- Gradients of weights ----

// Sums of a block: kGradientRows outputs x kGradientVectors vectors of inputs.
constexpr int kGradientRows = 8, kGradientVectors = 3;
// Pixels of a stretch: what a block reads of the inputs stays in the first-level cache while it
// meets all outputs. Sums of a stretch added to the whole lose less to rounding, too.
constexpr int64_t kStretch = 256;

template <int V>
void gradient_block(const uint16_t* grad, const uint16_t* in, int64_t in_plane, int64_t pixels,
                    bool first, float* out, int64_t out_stride) {
  Vec sums[kGradientRows][V] = {};
  for (int64_t p = 0; p < pixels; p += 32, grad += 32 * 16) {
    for (int64_t j = 0; j < 32; j += 2, in += 2 * 16) {
      __m512bh right[V];
#pragma GCC unroll 3
      for (int v = 0; v < V; ++v) {
        right[v] = Bfloat16::load_right(in + v * in_plane);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kGradientRows; ++r) {
        const __m512bh left = Bfloat16::load_left(grad + r * 32 + j);
#pragma GCC unroll 3
        for (int v = 0; v < V; ++v) {
          sums[r][v] = Bfloat16::add(sums[r][v], left, right[v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kGradientRows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < V; ++v) {
      float* to = out + r * out_stride + v * kWidth;
      store(to, first ? sums[r][v] : load(to) + sums[r][v]);
    }
  }
}

}  // namespace

void gradient_bf16_avx512(const Bf16Gradient& g) {
  for (int64_t p = 0; p < g.pixels; p += kStretch) {
    const int64_t pixels = g.pixels - p < kStretch ? g.pixels - p : kStretch;
    const bool first = g.first && p == 0;
    for (int64_t i = 0; i < g.inputs; i += kGradientVectors * kWidth) {
      const uint16_t* in = g.in + i / kWidth * g.in_plane + p * 16;
      for (int64_t o = 0; o < g.outputs; o += kGradientRows) {
        const uint16_t* grad = g.grad + o / 16 * g.grad_plane + p * 16 + o % 16 * 32;
        float* out = g.out + o * g.out_stride + i;
        switch ((g.inputs - i) / kWidth) {
          case 1:
            gradient_block<1>(grad, in, g.in_plane, pixels, first, out, g.out_stride);
            break;
          case 2:
            gradient_block<2>(grad, in, g.in_plane, pixels, first, out, g.out_stride);
            break;
          default:
            gradient_block<kGradientVectors>(grad, in, g.in_plane, pixels, first, out,
                                             g.out_stride);
        }
      }
    }
  }
}

void pack_outputs_bf16_avx512(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                              int64_t plane) {
  for (int64_t r = 0; r < count; r += 32) {
    for (int64_t k = 0; k < c; k += kWidth) {
      __m512i m[16];
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) {
        m[j] = pairs(rows[r + 2 * j], rows[r + 2 * j + 1], k, c - k);
      }
      transpose(m);
      uint16_t* to = out + k / kWidth * plane + r * kWidth;
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) {
        _mm512_storeu_si512(to + j * 32, m[j]);
      }
    }
  }
}

void pack_inputs_bf16_avx512(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                             int64_t plane) {
  for (int64_t r = 0; r < count; r += 2) {
    for (int64_t k = 0; k < c; k += kWidth) {
      _mm512_storeu_si512(out + k / kWidth * plane + r * kWidth,
                          pairs(rows[r], rows[r + 1], k, c - k));
    }
  }
}

void product_bf16_avx512(const Product& p) { product<Bfloat16>(p); }

void convert_bf16_avx512(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                         int64_t out_stride, int64_t padded) {
  const int64_t rest = c % kWidth, whole = c - rest;
  for (int64_t r = 0; r < rows; ++r, x += stride, out += out_stride) {
    for (int64_t k = 0; k < whole; k += kWidth) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k),
                          (__m256i)_mm512_cvtneps_pbh((__m512)load(x + k)));
    }
    if (rest) {
      const int64_t last = padded - whole < kWidth ? padded - whole : kWidth;
      _mm256_mask_storeu_epi16(out + whole, (__mmask16)((1u << last) - 1),
                               (__m256i)_mm512_cvtneps_pbh((__m512)load_part(x + whole, rest)));
    }
    for (int64_t k = rest ? whole + kWidth : whole; k < padded; ++k) {
      out[k] = 0;
    }
  }
}

}  // namespace gammanet
