// Sizes of the pieces of work that a thread does at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gammanet {

// Rows of c floats whose products stay in the second-level cache.
inline int64_t tile_rows(int64_t c) {
  return 12 * std::max<int64_t>(4, std::min<int64_t>(10, 800 / c));
}

}  // namespace gammanet
