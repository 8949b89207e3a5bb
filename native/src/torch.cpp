#include "torch.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "system.h"

namespace gammanet {

// ---- Failures ----

namespace {

std::string formatted(const char* format, va_list arguments) {
  char text[1024];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

// Plain memory: a failure to allocate must be reportable, too.
thread_local char error_text[1024] = "";

}  // namespace

const char* last_error() noexcept { return error_text; }

void invalid(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string text = formatted(format, arguments);
  va_end(arguments);
  throw Failure(GAMMANET_INVALID_ARGUMENT, text);
}

void unavailable(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string text = formatted(format, arguments);
  va_end(arguments);
  throw Failure(GAMMANET_UNAVAILABLE, text);
}

int32_t record_failure() noexcept {
  try {
    throw;
  } catch (const Failure& e) {
    std::snprintf(error_text, sizeof error_text, "%s", e.what());
    return e.status;
  } catch (const std::bad_alloc&) {
    std::snprintf(error_text, sizeof error_text, "not enough memory");
    return GAMMANET_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    std::snprintf(error_text, sizeof error_text, "internal error: %s", e.what());
    return GAMMANET_INTERNAL_ERROR;
  } catch (...) {
    std::snprintf(error_text, sizeof error_text, "internal error");
    return GAMMANET_INTERNAL_ERROR;
  }
}

// ---- LibTorch ----

namespace {

Torch table{};
std::atomic<bool> initialized{false};
std::mutex init_mutex;

template <class Function>
void bind(Function& slot, void* library, const char* name) {
  slot = reinterpret_cast<Function>(symbol(library, name));
  if (slot == nullptr) {
    unavailable("LibTorch lacks the function %s: version 2.11 or newer is needed", name);
  }
}

}  // namespace

void torch_init(const char* path) {
  std::lock_guard<std::mutex> lock(init_mutex);
  if (initialized) {
    return;
  }
  Torch t{};
  t.library = open_library(path);
  if (t.library == nullptr) {
    unavailable("cannot open LibTorch's library %s", path ? path : "(of this process)");
  }
  bind(t.get_data_ptr, t.library, "aoti_torch_get_data_ptr");
  bind(t.get_dim, t.library, "aoti_torch_get_dim");
  bind(t.get_numel, t.library, "aoti_torch_get_numel");
  bind(t.get_sizes, t.library, "aoti_torch_get_sizes");
  bind(t.get_strides, t.library, "aoti_torch_get_strides");
  bind(t.get_dtype, t.library, "aoti_torch_get_dtype");
  bind(t.get_device_type, t.library, "aoti_torch_get_device_type");
  bind(t.get_device_index, t.library, "aoti_torch_get_device_index");
  bind(t.is_defined, t.library, "aoti_torch_is_defined");
  bind(t.new_tensor_handle, t.library, "aoti_torch_new_tensor_handle");
  bind(t.delete_tensor, t.library, "aoti_torch_delete_tensor_object");
  bind(t.parallel_for, t.library, "torch_parallel_for");
  bind(t.get_num_threads, t.library, "torch_get_num_threads");
  bind(t.from_blob, t.library, "torch_from_blob");
  t.exception_text = reinterpret_cast<decltype(t.exception_text)>(
      symbol(t.library, "torch_exception_get_what_without_backtrace"));
  decltype(&::aoti_torch_dtype_float32) number;
  bind(number, t.library, "aoti_torch_dtype_float32");
  t.dtype_float32 = number();
  bind(number, t.library, "aoti_torch_device_type_cpu");
  t.device_cpu = number();
  bind(number, t.library, "aoti_torch_device_type_cuda");
  t.device_cuda = number();
  table = t;
  initialized = true;
}

const Torch& torch() {
  if (!initialized) {
    unavailable("gammanet_native_init has not been called");
  }
  return table;
}

void* torch_symbol(const char* name) { return symbol(torch().library, name); }

void torch_check(int32_t status, const char* function) {
  if (status != 0) {
    const char* text = table.exception_text ? table.exception_text() : nullptr;
    throw Failure(GAMMANET_TORCH_ERROR,
                  std::string(function) + " failed" + (text && *text ? ": " : "") +
                      (text ? text : ""));
  }
}

// ---- Tensors ----

Device device_of(AtenTensorHandle tensor, const char* what) {
  const Torch& t = torch();
  if (tensor == nullptr) {
    invalid("%s is null", what);
  }
  bool defined = false;
  torch_check(t.is_defined(tensor, &defined), "aoti_torch_is_defined");
  if (!defined) {
    invalid("%s is an undefined tensor", what);
  }
  Device device;
  torch_check(t.get_device_type(tensor, &device.type), "aoti_torch_get_device_type");
  torch_check(t.get_device_index(tensor, &device.index), "aoti_torch_get_device_index");
  return device;
}

namespace {

struct Description {
  void* data;
  int64_t ndim;
  const int64_t* sizes;
  const int64_t* strides;
  Device device;
};

std::string shape_text(const int64_t* sizes, int64_t ndim) {
  std::string text = "[";
  for (int64_t d = 0; d < ndim; ++d) {
    text += (d ? ", " : "") + std::to_string(sizes[d]);
  }
  return text + "]";
}

// Describes a tensor that must be defined and float32.
Description describe(AtenTensorHandle tensor, const char* what) {
  const Torch& t = torch();
  Description d{};
  d.device = device_of(tensor, what);
  int32_t dtype = 0;
  torch_check(t.get_dtype(tensor, &dtype), "aoti_torch_get_dtype");
  if (dtype != t.dtype_float32) {
    invalid("%s must be float32 (its dtype has number %d)", what, static_cast<int>(dtype));
  }
  torch_check(t.get_dim(tensor, &d.ndim), "aoti_torch_get_dim");
  int64_t *sizes = nullptr, *strides = nullptr;
  torch_check(t.get_sizes(tensor, &sizes), "aoti_torch_get_sizes");
  torch_check(t.get_strides(tensor, &strides), "aoti_torch_get_strides");
  d.sizes = sizes;
  d.strides = strides;
  torch_check(t.get_data_ptr(tensor, &d.data), "aoti_torch_get_data_ptr");
  return d;
}

void check_device(Device found, Device expected, const char* what) {
  if (found.type != expected.type || (found.is_cuda() && found.index != expected.index)) {
    invalid("%s must be on %s", what,
            expected.is_cuda() ? "the CUDA device of the other tensors" : "the CPU");
  }
}

// a * b, saturated.
int64_t times(int64_t a, int64_t b) {
  int64_t result;
  return __builtin_mul_overflow(a, b, &result) ? INT64_MAX : result;
}

bool contiguous(const Description& d) {
  int64_t stride = 1;
  for (int64_t i = d.ndim - 1; i >= 0; --i) {
    if (d.sizes[i] != 1 && d.strides[i] != stride) {
      return false;
    }
    stride = times(stride, d.sizes[i]);
  }
  return true;
}

void check_contiguous(const Description& d, const char* what) {
  if (!contiguous(d) || d.data == nullptr) {
    invalid("%s must be contiguous", what);
  }
}

}  // namespace

FeatureMap feature_map(AtenTensorHandle tensor, const char* what) {
  const Description d = describe(tensor, what);
  if (d.ndim != 4) {
    invalid("%s must be [N, C, H, W], not %s", what, shape_text(d.sizes, d.ndim).c_str());
  }
  FeatureMap m;
  m.n = d.sizes[0];
  m.c = d.sizes[1];
  m.h = d.sizes[2];
  m.w = d.sizes[3];
  if (m.n <= 0 || m.c <= 0 || m.h <= 0 || m.w <= 0) {
    invalid("%s has no elements: %s", what, shape_text(d.sizes, 4).c_str());
  }
  const int64_t expected[4] = {times(times(m.h, m.w), m.c), 1, times(m.w, m.c), m.c};
  for (int i = 0; i < 4; ++i) {
    if (d.sizes[i] != 1 && d.strides[i] != expected[i]) {
      invalid("%s must be in channels-last memory without gaps: its strides are %s, not %s", what,
              shape_text(d.strides, 4).c_str(), shape_text(expected, 4).c_str());
    }
  }
  if (d.data == nullptr) {
    invalid("%s has no memory", what);
  }
  m.data = static_cast<float*>(d.data);
  m.device = d.device;
  m.handle = tensor;
  return m;
}

FeatureMap feature_map(AtenTensorHandle tensor, const char* what, int64_t n, int64_t c, int64_t h,
                       int64_t w, Device device) {
  const FeatureMap m = feature_map(tensor, what);
  check_device(m.device, device, what);
  if (m.n != n || m.c != c || m.h != h || m.w != w) {
    const int64_t found[4] = {m.n, m.c, m.h, m.w}, expected[4] = {n, c, h, w};
    invalid("%s must be %s, not %s", what, shape_text(expected, 4).c_str(),
            shape_text(found, 4).c_str());
  }
  return m;
}

float* vector_of(AtenTensorHandle tensor, const char* what, int64_t elements, Device device) {
  const Description d = describe(tensor, what);
  check_device(d.device, device, what);
  int64_t found = 1;
  for (int64_t i = 0; i < d.ndim; ++i) {
    found = times(found, d.sizes[i]);
  }
  if (found != elements) {
    invalid("%s must have %lld elements, not %s", what, static_cast<long long>(elements),
            shape_text(d.sizes, d.ndim).c_str());
  }
  check_contiguous(d, what);
  return static_cast<float*>(d.data);
}

float* optional_vector_of(AtenTensorHandle tensor, const char* what, int64_t elements,
                          Device device) {
  return tensor == nullptr ? nullptr : vector_of(tensor, what, elements, device);
}

float* weights_of(AtenTensorHandle tensor, const char* what, int64_t (&sizes)[4], Device device) {
  const Description d = describe(tensor, what);
  check_device(d.device, device, what);
  bool fits = d.ndim == 4;
  for (int i = 0; fits && i < 4; ++i) {
    fits = d.sizes[i] > 0 && (sizes[i] < 0 || sizes[i] == d.sizes[i]);
  }
  if (!fits) {
    std::string expected = shape_text(sizes, 4);
    for (size_t at; (at = expected.find("-1")) != std::string::npos;) {
      expected.replace(at, 2, "any");
    }
    invalid("%s must be %s, not %s", what, expected.c_str(), shape_text(d.sizes, d.ndim).c_str());
  }
  check_contiguous(d, what);
  for (int i = 0; i < 4; ++i) {
    sizes[i] = d.sizes[i];
  }
  return static_cast<float*>(d.data);
}

Held::Held(AtenTensorHandle tensor) {
  torch_check(torch().new_tensor_handle(tensor, &handle_), "aoti_torch_new_tensor_handle");
}

Held::~Held() {
  if (handle_) {
    table.delete_tensor(handle_);
  }
}

void check_disjoint(const FeatureMap& a, const char* name_a, const FeatureMap& b, const char* name_b) {
  if (a && b && a.data < b.data + b.pixels() * b.c && b.data < a.data + a.pixels() * a.c) {
    invalid("%s and %s must not share memory", name_a, name_b);
  }
}

void check_same_or_disjoint(const FeatureMap& a, const char* name_a, const FeatureMap& b, const char* name_b) {
  if (a.data != b.data || a.pixels() * a.c != b.pixels() * b.c) {
    check_disjoint(a, name_a, b, name_b);
  }
}

}  // namespace gammanet
