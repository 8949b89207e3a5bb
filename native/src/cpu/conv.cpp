#include "conv.h"
#include "threads.h"

#include <algorithm>
#include <cmath>

namespace gammanet {

Conv::Conv(const float* weight, const float* bias_data, int64_t outputs_, int64_t inputs_,
           int64_t k_, int32_t algorithm_, int32_t precision_, int32_t symmetry_)
    : kernels(&gammanet::kernels()),
      algorithm(algorithm_),
      precision(precision_),
      symmetry(symmetry_),
      outputs(outputs_),
      inputs(inputs_),
      k(k_),
      has_bias(bias_data != nullptr),
      bias(static_cast<size_t>(round_up(outputs_, 16)), 0.0f),
      source_(weight) {
  if (has_bias) {
    std::copy(bias_data, bias_data + outputs, bias.begin());
  }
}

WinogradKernel::WinogradKernel() : g{} {
  const double a = kWinogradA, b = kWinogradB;
  const double points[5] = {0, a, -a, b, -b};
  for (int p = 0; p < 5; ++p) {
    double scale = 1;
    for (int q = 0; q < 5; ++q) {
      scale *= q == p ? 1 : points[p] - points[q];
    }
    for (int d = 0; d < 3; ++d) {
      g[p][d] = std::pow(points[p], d) / scale;
    }
  }
  g[5][2] = 1;
}

void check_precision(int32_t precision) {
  if (precision == GAMMANET_PRECISION_BFLOAT16 && kernels().product_bf16 == nullptr) {
    unavailable("bfloat16 is no faster than float32 with the instruction set in use (%s)",
                kernels().name);
  }
}

std::vector<float> symmetrized(const float* weight, int64_t c, int64_t k, int32_t symmetry) {
  const int64_t taps = k * k;
  std::vector<float> result(static_cast<size_t>(c * c * taps));
  for (int64_t o = 0, at = 0; o < c; ++o) {
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t y = 0; y < k; ++y) {
        for (int64_t x = 0; x < k; ++x, ++at) {
          const float w = weight[at];
          const float other_channels = weight[(i * c + o) * taps + y * k + x];
          const float other_space = weight[(o * c + i) * taps + x * k + y];
          result[static_cast<size_t>(at)] =
              symmetry == GAMMANET_SYMMETRY_NONE      ? w
              : symmetry == GAMMANET_SYMMETRY_CHANNEL ? 0.5f * (w + other_channels)
              : symmetry == GAMMANET_SYMMETRY_SPATIAL ? 0.5f * (w + other_space)
                              : 0.25f * (w + other_channels + other_space +
                                         weight[(i * c + o) * taps + x * k + y]);
        }
      }
    }
  }
  return result;
}

const float* Conv::weight(std::vector<float>& memory) const {
  if (symmetry == GAMMANET_SYMMETRY_NONE) {
    return source_;
  }
  memory = symmetrized(source_, outputs, k, symmetry);
  return memory.data();
}

const Panels& Conv::direct() const {
  std::call_once(direct_once_, [this] {
    const int64_t padded = bf16() ? round_up(inputs, k == 1 ? kernels->depth_bf16 : 2) : inputs;
    std::vector<int64_t> rows, columns;
    for (int64_t o = 0; o < outputs; ++o) {
      rows.push_back(o * inputs * k * k);
    }
    for (int64_t tap = 0; tap < k * k; ++tap) {
      for (int64_t c = 0; c < padded; ++c) {
        columns.push_back(c < inputs ? c * k * k + tap : -1);
      }
      // A line of the kernel is one operand.
      while (bf16() && tap % k == k - 1 &&
             static_cast<int64_t>(columns.size()) % kernels->depth_bf16 != 0) {
        columns.push_back(-1);
      }
    }
    std::vector<float> memory;
    direct_ = pack_panels(*kernels, weight(memory), rows, columns, bf16());
  });
  return direct_;
}

const Panels& Conv::winograd() const {
  std::call_once(winograd_once_, [this] {
    std::vector<float> memory;
    const float* from = weight(memory);
    const auto& g = WinogradKernel().g;
    winograd_.outputs = round_up(outputs, kernels->width);
    winograd_.depth = inputs;
    const int64_t padded = winograd_.outputs, plane_size = padded * inputs;
    winograd_.floats = Buffer<float>(static_cast<size_t>(36 * plane_size));
    // A block of outputs at a time, each step for all of them.
    const int64_t block = kernels->block;
    parallel_for((padded + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
      constexpr int64_t kMost = 32;
      double w[9][kMost], half[6][3][kMost];
      for (int64_t first = begin * block; first < std::min(end * block, padded); first += block) {
        const int64_t count = std::min(block, padded - first);
        for (int64_t i = 0; i < inputs; ++i) {
          for (int64_t j = 0; j < count; ++j) {
            const int64_t o = first + j;
            for (int64_t tap = 0; tap < 9; ++tap) {
              w[tap][j] = o < outputs ? from[(o * inputs + i) * 9 + tap] : 0.0f;
            }
          }
          for (int y = 0; y < 6; ++y) {
            for (int x = 0; x < 3; ++x) {
              for (int64_t j = 0; j < count; ++j) {
                half[y][x][j] = g[y][0] * w[x][j] + g[y][1] * w[3 + x][j] + g[y][2] * w[6 + x][j];
              }
            }
          }
          for (int plane = 0; plane < 36; ++plane) {
            const auto& in = half[plane / 6];
            const double* factors = g[plane % 6];
            float* out = winograd_.floats.get() + plane * plane_size + first * inputs + i * count;
            for (int64_t j = 0; j < count; ++j) {
              out[j] = static_cast<float>(factors[0] * in[0][j] + factors[1] * in[1][j] +
                                          factors[2] * in[2][j]);
            }
          }
        }
      }
    });
  });
  return winograd_;
}

const Conv& Conv::transposed() const {
  std::call_once(transposed_once_, [this] {
    const int64_t taps = k * k;
    std::vector<float> memory, turned(static_cast<size_t>(outputs * inputs * taps));
    const float* from = weight(memory);
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t t = 0; t < taps; ++t) {
          turned[static_cast<size_t>((i * outputs + o) * taps + taps - 1 - t)] =
              from[(o * inputs + i) * taps + t];
        }
      }
    }
    auto result = std::make_unique<Conv>(
        nullptr, nullptr, inputs, outputs, k, algorithm, precision);
    result->kernels = kernels;
    result->own_ = std::move(turned);
    result->source_ = result->own_.data();
    transposed_ = std::move(result);
  });
  return *transposed_;
}


}  // namespace gammanet
