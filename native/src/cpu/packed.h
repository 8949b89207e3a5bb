// Weights in the order in which the kernels read them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace gammanet {

inline int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// Outputs of a block, and of the smallest last one, in bfloat16 (tiles' two times 16).
constexpr int64_t kBlockBf16 = 32, kWidthBf16 = 16;

// A matrix for Kernels::product or product_bf16: blocks of Kernels::block (kBlockBf16) outputs, each
// [depth][outputs of the block], in bfloat16 [depth / 2][outputs of the block][2].
struct Panels {
  int64_t outputs = 0;  // a multiple of the vector's width (kWidthBf16)
  int64_t depth = 0;    // a multiple of Kernels::depth_bf16 in bfloat16
  Buffer<float> floats;
  Buffer<uint16_t> halves;
  const void* data() const {
    return floats.get() ? static_cast<const void*>(floats.get()) : halves.get();
  }
};

// A packed matrix: element (o, k) is weight[rows[o] + columns[k]], or 0 where one of them is
// negative.
Panels pack_panels(const Kernels& kernels, const float* weight, const std::vector<int64_t>& rows,
                   const std::vector<int64_t>& columns, bool bf16);
// The same from element(o, k), 0 <= o < outputs, 0 <= k < depth; slower.
Panels pack_panels(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
                   const std::function<float(int64_t o, int64_t k)>& element);

// bfloat16, rounded to nearest even.
uint16_t to_bf16(float value);
float from_bf16(uint16_t value);

}  // namespace gammanet
