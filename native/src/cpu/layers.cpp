// Alignment, feedback and normalization: the layers around the cells, forward.
#include <algorithm>
#include <cmath>

#include "conv.h"
#include "threads.h"

namespace gammanet {

Resizing::Resizing(int64_t n, int64_t m) {
  const float scale = static_cast<float>(n) / static_cast<float>(m);
  for (int64_t j = 0; j < m; ++j) {
    const float p = std::max(0.0f, (static_cast<float>(j) + 0.5f) * scale - 0.5f);
    const int64_t at = std::min(static_cast<int64_t>(p), n - 1);
    first.push_back(static_cast<int32_t>(at));
    second.push_back(static_cast<int32_t>(std::min(at + 1, n - 1)));
    fraction.push_back(n == m ? 0.0f : p - static_cast<float>(at));
  }
}

int64_t Resizing::begin(int64_t i) const {
  return std::lower_bound(second.begin(), second.end(), i) - second.begin();
}

int64_t Resizing::end(int64_t i) const {
  return std::upper_bound(first.begin(), first.end(), i) - first.begin();
}

void align_pool_forward(const Conv* conv, const FeatureMap& x, const FeatureMap& out) {
  const int64_t c = out.c;
  const Kernels& k = conv ? *conv->kernels : kernels();
  const int64_t stride = round_up(c, 16);
  parallel_for(out.n * out.h, 1, [&](int64_t begin, int64_t end) {
    float* lines = conv ? scratch(kThreadScratch, static_cast<size_t>(2 * x.w * stride)) : nullptr;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / out.h, y = item % out.h;
      const float* top = x.data + (sample * x.h + 2 * y) * x.w * x.c;
      float* to = out.data + item * out.w * c;
      if (conv == nullptr) {
        k.max_pool(top, top + x.w * c, c, x.w, c, to);
        continue;
      }
      convolve_rows(*conv, top, 2 * x.w, true, lines, stride);
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

  const Resizing across(x.w, out.w), down(x.h, out.h);
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
        const auto j = static_cast<size_t>(y);
        k.interpolate(map + down.first[j] * x.w * stride, map + down.second[j] * x.w * stride,
                      down.fraction[j], stride, across.first.data(), across.second.data(),
                      across.fraction.data(), out.w, c,
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
