#include "packed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "threads.h"

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

namespace {

template <class Element>
Panels packed(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
              const Element& element) {
  Panels p;
  const int64_t block_size = bf16 ? kBlockBf16 : kernels.block;
  p.outputs = round_up(outputs, bf16 ? kWidthBf16 : kernels.width);
  p.depth = bf16 ? round_up(depth, kernels.depth_bf16) : depth;
  const size_t size = static_cast<size_t>(p.outputs * p.depth);
  if (bf16) {
    p.halves = Buffer<uint16_t>(size);
  } else {
    p.floats = Buffer<float>(size);
  }
  const int64_t group = bf16 ? 2 : 1;
  const int64_t blocks = (p.outputs + block_size - 1) / block_size;
  parallel_for(blocks, 1 + 65536 / (block_size * p.depth), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * block_size;
      const int64_t last = std::min(first + block_size, p.outputs);
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

}  // namespace gammanet
