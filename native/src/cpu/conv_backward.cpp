// Convolutions, backward.
#include <algorithm>

#include "conv.h"
#include "gradients.h"

namespace gammanet {

const BackwardKernels& backward_kernels(const Kernels& kernels) {
#ifdef GAMMANET_X86
  // By the width: there is more than one table for AVX-512.
  if (kernels.width == kernels_avx512.width) {
    return backward_kernels_avx512;
  }
  if (kernels.width == kernels_avx2.width) {
    return backward_kernels_avx2;
  }
#endif
  (void)kernels;
  return backward_kernels_portable;
}

void add_weight_gradient(const Kernels& kernels, const float* grad, int64_t outputs,
                         const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                         int64_t k, float* sums) {
  const BackwardKernels& backward = backward_kernels(kernels);
  // A task is a block of the weight that fits the first-level cache together with the pixels of a
  // stretch; a thread does its tasks for stretch after stretch, so that these stay in the caches.
  const int64_t kOutputs = 24, kPixels = 256;
  const int64_t groups = (outputs + kOutputs - 1) / kOutputs;
  const int64_t panels = (inputs + backward.panel - 1) / backward.panel;
  const int64_t length = w < kPixels + kPixels / 2 ? w : kPixels;
  const int64_t lines = length > kPixels / 2 ? 1 : kPixels / length;
  const int64_t half = (k - 1) / 2;
  parallel_for(k * k * panels * groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t b = 0; b < n; ++b) {
      for (int64_t top = 0; top < h; top += lines) {
        for (int64_t left = 0; left < w; left += length) {
          for (int64_t task = first; task < last; ++task) {
            const int64_t o = task % groups * kOutputs;
            const int64_t i = task / groups % panels * backward.panel;
            const int64_t tap = task / groups / panels;
            const int64_t dy = tap / k - half, dx = tap % k - half;
            // The pixels of the stretch whose neighbour lies inside the map.
            const int64_t y0 = std::max(top, -dy), x0 = std::max(left, -dx);
            const int64_t y1 = std::min({top + lines, h, h - dy});
            const int64_t x1 = std::min({left + length, w, w - dx});
            if (y0 >= y1 || x0 >= x1) {
              continue;
            }
            backward.weight_gradient(
                grad + ((b * h + y0) * w + x0) * outputs + o, outputs, w * outputs,
                x + ((b * h + y0 + dy) * w + x0 + dx) * inputs + i, inputs, w * inputs, y1 - y0,
                x1 - x0, std::min(kOutputs, outputs - o), std::min(backward.panel, inputs - i),
                sums + (tap * outputs + o) * inputs + i, inputs);
          }
        }
      }
    }
  });
}

void conv_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& out,
                   const FeatureMap& grad_out, const FeatureMap& grad_x, float* grad_weight,
                   float* grad_bias) {
  const int64_t outputs = conv.outputs, inputs = conv.inputs, k = conv.k;
  const BackwardKernels& backward = backward_kernels(*conv.kernels);
  const int64_t pixels = x.pixels();
  const float* g = grad_out.data;
  Buffer<float> masked;
  if (out) {
    masked = Buffer<float>(static_cast<size_t>(pixels * outputs));
    parallel_for(pixels, 1 + 32768 / outputs, [&](int64_t begin, int64_t end) {
      backward.mask(grad_out.data + begin * outputs, out.data + begin * outputs,
                    (end - begin) * outputs, masked.get() + begin * outputs);
    });
    g = masked.get();
  }
  if (grad_x) {
    convolve(conv.transposed(), g, x.n, x.h, x.w, false, grad_x.data, inputs);
  }
  if (grad_weight != nullptr) {
    const int64_t taps = k * k;
    std::vector<float> sums(static_cast<size_t>(taps * outputs * inputs), 0.0f);
    add_weight_gradient(*conv.kernels, g, outputs, x.data, inputs, x.n, x.h, x.w, k,
                        sums.data());
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t o = 0; o < outputs * inputs; ++o) {
        grad_weight[o * taps + t] += sums[static_cast<size_t>(t * outputs * inputs + o)];
      }
    }
  }
  if (grad_bias != nullptr) {
    const std::vector<double> sums =
        sum_over_pixels(pixels, outputs, [&](int64_t begin, int64_t end, float* to) {
          backward.column_sums(g + begin * outputs, outputs, nullptr, 0, end - begin, outputs,
                               to);
        });
    for (int64_t o = 0; o < outputs; ++o) {
      grad_bias[o] += static_cast<float>(sums[static_cast<size_t>(o)]);
    }
  }
}

}  // namespace gammanet
