// Compiled once for each instruction set, with GAMMANET_ISA as its name.
#include "kernels.h"

#include <math.h>

#include "simd.h"

namespace gammanet {
namespace {

void layer_norm(const float* x, const float* weight, const float* bias, float* out, int64_t pixels,
                int64_t c) {
  const int64_t whole = c - c % kWidth, rest = c % kWidth;
  for (int64_t p = 0; p < pixels; ++p, x += c, out += c) {
    Vec total = {};
    for (int64_t k = 0; k < whole; k += kWidth) {
      total += load(x + k);
    }
    if (rest) {
      total += load_part(x + whole, rest);
    }
    const float mean = sum(total) / static_cast<float>(c);
    Vec squares = {};
    for (int64_t k = 0; k < whole; k += kWidth) {
      const Vec d = load(x + k) - mean;
      squares += d * d;
    }
    float square = sum(squares);
    for (int64_t k = whole; k < c; ++k) {
      square += (x[k] - mean) * (x[k] - mean);
    }
    const float scale = 1.0f / sqrtf(square / static_cast<float>(c) + 1e-5f);
    for (int64_t k = 0; k < whole; k += kWidth) {
      Vec y = (load(x + k) - mean) * scale;
      if (weight) {
        y = y * load(weight + k) + load(bias + k);
      }
      store(out + k, y);
    }
    for (int64_t k = whole; k < c; ++k) {
      const float y = (x[k] - mean) * scale;
      out[k] = weight ? y * weight[k] + bias[k] : y;
    }
  }
}

}  // namespace

#define GAMMANET_TABLE_NAME(isa) GAMMANET_JOIN(kernels_, isa)
#define GAMMANET_JOIN(a, b) a##b
#define GAMMANET_TEXT(isa) GAMMANET_QUOTE(isa)
#define GAMMANET_QUOTE(x) #x

extern const Kernels GAMMANET_TABLE_NAME(GAMMANET_ISA);
const Kernels GAMMANET_TABLE_NAME(GAMMANET_ISA) = {
    GAMMANET_TEXT(GAMMANET_ISA),
    kWidth,
    layer_norm,
};

}  // namespace gammanet
