// What the library needs of LibTorch, found at run time, and the checks of tensors at its border.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "gammanet_native.h"

namespace gammanet {

// Ends a call: becomes its status and the text of gammanet_last_error.
struct Failure : std::exception {
  Failure(int32_t code, std::string message) : status(code), text(std::move(message)) {}
  const char* what() const noexcept override { return text.c_str(); }
  int32_t status;
  std::string text;
};

// A Failure with GAMMANET_INVALID_ARGUMENT, its text made as by printf.
[[noreturn]] void invalid(const char* format, ...) __attribute__((format(printf, 1, 2)));

// A Failure with GAMMANET_UNAVAILABLE.
[[noreturn]] void unavailable(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Records the failure that is being handled (to be called in a catch block); returns its status.
int32_t record_failure() noexcept;

// Runs the body of an exported function: no exception leaves it.
template <class Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return GAMMANET_OK;
  } catch (...) {
    return record_failure();
  }
}

// LibTorch's functions by their names in libtorch_stable.h.
struct Torch {
  decltype(&::aoti_torch_get_data_ptr) get_data_ptr;
  decltype(&::aoti_torch_get_dim) get_dim;
  decltype(&::aoti_torch_get_numel) get_numel;
  decltype(&::aoti_torch_get_sizes) get_sizes;
  decltype(&::aoti_torch_get_strides) get_strides;
  decltype(&::aoti_torch_get_dtype) get_dtype;
  decltype(&::aoti_torch_get_device_type) get_device_type;
  decltype(&::aoti_torch_get_device_index) get_device_index;
  decltype(&::aoti_torch_is_defined) is_defined;
  decltype(&::aoti_torch_new_tensor_handle) new_tensor_handle;
  decltype(&::aoti_torch_delete_tensor_object) delete_tensor;
  decltype(&::torch_parallel_for) parallel_for;
  decltype(&::torch_get_num_threads) get_num_threads;
  // Null before LibTorch 2.13.
  decltype(&::torch_exception_get_what_without_backtrace) exception_text;
  int32_t dtype_float32;
  int32_t device_cpu;
  int32_t device_cuda;
  // Of dlopen; gives the address of any other function of LibTorch.
  void* library;
};

// The table; a Failure with GAMMANET_UNAVAILABLE before gammanet_native_init.
const Torch& torch();

void torch_init(const char* libtorch_cpu_path);

// Address of one of LibTorch's functions by name, null where it has none.
void* torch_symbol(const char* name);

// Throws a Failure with LibTorch's text when status is not 0.
void torch_check(int32_t status, const char* function);

// ---- Tensors ----

// A float32 map [n, c, h, w] in channels-last memory: element (b, c, y, x) is
// data[((b * h + y) * w + x) * C + c].
struct Map {
  float* data = nullptr;
  int64_t n = 0, c = 0, h = 0, w = 0;
  int32_t device_type = 0, device_index = 0;
  int64_t pixels() const { return n * h * w; }
  explicit operator bool() const { return data != nullptr; }
};

// Checks that a tensor is a map on the CPU. what: its name in messages.
Map map_of(AtenTensorHandle tensor, const char* what);
// The same, where null stands for a Map without data.
Map optional_map_of(AtenTensorHandle tensor, const char* what);
// Checks in addition that it is [n, c, h, w].
Map map_of(AtenTensorHandle tensor, const char* what, int64_t n, int64_t c, int64_t h, int64_t w);
// The checks of a map, on whatever device it lives.
Map device_map_of(AtenTensorHandle tensor, const char* what);

// Checks that a tensor is contiguous float32 on the CPU with so many elements.
float* vector_of(AtenTensorHandle tensor, const char* what, int64_t elements);
float* optional_vector_of(AtenTensorHandle tensor, const char* what, int64_t elements);
// Checks that a tensor is contiguous float32 on the CPU, [sizes...] of ndim numbers; -1 takes any
// size and is replaced by it.
float* weights_of(AtenTensorHandle tensor, const char* what, int64_t* sizes, int64_t ndim);

// Keeps a tensor's memory.
class Held {
 public:
  Held() = default;
  explicit Held(AtenTensorHandle tensor);
  Held(Held&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  Held& operator=(Held&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Held();

 private:
  AtenTensorHandle handle_ = nullptr;
};

// The checks of a vector, or of weights of so many elements, on whatever device they live.
struct DeviceVector {
  float* data;
  int32_t device_type, device_index;
};
DeviceVector device_vector_of(AtenTensorHandle tensor, const char* what, int64_t elements);

// Checks that two pieces of memory do not meet.
void check_disjoint(const Map& a, const char* name_a, const Map& b, const char* name_b);
// Checks that two maps are the same memory or do not meet.
void check_same_or_disjoint(const Map& a, const char* name_a, const Map& b, const char* name_b);

// ---- Threads ----

// body(begin, end) on disjoint ranges that cover [0, count), on LibTorch's threads; an exception
// of the body ends up in the caller. A range has at least `grain` elements where there are so many.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body);

// Number of threads that parallel_for may use.
int64_t thread_count();

// ---- Memory ----

// Aligned to lines of the cache; large blocks come from the memory of maps (memory.cpp).
void* allocate(size_t bytes);
void deallocate(void* memory);

// ---- Scratch memory: 64-byte aligned, kept between calls, its contents undefined ----

enum ScratchPurpose {
  // Belong to one call and are seen by all of its threads: of a cell, and of a convolution, which
  // may be a part of a cell.
  kCellScratch,
  kConvScratch,
  // Belong to one range of parallel_for, the second to a convolution in it.
  kThreadScratch,
  kThreadConvScratch,
  kScratchPurposes
};

// Each purpose of each thread has one block: asking again may move it.
float* scratch(ScratchPurpose purpose, size_t floats);
void release_scratch();

// Gives back what gammanet_map_new keeps of deleted maps.
void release_map_memory();

// ---- Details ----

namespace detail {
struct ParallelContext {
  const void* body;
  void (*run)(const void* body, int64_t begin, int64_t end);
  std::exception_ptr error;
};
void parallel_for(int64_t count, int64_t grain, ParallelContext* context);
}  // namespace detail

template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  detail::ParallelContext context{
      &body,
      [](const void* b, int64_t begin, int64_t end) {
        (*static_cast<const Body*>(b))(begin, end);
      },
      nullptr};
  detail::parallel_for(count, grain, &context);
}

}  // namespace gammanet
