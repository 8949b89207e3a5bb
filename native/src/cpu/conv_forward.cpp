// Convolutions and what surrounds the cells, forward.
#include <algorithm>
#include <cstring>

#include "cuda/cuda.h"
#include "packed.h"
#include "torch.h"

namespace gammanet {
namespace {

// ---- 1x1 ----

void convolve_pixels(const GammanetConvOpaque& conv, const float* x, int64_t pixels, bool relu,
                     float* out, int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.direct();
  const int64_t rows = tile_rows(std::max(conv.inputs, conv.outputs));
  const int64_t tiles = (pixels + rows - 1) / rows;
  parallel_for(tiles, 1, [&](int64_t begin, int64_t end) {
    const int64_t even = round_up(conv.inputs, 2);
    uint16_t* halves = conv.bf16() ? reinterpret_cast<uint16_t*>(scratch(
                                         kThreadScratch, static_cast<size_t>(rows * even / 2)))
                                   : nullptr;
    for (int64_t t = begin; t < end; ++t) {
      const float* in = x + t * rows * conv.inputs;
      const int64_t count = std::min(rows, pixels - t * rows);
      Operand operand{in, conv.inputs, 0, conv.inputs, 0};
      if (halves) {
        k.convert_bf16(in, conv.inputs, count, conv.inputs, halves, even);
        operand = {halves, even, 0, even, 0};
      }
      Product p{panels.data(), panels.depth,      conv.outputs,
                &operand,      1,                 1,
                count,         conv.bias.data(),  out + t * rows * out_stride,
                out_stride,    0,                 relu,
                nullptr,       0};
      (halves ? k.product_bf16 : k.product)(p);
    }
  });
}

// ---- k x k, direct: some lines are copied into padded memory, where the k pixels under a line of
// the kernel lie side by side and are one operand ----

void convolve_direct(const GammanetConvOpaque& conv, const float* x, int64_t n, int64_t h,
                     int64_t w, bool relu, float* out, int64_t out_stride) {
  const Kernels& k = *conv.kernels;
  const Panels& panels = conv.direct();
  const int64_t pad = conv.k / 2, width = w + 2 * pad;
  const int64_t c = conv.bf16() ? round_up(conv.inputs, 2) : conv.inputs;
  // Half a megabyte, and work for all threads.
  const int64_t fit = (1 << 17) / (width * c) - 2 * pad;
  const int64_t share = n * h / (4 * thread_count());
  const int64_t lines = std::max<int64_t>(1, std::min({fit, share, h}));
  const int64_t blocks = (h + lines - 1) / lines;
  parallel_for(n * blocks, 1, [&](int64_t begin, int64_t end) {
    const int64_t size = (lines + 2 * pad) * width * c;
    float* floats = scratch(kThreadScratch, static_cast<size_t>(size));
    uint16_t* halves = reinterpret_cast<uint16_t*>(floats);
    std::vector<Operand> operands(static_cast<size_t>(conv.k));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / blocks, top = item % blocks * lines;
      const int64_t count = std::min(lines, h - top);
      for (int64_t line = 0; line < count + 2 * pad; ++line) {
        const int64_t y = top + line - pad;
        const bool inside = y >= 0 && y < h;
        const float* in = x + (sample * h + y) * w * conv.inputs;
        if (conv.bf16()) {
          uint16_t* to = halves + line * width * c;
          std::memset(to, 0, static_cast<size_t>(width * c) * 2);
          if (inside) {
            k.convert_bf16(in, conv.inputs, w, conv.inputs, to + pad * c, c);
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
      for (int64_t dy = 0; dy < conv.k; ++dy) {
        const void* rows = conv.bf16() ? static_cast<void*>(halves + dy * width * c)
                                       : static_cast<void*>(floats + dy * width * c);
        operands[static_cast<size_t>(dy)] = {rows, c, width * c, conv.k * c, dy * conv.k * c};
      }
      Product p{panels.data(),
                panels.depth,
                conv.outputs,
                operands.data(),
                conv.k,
                count,
                w,
                conv.bias.data(),
                out + (sample * h + top) * w * out_stride,
                out_stride,
                w * out_stride,
                relu,
                nullptr,
                0};
      (conv.bf16() ? k.product_bf16 : k.product)(p);
    }
  });
}

// ---- 3 x 3, Winograd's F(4x4, 3x3) ----

// Planes a multiple of 4 KB apart would all fall into the same few lines of the cache.
int64_t plane_stride(int64_t rows, int64_t c) { return rows * c + 16; }

// The transformed weights are small: each thread takes some tiles through all three steps, inside
// its cache.
bool small_winograd(const GammanetConvOpaque& conv) {
  return conv.inputs * conv.outputs <= 128 * 192;
}

// All steps for the tiles first ... first + count - 1 of x; their outputs are the tiles from
// out_first on of out [out_h, out_w].
void winograd_tiles(const GammanetConvOpaque& conv, const float* x, int64_t h, int64_t w,
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
bool takes_winograd(const GammanetConvOpaque& conv, int64_t h, int64_t w) {
  if (conv.k != 3 || conv.algorithm == GAMMANET_ALGORITHM_DIRECT) {
    return false;
  }
  const int64_t tiles = (h + 3) / 4 * ((w + 3) / 4);
  return conv.algorithm == GAMMANET_ALGORITHM_WINOGRAD ||
         (conv.inputs >= 32 && conv.outputs >= 16 && (small_winograd(conv) || tiles >= 4));
}

void convolve_winograd(const GammanetConvOpaque& conv, const float* x, int64_t n, int64_t h,
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

Pieces pieces_of(const GammanetConvOpaque& conv, int64_t h, int64_t w, int64_t columns) {
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

void convolve_piece(const GammanetConvOpaque& conv, const float* x, int64_t h, int64_t w,
                    const Pieces::Piece& piece, float* out, int64_t out_stride) {
  winograd_tiles(conv, x, h, w, piece.y / 4 * ((w + 3) / 4) + piece.x / 4,
                 (piece.columns + 3) / 4, true, out, piece.lines, piece.columns, 0, out_stride);
}

void convolve(const GammanetConvOpaque& conv, const float* x, int64_t n, int64_t h, int64_t w,
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

}  // namespace gammanet

using namespace gammanet;

namespace {

// The convolution is 1x1 and has as many inputs as x; it may be null.
void check_pointwise(GammanetConv conv, const Map& x) {
  if (conv && conv->k != 1) {
    invalid("conv must be 1x1, not %lld x %lld", static_cast<long long>(conv->k),
            static_cast<long long>(conv->k));
  }
  if (conv && conv->inputs != x.c) {
    invalid("x must have %lld channels, not %lld", static_cast<long long>(conv->inputs),
            static_cast<long long>(x.c));
  }
}

// Where a pixel of a line resized from n to m comes from (align_corners = false).
struct Sample {
  int64_t first, second;
  float fraction;
};
Sample sample_at(int64_t j, int64_t n, int64_t m) {
  const float scale = static_cast<float>(n) / static_cast<float>(m);
  const float p = std::max(0.0f, (static_cast<float>(j) + 0.5f) * scale - 0.5f);
  const int64_t first = std::min(static_cast<int64_t>(p), n - 1);
  return {first, std::min(first + 1, n - 1), n == m ? 0.0f : p - static_cast<float>(first)};
}

}  // namespace

extern "C" {

GAMMANET_API int32_t gammanet_conv_pack(AtenTensorHandle weight, AtenTensorHandle bias,
                                        int32_t algorithm, int32_t precision, GammanetConv* ret) {
  return guarded([&] {
    if (ret == nullptr) {
      invalid("ret is null");
    }
    if (cuda::on_cuda(weight)) {
      auto conv = std::make_unique<GammanetConvOpaque>();
      conv->cuda = cuda::pack_conv(weight, bias, precision);
      *ret = conv.release();
      return;
    }
    check_algorithm(algorithm, precision);
    int64_t sizes[4] = {-1, -1, -1, -1};
    const float* w = weights_of(weight, "weight", sizes, 4);
    if (sizes[2] != sizes[3] || sizes[2] % 2 == 0) {
      invalid("weight must have a square kernel of odd size, not %lld x %lld",
              static_cast<long long>(sizes[2]), static_cast<long long>(sizes[3]));
    }
    const float* b = optional_vector_of(bias, "bias", sizes[0]);
    auto conv = std::make_unique<GammanetConvOpaque>();
    fill_conv(*conv, w, b, sizes[0], sizes[1], sizes[2], algorithm, precision);
    conv->held = Held(weight);
    *ret = conv.release();
  });
}

GAMMANET_API int32_t gammanet_conv_free(GammanetConv conv) {
  delete conv;
  return GAMMANET_OK;
}

GAMMANET_API int32_t gammanet_conv_forward(GammanetConv conv, AtenTensorHandle x, int32_t relu,
                                           AtenTensorHandle out) {
  return guarded([&] {
    if (conv == nullptr) {
      invalid("conv is null");
    }
    if (relu != 0 && relu != 1) {
      invalid("relu must be 0 or 1");
    }
    if (conv->cuda) {
      return cuda::conv_forward(*conv->cuda, x, relu == 1, out);
    }
    const Map in = map_of(x, "x");
    if (in.c != conv->inputs) {
      invalid("x must have %lld channels, not %lld", static_cast<long long>(conv->inputs),
              static_cast<long long>(in.c));
    }
    const Map result = map_of(out, "out", in.n, conv->outputs, in.h, in.w);
    check_disjoint(in, "x", result, "out");
    convolve(*conv, in.data, in.n, in.h, in.w, relu == 1, result.data, result.c);
  });
}

GAMMANET_API int32_t gammanet_align_pool_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out) {
  return guarded([&] {
    if (conv ? conv->cuda != nullptr : cuda::on_cuda(x)) {
      return cuda::align_pool_forward(conv ? conv->cuda.get() : nullptr, x, out);
    }
    const Map in = map_of(x, "x");
    if (in.h < 2 || in.w < 2) {
      invalid("x must have at least 2 x 2 pixels, not %lld x %lld", static_cast<long long>(in.h),
              static_cast<long long>(in.w));
    }
    check_pointwise(conv, in);
    const int64_t c = conv ? conv->outputs : in.c;
    const Map result = map_of(out, "out", in.n, c, in.h / 2, in.w / 2);
    check_disjoint(in, "x", result, "out");
    const Kernels& k = conv ? *conv->kernels : kernels();
    const int64_t stride = round_up(c, 16), even = conv ? round_up(in.c, 2) : 0;
    parallel_for(result.n * result.h, 1, [&](int64_t begin, int64_t end) {
      float* lines = conv ? scratch(kThreadScratch,
                                    static_cast<size_t>(2 * in.w * (stride + even / 2)))
                          : nullptr;
      for (int64_t item = begin; item < end; ++item) {
        const int64_t sample = item / result.h, y = item % result.h;
        const float* top = in.data + (sample * in.h + 2 * y) * in.w * in.c;
        float* to = result.data + item * result.w * c;
        if (conv == nullptr) {
          k.max_pool(top, top + in.w * c, c, in.w, c, to);
          continue;
        }
        Operand operand{top, in.c, 0, in.c, 0};
        if (conv->bf16()) {
          uint16_t* halves = reinterpret_cast<uint16_t*>(lines + 2 * in.w * stride);
          k.convert_bf16(top, in.c, 2 * in.w, in.c, halves, even);
          operand = {halves, even, 0, even, 0};
        }
        const Panels& panels = conv->direct();
        const Product p{panels.data(), panels.depth, panels.outputs, &operand,
                        1,             1,            2 * in.w,       conv->bias.data(),
                        lines,         stride,       0,              true,
                        nullptr,       0};
        (conv->bf16() ? k.product_bf16 : k.product)(p);
        k.max_pool(lines, lines + in.w * stride, stride, in.w, c, to);
      }
    });
  });
}

GAMMANET_API int32_t gammanet_project_up_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out) {
  return guarded([&] {
    if (conv == nullptr) {
      invalid("conv is null");
    }
    if (conv->cuda) {
      return cuda::project_up_forward(*conv->cuda, x, out);
    }
    const Map in = map_of(x, "x");
    check_pointwise(conv, in);
    const Map result = map_of(out, "out");
    const int64_t c = conv->outputs;
    if (result.n != in.n || result.c != c) {
      invalid("out must have %lld samples of %lld channels, not %lld of %lld",
              static_cast<long long>(in.n), static_cast<long long>(c),
              static_cast<long long>(result.n), static_cast<long long>(result.c));
    }
    check_disjoint(in, "x", result, "out");
    const Kernels& k = *conv->kernels;
    const int64_t stride = round_up(c, 16), pixels = in.h * in.w;
    float* small = scratch(kCellScratch, static_cast<size_t>(in.n * pixels * stride + 2 * stride));
    float* mean = small + in.n * pixels * stride;
    float* scale = mean + stride;
    convolve(*conv, in.data, in.n, in.h, in.w, false, small, stride);

    std::vector<int32_t> left(static_cast<size_t>(result.w)), right(left.size());
    std::vector<float> fraction(left.size());
    for (int64_t j = 0; j < result.w; ++j) {
      const Sample s = sample_at(j, in.w, result.w);
      left[static_cast<size_t>(j)] = static_cast<int32_t>(s.first);
      right[static_cast<size_t>(j)] = static_cast<int32_t>(s.second);
      fraction[static_cast<size_t>(j)] = s.fraction;
    }
    for (int64_t n = 0; n < in.n; ++n) {
      float* map = small + n * pixels * stride;
      channel_moments(k, map, stride, pixels, c, 0, mean, scale);
      for (int64_t j = 0; j < c; ++j) {
        mean[j] *= -scale[j];
      }
      parallel_for(pixels, 1 + 32768 / c, [&](int64_t begin, int64_t end) {
        k.scale_shift(map + begin * stride, stride, end - begin, c, scale, mean, true,
                      map + begin * stride, stride);
      });
      parallel_for(result.h, 1, [&](int64_t begin, int64_t end) {
        for (int64_t y = begin; y < end; ++y) {
          const Sample s = sample_at(y, in.h, result.h);
          k.interpolate(map + s.first * in.w * stride, map + s.second * in.w * stride, s.fraction,
                        stride, left.data(), right.data(), fraction.data(), result.w, c,
                        result.data + (n * result.h + y) * result.w * c);
        }
      });
    }
  });
}

}  // extern "C"
