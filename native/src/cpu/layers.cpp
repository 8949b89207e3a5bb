// Alignment, feedback and normalization: the layers around the cells, forward.
#include <algorithm>
#include <cmath>

#include "conv.h"

namespace gammanet {
namespace {

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

void align_pool_forward(const Conv* conv, const FeatureMap& x, const FeatureMap& out) {
  const int64_t c = out.c;
  const Kernels& k = conv ? *conv->kernels : kernels();
  const int64_t stride = round_up(c, 16), depth = conv && conv->bf16() ? conv->direct().depth : 0;
  parallel_for(out.n * out.h, 1, [&](int64_t begin, int64_t end) {
    float* lines = conv ? scratch(kThreadScratch,
                                  static_cast<size_t>(2 * x.w * (stride + depth / 2)))
                        : nullptr;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / out.h, y = item % out.h;
      const float* top = x.data + (sample * x.h + 2 * y) * x.w * x.c;
      float* to = out.data + item * out.w * c;
      if (conv == nullptr) {
        k.max_pool(top, top + x.w * c, c, x.w, c, to);
        continue;
      }
      Operand operand{top, x.c, 0, x.c, 0};
      if (conv->bf16()) {
        uint16_t* halves = reinterpret_cast<uint16_t*>(lines + 2 * x.w * stride);
        k.convert_bf16(top, x.c, 2 * x.w, x.c, halves, depth, depth);
        operand = {halves, depth, 0, depth, 0};
      }
      const Panels& panels = conv->direct();
      const Product p{panels.data(), panels.depth, panels.outputs, &operand,
                      1,             1,            2 * x.w,       conv->bias.data(),
                      lines,         stride,       0,              true,
                      nullptr,       0};
      (conv->bf16() ? k.product_bf16 : k.product)(p);
      k.max_pool(lines, lines + x.w * stride, stride, x.w, c, to);
    }
  });
}

void project_up_forward(const Conv& conv, const FeatureMap& x, const FeatureMap& out) {
  const int64_t c = out.c;
  const Kernels& k = *conv.kernels;
  const int64_t stride = round_up(c, 16), pixels = x.h * x.w;
  float* small = scratch(kCellScratch, static_cast<size_t>(x.n * pixels * stride + 2 * stride));
  float* mean = small + x.n * pixels * stride;
  float* scale = mean + stride;
  convolve(conv, x.data, x.n, x.h, x.w, false, small, stride);

  std::vector<int32_t> left(static_cast<size_t>(out.w)), right(left.size());
  std::vector<float> fraction(left.size());
  for (int64_t j = 0; j < out.w; ++j) {
    const Sample s = sample_at(j, x.w, out.w);
    left[static_cast<size_t>(j)] = static_cast<int32_t>(s.first);
    right[static_cast<size_t>(j)] = static_cast<int32_t>(s.second);
    fraction[static_cast<size_t>(j)] = s.fraction;
  }
  for (int64_t n = 0; n < x.n; ++n) {
    float* map = small + n * pixels * stride;
    channel_moments(k, map, stride, pixels, c, 0, mean, scale);
    for (int64_t j = 0; j < c; ++j) {
      mean[j] *= -scale[j];
    }
    parallel_for(pixels, 1 + 32768 / c, [&](int64_t begin, int64_t end) {
      k.scale_shift(map + begin * stride, stride, end - begin, c, scale, mean, true,
                    map + begin * stride, stride);
    });
    parallel_for(out.h, 1, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; ++y) {
        const Sample s = sample_at(y, x.h, out.h);
        k.interpolate(map + s.first * x.w * stride, map + s.second * x.w * stride, s.fraction,
                      stride, left.data(), right.data(), fraction.data(), out.w, c,
                      out.data + (n * out.h + y) * out.w * c);
      }
    });
  }
}

void channel_layer_norm_forward(const FeatureMap& x, const float* weight, const float* bias,
                                const FeatureMap& out) {
  const Kernels& k = kernels();
  parallel_for(x.pixels(), 1 + 32768 / x.c, [&](int64_t begin, int64_t end) {
    k.layer_norm(x.data + begin * x.c, weight, bias, out.data + begin * x.c, end - begin, x.c);
  });
}

void channel_moments(const Kernels& k, const float* x, int64_t stride, int64_t pixels, int64_t c,
                     int64_t groups, float* mean, float* scale) {
  // Pieces of fixed size, added in order: the same result with any number of threads.
  constexpr int64_t kPiece = 512;
  const int64_t pieces = (pixels + kPiece - 1) / kPiece;
  std::vector<float> sums(static_cast<size_t>(pieces * c));
  std::vector<double> totals(static_cast<size_t>(c));
  auto add_up = [&](const float* shift) {
    parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        k.column_sums(x + i * kPiece * stride, stride, std::min(kPiece, pixels - i * kPiece), c,
                      shift, sums.data() + i * c);
      }
    });
    totals.assign(totals.size(), 0.0);
    for (int64_t i = 0; i < pieces; ++i) {
      for (int64_t j = 0; j < c; ++j) {
        totals[static_cast<size_t>(j)] += sums[static_cast<size_t>(i * c + j)];
      }
    }
    const int64_t width = groups ? c / groups : 1;
    for (int64_t g = 0; g < c; g += width) {
      double total = 0;
      for (int64_t j = g; j < g + width; ++j) {
        total += totals[static_cast<size_t>(j)];
      }
      for (int64_t j = g; j < g + width; ++j) {
        totals[static_cast<size_t>(j)] = total / static_cast<double>(pixels * width);
      }
    }
  };
  add_up(nullptr);
  std::copy(totals.begin(), totals.end(), mean);
  add_up(mean);
  for (int64_t j = 0; j < c; ++j) {
    scale[j] = static_cast<float>(1 / std::sqrt(totals[static_cast<size_t>(j)] + 1e-5));
  }
}

}  // namespace gammanet
