// Sizes of the pieces of work that a thread does at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gammanet {

// Rows of c floats whose products stay in the second-level cache: whole tiles of a product, whose
// sums are 12 rows in registers, and two times 16 in tile instructions.
inline int64_t tile_rows(int64_t c, bool tiles) {
  return tiles ? 32 * std::max<int64_t>(2, std::min<int64_t>(4, 320 / c))
               : 12 * std::max<int64_t>(4, std::min<int64_t>(10, 800 / c));
}

}  // namespace gammanet
