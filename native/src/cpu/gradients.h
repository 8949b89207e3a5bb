// Sums over pixels that the gradients of convolutions and cells share. All of them are taken in an
// order that depends on the shapes alone, so that results do not change with the number of threads.
#pragma once

#include <vector>

#include "kernels_backward.h"
#include "threads.h"

namespace gammanet {

// Adds to `to`, [outputs, inputs, k, k], the gradient of the weight of a k x k convolution from
// x [n, h, w, inputs] to a map with the gradient grad [n, h, w, outputs]. bf16: of factors rounded
// to bfloat16, where that is faster than Winograd's algorithm in float32.
void add_weight_gradient(const Kernels& kernels, const float* grad, int64_t outputs,
                         const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                         int64_t k, bool bf16, float* to);

// The same, not added, to sums[(tap * outputs + o) * inputs + i], outputs and inputs rounded up to a
// multiple of 16.
void sum_weight_gradient_bf16(const Kernels& kernels, const float* grad, int64_t outputs,
                              const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                              int64_t k, float* sums);

// body(begin, end, sums): adds the terms of the pixels [begin, end) to sums[0 .. count). Returns
// the sums over all pixels.
template <class Body>
std::vector<double> sum_over_pixels(int64_t pixels, int64_t count, const Body& body);

// Pixels of one stretch of sum_over_pixels.
constexpr int64_t kStretch = 512;

template <class Body>
std::vector<double> sum_over_pixels(int64_t pixels, int64_t count, const Body& body) {
  const int64_t stretches = (pixels + kStretch - 1) / kStretch;
  std::vector<float> parts(static_cast<size_t>(stretches * count), 0.0f);
  parallel_for(stretches, 1, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      const int64_t end = (s + 1) * kStretch;
      body(s * kStretch, end < pixels ? end : pixels, parts.data() + s * count);
    }
  });
  std::vector<double> sums(static_cast<size_t>(count), 0.0);
  for (int64_t s = 0; s < stretches; ++s) {
    for (int64_t c = 0; c < count; ++c) {
      sums[static_cast<size_t>(c)] += parts[static_cast<size_t>(s * count + c)];
    }
  }
  return sums;
}

}  // namespace gammanet
