#include "packed.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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

namespace {

template <class Element>
Panels packed(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
              const Element& element) {
  Panels p;
  p.outputs = round_up(outputs, kernels.width);
  p.depth = bf16 ? round_up(depth, 2) : depth;
  const size_t size = static_cast<size_t>(p.outputs * p.depth);
  if (bf16) {
    p.halves = Buffer<uint16_t>(size);
  } else {
    p.floats = Buffer<float>(size);
  }
  const int64_t group = bf16 ? 2 : 1;
  const int64_t blocks = (p.outputs + kernels.block - 1) / kernels.block;
  parallel_for(blocks, 1 + 65536 / (kernels.block * p.depth), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kernels.block;
      const int64_t last = std::min(first + kernels.block, p.outputs);
      int64_t at = first * p.depth;
      for (int64_t k = 0; k < p.depth; k += group) {
        for (int64_t o = first; o < last; ++o) {
          for (int64_t j = k; j < k + group; ++j, ++at) {
            const float w = o < outputs && j < depth ? element(o, j) : 0.0f;
            if (bf16) {
              p.halves[static_cast<size_t>(at)] = to_bf16(w);
            } else {
              p.floats[static_cast<size_t>(at)] = w;
            }
          }
        }
      }
    }
  });
  return p;
}

}  // namespace

Panels pack_panels(const Kernels& kernels, const float* weight, const std::vector<int64_t>& rows,
                   const std::vector<int64_t>& columns, bool bf16) {
  const int64_t *row = rows.data(), *column = columns.data();
  return packed(kernels, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()),
                bf16, [=](int64_t o, int64_t k) {
                  return (row[o] | column[k]) < 0 ? 0.0f : weight[row[o] + column[k]];
                });
}

Panels pack_panels(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
                   const std::function<float(int64_t o, int64_t k)>& element) {
  return packed(kernels, outputs, depth, bf16, element);
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
  conv.source = weight;
  conv.bias.assign(static_cast<size_t>(round_up(outputs, 16)), 0.0f);
  conv.has_bias = bias != nullptr;
  if (bias) {
    std::copy(bias, bias + outputs, conv.bias.begin());
  }
}

int64_t tile_rows(int64_t c) { return 12 * std::max<int64_t>(4, std::min<int64_t>(10, 800 / c)); }

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

const float* GammanetConvOpaque::weight(std::vector<float>& memory) const {
  if (symmetry == 0) {
    return source;
  }
  memory = symmetrised(source, outputs, k, symmetry);
  return memory.data();
}

const Panels& GammanetConvOpaque::direct() const {
  std::call_once(direct_once_, [this] {
    const int64_t padded = bf16() ? round_up(inputs, 2) : inputs;
    std::vector<int64_t> rows, columns;
    for (int64_t o = 0; o < outputs; ++o) {
      rows.push_back(o * inputs * k * k);
    }
    for (int64_t tap = 0; tap < k * k; ++tap) {
      for (int64_t c = 0; c < padded; ++c) {
        columns.push_back(c < inputs ? c * k * k + tap : -1);
      }
    }
    std::vector<float> memory;
    direct_ = pack_panels(*kernels, weight(memory), rows, columns, bf16());
  });
  return direct_;
}

const Panels& GammanetConvOpaque::winograd() const {
  std::call_once(winograd_once_, [this] {
    std::vector<float> memory;
    const float* from = weight(memory);
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
