// Products of bfloat16 numbers by tile instructions: a tile holds 16 rows of 64 bytes. Tiles is what
// executes them, the processor (kernels_amx.cpp) or plain loops (kernels_tiles.cpp):
//   configure(rows): tiles 0 to 5 have so many rows from now on; the contents of all tiles are lost
//   zero<T>(), load<T>(p, stride), store<T>(p, stride): strides in bytes
//   multiply<T, A, B>(): T[m][n] += A[m][2k] * B[k][2n] + A[m][2k + 1] * B[k][2n + 1] for all k
#pragma once

#include <stdint.h>

#include "kernels.h"
#include "simd.h"

namespace gammanet {
namespace {

constexpr int64_t kTileRows = 16, kTileDepth = 32, kTileOutputs = 16;

// Where the rows of a block are stored.
struct Place {
  Place(const Product& p, int64_t line, int64_t row, int64_t first)
      : out(p.out + line * p.out_line_stride + first), run(p.run), period(p.period), column(0) {
    if (period == 0) {
      out += row * p.out_stride;
    } else {
      column = row % period;
      out += (row / period * run + (column < run ? column : run)) * p.out_stride;
    }
  }
  // Where the next row is stored; null if it is not.
  float* next(int64_t stride) {
    float* at = out;
    if (period != 0) {
      const bool stored = column < run;
      column = column + 1 == period ? 0 : column + 1;
      if (!stored) {
        return nullptr;
      }
    }
    out += stride;
    return at;
  }

  float* out;
  int64_t run, period, column;
};

// Adds the bias and stores what exists of a tile's sums.
inline void finish_tile(const Product& p, const float (&sums)[kTileRows][kTileOutputs],
                        int64_t rows, int64_t first, Place place) {
  const int64_t outputs = p.outputs - first < kTileOutputs ? p.outputs - first : kTileOutputs;
  for (int64_t r = 0; r < rows; ++r) {
    float* to = place.next(p.out_stride);
    if (to == nullptr) {
      continue;
    }
    for (int64_t o = 0; o < outputs; o += kWidth) {
      const Vec sum = p.bias ? load(sums[r] + o) + load(p.bias + first + o) : load(sums[r] + o);
      const Vec s = p.relu ? relu(sum) : sum;
      if (outputs - o >= kWidth) {
        store(to + o, s);
      } else {
        store_part(to + o, s, outputs - o);
      }
    }
  }
}

// `groups` (1 or 2) tiles of `rows` rows times one or two of outputs, in four tiles of sums.
template <class Tiles, bool two_rows, bool two_outputs>
inline void tile_block(const Product& p, int64_t line, int64_t row, int64_t rows, int64_t first) {
  Tiles::template zero<0>();
  if (two_outputs) {
    Tiles::template zero<1>();
  }
  if (two_rows) {
    Tiles::template zero<2>();
  }
  if (two_rows && two_outputs) {
    Tiles::template zero<3>();
  }
  // Panels have blocks of 32 outputs, but the last may have 16.
  constexpr int64_t block = two_outputs ? 2 * kTileOutputs : kTileOutputs;
  const uint16_t* panel = static_cast<const uint16_t*>(p.panels) + first * p.depth;
  for (int64_t i = 0; i < p.operand_count; ++i) {
    const Operand& o = p.operands[i];
    const uint16_t* x =
        static_cast<const uint16_t*>(o.rows) + line * o.line_stride + row * o.stride;
    const uint16_t* w = panel + o.offset * block;
    for (int64_t k = 0; k < o.depth; k += kTileDepth, w += kTileDepth * block) {
      Tiles::template load<4>(x + k, 2 * o.stride);
      Tiles::template load<6>(w, 4 * block);
      Tiles::template multiply<0, 4, 6>();
      if (two_rows) {
        Tiles::template load<5>(x + k + kTileRows * o.stride, 2 * o.stride);
        Tiles::template multiply<2, 5, 6>();
      }
      if (two_outputs) {
        Tiles::template load<7>(w + 2 * kTileOutputs, 4 * block);
        Tiles::template multiply<1, 4, 7>();
        if (two_rows) {
          Tiles::template multiply<3, 5, 7>();
        }
      }
    }
  }
  alignas(64) float sums[kTileRows][kTileOutputs];
  Tiles::template store<0>(sums, sizeof sums[0]);
  finish_tile(p, sums, rows, first, Place(p, line, row, first));
  if (two_outputs) {
    Tiles::template store<1>(sums, sizeof sums[0]);
    finish_tile(p, sums, rows, first + kTileOutputs, Place(p, line, row, first + kTileOutputs));
  }
  if (two_rows) {
    Tiles::template store<2>(sums, sizeof sums[0]);
    finish_tile(p, sums, rows, first, Place(p, line, row + kTileRows, first));
    if (two_outputs) {
      Tiles::template store<3>(sums, sizeof sums[0]);
      finish_tile(p, sums, rows, first + kTileOutputs,
                  Place(p, line, row + kTileRows, first + kTileOutputs));
    }
  }
}

template <class Tiles, bool two_rows>
inline void tile_rows_of(const Product& p, int64_t line, int64_t row, int64_t rows,
                         int64_t first) {
  if (p.outputs - first > kTileOutputs) {
    tile_block<Tiles, two_rows, true>(p, line, row, rows, first);
  } else {
    tile_block<Tiles, two_rows, false>(p, line, row, rows, first);
  }
}

// Whether the rows of a block stay in the first-level cache (48 KB where there are tiles) while it
// meets all panels.
inline bool rows_stay(const Product& p) {
  int64_t numbers = 0;
  for (int64_t i = 0; i < p.operand_count; ++i) {
    numbers += (2 * kTileRows - 1) * p.operands[i].stride + p.operands[i].depth;
  }
  return numbers <= 16 << 10;
}

// body(row, line, output) for all blocks of 32 rows and 32 outputs.
template <class Body>
inline void over_blocks(const Product& p, int64_t whole, const Body& body) {
  constexpr int64_t kRows = 2 * kTileRows, kOutputs = 2 * kTileOutputs;
  if (rows_stay(p)) {
    for (int64_t line = 0; line < p.lines; ++line) {
      for (int64_t row = 0; row < whole; row += kRows) {
        for (int64_t first = 0; first < p.outputs; first += kOutputs) {
          body(line, row, first);
        }
      }
    }
    return;
  }
  for (int64_t first = 0; first < p.outputs; first += kOutputs) {
    for (int64_t line = 0; line < p.lines; ++line) {
      for (int64_t row = 0; row < whole; row += kRows) {
        body(line, row, first);
      }
    }
  }
}

template <class Tiles>
void tile_product(const Product& p) {
  const int64_t whole = p.rows / kTileRows * kTileRows, rest = p.rows - whole;
  if (whole > 0) {
    Tiles::configure(kTileRows);
    const int64_t blocks = (whole + 2 * kTileRows - 1) / (2 * kTileRows) *
                           ((p.outputs + 2 * kTileOutputs - 1) / (2 * kTileOutputs));
    Ahead ahead(p, p.lines * blocks);
    over_blocks(p, whole, [&](int64_t line, int64_t row, int64_t first) {
      ahead.fetch();
      if (whole - row > kTileRows) {
        tile_rows_of<Tiles, true>(p, line, row, kTileRows, first);
      } else {
        tile_rows_of<Tiles, false>(p, line, row, kTileRows, first);
      }
    });
  }
  if (rest > 0) {
    Tiles::configure(rest);
    for (int64_t first = 0; first < p.outputs; first += 2 * kTileOutputs) {
      for (int64_t line = 0; line < p.lines; ++line) {
        tile_rows_of<Tiles, false>(p, line, whole, rest, first);
      }
    }
  }
}

// ---- Gradients of weights ----

template <class Tiles, bool two_outputs, bool two_inputs>
inline void gradient_tiles(const Bf16Gradient& g, int64_t o, int64_t i) {
  float* out = g.out + o * g.out_stride + i;
  const int64_t stride = 4 * g.out_stride;
  float* const below = out + kTileRows * g.out_stride;
  if (g.first) {
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
  } else {
    Tiles::template load<0>(out, stride);
    if (two_inputs) {
      Tiles::template load<1>(out + kTileOutputs, stride);
    }
    if (two_outputs) {
      Tiles::template load<2>(below, stride);
    }
    if (two_outputs && two_inputs) {
      Tiles::template load<3>(below + kTileOutputs, stride);
    }
  }
  constexpr int64_t kNumbers = kTileRows * kTileDepth;  // of a tile
  const uint16_t* a = g.grad + o / kTileRows * g.grad_plane;
  const uint16_t* b = g.in + i / kTileOutputs * g.in_plane;
  for (int64_t p = 0; p < g.pixels; p += kTileDepth, a += kNumbers, b += kNumbers) {
    Tiles::template load<4>(a, 64);
    Tiles::template load<6>(b, 64);
    Tiles::template multiply<0, 4, 6>();
    if (two_outputs) {
      Tiles::template load<5>(a + g.grad_plane, 64);
      Tiles::template multiply<2, 5, 6>();
    }
    if (two_inputs) {
      Tiles::template load<7>(b + g.in_plane, 64);
      Tiles::template multiply<1, 4, 7>();
      if (two_outputs) {
        Tiles::template multiply<3, 5, 7>();
      }
    }
  }
  Tiles::template store<0>(out, stride);
  if (two_inputs) {
    Tiles::template store<1>(out + kTileOutputs, stride);
  }
  if (two_outputs) {
    Tiles::template store<2>(below, stride);
    if (two_inputs) {
      Tiles::template store<3>(below + kTileOutputs, stride);
    }
  }
}

template <class Tiles>
void tile_gradient(const Bf16Gradient& g) {
  Tiles::configure(kTileRows);
  for (int64_t o = 0; o < g.outputs; o += 2 * kTileRows) {
    const bool two_outputs = g.outputs - o > kTileRows;
    for (int64_t i = 0; i < g.inputs; i += 2 * kTileOutputs) {
      const bool two_inputs = g.inputs - i > kTileOutputs;
      if (two_outputs) {
        two_inputs ? gradient_tiles<Tiles, true, true>(g, o, i)
                   : gradient_tiles<Tiles, true, false>(g, o, i);
      } else {
        two_inputs ? gradient_tiles<Tiles, false, true>(g, o, i)
                   : gradient_tiles<Tiles, false, false>(g, o, i);
      }
    }
  }
}

}  // namespace
}  // namespace gammanet
