// Kernels beside the cell: sums over pixels, what stands around convolutions, symmetric kernels and
// forced parameters. Part of kernels.cu, whose helpers they use.
#pragma once

#include "kernels.h"

namespace gammanet::cuda {
inline namespace kernels {

__global__ void column_chunks_kernel(ColumnSums a) {
  for_each_chunk(a.extent, [&](int64_t k, int64_t first, int64_t begin, int64_t end) {
    float sum = 0.0f;
    for (int64_t p = begin; p < end; ++p) {
      int64_t at = first + p * a.extent.channels;
      float value = load(a.a, at);
      sum += a.b.data == nullptr ? value : value * load(a.b, at);
    }
    a.scratch[k] = sum;
  });
}

__global__ void column_sums_kernel(ColumnSums a) {
  int64_t rows = a.extent.samples * reduce_chunks(a.extent.pixels);
  for_each_sum(a.extent.channels, [&](int64_t c, int lane) {
    double sum = 0;
    for (int64_t row = lane; row < rows; row += kWarp) {
      sum += a.scratch[row * a.extent.channels + c];
    }
    sum = warp_sum(sum);
    if (lane == 0) {
      a.out[c] += static_cast<float>(sum);
    }
  });
}

__global__ void mask_kernel(Mask a) {
  for_each_element(a.size, [&](int64_t k) {
    store(a.out, a.half, k, load(a.mask, k) > 0.0f ? load(a.a, k) : 0.0f);
  });
}

__global__ void bias_relu_kernel(BiasRelu a) {
  for_each_element(a.extent.samples * a.extent.pixels * a.extent.channels, [&](int64_t k) {
    float value = load(a.a, k) + (a.bias == nullptr ? 0.0f : a.bias[k % a.extent.channels]);
    store(a.out, a.half, k, a.relu ? relu(value) : value);
  });
}

__global__ void pool_kernel(Pool a) {
  int64_t height = a.height / 2, width = a.width / 2;
  for_each_element(a.samples * height * width * a.channels, [&](int64_t k) {
    int64_t c = k % a.channels, x = k / a.channels % width;
    int64_t y = k / a.channels / width % height, n = k / a.channels / width / height;
    float most = 0.0f;
    for (int corner = 0; corner < 4; ++corner) {
      int64_t row = n * a.height + 2 * y + corner / 2, column = 2 * x + corner % 2;
      float value = load(a.a, (row * a.width + column) * a.channels + c);
      // NaN wins, as in LibTorch.
      if (corner == 0 || value > most || value != value) {
        most = value;
      }
    }
    a.out[k] = a.bias == nullptr ? most : relu(most + a.bias[c]);
  });
}

struct Position {
  int64_t first, second;
  float fraction;
};

__device__ __forceinline__ Position position_of(int64_t index, int64_t from, int64_t to) {
  float scale = static_cast<float>(from) / static_cast<float>(to);
  float position = (static_cast<float>(index) + 0.5f) * scale - 0.5f;
  if (from == to) {
    position = static_cast<float>(index);
  }
  position = position < 0.0f ? 0.0f : position;
  int64_t first = static_cast<int64_t>(position);
  first = first < from - 1 ? first : from - 1;
  return {first, first + 1 < from ? first + 1 : first, position - static_cast<float>(first)};
}

__global__ void norm_elu_resize_kernel(NormEluResize a) {
  for_each_element(a.samples * a.out_height * a.out_width * a.channels, [&](int64_t k) {
    int64_t c = k % a.channels, x = k / a.channels % a.out_width;
    int64_t y = k / a.channels / a.out_width % a.out_height;
    int64_t n = k / a.channels / a.out_width / a.out_height;
    float mean = a.statistics.mean[0][n * a.channels + c];
    float r = a.statistics.r[0][n * a.channels + c];
    Position py = position_of(y, a.height, a.out_height), px = position_of(x, a.width, a.out_width);
    auto value = [&](int64_t row, int64_t column) {
      float v = (load(a.a, ((n * a.height + row) * a.width + column) * a.channels + c) - mean) * r;
      return v > 0.0f ? v : expm1f(v);
    };
    float top = (1.0f - px.fraction) * value(py.first, px.first) +
                px.fraction * value(py.first, px.second);
    float bottom = (1.0f - px.fraction) * value(py.second, px.first) +
                   px.fraction * value(py.second, px.second);
    a.out[k] = (1.0f - py.fraction) * top + py.fraction * bottom;
  });
}

__global__ void symmetric_kernel(Symmetric a) {
  int64_t k = a.kernel, in = a.in_channels;
  auto index = [&](bool last, int64_t o, int64_t i, int64_t y, int64_t x) {
    return last ? ((o * k + y) * k + x) * in + i : ((o * in + i) * k + y) * k + x;
  };
  for_each_element(static_cast<int64_t>(a.out_channels) * in * k * k, [&](int64_t at) {
    int64_t x = at % k, y = at / k % k, i = at / (k * k) % in, o = at / (k * k) / in;
    auto weight = [&](int64_t to, int64_t from, int64_t row, int64_t column) {
      return load(a.weight, a.weight_half, index(a.weight_last != 0, to, from, row, column));
    };
    float value = weight(o, i, y, x);
    if (a.symmetry == 1) {
      value = 0.5f * (value + weight(i, o, y, x));
    } else if (a.symmetry == 2) {
      value = 0.5f * (value + weight(o, i, x, y));
    } else if (a.symmetry == 3) {
      value = 0.25f * ((value + weight(i, o, y, x)) + (weight(o, i, x, y) + weight(i, o, x, y)));
    }
    int64_t to = index(a.out_last != 0, o, i, y, x);
    store(a.out, a.out_half, to, a.add ? load(a.out, a.out_half, to) + value : value);
  });
}

__global__ void add_forced_kernel(AddForced a) {
  for_each_element(a.size, [&](int64_t c) {
    float slope = 1.0f;
    if (a.forcing == 1) {
      float y = sigmoid(a.stored[c]);
      slope = y * (1.0f - y);
    } else if (a.forcing == 2) {
      slope = a.stored[c] > 0.0f ? 1.0f : 0.0f;
    }
    a.out[c] += a.grad[c] * slope;
  });
}

__global__ void forced_kernel(Forced a) {
  for_each_element(a.size, [&](int64_t c) { a.out[c] = forced(a.stored[c], a.forcing); });
}

}  // namespace kernels
}  // namespace gammanet::cuda
