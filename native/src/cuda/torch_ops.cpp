#include "torch_ops.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "../system.h"
#include "cuda.h"

namespace gammanet::cuda {
namespace {

// The API level that the calls below are written for: 2.11.
constexpr uint64_t kAbiVersion = UINT64_C(0x020B000000000000);

Functions table{};
std::atomic<bool> initialized{false};
std::mutex init_mutex;

}  // namespace

const Functions& functions() {
  if (!initialized) {
    unavailable("tensors on CUDA need gammanet_native_init_cuda");
  }
  return table;
}

namespace {

template <class Function>
void bind(Function& slot, const char* name) {
  slot = reinterpret_cast<Function>(torch_symbol(name));
  if (slot == nullptr) {
    unavailable("LibTorch lacks the function %s", name);
  }
}

// A function of libtorch_cuda, which the process has loaded under whatever path.
void* cuda_symbol(const char* name) {
  if (void* function = torch_symbol(name)) {
    return function;
  }
#ifdef _WIN32
  return symbol(loaded_library("torch_cuda.dll"), name);
#else
  return symbol(loaded_library("libtorch_cuda.so"), name);
#endif
}

const Kernels* load_kernels(const char* path) {
  void* library = open_library(path);
  if (library == nullptr) {
    unavailable("cannot load the CUDA kernels %s: %s", path, library_error().c_str());
  }
  void* function = symbol(library, "gammanet_cuda_kernels");
  if (function == nullptr) {
    unavailable("%s does not hold GammaNet's CUDA kernels", path);
  }
  const Kernels* kernels = reinterpret_cast<decltype(&gammanet_cuda_kernels)>(function)();
  if (kernels->version != kKernelsVersion) {
    unavailable("%s belongs to another version of GammaNet", path);
  }
  return kernels;
}

}  // namespace

void require() { functions(); }

void init(const char* path) {
  std::lock_guard<std::mutex> lock(init_mutex);
  if (initialized) {
    return;
  }
  Functions f{};
  bind(f.call_dispatcher, "torch_call_dispatcher");
  bind(f.new_list, "torch_new_list_reserve_size");
  bind(f.list_push_back, "torch_list_push_back");
  bind(f.empty_strided, "aoti_torch_empty_strided");
  bind(f.copy, "aoti_torch_copy_");
  bind(f.zero, "aoti_torch_zero_");
  bind(f.grad_mode_is_enabled, "aoti_torch_grad_mode_is_enabled");
  bind(f.grad_mode_set_enabled, "aoti_torch_grad_mode_set_enabled");
  decltype(&::aoti_torch_dtype_bfloat16) number;
  bind(number, "aoti_torch_dtype_bfloat16");
  f.dtype_bfloat16 = number();
  f.current_stream = reinterpret_cast<decltype(f.current_stream)>(
      cuda_symbol("aoti_torch_get_current_cuda_stream"));
  if (f.current_stream == nullptr) {
    unavailable("this LibTorch has no CUDA");
  }
  f.kernels = load_kernels(path);
  table = f;
  initialized = true;
}

// ---- Tensors ----

namespace {

Tensor empty(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, Device device,
             bool half) {
  AtenTensorHandle handle = nullptr;
  torch_check(functions().empty_strided(static_cast<int64_t>(sizes.size()), sizes.data(),
                                        strides.data(),
                                        half ? table.dtype_bfloat16 : torch().dtype_float32,
                                        device.type, device.index, &handle),
              "aoti_torch_empty_strided");
  return Tensor(handle);
}

}  // namespace

Tensor empty_vector(int64_t size, Device device) { return empty({size}, {1}, device, false); }

Tensor empty_map(int64_t n, int64_t c, int64_t h, int64_t w, Device device, bool half) {
  return empty({n, c, h, w}, {h * w * c, 1, w * c, c}, device, half);
}

Tensor zeros(int64_t size, Device device) {
  Tensor result = empty_vector(size, device);
  torch_check(functions().zero(result.get()), "aoti_torch_zero_");
  return result;
}

// ---- Operators ----

namespace {

uint64_t consumed(AtenTensorHandle tensor) {
  AtenTensorHandle copy = nullptr;
  torch_check(torch().new_tensor_handle(tensor, &copy), "aoti_torch_new_tensor_handle");
  return reinterpret_cast<uint64_t>(copy);
}

uint64_t list(const std::vector<int64_t>& values) {
  StableListHandle result = nullptr;
  torch_check(functions().new_list(values.size(), &result), "torch_new_list_reserve_size");
  for (int64_t value : values) {
    torch_check(table.list_push_back(result, static_cast<uint64_t>(value)),
                "torch_list_push_back");
  }
  return reinterpret_cast<uint64_t>(result);
}

bool is_channels_last(AtenTensorHandle tensor) {
  int64_t *sizes = nullptr, *strides = nullptr;
  torch_check(torch().get_sizes(tensor, &sizes), "aoti_torch_get_sizes");
  torch_check(torch().get_strides(tensor, &strides), "aoti_torch_get_strides");
  const int64_t expected[4] = {sizes[1] * sizes[2] * sizes[3], 1, sizes[3] * sizes[1], sizes[1]};
  for (int d = 0; d < 4; ++d) {
    if (sizes[d] != 1 && strides[d] != expected[d]) {
      return false;
    }
  }
  return true;
}

// The same values as a dense channels-last tensor.
Tensor channels_last(Tensor tensor, Device device, bool half) {
  if (is_channels_last(tensor.get())) {
    return tensor;
  }
  int64_t* sizes = nullptr;
  torch_check(torch().get_sizes(tensor.get(), &sizes), "aoti_torch_get_sizes");
  Tensor result = empty_map(sizes[0], sizes[1], sizes[2], sizes[3], device, half);
  torch_check(functions().copy(result.get(), tensor.get(), 0), "aoti_torch_copy_");
  return result;
}

}  // namespace

Tensor convolution(AtenTensorHandle x, const Tensor& weight, int64_t k, Device device, bool half) {
  const int64_t padding = (k - 1) / 2;
  uint64_t stack[9] = {consumed(x),
                       consumed(weight.get()),
                       0,
                       list({1, 1}),
                       list({padding, padding}),
                       list({1, 1}),
                       0,
                       list({0, 0}),
                       1};
  torch_check(functions().call_dispatcher("aten::convolution", "", stack, kAbiVersion),
              "aten::convolution");
  return channels_last(Tensor(reinterpret_cast<AtenTensorHandle>(stack[0])), device, half);
}

ConvolutionGradients convolution_backward(AtenTensorHandle grad, AtenTensorHandle x,
                                          const Tensor& weight, int64_t k, bool need_x,
                                          bool need_weight, Device device, bool half) {
  ConvolutionGradients result;
  if (!need_x && !need_weight) {
    return result;
  }
  const int64_t padding = (k - 1) / 2;
  uint64_t stack[11] = {consumed(grad),
                        consumed(x),
                        consumed(weight.get()),
                        0,
                        list({1, 1}),
                        list({padding, padding}),
                        list({1, 1}),
                        0,
                        list({0, 0}),
                        1,
                        list({need_x, need_weight, 0})};
  torch_check(functions().call_dispatcher("aten::convolution_backward", "", stack, kAbiVersion),
              "aten::convolution_backward");
  // What was not requested comes back as an undefined tensor.
  Tensor grads[3] = {Tensor(reinterpret_cast<AtenTensorHandle>(stack[0])),
                     Tensor(reinterpret_cast<AtenTensorHandle>(stack[1])),
                     Tensor(reinterpret_cast<AtenTensorHandle>(stack[2]))};
  if (need_x) {
    result.x = channels_last(std::move(grads[0]), device, half);
  }
  if (need_weight) {
    result.weight = std::move(grads[1]);
  }
  return result;
}

// ---- Launches ----

Source source(const void* data, bool half, bool relu) {
  return {data, half ? 1 : 0, relu ? 1 : 0};
}

Moments reduce(const Queue& queue, Extent extent, const Source& from, int64_t group) {
  extent.parts = 1;
  Moments result{empty_vector(extent.samples * extent.channels, queue.device),
                 empty_vector(extent.samples * extent.channels, queue.device)};
  Tensor scratch = empty_vector(reduce_scratch(extent), queue.device);
  queue(table.kernels->reduce,
        Reduce{extent, from, static_cast<int32_t>(group), scratch.floats(), result.mean.floats(),
               result.r.floats()});
  return result;
}

void add_column_sums(const Queue& queue, Extent extent, const Source& a, const Source& b,
                     float* out) {
  if (out == nullptr) {
    return;
  }
  extent.parts = 1;
  Tensor scratch = empty_vector(reduce_scratch(extent), queue.device);
  queue(table.kernels->column_sums, ColumnSums{extent, a, b, scratch.floats(), out});
}

void add_weight(const Queue& queue, const Tensor& grad, bool half, int64_t outputs, int64_t inputs,
                int64_t k, int32_t symmetry, float* out) {
  Symmetric s{};
  s.out_channels = static_cast<int32_t>(outputs);
  s.in_channels = static_cast<int32_t>(inputs);
  s.kernel = static_cast<int32_t>(k);
  s.symmetry = symmetry;
  s.weight = grad.data();
  s.weight_half = half;
  s.weight_last = is_channels_last(grad.get());
  s.out = out;
  s.add = 1;
  queue(table.kernels->symmetric, s);
}

Tensor weight_copy(const Queue& queue, const float* weight, int64_t outputs, int64_t inputs,
                   int64_t k, int32_t symmetry, bool half) {
  Tensor result = empty_map(outputs, inputs, k, k, queue.device, half);
  Symmetric s{};
  s.out_channels = static_cast<int32_t>(outputs);
  s.in_channels = static_cast<int32_t>(inputs);
  s.kernel = static_cast<int32_t>(k);
  s.symmetry = symmetry;
  s.weight = weight;
  s.out = result.data();
  s.out_half = half;
  s.out_last = 1;
  queue(table.kernels->symmetric, s);
  return result;
}

Tensor vector_copy(const Queue& queue, const float* vector, int64_t size, int32_t forcing) {
  Tensor result = empty_vector(size, queue.device);
  queue(table.kernels->forced,
        Forced{static_cast<int32_t>(size), vector, forcing, result.floats()});
  return result;
}

Extent extent_of(const FeatureMap& map, int64_t channels, int parts) {
  return {map.n, map.h * map.w, static_cast<int32_t>(channels), parts};
}

Tensor converted(const Queue& queue, const FeatureMap& map, bool half) {
  Tensor result;
  if (half) {
    result = empty_map(map.n, map.c, map.h, map.w, queue.device, true);
    Assemble a{};
    a.extent = extent_of(map, map.c, 1);
    a.sources[0] = source(map.data);
    a.out = result.data();
    a.half = 1;
    queue(table.kernels->assemble, a);
  }
  return result;
}

}  // namespace gammanet::cuda
