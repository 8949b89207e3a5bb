// Products of a matrix and packed panels with sums in vector registers. Factors is how numbers are
// read and multiplied: their type, how many of a row a step takes (kStep), and
//   Right load_right(p): kStep numbers each of as many outputs as a vector has
//   Left load_left(p): kStep numbers of a row
//   Vec add(sums, left, right)
#pragma once

#include "kernels.h"
#include "simd.h"

namespace gammanet {
namespace {

// Sums of a tile: kRows x kVectors, which leaves registers for one row of the right matrix and one
// element of the left. Measured on Zen 5, AVX-512: 12 x 2 reaches 88 to 90 % of the peak for depths
// of 192 to 1536, also where the panel lies in the second-level cache; 6 x 4 falls to 73 % there.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 12;
#else
constexpr int kRows = 6;
#endif
constexpr int kVectors = 2;

template <class Factors, int R, int V>
void tile(const Product& p, const typename Factors::Number* panel, int64_t line, int64_t row,
          int64_t first) {
  Vec sums[R][V];
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    const Vec start = p.bias ? load(p.bias + first + v * kWidth) : Vec{};
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      sums[r][v] = start;
    }
  }
  constexpr int kStep = Factors::kStep;
  for (int64_t i = 0; i < p.operand_count; ++i) {
    const Operand& o = p.operands[i];
    const int64_t stride = o.stride, depth = o.depth;
    const auto* x = static_cast<const typename Factors::Number*>(o.rows) + line * o.line_stride +
                    row * stride;
    const auto* w = panel + o.offset * (V * kWidth);
    for (int64_t k = 0; k < depth; k += kStep, w += kStep * V * kWidth) {
      typename Factors::Right right[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        right[v] = Factors::load_right(w + kStep * v * kWidth);
      }
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const auto left = Factors::load_left(x + r * stride + k);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
          sums[r][v] = Factors::add(sums[r][v], left, right[v]);
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
      const Vec s = p.relu ? relu(sums[r][v]) : sums[r][v];
      if (v < V - 1 || last >= kWidth) {
        store(out + r * p.out_stride + v * kWidth, s);
      } else {
        store_part(out + r * p.out_stride + v * kWidth, s, last);
      }
    }
  }
}

template <class Factors, int V>
GAMMANET_INLINE void tile_of(int64_t rows, const Product& p,
                             const typename Factors::Number* panel, int64_t line, int64_t row,
                             int64_t first) {
  switch (rows) {
#define GAMMANET_CASE(r) \
  case r:                \
    return tile<Factors, r <= kRows ? r : 1, V>(p, panel, line, row, first);
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

template <class Factors>
void product(const Product& p) {
  // Tiles of nearly equal height: a small last one would waste registers.
  const int64_t tiles = (p.rows + kRows - 1) / kRows;
  const int64_t height = tiles ? p.rows / tiles : 0, higher = tiles ? p.rows % tiles : 0;
  Ahead ahead(p, tiles * p.lines * ((p.outputs + kVectors * kWidth - 1) / (kVectors * kWidth)));
  for (int64_t first = 0; first < p.outputs; first += kVectors * kWidth) {
    const auto* panel = static_cast<const typename Factors::Number*>(p.panels) + first * p.depth;
    const bool two = p.outputs - first > kWidth;
    for (int64_t line = 0; line < p.lines; ++line) {
      for (int64_t t = 0, row = 0; t < tiles; ++t) {
        const int64_t rows = height + (t < higher);
        ahead.fetch();
        if (two) {
          tile_of<Factors, 2>(rows, p, panel, line, row, first);
        } else {
          tile_of<Factors, 1>(rows, p, panel, line, row, first);
        }
        row += rows;
      }
    }
  }
}

}  // namespace
}  // namespace gammanet
