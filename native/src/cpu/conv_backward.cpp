// Convolutions, backward.
#include <algorithm>

#include "cuda/cuda.h"
#include "gradients.h"
#include "torch.h"

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

const GammanetConvOpaque& transposed(const GammanetConvOpaque& conv) {
  std::call_once(conv.transposed_once, [&] {
    const int64_t taps = conv.k * conv.k;
    auto result = std::make_shared<GammanetConvOpaque>();
    std::vector<float> memory;
    const float* from = conv.weight(memory);
    std::vector<float>& weight = result->own;
    weight.resize(static_cast<size_t>(conv.outputs * conv.inputs * taps));
    for (int64_t o = 0; o < conv.outputs; ++o) {
      for (int64_t i = 0; i < conv.inputs; ++i) {
        for (int64_t t = 0; t < taps; ++t) {
          weight[static_cast<size_t>((i * conv.outputs + o) * taps + taps - 1 - t)] =
              from[(o * conv.inputs + i) * taps + t];
        }
      }
    }
    // Gradients are products in float32, whatever the forward pass uses.
    fill_conv(*result, weight.data(), nullptr, conv.inputs, conv.outputs, conv.k, conv.algorithm,
              GAMMANET_PRECISION_FLOAT32);
    result->kernels = conv.kernels;
    conv.transposed = std::move(result);
  });
  return *conv.transposed;
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

}  // namespace gammanet

using namespace gammanet;

extern "C" GAMMANET_API int32_t gammanet_conv_backward(GammanetConv conv, AtenTensorHandle x,
                                                       AtenTensorHandle out,
                                                       AtenTensorHandle grad_out,
                                                       AtenTensorHandle grad_x,
                                                       AtenTensorHandle grad_weight,
                                                       AtenTensorHandle grad_bias) {
  return guarded([&] {
    if (conv == nullptr) {
      invalid("conv is null");
    }
    if (conv->cuda) {
      return cuda::conv_backward(*conv->cuda, x, out, grad_out, grad_x, grad_weight, grad_bias);
    }
    const int64_t outputs = conv->outputs, inputs = conv->inputs, k = conv->k;
    const Map in = map_of(x, "x");
    if (in.c != inputs) {
      invalid("x must have %lld channels, not %lld", static_cast<long long>(inputs),
              static_cast<long long>(in.c));
    }
    const Map grad = map_of(grad_out, "grad_out", in.n, outputs, in.h, in.w);
    const Map rectified =
        out == nullptr ? Map() : map_of(out, "out", in.n, outputs, in.h, in.w);
    const Map result =
        grad_x == nullptr ? Map() : map_of(grad_x, "grad_x", in.n, inputs, in.h, in.w);
    float* weight = nullptr;
    if (grad_weight != nullptr) {
      int64_t sizes[4] = {outputs, inputs, k, k};
      weight = weights_of(grad_weight, "grad_weight", sizes, 4);
    }
    float* bias = optional_vector_of(grad_bias, "grad_bias", outputs);
    check_disjoint(result, "grad_x", in, "x");
    check_disjoint(result, "grad_x", grad, "grad_out");
    check_disjoint(result, "grad_x", rectified, "out");

    const BackwardKernels& backward = backward_kernels(*conv->kernels);
    const int64_t pixels = in.pixels();
    const float* g = grad.data;
    Buffer<float> masked;
    if (rectified) {
      masked = Buffer<float>(static_cast<size_t>(pixels * outputs));
      parallel_for(pixels, 1 + 32768 / outputs, [&](int64_t begin, int64_t end) {
        backward.mask(grad.data + begin * outputs, rectified.data + begin * outputs,
                      (end - begin) * outputs, masked.get() + begin * outputs);
      });
      g = masked.get();
    }
    if (result) {
      convolve(transposed(*conv), g, in.n, in.h, in.w, false, result.data, inputs);
    }
    if (weight != nullptr) {
      const int64_t taps = k * k;
      std::vector<float> sums(static_cast<size_t>(taps * outputs * inputs), 0.0f);
      add_weight_gradient(*conv->kernels, g, outputs, in.data, inputs, in.n, in.h, in.w, k,
                          sums.data());
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t o = 0; o < outputs * inputs; ++o) {
          weight[o * taps + t] += sums[static_cast<size_t>(t * outputs * inputs + o)];
        }
      }
    }
    if (bias != nullptr) {
      const std::vector<double> sums =
          sum_over_pixels(pixels, outputs, [&](int64_t begin, int64_t end, float* to) {
            backward.column_sums(g + begin * outputs, outputs, nullptr, 0, end - begin, outputs,
                                 to);
          });
      for (int64_t o = 0; o < outputs; ++o) {
        bias[o] += static_cast<float>(sums[static_cast<size_t>(o)]);
      }
    }
  });
}
