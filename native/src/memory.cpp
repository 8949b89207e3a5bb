#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "system.h"
#include "torch.h"

namespace gammanet {
namespace {

// A pass allocates and deletes the same feature maps again and again. Memory that goes back to the
// system in between has to be cleared by it again, page by page, and glibc's aligned allocation
// (before 2.38) finds no room for a block in the hole that an equal one has left, so that a heap
// grows with every pass. Here a block goes into the first free one that is large enough, and joins
// its free neighbors when it is freed. What the allocator knows of a block stands in front of it:
// freeing allocates nothing and cannot fail.
class Heap {
 public:
  void* allocate(size_t wanted) {
    // Neighbors a multiple of 4 KB apart would share the same lines of the cache.
    const size_t bytes = (wanted + kAlignment - 1) / kAlignment * kAlignment + 5 * kAlignment;
    std::lock_guard<std::mutex> lock(mutex_);
    for (Segment& segment : segments_) {
      if (segment.free >= bytes) {
        for (Block* block = segment.first(); block != nullptr; block = segment.after(block)) {
          if (block->free && block->bytes >= bytes) {
            return use(segment, block, bytes);
          }
        }
      }
    }
    const size_t size = std::max(kSegment, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    segments_.reserve(segments_.size() + 1);
    char* memory = static_cast<char*>(map_pages(size));
    if (memory == nullptr) {
      trim(0);
      memory = static_cast<char*>(map_pages(size));
    }
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    segments_.push_back({memory, size, size});
    free_ += size;
    Block* block = new (memory) Block{size, nullptr, true};
    return use(segments_.back(), block, bytes);
  }

  // Whether the memory belongs to this heap, and is now free.
  bool deallocate(void* pointer) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    Segment* segment = segment_of(static_cast<char*>(pointer));
    if (segment == nullptr) {
      return false;
    }
    Block* block = reinterpret_cast<Block*>(static_cast<char*>(pointer) - kAlignment);
    segment->free += block->bytes;
    free_ += block->bytes;
    block->free = true;
    if (Block* next = segment->after(block); next != nullptr && next->free) {
      block->bytes += next->bytes;
    }
    if (block->previous != nullptr && block->previous->free) {
      block->previous->bytes += block->bytes;
      block = block->previous;
    }
    if (Block* next = segment->after(block)) {
      next->previous = block;
    }
    trim(keep_);
    return true;
  }

  void keep(size_t bytes) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    keep_ = bytes;
    trim(keep_);
  }

  void release() noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    trim(0);
    for (Segment& segment : segments_) {
      for (Block* block = segment.first(); block != nullptr; block = segment.after(block)) {
        const uintptr_t begin = reinterpret_cast<uintptr_t>(block) + kAlignment;
        const uintptr_t end = reinterpret_cast<uintptr_t>(block) + block->bytes;
        const uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
        const uintptr_t last = end / kHugePage * kHugePage;
        if (block->free && first < last) {
          drop_pages(reinterpret_cast<void*>(first), last - first);
        }
      }
    }
  }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kSegment = size_t{128} << 20;
  static constexpr size_t kHugePage = size_t{2} << 20;

  // In front of the memory that is handed out. Blocks cover a segment; two free ones never touch.
  struct Block {
    size_t bytes;  // with this header
    Block* previous;
    bool free;
  };
  static_assert(sizeof(Block) <= kAlignment, "a header fits in front of aligned memory");

  struct Segment {
    char* memory;
    size_t bytes, free;
    Block* first() const { return reinterpret_cast<Block*>(memory); }
    Block* after(Block* block) const {
      char* next = reinterpret_cast<char*>(block) + block->bytes;
      return next == memory + bytes ? nullptr : reinterpret_cast<Block*>(next);
    }
  };

  Segment* segment_of(const char* memory) noexcept {
    for (Segment& segment : segments_) {
      if (segment.memory <= memory && memory < segment.memory + segment.bytes) {
        return &segment;
      }
    }
    return nullptr;
  }

  void* use(Segment& segment, Block* block, size_t bytes) noexcept {
    if (block->bytes > bytes + kAlignment) {
      Block* next = segment.after(block);
      Block* rest = new (reinterpret_cast<char*>(block) + bytes)
          Block{block->bytes - bytes, block, true};
      block->bytes = bytes;
      if (next != nullptr) {
        next->previous = rest;
      }
    }
    block->free = false;
    segment.free -= block->bytes;
    free_ -= block->bytes;
    return reinterpret_cast<char*>(block) + kAlignment;
  }

  // Unmaps empty segments, the youngest first, while more than `limit` bytes are free.
  void trim(size_t limit) noexcept {
    for (size_t i = segments_.size(); i-- > 0 && free_ > limit;) {
      const Segment segment = segments_[i];
      if (segment.free == segment.bytes) {
        free_ -= segment.bytes;
        unmap_pages(segment.memory, segment.bytes);
        segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  std::mutex mutex_;
  // In the order in which they were mapped: the first ones fill first.
  std::vector<Segment> segments_;
  size_t free_ = 0, keep_ = size_t{2} << 30;
};

// Never destroyed: tensors may outlive everything.
Heap& heap() {
  static Heap* instance = new Heap;
  return *instance;
}

void delete_memory(void* data, void*) { heap().deallocate(data); }

// Smaller blocks are left to the C library.
constexpr size_t kLarge = size_t{64} << 10;

}  // namespace

void* allocate(size_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // which finds no error inside of a segment
  if (bytes >= kLarge) {
    return heap().allocate(bytes);
  }
#endif
  void* memory = allocate_aligned(std::max<size_t>(bytes, 1));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

void deallocate(void* memory) noexcept {
  if (memory != nullptr && !heap().deallocate(memory)) {
    free_aligned(memory);
  }
}

void keep_memory(size_t bytes) { heap().keep(bytes); }

void release_memory() { heap().release(); }

AtenTensorHandle new_feature_map(int64_t n, int64_t c, int64_t h, int64_t w) {
  const int64_t sizes[4] = {n, c, h, w}, strides[4] = {h * w * c, 1, w * c, c};
  const Torch& t = torch();
  void* memory = heap().allocate(static_cast<size_t>(n * c * h * w) * sizeof(float));
  AtenTensorHandle map = nullptr;
  // Device index -1: the CPU has none; layout 0: strided.
  const int32_t status = t.from_blob(memory, 4, sizes, strides, 0, t.dtype_float32, t.device_cpu,
                                     -1, &map, 0, nullptr, 0, delete_memory, nullptr);
  if (status != 0) {
    heap().deallocate(memory);
    torch_check(status, "torch_from_blob");
  }
  return map;
}

// ---- Scratch memory ----

namespace {

struct ThreadBlocks;
std::mutex& blocks_mutex() {
  static std::mutex* mutex = new std::mutex;  // outlives the threads that end after main
  return *mutex;
}
std::vector<ThreadBlocks*>& all_blocks() {
  static auto* blocks = new std::vector<ThreadBlocks*>;
  return *blocks;
}

struct ThreadBlocks {
  Buffer<float> data[kScratchPurposes];
  size_t floats[kScratchPurposes] = {};

  ThreadBlocks() {
    std::lock_guard<std::mutex> lock(blocks_mutex());
    all_blocks().push_back(this);
  }
  ~ThreadBlocks() {
    std::lock_guard<std::mutex> lock(blocks_mutex());
    auto& all = all_blocks();
    all.erase(std::find(all.begin(), all.end(), this));
  }
  void release(int purpose) {
    data[purpose] = Buffer<float>();
    floats[purpose] = 0;
  }
};

thread_local ThreadBlocks thread_blocks;

}  // namespace

float* scratch(ScratchPurpose purpose, size_t floats) {
  ThreadBlocks& blocks = thread_blocks;
  if (blocks.floats[purpose] < floats) {
    blocks.release(purpose);
    blocks.data[purpose] = Buffer<float>(floats);
    blocks.floats[purpose] = floats;
  }
  return blocks.data[purpose].get();
}

void release_scratch() {
  std::lock_guard<std::mutex> lock(blocks_mutex());
  for (ThreadBlocks* blocks : all_blocks()) {
    for (int purpose = 0; purpose < kScratchPurposes; ++purpose) {
      blocks->release(purpose);
    }
  }
}

}  // namespace gammanet
