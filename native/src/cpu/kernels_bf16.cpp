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

}  // namespace

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
