// A stand-in for LibTorch: just enough of its C functions to hold tensors in plain memory, so that
// the kernels can be tested, also under sanitizers, where there is no LibTorch.
//
// fake_torch_tensor makes a tensor of any description, wrong ones included. "CUDA" tensors lie in
// plain memory, too; the operators that the CUDA side calls are there as plain loops.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "libtorch_stable.h"

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

struct AtenTensorOpaque {
  void* data = nullptr;
  std::vector<int64_t> sizes, strides;
  int32_t dtype = 6, device_type = 0;
  bool defined = true;
  // Of a tensor that owns its memory.
  std::shared_ptr<char> memory;

  AtenTensorOpaque() { ++live; }
  AtenTensorOpaque(const AtenTensorOpaque& other)
      : data(other.data),
        sizes(other.sizes),
        strides(other.strides),
        dtype(other.dtype),
        device_type(other.device_type),
        defined(other.defined),
        memory(other.memory) {
    ++live;
  }
  ~AtenTensorOpaque() { --live; }
  static std::atomic<int64_t> live;
};
std::atomic<int64_t> AtenTensorOpaque::live{0};

struct StableListOpaque {
  std::vector<uint64_t> values;
};

constexpr int32_t kFloat32 = 6, kBFloat16 = 15;
static uint32_t threads = 2;

EXPORT AtenTensorHandle fake_torch_tensor(void* data, int64_t ndim, const int64_t* sizes,
                                          const int64_t* strides, int32_t dtype,
                                          int32_t device_type, bool defined) {
  AtenTensorHandle t = new AtenTensorOpaque;
  t->data = data;
  t->sizes.assign(sizes, sizes + ndim);
  t->strides.assign(strides, strides + ndim);
  t->dtype = dtype;
  t->device_type = device_type;
  t->defined = defined;
  return t;
}
// Tensors that were made and not deleted.
EXPORT int64_t fake_torch_live_tensors(void) { return AtenTensorOpaque::live; }
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

// ---- What the CUDA side needs ----

EXPORT int32_t aoti_torch_dtype_bfloat16(void) { return kBFloat16; }
EXPORT int32_t aoti_torch_get_current_cuda_stream(int32_t, void** ret) {
  *ret = nullptr;
  return 0;
}
static thread_local bool grad_mode = true;
EXPORT bool aoti_torch_grad_mode_is_enabled(void) { return grad_mode; }
EXPORT void aoti_torch_grad_mode_set_enabled(bool enabled) { grad_mode = enabled; }

EXPORT int32_t aoti_torch_new_tensor_handle(AtenTensorHandle t, AtenTensorHandle* ret) {
  *ret = new AtenTensorOpaque(*t);
  return 0;
}
EXPORT int32_t aoti_torch_empty_strided(int64_t ndim, const int64_t* sizes, const int64_t* strides,
                                        int32_t dtype, int32_t device_type, int32_t,
                                        AtenTensorHandle* ret) {
  AtenTensorHandle t =
      fake_torch_tensor(nullptr, ndim, sizes, strides, dtype, device_type, true);
  size_t bytes = dtype == kBFloat16 ? 2 : 4;
  for (int64_t d = 0; d < ndim; ++d) {
    bytes *= static_cast<size_t>(sizes[d]);
  }
  // Uninitialized memory shows itself as NaN.
  t->memory.reset(static_cast<char*>(std::malloc(bytes)), std::free);
  std::memset(t->memory.get(), 0xFF, bytes);
  t->data = t->memory.get();
  *ret = t;
  return 0;
}

EXPORT int32_t torch_from_blob(void* data, int64_t ndim, const int64_t* sizes,
                               const int64_t* strides, int64_t, int32_t dtype, int32_t device_type,
                               int32_t, AtenTensorHandle* ret, int32_t, const uint8_t*, int64_t,
                               void (*deleter)(void*, void*), void* context) {
  AtenTensorHandle t = fake_torch_tensor(data, ndim, sizes, strides, dtype, device_type, true);
  t->memory.reset(static_cast<char*>(data), [=](char* memory) { deleter(memory, context); });
  *ret = t;
  return 0;
}

static float get(const AtenTensorOpaque& t, int64_t at) {
  if (t.dtype == kFloat32) {
    return static_cast<const float*>(t.data)[at];
  }
  const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(t.data)[at]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
static void set(AtenTensorOpaque& t, int64_t at, double x) {
  const float value = static_cast<float>(x);
  if (t.dtype == kFloat32) {
    static_cast<float*>(t.data)[at] = value;
    return;
  }
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  static_cast<uint16_t*>(t.data)[at] =
      static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
// Place of the element (a, b, c, d) of a tensor with four dimensions.
static int64_t at4(const AtenTensorOpaque& t, int64_t a, int64_t b, int64_t c, int64_t d) {
  return a * t.strides[0] + b * t.strides[1] + c * t.strides[2] + d * t.strides[3];
}

EXPORT int32_t aoti_torch_zero_(AtenTensorHandle t) {
  int64_t elements = 1;
  for (int64_t size : t->sizes) {
    elements *= size;
  }
  std::memset(t->data, 0, static_cast<size_t>(elements) * (t->dtype == kBFloat16 ? 2 : 4));
  return 0;
}
EXPORT int32_t aoti_torch_copy_(AtenTensorHandle to, AtenTensorHandle from, int32_t) {
  for (int64_t a = 0; a < to->sizes[0]; ++a) {
    for (int64_t b = 0; b < to->sizes[1]; ++b) {
      for (int64_t c = 0; c < to->sizes[2]; ++c) {
        for (int64_t d = 0; d < to->sizes[3]; ++d) {
          set(*to, at4(*to, a, b, c, d), get(*from, at4(*from, a, b, c, d)));
        }
      }
    }
  }
  return 0;
}

EXPORT int32_t torch_new_list_reserve_size(size_t, StableListHandle* ret) {
  *ret = new StableListOpaque;
  return 0;
}
EXPORT int32_t torch_list_push_back(StableListHandle list, uint64_t element) {
  list->values.push_back(element);
  return 0;
}

static AtenTensorHandle new_tensor(const std::vector<int64_t>& sizes, bool channels_last,
                                   const AtenTensorOpaque& like) {
  const int64_t n = sizes[1], h = sizes[2], w = sizes[3];
  const std::vector<int64_t> strides = channels_last
                                           ? std::vector<int64_t>{n * h * w, 1, w * n, n}
                                           : std::vector<int64_t>{n * h * w, h * w, w, 1};
  AtenTensorHandle result = nullptr;
  aoti_torch_empty_strided(4, sizes.data(), strides.data(), like.dtype, like.device_type, 0,
                           &result);
  return result;
}

// body(output pixel's place, input pixel's place, tap) of a convolution.
template <class Body>
static void for_each_tap(const AtenTensorOpaque& x, const AtenTensorOpaque& weight,
                         const Body& body) {
  const int64_t k = weight.sizes[2], half = (k - 1) / 2;
  for (int64_t n = 0; n < x.sizes[0]; ++n) {
    for (int64_t y = 0; y < x.sizes[2]; ++y) {
      for (int64_t z = 0; z < x.sizes[3]; ++z) {
        for (int64_t tap = 0; tap < k * k; ++tap) {
          const int64_t sy = y + tap / k - half, sz = z + tap % k - half;
          if (sy >= 0 && sy < x.sizes[2] && sz >= 0 && sz < x.sizes[3]) {
            body(n, y, z, sy, sz, tap / k, tap % k);
          }
        }
      }
    }
  }
}

static AtenTensorHandle handle(uint64_t slot) { return reinterpret_cast<AtenTensorHandle>(slot); }

static void delete_lists(const uint64_t* stack, std::initializer_list<int> slots) {
  for (int slot : slots) {
    delete reinterpret_cast<StableListHandle>(stack[slot]);
  }
}

// Weights' gradients come back in either memory order by turns, as LibTorch's may.
static bool turn = false;

EXPORT int32_t torch_call_dispatcher(const char* op, const char*, uint64_t* stack, uint64_t) {
  if (grad_mode) {
    return 1;
  }
  if (std::string(op) == "aten::convolution") {
    AtenTensorHandle x = handle(stack[0]), weight = handle(stack[1]);
    turn = !turn;
    AtenTensorHandle out = new_tensor(
        {x->sizes[0], weight->sizes[0], x->sizes[2], x->sizes[3]}, turn, *x);
    std::vector<double> sums(static_cast<size_t>(out->sizes[0] * out->strides[0]), 0.0);
    for_each_tap(*x, *weight, [&](int64_t n, int64_t y, int64_t z, int64_t sy, int64_t sz,
                                  int64_t ky, int64_t kx) {
      for (int64_t o = 0; o < weight->sizes[0]; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < x->sizes[1]; ++i) {
          sum += static_cast<double>(get(*weight, at4(*weight, o, i, ky, kx))) *
                 get(*x, at4(*x, n, i, sy, sz));
        }
        sums[static_cast<size_t>(at4(*out, n, o, y, z))] += sum;
      }
    });
    for (size_t k = 0; k < sums.size(); ++k) {
      set(*out, static_cast<int64_t>(k), sums[k]);
    }
    delete x;
    delete weight;
    delete_lists(stack, {3, 4, 5, 7});
    stack[0] = reinterpret_cast<uint64_t>(out);
    return 0;
  }
  if (std::string(op) == "aten::convolution_backward") {
    AtenTensorHandle grad = handle(stack[0]), x = handle(stack[1]), weight = handle(stack[2]);
    turn = !turn;
    const std::vector<uint64_t> wanted = reinterpret_cast<StableListHandle>(stack[10])->values;
    AtenTensorHandle grad_x = new_tensor(x->sizes, turn, *x);
    AtenTensorHandle grad_weight = new_tensor(weight->sizes, !turn, *weight);
    std::vector<double> x_sums(static_cast<size_t>(x->sizes[0] * grad_x->strides[0]), 0.0);
    std::vector<double> weight_sums(
        static_cast<size_t>(weight->sizes[0] * grad_weight->strides[0]), 0.0);
    for_each_tap(*x, *weight, [&](int64_t n, int64_t y, int64_t z, int64_t sy, int64_t sz,
                                  int64_t ky, int64_t kx) {
      for (int64_t o = 0; o < weight->sizes[0]; ++o) {
        const double g = get(*grad, at4(*grad, n, o, y, z));
        for (int64_t i = 0; i < x->sizes[1]; ++i) {
          x_sums[static_cast<size_t>(at4(*grad_x, n, i, sy, sz))] +=
              g * get(*weight, at4(*weight, o, i, ky, kx));
          weight_sums[static_cast<size_t>(at4(*grad_weight, o, i, ky, kx))] +=
              g * get(*x, at4(*x, n, i, sy, sz));
        }
      }
    });
    for (size_t k = 0; k < x_sums.size(); ++k) {
      set(*grad_x, static_cast<int64_t>(k), x_sums[k]);
    }
    for (size_t k = 0; k < weight_sums.size(); ++k) {
      set(*grad_weight, static_cast<int64_t>(k), weight_sums[k]);
    }
    delete grad;
    delete x;
    delete weight;
    delete_lists(stack, {4, 5, 6, 8, 10});
    AtenTensorHandle results[3] = {grad_x, grad_weight, nullptr};
    for (int k = 0; k < 3; ++k) {
      if (!wanted[static_cast<size_t>(k)]) {
        delete results[k];
        results[k] = new AtenTensorOpaque;
        results[k]->defined = false;
      }
      stack[k] = reinterpret_cast<uint64_t>(results[k]);
    }
    return 0;
  }
  return 1;
}
