// Memory of maps. A pass makes and deletes the same maps again and again; memory that goes back to
// the system in between has to be cleared by it again, page by page, and glibc's aligned allocation
// (before 2.38) finds no place for a block in the hole that an equal one has left, so that a heap
// grows with every pass. Here a map goes into the first hole of a segment that takes it, and leaves
// a hole that joins its neighbours. Packed weights and large temporary memory lie there, too.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#ifndef _WIN32
#include <sys/mman.h>
#endif

#include "cpu/packed.h"
#include "torch.h"

namespace gammanet {
namespace {

constexpr size_t kSegment = size_t{128} << 20;
constexpr size_t kHugePage = size_t{2} << 20;

char* map_pages(size_t bytes) {
#ifdef _WIN32
  return static_cast<char*>(_aligned_malloc(bytes, 64));
#else
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<char*>(memory);
#endif
}

void unmap_pages(char* memory, size_t bytes) {
#ifdef _WIN32
  (void)bytes;
  _aligned_free(memory);
#else
  munmap(memory, bytes);
#endif
}

class Store {
 public:
  void* take(size_t wanted) {
    // Neighbours a multiple of 4 KB apart would share the same lines of the cache.
    const size_t bytes = (wanted + 63) / 64 * 64 + 320;
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& segment : segments_) {
      if (segment->free < bytes) {
        continue;
      }
      for (auto hole = segment->holes.begin(); hole != segment->holes.end(); ++hole) {
        if (hole->second >= bytes) {
          char* memory = hole->first;
          const size_t rest = hole->second - bytes;
          segment->holes.erase(hole);
          if (rest > 0) {
            segment->holes.emplace(memory + bytes, rest);
          }
          return took(*segment, memory, bytes);
        }
      }
    }
    const size_t size = std::max(kSegment, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    auto segment = std::make_unique<Segment>();
    segment->memory = map_pages(size);
    if (segment->memory == nullptr) {
      trim(0);
      segment->memory = map_pages(size);
    }
    if (segment->memory == nullptr) {
      throw std::bad_alloc();
    }
    segment->bytes = segment->free = size;
    free_ += size;
    if (size > bytes) {
      segment->holes.emplace(segment->memory + bytes, size - bytes);
    }
    segments_.push_back(std::move(segment));
    return took(*segments_.back(), segments_.back()->memory, bytes);
  }

  // Whether the memory was from here, and is now free.
  bool give(void* pointer) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    char* memory = static_cast<char*>(pointer);
    const auto entry = taken_.find(memory);
    if (entry == taken_.end()) {
      return false;
    }
    size_t bytes = entry->second;
    taken_.erase(entry);
    Segment& segment = **std::find_if(segments_.begin(), segments_.end(), [&](const auto& s) {
      return s->memory <= memory && memory < s->memory + s->bytes;
    });
    segment.free += bytes;
    free_ += bytes;
    auto after = segment.holes.lower_bound(memory);
    if (after != segment.holes.end() && after->first == memory + bytes) {
      bytes += after->second;
      after = segment.holes.erase(after);
    }
    if (after != segment.holes.begin()) {
      auto before = std::prev(after);
      if (before->first + before->second == memory) {
        before->second += bytes;
        bytes = 0;
      }
    }
    if (bytes > 0) {
      segment.holes.emplace_hint(after, memory, bytes);
    }
    trim(keep_);
    return true;
  }

  void keep(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    keep_ = bytes;
    trim(keep_);
  }

  void release() {
    std::lock_guard<std::mutex> lock(mutex_);
    trim(0);
#if !defined(_WIN32) && defined(MADV_DONTNEED)
    for (auto& segment : segments_) {
      for (auto& hole : segment->holes) {
        const uintptr_t first = (reinterpret_cast<uintptr_t>(hole.first) + kHugePage - 1);
        const uintptr_t last = reinterpret_cast<uintptr_t>(hole.first + hole.second);
        char* from = reinterpret_cast<char*>(first / kHugePage * kHugePage);
        char* to = reinterpret_cast<char*>(last / kHugePage * kHugePage);
        if (from < to) {
          madvise(from, static_cast<size_t>(to - from), MADV_DONTNEED);
        }
      }
    }
#endif
  }

 private:
  struct Segment {
    char* memory = nullptr;
    size_t bytes = 0, free = 0;
    // By address; never two side by side.
    std::map<char*, size_t> holes;
  };

  void* took(Segment& segment, char* memory, size_t bytes) {
    segment.free -= bytes;
    free_ -= bytes;
    taken_.emplace(memory, bytes);
    return memory;
  }

  // Gives empty segments back, the youngest first, while more than `most` bytes are free.
  void trim(size_t most) noexcept {
    for (size_t i = segments_.size(); i-- > 0 && free_ > most;) {
      if (segments_[i]->free == segments_[i]->bytes) {
        free_ -= segments_[i]->bytes;
        unmap_pages(segments_[i]->memory, segments_[i]->bytes);
        segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  std::mutex mutex_;
  // In the order in which they were made: the first ones fill first.
  std::vector<std::unique_ptr<Segment>> segments_;
  std::unordered_map<char*, size_t> taken_;
  size_t free_ = 0, keep_ = size_t{2} << 30;
};

// Never destroyed: tensors may outlive everything.
Store& store() {
  static Store* instance = new Store;
  return *instance;
}

// LibTorch 2.11 hands over the first argument only.
void give_back(void* memory, void*) { store().give(memory); }

using FromBlob = int32_t (*)(void* data, int64_t ndim, const int64_t* sizes,
                             const int64_t* strides, int64_t storage_offset, int32_t dtype,
                             int32_t device_type, int32_t device_index, AtenTensorHandle* ret,
                             int32_t layout, const uint8_t* metadata, int64_t metadata_size,
                             void (*deleter)(void*, void*), void* context);

// Below it, the C library is as good.
constexpr size_t kLarge = size_t{64} << 10;

}  // namespace

void* allocate(size_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // which finds no error inside of a segment
  if (bytes >= kLarge) {
    return store().take(bytes);
  }
#endif
  void* memory = nullptr;
#ifdef _WIN32
  memory = _aligned_malloc(bytes, 64);
#else
  if (posix_memalign(&memory, 64, bytes) != 0) {
    memory = nullptr;
  }
#endif
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

void deallocate(void* memory) {
  if (memory == nullptr || store().give(memory)) {
    return;
  }
#ifdef _WIN32
  _aligned_free(memory);
#else
  std::free(memory);
#endif
}

void release_map_memory() { store().release(); }

}  // namespace gammanet

using namespace gammanet;

GAMMANET_API int32_t gammanet_map_new(int64_t n, int64_t c, int64_t h, int64_t w,
                                      AtenTensorHandle* ret) {
  return guarded([&] {
    if (ret == nullptr) {
      invalid("ret is null");
    }
    int64_t bytes = 4;
    for (int64_t size : {n, c, h, w}) {
      if (size <= 0 || __builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 2) {
        invalid("a map cannot be [%lld, %lld, %lld, %lld]", static_cast<long long>(n),
                static_cast<long long>(c), static_cast<long long>(h), static_cast<long long>(w));
      }
    }
    const Torch& t = torch();
    static const auto from_blob = reinterpret_cast<FromBlob>(torch_symbol("torch_from_blob"));
    if (from_blob == nullptr) {
      unavailable("this LibTorch lacks torch_from_blob");
    }
    const int64_t sizes[4] = {n, c, h, w}, strides[4] = {h * w * c, 1, w * c, c};
    void* memory = store().take(static_cast<size_t>(bytes));
    AtenTensorHandle map = nullptr;
    // -1: the CPU has no number; 0: the strided layout.
    const int32_t status = from_blob(memory, 4, sizes, strides, 0, t.dtype_float32, t.device_cpu,
                                     -1, &map, 0, nullptr, 0, give_back, nullptr);
    if (status != 0) {
      store().give(memory);
      torch_check(status, "torch_from_blob");
    }
    *ret = map;
  });
}

GAMMANET_API int32_t gammanet_keep_map_memory(int64_t bytes) {
  return guarded([&] {
    if (bytes < 0) {
      invalid("the memory to keep cannot be %lld bytes", static_cast<long long>(bytes));
    }
    store().keep(static_cast<size_t>(bytes));
  });
}
