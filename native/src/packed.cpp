#include "packed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gammanet {

uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value)) {
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  }
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

void check_algorithm(int32_t algorithm, int32_t precision) {
  if (algorithm < GAMMANET_ALGORITHM_AUTO || algorithm > GAMMANET_ALGORITHM_WINOGRAD) {
    invalid("there is no algorithm %d", static_cast<int>(algorithm));
  }
  if (precision != GAMMANET_PRECISION_FLOAT32 && precision != GAMMANET_PRECISION_BFLOAT16) {
    invalid("there is no precision %d", static_cast<int>(precision));
  }
  if (precision == GAMMANET_PRECISION_BFLOAT16 && kernels().product_bf16 == nullptr) {
    unavailable("this processor or the instruction set in use (%s) has no bfloat16 arithmetic",
                kernels().name);
  }
}

Panels pack_panels(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
                   const std::function<float(int64_t o, int64_t k)>& element) {
  Panels p;
  p.outputs = round_up(outputs, kernels.width);
  p.depth = bf16 ? round_up(depth, 2) : depth;
  const size_t size = static_cast<size_t>(p.outputs * p.depth);
  if (bf16) {
    p.halves = Buffer<uint16_t>(size);
  } else {
    p.floats = Buffer<float>(size);
  }
  size_t at = 0;
  const int64_t group = bf16 ? 2 : 1;
  for (int64_t first = 0; first < p.outputs; first += kernels.block) {
    const int64_t last = std::min(first + kernels.block, p.outputs);
    for (int64_t k = 0; k < p.depth; k += group) {
      for (int64_t o = first; o < last; ++o) {
        for (int64_t j = k; j < k + group; ++j) {
          const float w = o < outputs && j < depth ? element(o, j) : 0.0f;
          if (bf16) {
            p.halves[at++] = to_bf16(w);
          } else {
            p.floats[at++] = w;
          }
        }
      }
    }
  }
  return p;
}

std::vector<float> symmetrised(const float* weight, int64_t c, int64_t k, int32_t symmetry) {
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
              symmetry == 0   ? w
              : symmetry == 1 ? 0.5f * (w + other_channels)
              : symmetry == 2 ? 0.5f * (w + other_space)
                              : 0.25f * (w + other_channels + other_space +
                                         weight[(i * c + o) * taps + x * k + y]);
        }
      }
    }
  }
  return result;
}

void fill_conv(GammanetConvOpaque& conv, const float* weight, const float* bias, int64_t outputs,
               int64_t inputs, int64_t k, int32_t algorithm, int32_t precision) {
  conv.kernels = &kernels();
  conv.algorithm = algorithm;
  conv.precision = precision;
  conv.outputs = outputs;
  conv.inputs = inputs;
  conv.k = k;
  conv.weight.assign(weight, weight + outputs * inputs * k * k);
  conv.bias.assign(static_cast<size_t>(round_up(outputs, 16)), 0.0f);
  conv.has_bias = bias != nullptr;
  if (bias) {
    std::copy(bias, bias + outputs, conv.bias.begin());
  }
}

int64_t tile_rows(int64_t c) { return 12 * std::max<int64_t>(4, std::min<int64_t>(20, 1600 / c)); }

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

using namespace gammanet;

const Panels& GammanetConvOpaque::direct() const {
  std::call_once(direct_once_, [this] {
    const int64_t i = bf16() ? round_up(inputs, 2) : inputs;
    direct_ = pack_panels(*kernels, outputs, k * k * i, bf16(), [&](int64_t o, int64_t d) {
      const int64_t tap = d / i, c = d % i;
      return c < inputs ? weight[static_cast<size_t>((o * inputs + c) * k * k + tap)] : 0.0f;
    });
  });
  return direct_;
}

const std::vector<Panels>& GammanetConvOpaque::winograd() const {
  std::call_once(winograd_once_, [this] {
    const double a = kWinogradA, b = kWinogradB;
    const double points[5] = {0, a, -a, b, -b};
    double g[6][3] = {};
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
    // Transformed once into [36][outputs][inputs], then packed.
    std::vector<float> transformed(static_cast<size_t>(36 * outputs * inputs));
    parallel_for(outputs, 8, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin * inputs; at < end * inputs; ++at) {
        const float* w = weight.data() + at * 9;
        double half[6][3];
        for (int y = 0; y < 6; ++y) {
          for (int x = 0; x < 3; ++x) {
            half[y][x] = g[y][0] * w[x] + g[y][1] * w[3 + x] + g[y][2] * w[6 + x];
          }
        }
        for (int y = 0; y < 6; ++y) {
          for (int x = 0; x < 6; ++x) {
            transformed[static_cast<size_t>((y * 6 + x) * outputs * inputs + at)] =
                static_cast<float>(g[x][0] * half[y][0] + g[x][1] * half[y][1] +
                                   g[x][2] * half[y][2]);
          }
        }
      }
    });
    std::vector<Panels> planes(36);
    parallel_for(36, 1, [&](int64_t begin, int64_t end) {
      for (int64_t plane = begin; plane < end; ++plane) {
        const float* u = transformed.data() + plane * outputs * inputs;
        planes[static_cast<size_t>(plane)] =
            pack_panels(*kernels, outputs, inputs, false,
                        [&](int64_t o, int64_t i) { return u[o * inputs + i]; });
      }
    });
    winograd_ = std::move(planes);
  });
  return winograd_;
}
