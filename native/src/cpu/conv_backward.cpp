// Convolutions, backward.
#include <algorithm>

#include "conv.h"
#include "gradients.h"
#include "threads.h"

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

namespace {

// By Winograd's algorithm: G^T (sum over tiles of A dY A^T times B^T X B) G, 36 products instead of
// 144 for 16 pixels.
void add_weight_gradient_winograd(const Kernels& kernels, const float* grad, int64_t outputs,
                                  const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                                  float* sums) {
  const BackwardKernels& backward = backward_kernels(kernels);
  const int64_t ci = round_up(inputs, 16), co = round_up(outputs, 16);
  const int64_t of_sample = (h + 3) / 4 * ((w + 3) / 4), tiles = n * of_sample;
  const int64_t fit = std::max<int64_t>(96, (1 << 20) / (36 * (ci + co)));  // 4 MB
  const int64_t chunks = (tiles + fit - 1) / fit, rows = (tiles + chunks - 1) / chunks;
  const int64_t v_stride = plane_stride(rows, ci), u_stride = plane_stride(rows, co);
  const int64_t size = outputs * inputs;
  float* v = scratch(kConvScratch, static_cast<size_t>(36 * (v_stride + u_stride + size)));
  float* u = v + 36 * v_stride;
  float* products = u + 36 * u_stride;
  const int64_t kOutputs = 24, kStretch = 64;
  const int64_t groups = (outputs + kOutputs - 1) / kOutputs;
  const int64_t panels = (inputs + backward.panel - 1) / backward.panel;
  for (int64_t start = 0; start < tiles; start += rows) {
    const int64_t count = std::min(rows, tiles - start);
    parallel_for(count, 4, [&](int64_t begin, int64_t end) {
      for (int64_t t = start + begin; t < start + end;) {
        const int64_t sample = t / of_sample, first = t % of_sample;
        const int64_t part = std::min(of_sample - first, start + end - t);
        kernels.winograd_input(x + sample * h * w * inputs, h, w, inputs, first, part,
                               v + (t - start) * ci, ci, v_stride);
        backward.winograd_gradient(grad + sample * h * w * outputs, h, w, outputs, first, part,
                                   u + (t - start) * co, co, u_stride);
        t += part;
      }
    });
    parallel_for(36 * panels * groups, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t o = task % groups * kOutputs;
        const int64_t i = task / groups % panels * backward.panel;
        const int64_t plane = task / groups / panels;
        const int64_t height = std::min(kOutputs, outputs - o);
        const int64_t width = std::min(backward.panel, inputs - i);
        float* to = products + plane * size + o * inputs + i;
        for (int64_t r = 0; start == 0 && r < height; ++r) {
          std::fill_n(to + r * inputs, width, 0.0f);
        }
        for (int64_t t = 0; t < count; t += kStretch) {
          backward.weight_gradient(u + plane * u_stride + t * co + o, co, 0,
                                   v + plane * v_stride + t * ci + i, ci, 0, 1,
                                   std::min(kStretch, count - t), height, width, to, inputs);
        }
      }
    });
  }
  float g[6][3];
  for (int p = 0; p < 18; ++p) {
    g[p / 3][p % 3] = static_cast<float>(WinogradKernel().g[p / 3][p % 3]);
  }
  parallel_for(outputs, 1 + 4096 / inputs, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      backward.winograd_weight(products + o * inputs, size, g, inputs, sums + o * inputs);
    }
  });
}

// Whether there are tiles enough to pay for the transforms.
bool takes_winograd(int64_t outputs, int64_t inputs, int64_t n, int64_t h, int64_t w, int64_t k) {
  return k == 3 && inputs >= 16 && outputs >= 16 && n * ((h + 3) / 4) * ((w + 3) / 4) >= 32;
}

// sums[(tap * outputs + o) * inputs + i] += the gradient of the weight [o, i, tap].
void sum_weight_gradient(const Kernels& kernels, const float* grad, int64_t outputs,
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
            // The pixels of the stretch whose neighbor lies inside the map.
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

}  // namespace

void add_weight_gradient(const Kernels& kernels, const float* grad, int64_t outputs,
                         const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                         int64_t k, bool bf16, float* to) {
  const bool winograd = takes_winograd(outputs, inputs, n, h, w, k);
  const bool rounded = bf16 && (kernels.tiles || !winograd);
  const int64_t taps = k * k;
  const int64_t stride = rounded ? round_up(inputs, 16) : inputs;
  const int64_t plane = stride * (rounded ? round_up(outputs, 16) : outputs);
  const Buffer<float> sums(static_cast<size_t>(taps * plane));
  if (rounded) {
    sum_weight_gradient_bf16(kernels, grad, outputs, x, inputs, n, h, w, k, sums.get());
  } else {
    parallel_for(taps * outputs, 1 + 65536 / inputs, [&](int64_t begin, int64_t end) {
      std::fill(sums.get() + begin * inputs, sums.get() + end * inputs, 0.0f);
    });
    winograd
        ? add_weight_gradient_winograd(kernels, grad, outputs, x, inputs, n, h, w, sums.get())
        : sum_weight_gradient(kernels, grad, outputs, x, inputs, n, h, w, k, sums.get());
  }
  parallel_for(outputs, 1 + 32768 / (inputs * taps), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* from = sums.get() + o * stride;
      float* row = to + o * inputs * taps;
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t t = 0; t < taps; ++t) {
          row[i * taps + t] += from[t * plane + i];
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
    add_weight_gradient(*conv.kernels, g, outputs, x.data, inputs, x.n, x.h, x.w, k,
                        conv.bf16(), grad_weight);
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
