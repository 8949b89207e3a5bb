// Memory of feature maps, packed weights and temporary values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gammanet_native.h"

namespace gammanet {

// Aligned to cache lines, for at least one byte. Throws std::bad_alloc.
void* allocate(size_t bytes);
void deallocate(void* memory) noexcept;

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) : data_(static_cast<T*>(allocate(size * sizeof(T)))) {}
  T* get() const { return data_.get(); }
  T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  struct Delete {
    void operator()(T* p) const { deallocate(p); }
  };
  std::unique_ptr<T, Delete> data_;
};

// A new tensor [n, c, h, w] on the CPU, channels last, contents unspecified.
AtenTensorHandle new_feature_map(int64_t n, int64_t c, int64_t h, int64_t w);

// How many free bytes are kept at most, apart from gaps between living blocks.
void keep_memory(size_t bytes);
// Returns all free memory to the system.
void release_memory();

// ---- Scratch memory: kept between calls, contents undefined ----

enum ScratchPurpose {
  // Belong to one call and are seen by all of its threads: of a cell, and of a convolution, which
  // may be part of a cell.
  kCellScratch,
  kConvScratch,
  // Belong to one range of parallel_for, the second to a convolution in it.
  kThreadScratch,
  kThreadConvScratch,
  kScratchPurposes
};

// Each purpose of each thread has one block; a later request may move it.
float* scratch(ScratchPurpose purpose, size_t floats);
void release_scratch();

}  // namespace gammanet
