// LibTorch's functions, looked up at run time; checks of tensors; failures.
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

// Throws a Failure with GAMMANET_INVALID_ARGUMENT and a text as by printf.
[[noreturn]] void invalid(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Throws a Failure with GAMMANET_UNAVAILABLE.
[[noreturn]] void unavailable(const char* format, ...) __attribute__((format(printf, 1, 2)));

// In a catch block: records the failure for gammanet_last_error and returns its status.
int32_t record_failure() noexcept;
// Text of this thread's last failure.
const char* last_error() noexcept;

// Runs the body of an exported function; no exception leaves it.
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
  decltype(&::torch_from_blob) from_blob;
  // Null before LibTorch 2.13.
  decltype(&::torch_exception_get_what_without_backtrace) exception_text;
  int32_t dtype_float32;
  int32_t device_cpu;
  int32_t device_cuda;
  // What open_library returned.
  void* library;
};

// The table. Throws a Failure with GAMMANET_UNAVAILABLE before gammanet_native_init.
const Torch& torch();

void torch_init(const char* libtorch_cpu_path);

// Address of one of LibTorch's functions by name, null if it has none.
void* torch_symbol(const char* name);

// Throws a Failure with LibTorch's text when status is not 0.
void torch_check(int32_t status, const char* function);

// ---- Tensors ----

struct Device {
  int32_t type = 0, index = 0;
  bool operator==(const Device& other) const { return type == other.type && index == other.index; }
  bool operator!=(const Device& other) const { return !(*this == other); }
  bool is_cuda() const { return type == torch().device_cuda; }
};

// The device of a tensor, which must be defined; `what` names the tensor in messages.
Device device_of(AtenTensorHandle tensor, const char* what);

// A float32 feature map [n, c, h, w] in channels-last memory: element (b, c, y, x) is
// data[((b * h + y) * w + x) * C + c]. Without data where a call leaves it out.
struct FeatureMap {
  float* data = nullptr;
  int64_t n = 0, c = 0, h = 0, w = 0;
  Device device;
  AtenTensorHandle handle = nullptr;
  int64_t pixels() const { return n * h * w; }
  explicit operator bool() const { return data != nullptr; }
};

// Checks that a tensor is a feature map. what: its name in messages.
FeatureMap feature_map(AtenTensorHandle tensor, const char* what);
// Checks in addition that it is [n, c, h, w] and on a device.
FeatureMap feature_map(AtenTensorHandle tensor, const char* what, int64_t n, int64_t c, int64_t h,
                       int64_t w, Device device);

// Checks that a tensor is contiguous float32 on a device with so many elements.
float* vector_of(AtenTensorHandle tensor, const char* what, int64_t elements, Device device);
// The same, where null stands for null.
float* optional_vector_of(AtenTensorHandle tensor, const char* what, int64_t elements,
                          Device device);
// Checks that a tensor is contiguous float32 on a device with the sizes of `sizes`; -1 stands for
// any size and is replaced by it.
float* weights_of(AtenTensorHandle tensor, const char* what, int64_t (&sizes)[4], Device device);

// Keeps a tensor's memory alive.
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

// Checks that two feature maps do not overlap.
void check_disjoint(const FeatureMap& a, const char* name_a, const FeatureMap& b, const char* name_b);
// Checks that two feature maps are the same memory or do not overlap.
void check_same_or_disjoint(const FeatureMap& a, const char* name_a, const FeatureMap& b, const char* name_b);

}  // namespace gammanet
