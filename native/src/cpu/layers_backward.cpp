// Alignment and feedback, backward. Both end as the gradients of a convolution.
#include <algorithm>
#include <cstring>

#include "conv.h"
#include "gradients.h"
#include "threads.h"

namespace gammanet {

void align_pool_backward(const Conv* conv, const FeatureMap& x, const FeatureMap& grad_out,
                         const FeatureMap& grad_x, float* grad_weight, float* grad_bias) {
  const int64_t c = grad_out.c;
  const BackwardKernels& k = backward_kernels(conv ? *conv->kernels : kernels());
  // The gradient of the rectified sums; without a convolution, that of x.
  Buffer<float> memory;
  FeatureMap grad = grad_x;
  if (conv != nullptr) {
    memory = Buffer<float>(static_cast<size_t>(x.pixels() * c));
    grad = grad_out;
    grad.h = x.h;
    grad.w = x.w;
    grad.data = memory.get();
  }
  // A pair of lines that the last line of the output does not reach is one line.
  const int64_t pairs = (x.h + 1) / 2, line = x.w * c;
  parallel_for(x.n * pairs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / pairs, y = item % pairs;
      const int64_t first = (sample * x.h + 2 * y) * x.w;
      float* to = grad.data + first * c;
      if (y == grad_out.h) {
        std::memset(to, 0, static_cast<size_t>(line) * sizeof(float));
        continue;
      }
      const float* values = x.data + first * x.c;
      if (conv != nullptr) {
        float* sums = scratch(kThreadScratch, static_cast<size_t>(2 * line));
        convolve_rows(*conv, values, 2 * x.w, true, sums, c);
        values = sums;
      }
      k.max_pool(values, values + line, x.w, c, conv != nullptr,
                 grad_out.data + (sample * grad_out.h + y) * grad_out.w * c, to, to + line);
    }
  });
  if (conv != nullptr) {
    conv_backward(*conv, x, FeatureMap(), grad, grad_x, grad_weight, grad_bias);
  }
}

void project_up_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& grad_out,
                         const FeatureMap& grad_x, float* grad_weight, float* grad_bias) {
  const int64_t c = grad_out.c, pixels = x.h * x.w;
  const BackwardKernels& k = backward_kernels(*conv.kernels);
  const Buffer<float> normalized(static_cast<size_t>(x.n * pixels * c));
  const Buffer<float> memory(static_cast<size_t>(x.n * pixels * c));
  convolve(conv, x.data, x.n, x.h, x.w, false, normalized.get(), c);
  const Resizing across(x.w, grad_out.w), down(x.h, grad_out.h);
  std::vector<float> mean(static_cast<size_t>(c)), scale(mean.size()), means[2];
  for (int64_t n = 0; n < x.n; ++n) {
    float* y = normalized.get() + n * pixels * c;
    float* grad = memory.get() + n * pixels * c;
    channel_moments(*conv.kernels, y, c, pixels, c, 0, mean.data(), scale.data());
    parallel_for(x.h, 1, [&](int64_t begin, int64_t end) {
      const size_t line = static_cast<size_t>(x.w * c) * sizeof(float);
      for (int64_t row = begin; row < end; ++row) {
        float* to = grad + row * x.w * c;
        std::memset(to, 0, line);
        for (int64_t j = down.begin(row); j < down.end(row); ++j) {
          const float fraction = down.fraction[static_cast<size_t>(j)];
          const float weight = (down.first[static_cast<size_t>(j)] == row ? 1 - fraction : 0) +
                               (down.second[static_cast<size_t>(j)] == row ? fraction : 0);
          k.interpolate(grad_out.data + (n * grad_out.h + j) * grad_out.w * c, weight,
                        across.first.data(), across.second.data(), across.fraction.data(),
                        grad_out.w, c, to);
        }
        float* values = y + row * x.w * c;
        k.normalize_columns(values, c, mean.data(), scale.data(), x.w, c, values, c);
        k.elu(values, x.w * c, to);
      }
    });
    for (bool with_values : {false, true}) {
      const std::vector<double> sums =
          sum_over_pixels(pixels, c, [&](int64_t begin, int64_t end, float* to) {
            k.column_sums(grad + begin * c, c, with_values ? y + begin * c : nullptr, c,
                          end - begin, c, to);
          });
      std::vector<float>& to = means[with_values ? 1 : 0];
      to.clear();
      for (double sum : sums) {
        to.push_back(static_cast<float>(sum / static_cast<double>(pixels)));
      }
    }
    parallel_for(pixels, 1 + 32768 / c, [&](int64_t begin, int64_t end) {
      k.normalize_columns_backward(grad + begin * c, c, y + begin * c, c, scale.data(),
                                   means[0].data(), means[1].data(), end - begin, c);
    });
  }
  FeatureMap grad = x;
  grad.c = c;
  grad.data = memory.get();
  conv_backward(conv, x, FeatureMap(), grad, grad_x, grad_weight, grad_bias);
}

}  // namespace gammanet
