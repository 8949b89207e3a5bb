// The tile instructions in plain loops, so that tile_product.h is tested on every processor.
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "tile_product.h"

namespace gammanet {
namespace {

float widened(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

struct Scalar {
  static void configure(int64_t rows) {
    memset(tiles, 0xFF, sizeof tiles);  // NaN: contents are lost
    height = rows;
  }
  template <int T>
  static void zero() {
    memset(tiles[T], 0, sizeof tiles[T]);
  }
  template <int T>
  static void load(const void* p, int64_t stride) {
    for (int64_t r = 0; r < rows(T); ++r) {
      memcpy(tiles[T] + r * 64, static_cast<const char*>(p) + r * stride, 64);
    }
  }
  template <int T>
  static void store(void* p, int64_t stride) {
    for (int64_t r = 0; r < rows(T); ++r) {
      memcpy(static_cast<char*>(p) + r * stride, tiles[T] + r * 64, 64);
    }
  }
  template <int T, int A, int B>
  static void multiply() {
    for (int64_t m = 0; m < rows(T); ++m) {
      for (int64_t n = 0; n < 16; ++n) {
        float sum = 0;
        for (int64_t k = 0; k < 16; ++k) {
          for (int64_t j = 0; j < 2; ++j) {
            uint16_t a, b;
            memcpy(&a, tiles[A] + m * 64 + (2 * k + j) * 2, 2);
            memcpy(&b, tiles[B] + k * 64 + (2 * n + j) * 2, 2);
            sum += widened(a) * widened(b);
          }
        }
        float total;
        memcpy(&total, tiles[T] + m * 64 + n * 4, 4);
        total += sum;
        memcpy(tiles[T] + m * 64 + n * 4, &total, 4);
      }
    }
  }
  static int64_t rows(int tile) { return tile < 6 ? height : 16; }

  static thread_local char tiles[8][16 * 64];
  static thread_local int64_t height;
};
thread_local char Scalar::tiles[8][16 * 64];
thread_local int64_t Scalar::height = 16;

uint16_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>(value != value ? (bits >> 16) | 0x40
                                              : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

void product_bf16_scalar(const Product& p) { tile_product<Scalar>(p); }

void convert_bf16_scalar(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                         int64_t out_stride, int64_t padded) {
  for (int64_t r = 0; r < rows; ++r, x += stride, out += out_stride) {
    for (int64_t k = 0; k < padded; ++k) {
      out[k] = k < c ? rounded(x[k]) : static_cast<uint16_t>(0);
    }
  }
}

void gradient_bf16_scalar(const Bf16Gradient& g) { tile_gradient<Scalar>(g); }

void pack_outputs_bf16_scalar(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                              int64_t plane) {
  for (int64_t k = 0; k < (c + 15) / 16 * 16; ++k) {
    for (int64_t r = 0; r < count; ++r) {
      out[k / 16 * plane + r / 32 * 512 + k % 16 * 32 + r % 32] =
          rows[r] && k < c ? rounded(rows[r][k]) : static_cast<uint16_t>(0);
    }
  }
}

void pack_inputs_bf16_scalar(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                             int64_t plane) {
  for (int64_t k = 0; k < (c + 15) / 16 * 16; ++k) {
    for (int64_t r = 0; r < count; ++r) {
      out[k / 16 * plane + r / 2 * 32 + k % 16 * 2 + r % 2] =
          rows[r] && k < c ? rounded(rows[r][k]) : static_cast<uint16_t>(0);
    }
  }
}

}  // namespace gammanet
