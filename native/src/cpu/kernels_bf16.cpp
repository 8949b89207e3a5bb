// Products of bfloat16 numbers summed in float32, for processors with AVX512-BF16.
#include "kernels.h"

#include "simd.h"

namespace gammanet {

namespace {

constexpr int kRows = 12, kVectors = 2;

// As the tile of kernels.cpp; one step takes two numbers of each row.
template <int R, int V>
void tile(const Product& p, const uint16_t* panel, int64_t line, int64_t row, int64_t first) {
  __m512 sums[R][V];
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    const Vec start = p.bias ? load(p.bias + first + v * kWidth) : Vec{};
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      sums[r][v] = (__m512)start;
    }
  }
  for (int64_t i = 0; i < p.operand_count; ++i) {
    const Operand& o = p.operands[i];
    const int64_t stride = o.stride, depth = o.depth;
    const uint16_t* x = static_cast<const uint16_t*>(o.rows) + line * o.line_stride + row * stride;
    const uint16_t* w = panel + o.offset * (V * kWidth);
    for (int64_t k = 0; k < depth; k += 2, w += 2 * V * kWidth) {
      __m512bh right[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        right[v] = (__m512bh)_mm512_loadu_si512(w + 2 * v * kWidth);
      }
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        int32_t pair;
        memcpy(&pair, x + r * stride + k, sizeof pair);
        const __m512bh left = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
          sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, right[v]);
        }
      }
    }
  }
  float* out = p.out + line * p.out_line_stride + row * p.out_stride + first;
  const int64_t last = p.outputs - first - (V - 1) * kWidth;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      const Vec s = p.relu ? relu((Vec)sums[r][v]) : (Vec)sums[r][v];
      if (v < V - 1 || last >= kWidth) {
        store(out + r * p.out_stride + v * kWidth, s);
      } else {
        store_part(out + r * p.out_stride + v * kWidth, s, last);
      }
    }
  }
}

template <int V>
GAMMANET_INLINE void tile_of(int64_t rows, const Product& p, const uint16_t* panel, int64_t line,
                             int64_t row, int64_t first) {
  switch (rows) {
#define GAMMANET_CASE(r) \
  case r:                \
    return tile<r, V>(p, panel, line, row, first);
    GAMMANET_CASE(1)
    GAMMANET_CASE(2)
    GAMMANET_CASE(3)
    GAMMANET_CASE(4)
    GAMMANET_CASE(5)
    GAMMANET_CASE(6)
    GAMMANET_CASE(7)
    GAMMANET_CASE(8)
    GAMMANET_CASE(9)
    GAMMANET_CASE(10)
    GAMMANET_CASE(11)
    GAMMANET_CASE(12)
#undef GAMMANET_CASE
  }
}

}  // namespace

void product_bf16_avx512(const Product& p) {
  const int64_t tiles = (p.rows + kRows - 1) / kRows;
  const int64_t height = tiles ? p.rows / tiles : 0, higher = tiles ? p.rows % tiles : 0;
  Ahead ahead(p, tiles * p.lines * ((p.outputs + kVectors * kWidth - 1) / (kVectors * kWidth)));
  for (int64_t first = 0; first < p.outputs; first += kVectors * kWidth) {
    const uint16_t* panel = static_cast<const uint16_t*>(p.panels) + first * p.depth;
    const bool two = p.outputs - first > kWidth;
    for (int64_t line = 0; line < p.lines; ++line) {
      for (int64_t t = 0, row = 0; t < tiles; ++t) {
        const int64_t rows = height + (t < higher);
        ahead.fetch();
        if (two) {
          tile_of<2>(rows, p, panel, line, row, first);
        } else {
          tile_of<1>(rows, p, panel, line, row, first);
        }
        row += rows;
      }
    }
  }
}

void convert_bf16_avx512(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                         int64_t out_stride) {
  const int64_t rest = c % kWidth, whole = c - rest;
  for (int64_t r = 0; r < rows; ++r, x += stride, out += out_stride) {
    for (int64_t k = 0; k < whole; k += kWidth) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k),
                          (__m256i)_mm512_cvtneps_pbh((__m512)load(x + k)));
    }
    if (rest) {
      const int64_t even = rest + rest % 2;
      _mm256_mask_storeu_epi16(out + whole, (__mmask16)((1u << even) - 1),
                               (__m256i)_mm512_cvtneps_pbh((__m512)load_part(x + whole, rest)));
    }
  }
}

}  // namespace gammanet
