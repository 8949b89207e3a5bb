// A stand-in for LibTorch: just enough of its C functions to hold tensors in plain memory, so that
// the kernels can be tested, also under sanitizers, where there is no LibTorch.
//
// fake_torch_tensor makes a tensor of any description, wrong ones included.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "libtorch_stable.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

struct AtenTensorOpaque {
  void* data;
  std::vector<int64_t> sizes, strides;
  int32_t dtype, device_type;
  bool defined;
};

static uint32_t threads = 2;

EXPORT AtenTensorHandle fake_torch_tensor(void* data, int64_t ndim, const int64_t* sizes,
                                          const int64_t* strides, int32_t dtype,
                                          int32_t device_type, bool defined) {
  return new AtenTensorOpaque{data, std::vector<int64_t>(sizes, sizes + ndim),
                              std::vector<int64_t>(strides, strides + ndim), dtype, device_type,
                              defined};
}
EXPORT void fake_torch_set_threads(uint32_t n) { threads = n; }

EXPORT int32_t aoti_torch_delete_tensor_object(AtenTensorHandle t) {
  delete t;
  return 0;
}
EXPORT uint64_t aoti_torch_abi_version(void) { return UINT64_C(0x020D000000000000); }
EXPORT const char* torch_exception_get_what_without_backtrace(void) { return "fake failure"; }
EXPORT int32_t aoti_torch_get_data_ptr(AtenTensorHandle t, void** ret) {
  *ret = t->data;
  return 0;
}
EXPORT int32_t aoti_torch_get_dim(AtenTensorHandle t, int64_t* ret) {
  *ret = static_cast<int64_t>(t->sizes.size());
  return 0;
}
EXPORT int32_t aoti_torch_get_numel(AtenTensorHandle t, int64_t* ret) {
  *ret = 1;
  for (int64_t size : t->sizes) {
    *ret *= size;
  }
  return 0;
}
EXPORT int32_t aoti_torch_get_sizes(AtenTensorHandle t, int64_t** ret) {
  *ret = t->sizes.data();
  return 0;
}
EXPORT int32_t aoti_torch_get_strides(AtenTensorHandle t, int64_t** ret) {
  *ret = t->strides.data();
  return 0;
}
EXPORT int32_t aoti_torch_get_dtype(AtenTensorHandle t, int32_t* ret) {
  *ret = t->dtype;
  return 0;
}
EXPORT int32_t aoti_torch_get_device_type(AtenTensorHandle t, int32_t* ret) {
  *ret = t->device_type;
  return 0;
}
EXPORT int32_t aoti_torch_get_device_index(AtenTensorHandle, int32_t* ret) {
  *ret = 0;
  return 0;
}
EXPORT int32_t aoti_torch_is_defined(AtenTensorHandle t, bool* ret) {
  *ret = t->defined;
  return 0;
}
EXPORT int32_t aoti_torch_dtype_float32(void) { return 6; }
EXPORT int32_t aoti_torch_dtype_float64(void) { return 7; }
EXPORT int32_t aoti_torch_device_type_cpu(void) { return 0; }
EXPORT int32_t aoti_torch_device_type_cuda(void) { return 1; }

EXPORT int32_t torch_parallel_for(int64_t begin, int64_t end, int64_t grain,
                                  void (*func)(int64_t, int64_t, void*), void* ctx) {
  const int64_t count = end - begin;
  if (count <= 0) {
    return 0;
  }
  int64_t ranges = grain > 0 ? (count + grain - 1) / grain : threads;
  ranges = ranges < threads ? ranges : threads;
  const int64_t size = (count + ranges - 1) / ranges;
  std::vector<std::thread> others;
  for (int64_t b = begin + size; b < end; b += size) {
    others.emplace_back([=] { func(b, b + size < end ? b + size : end, ctx); });
  }
  func(begin, begin + size < end ? begin + size : end, ctx);
  for (std::thread& t : others) {
    t.join();
  }
  return 0;
}
EXPORT int32_t torch_get_num_threads(uint32_t* ret) {
  *ret = threads;
  return 0;
}
