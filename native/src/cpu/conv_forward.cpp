// Convolutions, forward.
#include <algorithm>
#include <cstring>

#include "conv.h"
#include "threads.h"
#include "tiles.h"

namespace gammanet {
namespace {

// ---- 1x1 ----

int64_t rows_of(const Conv& conv) {
  return tile_rows(std::max(conv.inputs, conv.outputs), conv.bf16() && conv.kernels->tiles);
}

void convolve_pixels(const Conv& conv, const float* x, int64_t pixels, bool relu,
                     float* out, int64_t out_stride) {
  const int64_t rows = rows_of(conv);
  parallel_for((pixels + rows - 1) / rows, 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * rows, last = std::min(end * rows, pixels);
    convolve_rows(conv, x + first * conv.inputs, last - first, relu, out + first * out_stride,
                  out_stride);
  });
}

// ---- k x k, direct: some lines are copied into padded memory, where the k pixels under a line of
// the kernel lie side by side and are one operand ----

void convolve_direct(const Conv& conv, const float* x, int64_t n, int64_t h,
                     int64_t w, bool relu, float* out, int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.direct();
  const int64_t pad = conv.k / 2, width = w + 2 * pad;
  const int64_t c = conv.bf16() ? round_up(conv.inputs, 2) : conv.inputs;
  // The depth of a line of the kernel. In bfloat16 it may reach beyond the line's pixels, where
  // weights are 0.
  const int64_t depth = panels.depth / conv.k, beyond = depth - conv.k * c;
  // Half a megabyte, and work for all threads.
  const int64_t fit = (1 << (conv.bf16() ? 18 : 17)) / (width * c) - 2 * pad;
  // Tiles take many lines as one, with the padding between them: for them the threads share the
  // outputs, since a block of these is read again for each block of lines.
  const bool flat = conv.bf16() && k.tiles;
  const int64_t groups = flat ? (panels.outputs + kBlockBf16 - 1) / kBlockBf16 : 1;
  const int64_t least = flat ? 1 + 256 / width : 1;
  const int64_t share = std::max(least, n * h / (4 * thread_count()));
  const int64_t lines = std::max<int64_t>(1, std::min({fit, share, h}));
  const int64_t blocks = (h + lines - 1) / lines;
  parallel_for(n * blocks * groups, 1, [&](int64_t begin, int64_t end) {
    const int64_t size = (lines + 2 * pad) * width * c;
    float* floats = scratch(kThreadScratch, static_cast<size_t>(size + beyond));
    uint16_t* halves = reinterpret_cast<uint16_t*>(floats);
    std::vector<Operand> operands(static_cast<size_t>(conv.k));
    for (int64_t item = begin; item < end;) {
      const int64_t block = item / groups, group = item % groups;
      const int64_t some = std::min(groups - group, end - item);
      item += some;
      const int64_t sample = block / blocks, top = block % blocks * lines;
      const int64_t count = std::min(lines, h - top);
      for (int64_t line = 0; line < count + 2 * pad; ++line) {
        const int64_t y = top + line - pad;
        const bool inside = y >= 0 && y < h;
        const float* in = x + (sample * h + y) * w * conv.inputs;
        if (conv.bf16()) {
          uint16_t* to = halves + line * width * c;
          if (inside) {
            std::memset(to, 0, static_cast<size_t>(pad * c) * 2);
            k.convert_bf16(in, conv.inputs, w, conv.inputs, to + pad * c, c, c);
            std::memset(to + (pad + w) * c, 0, static_cast<size_t>(pad * c) * 2);
          } else {
            std::memset(to, 0, static_cast<size_t>(width * c) * 2);
          }
        } else {
          float* to = floats + line * width * c;
          if (inside) {
            std::memset(to, 0, static_cast<size_t>(pad * c) * 4);
            std::memcpy(to + pad * c, in, static_cast<size_t>(w * c) * 4);
            std::memset(to + (pad + w) * c, 0, static_cast<size_t>(pad * c) * 4);
          } else {
            std::memset(to, 0, static_cast<size_t>(width * c) * 4);
          }
        }
      }
      // What lies there from before may be a NaN, and a weight of 0 does not help against that.
      std::memset(halves + (count + 2 * pad) * width * c, 0, static_cast<size_t>(beyond) * 2);
      for (int64_t dy = 0; dy < conv.k; ++dy) {
        const void* rows = conv.bf16() ? static_cast<void*>(halves + dy * width * c)
                                       : static_cast<void*>(floats + dy * width * c);
        operands[static_cast<size_t>(dy)] = {rows, c, width * c, depth, dy * depth};
      }
      Product p{};
      p.panels = panels.data();
      p.depth = panels.depth;
      p.outputs = conv.outputs;
      p.operands = operands.data();
      p.operand_count = conv.k;
      p.lines = count;
      p.rows = w;
      p.bias = conv.bias.data();
      p.out = out + (sample * h + top) * w * out_stride;
      p.out_stride = out_stride;
      p.out_line_stride = w * out_stride;
      p.relu = relu;
      if (flat) {
        const int64_t first = group * kBlockBf16;
        p.panels = panels.halves.get() + first * panels.depth;
        p.outputs = std::min(some * kBlockBf16, conv.outputs - first);
        p.bias += first;
        p.out += first;
        p.lines = 1;
        p.rows = (count - 1) * width + w;
        p.run = w;
        p.period = width;
      }
      (conv.bf16() ? k.product_bf16 : k.product)(p);
    }
  });
}

// ---- 3 x 3, Winograd's F(4x4, 3x3) ----

// The transformed weights are small: each thread takes some tiles through all three steps, inside
// its cache.
bool small_winograd(const Conv& conv) {
  return conv.inputs * conv.outputs <= 128 * 192;
}

// All steps for the tiles first ... first + count - 1 of x; their outputs are the tiles from
// out_first on of out [out_h, out_w].
void winograd_tiles(const Conv& conv, const float* x, int64_t h, int64_t w,
                    int64_t first, int64_t count, bool relu, float* out, int64_t out_h,
                    int64_t out_w, int64_t out_first, int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.winograd();
  const int64_t ci = round_up(conv.inputs, 16), co = round_up(conv.outputs, 16);
  const int64_t v_stride = plane_stride(count, ci), m_stride = plane_stride(count, co);
  float* v = scratch(kThreadConvScratch, static_cast<size_t>(36 * (v_stride + m_stride)));
  float* m = v + 36 * v_stride;
  k.winograd_input(x, h, w, conv.inputs, first, count, v, ci, v_stride);
  for (int64_t p = 0; p < 36; ++p) {
    const Operand operand{v + p * v_stride, ci, 0, conv.inputs, 0};
    k.product({panels.floats.get() + p * panels.outputs * panels.depth, panels.depth,
               panels.outputs, &operand, 1, 1, count, nullptr, m + p * m_stride, co, 0, false,
               nullptr, 0});
  }
  k.winograd_output(m, co, m_stride, out_first, count, conv.bias.data(), relu, out, out_h, out_w,
                    conv.outputs, out_stride);
}

// By measurement: Winograd is two to three times as fast as the direct sum, but for maps of so few
// tiles that reading its larger weights takes longer than the multiplications it saves.
bool takes_winograd(const Conv& conv, int64_t h, int64_t w) {
  if (conv.k != 3 || conv.algorithm == GAMMANET_ALGORITHM_DIRECT ||
      (conv.algorithm == GAMMANET_ALGORITHM_AUTO && conv.bf16() && conv.kernels->tiles)) {
    return false;
  }
  const int64_t tiles = (h + 3) / 4 * ((w + 3) / 4);
  return conv.algorithm == GAMMANET_ALGORITHM_WINOGRAD ||
         (conv.inputs >= 32 && conv.outputs >= 16 && (small_winograd(conv) || tiles >= 4));
}

void convolve_winograd(const Conv& conv, const float* x, int64_t n, int64_t h,
                       int64_t w, bool relu, float* out, int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.winograd();
  const int64_t plane_size = panels.outputs * panels.depth;
  const int64_t ci = round_up(conv.inputs, 16), co = round_up(conv.outputs, 16);
  const int64_t tiles = (h + 3) / 4 * ((w + 3) / 4);  // of a sample
  const int64_t in_size = h * w * conv.inputs, out_size = h * w * out_stride;

  if (small_winograd(conv)) {
    const int64_t rows = std::min<int64_t>(24, tiles);
    const int64_t pieces = (tiles + rows - 1) / rows;
    parallel_for(n * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) {
        const int64_t sample = item / pieces, first = item % pieces * rows;
        winograd_tiles(conv, x + sample * in_size, h, w, first, std::min(rows, tiles - first),
                       relu, out + sample * out_size, h, w, first, out_stride);
      }
    });
    return;
  }

  // The transformed weights are large: all threads do one step at a time, so that each plane of
  // them is read once for many tiles.
  const int64_t fit = std::max<int64_t>(24, (4 << 20) / (36 * (ci + co)));  // 16 MB
  const int64_t batches = (tiles + fit - 1) / fit, rows = (tiles + batches - 1) / batches;
  const int64_t v_stride = plane_stride(rows, ci), m_stride = plane_stride(rows, co);
  float* v = scratch(kConvScratch, static_cast<size_t>(36 * (v_stride + m_stride)));
  float* m = v + 36 * v_stride;
  const int64_t threads = thread_count();
  // Few threads take whole planes, many also parts of one.
  const int64_t parts = threads <= 4 ? 1 : std::min<int64_t>(co / k.block, threads);
  const int64_t part = round_up((co + parts - 1) / parts, k.block);
  for (int64_t sample = 0; sample < n; ++sample) {
    for (int64_t first = 0; first < tiles; first += rows) {
      const int64_t count = std::min(rows, tiles - first);
      parallel_for(count, 1, [&](int64_t begin, int64_t end) {
        k.winograd_input(x + sample * in_size, h, w, conv.inputs, first + begin, end - begin,
                         v + begin * ci, ci, v_stride);
      });
      parallel_for(36 * parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t p = item / parts, o = item % parts * part;
          const int64_t outputs = std::min(part, panels.outputs - o);
          if (outputs > 0) {
            const Operand operand{v + p * v_stride, ci, 0, conv.inputs, 0};
            k.product({panels.floats.get() + p * plane_size + o * panels.depth, panels.depth, outputs, &operand, 1,
                       1, count, nullptr, m + p * m_stride + o, co, 0, false, nullptr, 0});
          }
        }
      });
      parallel_for(count, 1, [&](int64_t begin, int64_t end) {
        k.winograd_output(m + begin * co, co, m_stride, first + begin, end - begin,
                          conv.bias.data(), relu, out + sample * out_size, h, w, conv.outputs,
                          out_stride);
      });
    }
  }
}

}  // namespace

Pieces::Piece Pieces::at(int64_t piece, int64_t h, int64_t w) const {
  const int64_t y = piece / across * 4, x = piece % across * columns;
  return {y, x, std::min<int64_t>(4, h - y), std::min(columns, w - x)};
}

Pieces pieces_of(const Conv& conv, int64_t h, int64_t w, int64_t columns) {
  Pieces p;
  if (takes_winograd(conv, h, w) && small_winograd(conv)) {
    const int64_t tiles = (w + 3) / 4, most = std::max<int64_t>(1, columns / 4);
    p.across = (tiles + most - 1) / most;
    p.columns = (tiles + p.across - 1) / p.across * 4;
    p.across = (w + p.columns - 1) / p.columns;
    p.count = (h + 3) / 4 * p.across;
  }
  return p;
}

void convolve_piece(const Conv& conv, const float* x, int64_t h, int64_t w,
                    const Pieces::Piece& piece, float* out, int64_t out_stride) {
  winograd_tiles(conv, x, h, w, piece.y / 4 * ((w + 3) / 4) + piece.x / 4,
                 (piece.columns + 3) / 4, true, out, piece.lines, piece.columns, 0, out_stride);
}

void convolve_rows(const Conv& conv, const float* x, int64_t pixels, bool relu, float* out,
                   int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.direct();
  const int64_t rows = rows_of(conv), depth = panels.depth;
  uint16_t* halves = conv.bf16() ? reinterpret_cast<uint16_t*>(scratch(
                                       kThreadConvScratch, static_cast<size_t>(rows * depth / 2)))
                                 : nullptr;
  for (int64_t first = 0; first < pixels; first += rows) {
    const float* in = x + first * conv.inputs;
    const int64_t count = std::min(rows, pixels - first);
    Operand operand{in, conv.inputs, 0, conv.inputs, 0};
    if (halves) {
      k.convert_bf16(in, conv.inputs, count, conv.inputs, halves, depth, depth);
      operand = {halves, depth, 0, depth, 0};
    }
    Product p{panels.data(), panels.depth,     conv.outputs,
              &operand,      1,                1,
              count,         conv.bias.data(), out + first * out_stride,
              out_stride,    0,                relu,
              nullptr,       0};
    (halves ? k.product_bf16 : k.product)(p);
  }
}

void convolve(const Conv& conv, const float* x, int64_t n, int64_t h, int64_t w,
              bool relu, float* out, int64_t out_stride) {
  const bool winograd = takes_winograd(conv, h, w);
  if (conv.k == 1) {
    convolve_pixels(conv, x, n * h * w, relu, out, out_stride);
  } else if (winograd) {
    convolve_winograd(conv, x, n, h, w, relu, out, out_stride);
  } else {
    convolve_direct(conv, x, n, h, w, relu, out, out_stride);
  }
}

void conv_forward(const Conv& conv, const FeatureMap& x, bool relu, const FeatureMap& out) {
  convolve(conv, x.data, x.n, x.h, x.w, relu, out.data, out.c);
}

}  // namespace gammanet
