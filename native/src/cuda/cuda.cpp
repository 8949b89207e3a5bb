#include "cuda.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "kernels.h"
#include "cpu/packed.h"
#include "torch.h"

namespace gammanet::cuda {
namespace {

// ---- LibTorch's functions beyond those of torch.h ----

struct Functions {
  decltype(&::torch_call_dispatcher) call_dispatcher;
  decltype(&::torch_new_list_reserve_size) new_list;
  decltype(&::torch_list_push_back) list_push_back;
  decltype(&::aoti_torch_empty_strided) empty_strided;
  decltype(&::aoti_torch_copy_) copy;
  decltype(&::aoti_torch_zero_) zero;
  decltype(&::aoti_torch_grad_mode_is_enabled) grad_mode_is_enabled;
  decltype(&::aoti_torch_grad_mode_set_enabled) grad_mode_set_enabled;
  int32_t (*current_stream)(int32_t device_index, void** ret);
  int32_t dtype_bfloat16;
  const Kernels* kernels;
};

// The API level that the calls below are written for: 2.11.
constexpr uint64_t kAbiVersion = UINT64_C(0x020B000000000000);

Functions table{};
std::atomic<bool> initialised{false};
std::mutex init_mutex;

const Functions& functions() {
  if (!initialised) {
    unavailable("tensors on CUDA need gammanet_native_init_cuda");
  }
  return table;
}

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
  HMODULE library = GetModuleHandleA("torch_cuda.dll");
  return library ? reinterpret_cast<void*>(GetProcAddress(library, name)) : nullptr;
#else
  for (const char* file : {"libtorch_cuda.so", "libtorch_cuda.dylib"}) {
    if (void* library = dlopen(file, RTLD_NOW | RTLD_NOLOAD)) {
      return dlsym(library, name);
    }
  }
  return dlsym(RTLD_DEFAULT, name);
#endif
}

const Kernels* load_kernels(const char* path) {
#ifdef _WIN32
  HMODULE library = LoadLibraryA(path);
  if (library == nullptr) {
    unavailable("cannot load the CUDA kernels %s", path);
  }
  void* function = reinterpret_cast<void*>(GetProcAddress(library, "gammanet_cuda_kernels"));
#else
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    unavailable("cannot load the CUDA kernels %s: %s", path, reason ? reason : "");
  }
  void* function = dlsym(library, "gammanet_cuda_kernels");
#endif
  if (function == nullptr) {
    unavailable("%s does not hold GammaNet's CUDA kernels", path);
  }
  const Kernels* kernels = reinterpret_cast<decltype(&gammanet_cuda_kernels)>(function)();
  if (kernels->version != kKernelsVersion) {
    unavailable("%s belongs to another version of GammaNet", path);
  }
  return kernels;
}

// ---- Tensors that live during a call or belong to packed weights ----

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(AtenTensorHandle owned) : handle_(owned) {}
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() {
    if (handle_ != nullptr) {
      torch().delete_tensor(handle_);
    }
  }
  AtenTensorHandle get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }
  void* data() const {
    void* result = nullptr;
    if (handle_ != nullptr) {
      torch_check(torch().get_data_ptr(handle_, &result), "aoti_torch_get_data_ptr");
    }
    return result;
  }
  float* floats() const { return static_cast<float*>(data()); }

 private:
  AtenTensorHandle handle_ = nullptr;
};

struct Place {
  int32_t type = 0, index = 0;
  bool operator==(const Place& other) const { return type == other.type && index == other.index; }
};

Place place_of(AtenTensorHandle tensor) {
  Place place;
  torch_check(torch().get_device_type(tensor, &place.type), "aoti_torch_get_device_type");
  torch_check(torch().get_device_index(tensor, &place.index), "aoti_torch_get_device_index");
  return place;
}

Tensor empty(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, Place place,
             bool half) {
  AtenTensorHandle handle = nullptr;
  torch_check(functions().empty_strided(static_cast<int64_t>(sizes.size()), sizes.data(),
                                        strides.data(),
                                        half ? table.dtype_bfloat16 : torch().dtype_float32,
                                        place.type, place.index, &handle),
              "aoti_torch_empty_strided");
  return Tensor(handle);
}

Tensor empty_vector(int64_t size, Place place) { return empty({size}, {1}, place, false); }

Tensor empty_map(int64_t n, int64_t c, int64_t h, int64_t w, Place place, bool half) {
  return empty({n, c, h, w}, {h * w * c, 1, w * c, c}, place, half);
}

Tensor zeros(int64_t size, Place place) {
  Tensor result = empty_vector(size, place);
  torch_check(functions().zero(result.get()), "aoti_torch_zero_");
  return result;
}

// ---- Operators ----

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
Tensor channels_last(Tensor tensor, Place place, bool half) {
  if (is_channels_last(tensor.get())) {
    return tensor;
  }
  int64_t* sizes = nullptr;
  torch_check(torch().get_sizes(tensor.get(), &sizes), "aoti_torch_get_sizes");
  Tensor result = empty_map(sizes[0], sizes[1], sizes[2], sizes[3], place, half);
  torch_check(functions().copy(result.get(), tensor.get(), 0), "aoti_torch_copy_");
  return result;
}

Tensor convolution(AtenTensorHandle x, const Tensor& weight, int64_t k, Place place, bool half) {
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
  return channels_last(Tensor(reinterpret_cast<AtenTensorHandle>(stack[0])), place, half);
}

struct ConvolutionGradients {
  Tensor x, weight;
};

ConvolutionGradients convolution_backward(AtenTensorHandle grad, AtenTensorHandle x,
                                          const Tensor& weight, int64_t k, bool want_x,
                                          bool want_weight, Place place, bool half) {
  ConvolutionGradients result;
  if (!want_x && !want_weight) {
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
                        list({want_x, want_weight, 0})};
  torch_check(functions().call_dispatcher("aten::convolution_backward", "", stack, kAbiVersion),
              "aten::convolution_backward");
  // What was not asked for comes back as an undefined tensor.
  Tensor grads[3] = {Tensor(reinterpret_cast<AtenTensorHandle>(stack[0])),
                     Tensor(reinterpret_cast<AtenTensorHandle>(stack[1])),
                     Tensor(reinterpret_cast<AtenTensorHandle>(stack[2]))};
  if (want_x) {
    result.x = channels_last(std::move(grads[0]), place, half);
  }
  if (want_weight) {
    result.weight = std::move(grads[1]);
  }
  return result;
}

// ---- Checks ----

Map map_on(Place place, AtenTensorHandle tensor, const char* what) {
  const Map map = device_map_of(tensor, what);
  if (map.device_type != place.type || map.device_index != place.index) {
    invalid("%s must be on the device of the packed weights", what);
  }
  return map;
}

Map map_on(Place place, AtenTensorHandle tensor, const char* what, const Map& like, int64_t c) {
  const Map map = map_on(place, tensor, what);
  if (map.n != like.n || map.c != c || map.h != like.h || map.w != like.w) {
    invalid("%s must be [%lld, %lld, %lld, %lld]", what, static_cast<long long>(like.n),
            static_cast<long long>(c), static_cast<long long>(like.h),
            static_cast<long long>(like.w));
  }
  return map;
}

// A contiguous float32 tensor on a device with so many elements.
float* weights_on(Place place, AtenTensorHandle tensor, const char* what, int64_t elements) {
  const DeviceVector vector = device_vector_of(tensor, what, elements);
  if (vector.device_type != place.type || vector.device_index != place.index) {
    invalid("%s must be on the device of the packed weights", what);
  }
  return vector.data;
}

// No gradients are recorded in a scope.
class NoGrad {
 public:
  NoGrad() : before_(functions().grad_mode_is_enabled()) { table.grad_mode_set_enabled(false); }
  ~NoGrad() { table.grad_mode_set_enabled(before_); }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// ---- Launches ----

// Device and stream of a call.
struct Queue {
  explicit Queue(Place p) : place(p) {
    torch_check(functions().current_stream(p.index, &stream),
                "aoti_torch_get_current_cuda_stream");
  }
  template <class Argument>
  void operator()(const char* (*kernel)(const Argument&, int, void*),
                  const Argument& argument) const {
    if (const char* error = kernel(argument, place.index, stream)) {
      throw Failure(GAMMANET_INTERNAL_ERROR, std::string("a CUDA kernel failed: ") + error);
    }
  }
  Place place;
  void* stream = nullptr;
};

Source source(const void* data, bool half = false, bool relu = false) {
  return {data, half ? 1 : 0, relu ? 1 : 0};
}

// Mean and 1/sigma, or the means of a gradient, of one part.
struct Moments {
  Tensor mean, r;
};

Moments reduce(const Queue& queue, Extent extent, const Source& from, int64_t group) {
  extent.parts = 1;
  Moments result{empty_vector(extent.samples * extent.channels, queue.place),
                 empty_vector(extent.samples * extent.channels, queue.place)};
  Tensor scratch = empty_vector(reduce_scratch(extent), queue.place);
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
  Tensor scratch = empty_vector(reduce_scratch(extent), queue.place);
  queue(table.kernels->column_sums, ColumnSums{extent, a, b, scratch.floats(), out});
}

// Adds a weight's gradient in LibTorch's memory order to a contiguous one.
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

// A weight as convolutions read it: channels last, S applied, perhaps in bfloat16.
Tensor weight_copy(const Queue& queue, const float* weight, int64_t outputs, int64_t inputs,
                   int64_t k, int32_t symmetry, bool half) {
  Tensor result = empty_map(outputs, inputs, k, k, queue.place, half);
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
  Tensor result = empty_vector(size, queue.place);
  queue(table.kernels->forced,
        Forced{static_cast<int32_t>(size), vector, forcing, result.floats()});
  return result;
}

void check_precision(int32_t precision) {
  if (precision != GAMMANET_PRECISION_FLOAT32 && precision != GAMMANET_PRECISION_BFLOAT16) {
    invalid("there is no precision %d", static_cast<int>(precision));
  }
}

Extent extent_of(const Map& map, int64_t channels, int parts) {
  return {map.n, map.h * map.w, static_cast<int32_t>(channels), parts};
}

// A map rounded to bfloat16, or nothing where it can be used as it is.
Tensor converted(const Queue& queue, const Map& map, bool half) {
  Tensor result;
  if (half) {
    result = empty_map(map.n, map.c, map.h, map.w, queue.place, true);
    Assemble a{};
    a.extent = extent_of(map, map.c, 1);
    a.sources[0] = source(map.data);
    a.out = result.data();
    a.half = 1;
    queue(table.kernels->assemble, a);
  }
  return result;
}

}  // namespace

void init(const char* path) {
  std::lock_guard<std::mutex> lock(init_mutex);
  if (initialised) {
    return;
  }
  if (path == nullptr) {
    invalid("gammanet_cuda_path is null");
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
  initialised = true;
}

bool on_cuda(AtenTensorHandle tensor) {
  if (tensor == nullptr) {
    return false;
  }
  bool defined = false;
  torch_check(torch().is_defined(tensor, &defined), "aoti_torch_is_defined");
  return defined && place_of(tensor).type == torch().device_cuda;
}

// ---- Convolutions ----

struct Conv {
  Place place;
  int64_t outputs, inputs, k;
  bool half;
  Tensor weight, bias;
};

std::shared_ptr<const Conv> pack_conv(AtenTensorHandle weight, AtenTensorHandle bias,
                                      int32_t precision) {
  check_precision(precision);
  auto conv = std::make_shared<Conv>();
  conv->place = place_of(weight);
  int64_t* sizes = nullptr;
  int64_t dimensions = 0;
  torch_check(torch().get_dim(weight, &dimensions), "aoti_torch_get_dim");
  torch_check(torch().get_sizes(weight, &sizes), "aoti_torch_get_sizes");
  if (dimensions != 4 || sizes[0] <= 0 || sizes[1] <= 0 || sizes[2] != sizes[3] ||
      sizes[2] % 2 != 1) {
    invalid("weight must be [O, I, k, k] with odd k");
  }
  conv->outputs = sizes[0];
  conv->inputs = sizes[1];
  conv->k = sizes[2];
  conv->half = precision == GAMMANET_PRECISION_BFLOAT16;
  const float* data = weights_on(conv->place, weight, "weight",
                                 conv->outputs * conv->inputs * conv->k * conv->k);
  const float* vector =
      bias == nullptr ? nullptr : weights_on(conv->place, bias, "bias", conv->outputs);
  const Queue queue(conv->place);
  conv->weight =
      weight_copy(queue, data, conv->outputs, conv->inputs, conv->k, 0, conv->half);
  if (vector != nullptr) {
    conv->bias = vector_copy(queue, vector, conv->outputs, 0);
  }
  return conv;
}

namespace {

// weight * x, without the bias.
Tensor apply(const Queue& queue, const Conv& conv, AtenTensorHandle x, const Map& map) {
  if (map.c != conv.inputs) {
    invalid("x must have %lld channels, not %lld", static_cast<long long>(conv.inputs),
            static_cast<long long>(map.c));
  }
  const Tensor half = converted(queue, map, conv.half);
  return convolution(half ? half.get() : x, conv.weight, conv.k, conv.place, conv.half);
}

}  // namespace

void conv_forward(const Conv& conv, AtenTensorHandle x, bool relu, AtenTensorHandle out) {
  const NoGrad no_grad;
  const Queue queue(conv.place);
  const Map in = map_on(conv.place, x, "x");
  const Map result = map_on(conv.place, out, "out", in, conv.outputs);
  check_disjoint(in, "x", result, "out");
  const Tensor product = apply(queue, conv, x, in);
  queue(table.kernels->bias_relu,
        BiasRelu{extent_of(in, conv.outputs, 1), source(product.data(), conv.half),
                 conv.bias.floats(), relu, result.data, 0});
}

void conv_backward(const Conv& conv, AtenTensorHandle x, AtenTensorHandle out,
                   AtenTensorHandle grad_out, AtenTensorHandle grad_x,
                   AtenTensorHandle grad_weight, AtenTensorHandle grad_bias) {
  const NoGrad no_grad;
  const Queue queue(conv.place);
  const Map in = map_on(conv.place, x, "x");
  const Map grad = map_on(conv.place, grad_out, "grad_out", in, conv.outputs);
  const Map rectified =
      out == nullptr ? Map() : map_on(conv.place, out, "out", in, conv.outputs);
  const Map result =
      grad_x == nullptr ? Map() : map_on(conv.place, grad_x, "grad_x", in, conv.inputs);
  float* weight = grad_weight == nullptr
                      ? nullptr
                      : weights_on(conv.place, grad_weight, "grad_weight",
                                   conv.outputs * conv.inputs * conv.k * conv.k);
  float* bias = grad_bias == nullptr
                    ? nullptr
                    : weights_on(conv.place, grad_bias, "grad_bias", conv.outputs);
  if (in.c != conv.inputs) {
    invalid("x must have %lld channels", static_cast<long long>(conv.inputs));
  }
  check_disjoint(result, "grad_x", in, "x");
  check_disjoint(result, "grad_x", grad, "grad_out");
  check_disjoint(result, "grad_x", rectified, "out");

  Tensor g;
  if (rectified || conv.half) {
    g = empty_map(in.n, conv.outputs, in.h, in.w, conv.place, conv.half);
    const Source from = source(grad.data);
    if (rectified) {
      queue(table.kernels->mask, Mask{grad.pixels() * grad.c, from, source(rectified.data),
                                      g.data(), conv.half});
    } else {
      queue(table.kernels->bias_relu,
            BiasRelu{extent_of(in, conv.outputs, 1), from, nullptr, 0, g.data(), conv.half});
    }
  }
  add_column_sums(queue, extent_of(in, conv.outputs, 1),
                  g ? source(g.data(), conv.half) : source(grad.data), {}, bias);
  const Tensor half = converted(queue, in, conv.half);
  const ConvolutionGradients grads = convolution_backward(
      g ? g.get() : grad_out, half ? half.get() : x, conv.weight, conv.k, bool(result),
      weight != nullptr, conv.place, conv.half);
  if (result) {
    queue(table.kernels->bias_relu,
          BiasRelu{extent_of(in, conv.inputs, 1), source(grads.x.data(), conv.half), nullptr, 0,
                   result.data, 0});
  }
  if (weight != nullptr) {
    add_weight(queue, grads.weight, conv.half, conv.outputs, conv.inputs, conv.k, 0, weight);
  }
}

void align_pool_forward(const Conv* conv, AtenTensorHandle x, AtenTensorHandle out) {
  const NoGrad no_grad;
  const Place place = conv ? conv->place : place_of(x);
  const Queue queue(place);
  const Map in = map_on(place, x, "x");
  if (conv != nullptr && conv->k != 1) {
    invalid("the convolution must be 1x1");
  }
  if (in.h < 2 || in.w < 2) {
    invalid("x must have at least 2 rows and columns");
  }
  const int64_t c = conv ? conv->outputs : in.c;
  Map like = in;
  like.h = in.h / 2;
  like.w = in.w / 2;
  const Map result = map_on(place, out, "out", like, c);
  check_disjoint(in, "x", result, "out");
  Tensor product;
  if (conv != nullptr) {
    product = apply(queue, *conv, x, in);
  }
  Tensor none;
  if (conv != nullptr && !conv->bias) {
    none = zeros(c, place);
  }
  queue(table.kernels->pool,
        Pool{in.n, in.h, in.w, static_cast<int32_t>(c),
             conv ? source(product.data(), conv->half) : source(in.data),
             conv ? (conv->bias ? conv->bias : none).floats() : nullptr, result.data});
}

void project_up_forward(const Conv& conv, AtenTensorHandle x, AtenTensorHandle out) {
  const NoGrad no_grad;
  const Queue queue(conv.place);
  const Map in = map_on(conv.place, x, "x");
  if (conv.k != 1) {
    invalid("the convolution must be 1x1");
  }
  const Map result = map_on(conv.place, out, "out");
  if (result.n != in.n || result.c != conv.outputs) {
    invalid("out must be [%lld, %lld, ...]", static_cast<long long>(in.n),
            static_cast<long long>(conv.outputs));
  }
  check_disjoint(in, "x", result, "out");
  // The bias vanishes in the normalisation.
  const Tensor product = apply(queue, conv, x, in);
  const Source from = source(product.data(), conv.half);
  const Moments m = reduce(queue, extent_of(in, conv.outputs, 1), from, 1);
  queue(table.kernels->norm_elu_resize,
        NormEluResize{in.n, in.h, in.w, result.h, result.w, static_cast<int32_t>(conv.outputs),
                      from, {{m.mean.floats()}, {m.r.floats()}}, result.data});
}

void channel_layer_norm_forward(AtenTensorHandle x, AtenTensorHandle weight, AtenTensorHandle bias,
                                AtenTensorHandle out) {
  const Place place = place_of(x);
  const Queue queue(place);
  const Map in = map_on(place, x, "x");
  const Map result = map_on(place, out, "out", in, in.c);
  Assemble a{};
  a.extent = extent_of(in, in.c, 1);
  a.sources[0] = source(in.data);
  a.norm = kOverChannels;
  a.weight = weight == nullptr ? nullptr : weights_on(place, weight, "weight", in.c);
  a.bias = bias == nullptr ? nullptr : weights_on(place, bias, "bias", in.c);
  if ((weight == nullptr) != (bias == nullptr)) {
    invalid("weight and bias must be given together");
  }
  check_same_or_disjoint(in, "x", result, "out");
  a.out = result.data;
  queue(table.kernels->assemble, a);
}

// ---- The cell ----

namespace {

enum Normalization { kNone = 0, kLayer = 1, kInstance = 2, kGroup = 3 };

}  // namespace

struct Cell {
  Place place;
  int64_t channels = 0, k = 0;
  std::array<int32_t, GAMMANET_CELL_OPTIONS> options{};
  // As convolutions read them; W_INH and W_EXC are S(W), static parameters are forced.
  std::array<Tensor, GAMMANET_CELL_PARAMETERS> parameters;
  // Static parameters as stored.
  Tensor alpha, omega;

  int32_t option(int place_of_option) const {
    return options[static_cast<size_t>(place_of_option)];
  }
  const Tensor& parameter(int number) const { return parameters[static_cast<size_t>(number)]; }
  bool dynamic() const { return option(GAMMANET_CELL_DYNAMIC) != 0; }
  bool multiplicative() const { return option(GAMMANET_CELL_MULTIPLICATIVE) != 0; }
  bool half() const { return option(GAMMANET_CELL_PRECISION) == GAMMANET_PRECISION_BFLOAT16; }
  int32_t norm() const { return option(GAMMANET_CELL_NORMALIZATION); }
  bool normalise_inputs() const {
    return option(GAMMANET_CELL_NORMALIZE_INPUTS) != 0 && norm() != kNone;
  }

  // [outputs, inputs, k, k] of a weight, [outputs] of a vector; 0 outputs where it is left out.
  struct Shape {
    int64_t outputs, inputs, k;
    int64_t elements() const { return outputs * (inputs == 0 ? 1 : inputs * k * k); }
  };
  Shape shape(int number) const {
    const int64_t c = channels;
    switch (number) {
      case GAMMANET_CELL_W_INH:
      case GAMMANET_CELL_W_EXC:
        return {c, c, k};
      case GAMMANET_CELL_W_GAIN:
      case GAMMANET_CELL_W_MIX:
        return {c, 3 * c, 1};
      case GAMMANET_CELL_B_GAIN:
      case GAMMANET_CELL_B_MIX:
        return {c, 0, 0};
      case GAMMANET_CELL_D_INH:
        return {dynamic() ? 2 * c : 0, 3 * c, 1};
      case GAMMANET_CELL_D_INH_BIAS:
        return {dynamic() ? 2 * c : 0, 0, 0};
      case GAMMANET_CELL_D_EXC:
        return {dynamic() && multiplicative() ? 2 * c : 0, 2 * c, 1};
      case GAMMANET_CELL_D_EXC_BIAS:
        return {dynamic() && multiplicative() ? 2 * c : 0, 0, 0};
      case GAMMANET_CELL_ALPHA:
      case GAMMANET_CELL_MU:
        return {dynamic() ? 0 : c, 0, 0};
      case GAMMANET_CELL_KAPPA:
      case GAMMANET_CELL_OMEGA:
        return {!dynamic() && multiplicative() ? c : 0, 0, 0};
      default:
        return {normalise_inputs() ? c : 0, 0, 0};
    }
  }
};

namespace {

constexpr const char* kParameterNames[GAMMANET_CELL_PARAMETERS] = {
    "W_inh", "W_exc", "W_gain", "W_mix",        "b_gain",     "b_mix",        "D_inh",
    "d_inh", "D_exc", "d_exc",  "alpha",        "mu",         "kappa",        "omega",
    "the weight of N1", "the bias of N1", "the weight of N2", "the bias of N2"};

void check_options(const Cell& cell) {
  constexpr int32_t kLast[GAMMANET_CELL_OPTIONS] = {3, 1, 2, 1, 1, 1, 1, 3, 1, 2};
  for (int place = 0; place < GAMMANET_CELL_OPTIONS; ++place) {
    if (cell.option(place) < 0 || cell.option(place) > kLast[place]) {
      invalid("option %d must be 0 to %d, not %d", place, static_cast<int>(kLast[place]),
              static_cast<int>(cell.option(place)));
    }
  }
}

}  // namespace

std::shared_ptr<const Cell> pack_cell(const AtenTensorHandle* parameters,
                                      const int32_t* options) {
  const NoGrad no_grad;
  auto cell = std::make_shared<Cell>();
  std::copy_n(options, GAMMANET_CELL_OPTIONS, cell->options.begin());
  check_options(*cell);
  const AtenTensorHandle first = parameters[GAMMANET_CELL_W_INH];
  cell->place = place_of(first);
  int64_t* sizes = nullptr;
  int64_t dimensions = 0;
  torch_check(torch().get_dim(first, &dimensions), "aoti_torch_get_dim");
  torch_check(torch().get_sizes(first, &sizes), "aoti_torch_get_sizes");
  if (dimensions != 4 || sizes[0] <= 0 || sizes[0] != sizes[1] || sizes[2] != sizes[3] ||
      sizes[2] % 2 != 1) {
    invalid("W_inh must be [C, C, k, k] with odd k");
  }
  cell->channels = sizes[0];
  cell->k = sizes[2];
  if (cell->norm() == kGroup && cell->channels > 8 && cell->channels % 8 != 0) {
    invalid("group normalisation needs a multiple of 8 channels, not %lld",
            static_cast<long long>(cell->channels));
  }
  const Queue queue(cell->place);
  for (int number = 0; number < GAMMANET_CELL_PARAMETERS; ++number) {
    const Cell::Shape shape = cell->shape(number);
    if (shape.outputs == 0) {
      continue;
    }
    const float* data =
        weights_on(cell->place, parameters[number], kParameterNames[number], shape.elements());
    Tensor& to = cell->parameters[static_cast<size_t>(number)];
    if (shape.inputs != 0) {
      const bool horizontal = number == GAMMANET_CELL_W_INH || number == GAMMANET_CELL_W_EXC;
      to = weight_copy(queue, data, shape.outputs, shape.inputs, shape.k,
                       horizontal ? cell->option(GAMMANET_CELL_SYMMETRY) : 0, cell->half());
      continue;
    }
    int32_t forcing = 0;
    if (number == GAMMANET_CELL_ALPHA && cell->option(GAMMANET_CELL_FORCE_ALPHA) != 0) {
      forcing = 1;
      cell->alpha = vector_copy(queue, data, shape.outputs, 0);
    }
    if (number == GAMMANET_CELL_OMEGA && cell->option(GAMMANET_CELL_FORCE_OMEGA) != 0) {
      forcing = 2;
      cell->omega = vector_copy(queue, data, shape.outputs, 0);
    }
    to = vector_copy(queue, data, shape.outputs, forcing);
  }
  return cell;
}

namespace {

// One step: what its forward and backward passes share. A member without a tensor was not needed.
class Step {
 public:
  Step(const Cell& cell, const Map& x, const float* e, const float* i)
      : cell_(cell),
        queue_(cell.place),
        x_(x),
        e_(e),
        i_(i),
        c_(cell.channels),
        half_(cell.half()),
        pre_(cell.option(GAMMANET_CELL_GATE_NORM_POST) == 0),
        spatial_(cell.norm() == kInstance || cell.norm() == kGroup),
        group_(cell.norm() == kGroup ? c_ / std::min<int64_t>(8, c_) : 1),
        norm_(cell.norm() == kNone ? kIdentity : spatial_ ? kGiven : kOverChannels) {}

  // Writes i'.
  void inhibition(AtenTensorHandle e, float* new_i) {
    horizontal(e, e_, GAMMANET_CELL_W_INH, GAMMANET_CELL_N1_WEIGHT, n1_, m1_, u1_);
    const Source sources[3] = {source(e_), source(i_), source(x_.data)};
    gain_ = gate(sources, GAMMANET_CELL_W_GAIN);
    if (cell_.dynamic()) {
      const Source inputs[3] = {source(i_), source(u1_.data(), half_, true), source(x_.data)};
      network1_ = assembled(inputs, 3, kIdentity, {}, nullptr, nullptr);
      product1_ = product(network1_, GAMMANET_CELL_D_INH);
    }
    UpdateInhibition a{};
    a.extent = extent(1);
    a.half = half_;
    a.x = x_.data;
    a.i = i_;
    a.u1 = u1_.data();
    a.gain = gate_product(gain_, GAMMANET_CELL_B_GAIN);
    a.circuit = circuit1();
    a.new_i = new_i;
    queue_(table.kernels->update_inhibition, a);
  }

  // Makes the candidate from i'.
  void candidate(AtenTensorHandle new_i_handle, const float* new_i) {
    new_i_ = new_i;
    horizontal(new_i_handle, new_i, GAMMANET_CELL_W_EXC, GAMMANET_CELL_N2_WEIGHT, n2_, m2_, u2_);
    if (cell_.dynamic() && cell_.multiplicative()) {
      const Source inputs[2] = {source(new_i), source(e_)};
      network2_ = assembled(inputs, 2, kIdentity, {}, nullptr, nullptr);
      product2_ = product(network2_, GAMMANET_CELL_D_EXC);
    }
    q_ = new_map();
    Candidate a{};
    a.extent = extent(1);
    a.half = half_;
    a.multiplicative = cell_.multiplicative();
    a.new_i = new_i;
    a.u2 = u2_.data();
    a.circuit = circuit2();
    a.q = q_.floats();
    queue_(table.kernels->candidate, a);
    const Source sources[3] = {source(e_), source(q_.data()), source(new_i)};
    mix_ = gate(sources, GAMMANET_CELL_W_MIX);
  }

  void excitation(float* new_e, float* sum) {
    UpdateExcitation a{};
    a.extent = extent(1);
    a.half = half_;
    a.e = e_;
    a.q = q_.floats();
    a.mix = gate_product(mix_, GAMMANET_CELL_B_MIX);
    a.new_e = new_e;
    a.sum = sum;
    queue_(table.kernels->update_excitation, a);
  }

  // Frees what only the backward pass needs again.
  void forget_inhibition() {
    n1_ = Tensor();
    u1_ = Tensor();
    network1_ = Tensor();
    product1_ = Tensor();
    gain_ = Gate();
  }

  struct Gradients {
    const float *grad_new_e, *grad_new_i;
    // Null where not wanted.
    float *x, *e, *i;
    std::array<float*, GAMMANET_CELL_PARAMETERS> parameters;
  };

  void backward(AtenTensorHandle e_handle, AtenTensorHandle new_i_handle,
                const Gradients& wanted) {
    const auto& parameters = wanted.parameters;
    Tensor own[3];
    float* grads[3] = {wanted.x, wanted.e, wanted.i};
    for (int k = 0; k < 3; ++k) {
      if (grads[k] == nullptr) {
        own[k] = new_map();
        grads[k] = own[k].floats();
      }
    }
    float *const grad_x = grads[0], *const grad_e = grads[1], *const grad_i = grads[2];

    // The excitatory half.
    Tensor grad_gate = new_map(), grad_q = new_map(), grad_new_i = new_map();
    {
      BiasRelu copy{};
      copy.extent = extent(1);
      copy.a = source(wanted.grad_new_i);
      copy.out = grad_new_i.data();
      queue_(table.kernels->bias_relu, copy);
      MixBackward a{};
      a.extent = extent(1);
      a.half = half_;
      a.e = e_;
      a.q = q_.floats();
      a.mix = gate_product(mix_, GAMMANET_CELL_B_MIX);
      a.grad_new_e = wanted.grad_new_e;
      a.grad_e = grad_e;
      a.grad_q = grad_q.floats();
      a.grad_gate = grad_gate.floats();
      queue_(table.kernels->mix_backward, a);
    }
    gate_backward(mix_, grad_gate, GAMMANET_CELL_W_MIX, GAMMANET_CELL_B_MIX, parameters,
                  {source(e_), source(q_.data()), source(new_i_)},
                  {grad_e, grad_q.floats(), grad_new_i.floats()});
    Tensor grad_u = new_half_map(1), grad_product;
    {
      CandidateBackward a{};
      a.extent = extent(1);
      a.half = half_;
      a.multiplicative = cell_.multiplicative();
      a.new_i = new_i_;
      a.u2 = u2_.data();
      a.circuit = circuit2();
      a.grad_q = grad_q.floats();
      a.grad_new_i = grad_new_i.floats();
      a.grad_u2 = grad_u.data();
      if (cell_.multiplicative()) {
        grad_product = new_half_map(2);
        a.grad_product = grad_product.data();
      }
      queue_(table.kernels->candidate_backward, a);
    }
    if (cell_.multiplicative()) {
      circuit_backward(network2_, grad_product, GAMMANET_CELL_D_EXC, GAMMANET_CELL_D_EXC_BIAS,
                       {GAMMANET_CELL_KAPPA, GAMMANET_CELL_OMEGA}, {nullptr, &cell_.omega}, {0, 2},
                       parameters, {grad_new_i.floats(), grad_e}, 2);
    }
    horizontal_backward(grad_u, new_i_handle, source(new_i_), GAMMANET_CELL_W_EXC,
                        GAMMANET_CELL_N2_WEIGHT, n2_, m2_, parameters, grad_new_i.floats());

    // The inhibitory half.
    Tensor& grad_c1 = grad_q;
    grad_product = new_half_map(2);
    {
      InhibitionBackward a{};
      a.extent = extent(1);
      a.half = half_;
      a.x = x_.data;
      a.i = i_;
      a.u1 = u1_.data();
      a.gain = gate_product(gain_, GAMMANET_CELL_B_GAIN);
      a.circuit = circuit1();
      a.grad_new_i = grad_new_i.floats();
      a.grad_x = grad_x;
      a.grad_i = grad_i;
      a.grad_c1 = grad_c1.floats();
      a.grad_gate = grad_gate.floats();
      a.grad_product = grad_product.data();
      queue_(table.kernels->inhibition_backward, a);
    }
    gate_backward(gain_, grad_gate, GAMMANET_CELL_W_GAIN, GAMMANET_CELL_B_GAIN, parameters,
                  {source(e_), source(i_), source(x_.data)}, {grad_e, grad_i, grad_x});
    circuit_backward(network1_, grad_product, GAMMANET_CELL_D_INH, GAMMANET_CELL_D_INH_BIAS,
                     {GAMMANET_CELL_ALPHA, GAMMANET_CELL_MU}, {&cell_.alpha, nullptr}, {1, 0},
                     parameters, {grad_i, grad_c1.floats(), grad_x}, 3);
    // Without u1, c1 is 0 and does not change with e.
    if (u1_) {
      queue_(table.kernels->mask,
             Mask{x_.pixels() * c_, source(grad_c1.data()), source(u1_.data(), half_),
                  grad_u.data(), half_});
      horizontal_backward(grad_u, e_handle, source(e_), GAMMANET_CELL_W_INH,
                          GAMMANET_CELL_N1_WEIGHT, n1_, m1_, parameters, grad_e);
    }
  }

 private:
  struct Gate {
    Tensor inputs;         // [.., 3C], as multiplied
    Tensor product;        // [.., C]
    Moments of_inputs[3];  // of instance and group norms before the product
    Moments of_product;    // and after it
  };
  using Parameters = std::array<float*, GAMMANET_CELL_PARAMETERS>;

  Extent extent(int parts) const { return extent_of(x_, c_, parts); }
  Tensor new_map() const { return empty_map(x_.n, c_, x_.h, x_.w, queue_.place, false); }
  Tensor new_half_map(int64_t parts) const {
    return empty_map(x_.n, parts * c_, x_.h, x_.w, queue_.place, half_);
  }
  float* vector(int number) const { return cell_.parameter(number).floats(); }

  Tensor assembled(const Source* sources, int parts, NormKind norm, const Statistics& statistics,
                   const float* weight, const float* bias) const {
    Tensor result = new_half_map(parts);
    Assemble a{};
    a.extent = extent(parts);
    std::copy_n(sources, parts, a.sources);
    a.norm = norm;
    a.statistics = statistics;
    a.weight = weight;
    a.bias = bias;
    a.out = result.data();
    a.half = half_;
    queue_(table.kernels->assemble, a);
    return result;
  }

  Tensor product(const Tensor& inputs, int weight) const {
    return convolution(inputs.get(), cell_.parameter(weight), 1, queue_.place, half_);
  }

  static Statistics statistics(const Moments* moments, int parts) {
    Statistics result{};
    for (int part = 0; part < parts; ++part) {
      result.mean[part] = moments[part].mean.floats();
      result.r[part] = moments[part].r.floats();
    }
    return result;
  }

  // u = W * N(state); n and m are what N makes, if there is one.
  void horizontal(AtenTensorHandle handle, const float* state, int weight, int norm_weight,
                  Tensor& n, Moments& m, Tensor& u) const {
    if (cell_.normalise_inputs()) {
      const Source from = source(state);
      if (spatial_) {
        m = reduce(queue_, extent(1), from, group_);
      }
      n = assembled(&from, 1, norm_, statistics(&m, 1), vector(norm_weight),
                    vector(norm_weight + 1));
    } else if (state == nullptr) {
      return;
    } else if (half_) {
      const Source from = source(state);
      n = assembled(&from, 1, kIdentity, {}, nullptr, nullptr);
    }
    u = convolution(n ? n.get() : handle, cell_.parameter(weight), cell_.k, queue_.place, half_);
  }

  // Adds to the gradient of the state.
  void horizontal_backward(const Tensor& grad_u, AtenTensorHandle handle, const Source& state,
                           int weight, int norm_weight, const Tensor& n, const Moments& m,
                           const Parameters& parameters, float* grad_state) const {
    float* grad_weight = parameters[static_cast<size_t>(weight)];
    const ConvolutionGradients grads =
        convolution_backward(grad_u.get(), n ? n.get() : handle, cell_.parameter(weight), cell_.k, true,
                             grad_weight != nullptr, queue_.place, half_);
    if (grad_weight != nullptr) {
      add_weight(queue_, grads.weight, half_, c_, c_, cell_.k,
                 cell_.option(GAMMANET_CELL_SYMMETRY), grad_weight);
    }
    NormBackward a{};
    a.extent = extent(1);
    a.grad = source(grads.x.data(), half_);
    a.sources[0] = state;
    a.out[0] = grad_state;
    Moments of_gradient;
    if (cell_.normalise_inputs()) {
      float* grad_scale = parameters[static_cast<size_t>(norm_weight)];
      float* grad_shift = parameters[static_cast<size_t>(norm_weight + 1)];
      if (grad_scale != nullptr) {
        const Tensor y = assembled(&state, 1, norm_, statistics(&m, 1), nullptr, nullptr);
        add_column_sums(queue_, extent(1), a.grad, source(y.data(), half_), grad_scale);
      }
      add_column_sums(queue_, extent(1), a.grad, {}, grad_shift);
      a.norm = norm_;
      a.weight = vector(norm_weight);
      a.statistics = statistics(&m, 1);
      if (spatial_) {
        of_gradient = reduce_gradient(a, 0);
        a.gradient_statistics = statistics(&of_gradient, 1);
      }
    }
    queue_(table.kernels->norm_backward, a);
  }

  Moments reduce_gradient(const NormBackward& a, int part) const {
    const int64_t size = a.extent.samples * a.extent.channels;
    Moments result{empty_vector(size, queue_.place), empty_vector(size, queue_.place)};
    Tensor scratch = empty_vector(reduce_scratch(a.extent), queue_.place);
    GradientReduce r{};
    r.extent = a.extent;
    r.grad = a.grad;
    r.source = a.sources[part];
    r.part = part;
    r.group = static_cast<int32_t>(group_);
    r.statistics = a.statistics;
    r.weight = a.weight;
    r.scratch = scratch.floats();
    r.mean_grad = result.mean.floats();
    r.mean_product = result.r.floats();
    queue_(table.kernels->gradient_reduce, r);
    return result;
  }

  Gate gate(const Source* sources, int weight) const {
    Gate g;
    const bool normalised = pre_ && norm_ != kIdentity;
    for (int part = 0; normalised && spatial_ && part < 3; ++part) {
      g.of_inputs[part] = reduce(queue_, extent(1), sources[part], group_);
    }
    g.inputs = assembled(sources, 3, pre_ ? norm_ : kIdentity, statistics(g.of_inputs, 3), nullptr,
                         nullptr);
    g.product = product(g.inputs, weight);
    if (!pre_ && spatial_) {
      g.of_product = reduce(queue_, extent(1), source(g.product.data(), half_), group_);
    }
    return g;
  }

  GateProduct gate_product(const Gate& g, int bias) const {
    GateProduct result{};
    result.product = g.product.data();
    result.norm = pre_ ? kIdentity : norm_;
    result.statistics = statistics(&g.of_product, 1);
    result.bias = vector(bias);
    return result;
  }

  // From the gradient of the sigmoid's argument to those of the inputs, which are added to.
  void gate_backward(const Gate& g, const Tensor& grad_gate, int weight, int bias,
                     const Parameters& parameters, const std::array<Source, 3>& sources,
                     const std::array<float*, 3>& out) const {
    add_column_sums(queue_, extent(1), source(grad_gate.data()), {},
                    parameters[static_cast<size_t>(bias)]);
    Tensor own;
    if (half_ || (!pre_ && norm_ != kIdentity)) {
      own = new_half_map(1);
      NormBackward a{};
      a.extent = extent(1);
      a.grad = source(grad_gate.data());
      a.sources[0] = source(g.product.data(), half_);
      a.norm = pre_ ? kIdentity : norm_;
      a.statistics = statistics(&g.of_product, 1);
      Moments of_gradient;
      if (a.norm == kGiven) {
        of_gradient = reduce_gradient(a, 0);
        a.gradient_statistics = statistics(&of_gradient, 1);
      }
      a.replace = own.data();
      a.half = half_;
      queue_(table.kernels->norm_backward, a);
    }
    float* grad_weight = parameters[static_cast<size_t>(weight)];
    const ConvolutionGradients grads =
        convolution_backward((own ? own : grad_gate).get(), g.inputs.get(), cell_.parameter(weight), 1,
                             true, grad_weight != nullptr, queue_.place, half_);
    if (grad_weight != nullptr) {
      add_weight(queue_, grads.weight, half_, c_, 3 * c_, 1, 0, grad_weight);
    }
    NormBackward a{};
    a.extent = extent(3);
    a.grad = source(grads.x.data(), half_);
    std::copy(sources.begin(), sources.end(), a.sources);
    a.norm = pre_ ? norm_ : kIdentity;
    a.statistics = statistics(g.of_inputs, 3);
    Moments of_gradient[3];
    for (int part = 0; a.norm == kGiven && part < 3; ++part) {
      of_gradient[part] = reduce_gradient(a, part);
    }
    a.gradient_statistics = statistics(of_gradient, 3);
    std::copy(out.begin(), out.end(), a.out);
    queue_(table.kernels->norm_backward, a);
  }

  Circuit circuit(const Tensor& product, int bias, int first, int second) const {
    Circuit result{};
    result.softplus = cell_.option(GAMMANET_CELL_DYNAMIC) == 1;
    if (cell_.dynamic()) {
      result.product = product.data();
      result.bias = vector(bias);
    } else {
      result.first = vector(first);
      result.second = vector(second);
    }
    return result;
  }
  Circuit circuit1() const {
    return circuit(product1_, GAMMANET_CELL_D_INH_BIAS, GAMMANET_CELL_ALPHA, GAMMANET_CELL_MU);
  }
  Circuit circuit2() const {
    return circuit(product2_, GAMMANET_CELL_D_EXC_BIAS, GAMMANET_CELL_KAPPA, GAMMANET_CELL_OMEGA);
  }

  // From the gradient of the network's product, or of static parameters at each pixel.
  void circuit_backward(const Tensor& inputs, const Tensor& grad, int weight, int bias,
                        const std::array<int, 2>& fixed,
                        const std::array<const Tensor*, 2>& stored,
                        const std::array<int32_t, 2>& forcing, const Parameters& parameters,
                        const std::array<float*, 3>& out, int parts) const {
    if (!cell_.dynamic()) {
      const Tensor sums = zeros(2 * c_, queue_.place);
      add_column_sums(queue_, extent_of(x_, 2 * c_, 1), source(grad.data(), half_), {},
                      sums.floats());
      for (size_t k = 0; k < 2; ++k) {
        float* to = parameters[static_cast<size_t>(fixed[k])];
        if (to != nullptr) {
          const bool forced = stored[k] != nullptr && *stored[k];
          queue_(table.kernels->add_forced,
                 AddForced{static_cast<int32_t>(c_),
                           sums.floats() + static_cast<int64_t>(k) * c_,
                           forced ? stored[k]->floats() : nullptr, forced ? forcing[k] : 0, to});
        }
      }
      return;
    }
    add_column_sums(queue_, extent_of(x_, 2 * c_, 1), source(grad.data(), half_), {},
                    parameters[static_cast<size_t>(bias)]);
    float* grad_weight = parameters[static_cast<size_t>(weight)];
    const ConvolutionGradients grads =
        convolution_backward(grad.get(), inputs.get(), cell_.parameter(weight), 1, true,
                             grad_weight != nullptr, queue_.place, half_);
    if (grad_weight != nullptr) {
      add_weight(queue_, grads.weight, half_, 2 * c_, parts * c_, 1, 0, grad_weight);
    }
    NormBackward a{};
    a.extent = extent(parts);
    a.grad = source(grads.x.data(), half_);
    std::copy(out.begin(), out.end(), a.out);
    queue_(table.kernels->norm_backward, a);
  }

  const Cell& cell_;
  const Queue queue_;
  const Map& x_;
  const float *e_, *i_, *new_i_ = nullptr;
  const int64_t c_;
  const bool half_, pre_, spatial_;
  const int64_t group_;
  const NormKind norm_;

  Tensor n1_, u1_, network1_, product1_, n2_, u2_, network2_, product2_, q_;
  Moments m1_, m2_;
  Gate gain_, mix_;
};

struct Inputs {
  Map x, e, i;
};

Inputs check_inputs(const Cell& cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i) {
  Inputs in;
  in.x = map_on(cell.place, x, "x");
  if (in.x.c != cell.channels) {
    invalid("x must have %lld channels, not %lld", static_cast<long long>(cell.channels),
            static_cast<long long>(in.x.c));
  }
  if (e != nullptr) {
    in.e = map_on(cell.place, e, "e", in.x, cell.channels);
  }
  if (i != nullptr) {
    in.i = map_on(cell.place, i, "i", in.x, cell.channels);
  }
  return in;
}

}  // namespace

void cell_forward(const Cell& cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i,
                  AtenTensorHandle new_e, AtenTensorHandle new_i, AtenTensorHandle sum) {
  const NoGrad no_grad;
  const Inputs in = check_inputs(cell, x, e, i);
  const Map to_e = map_on(cell.place, new_e, "new_e", in.x, cell.channels);
  const Map to_i = map_on(cell.place, new_i, "new_i", in.x, cell.channels);
  const Map to_sum = sum == nullptr ? Map() : map_on(cell.place, sum, "sum", in.x, cell.channels);
  check_cell_maps(in.x, in.e, in.i, to_e, to_i, to_sum);
  Step step(cell, in.x, in.e.data, in.i.data);
  step.inhibition(e, to_i.data);
  step.forget_inhibition();
  step.candidate(new_i, to_i.data);
  step.excitation(to_e.data, to_sum.data);
}

void cell_backward(const Cell& cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i,
                   AtenTensorHandle grad_new_e, AtenTensorHandle grad_new_i,
                   AtenTensorHandle grad_x, AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                   const AtenTensorHandle* grad_parameters) {
  const NoGrad no_grad;
  const Inputs in = check_inputs(cell, x, e, i);
  auto optional = [&](AtenTensorHandle tensor, const char* what) {
    return tensor == nullptr ? Map() : map_on(cell.place, tensor, what, in.x, cell.channels);
  };
  const Map of_e = optional(grad_new_e, "grad_new_e"), of_i = optional(grad_new_i, "grad_new_i");
  const Map to_x = optional(grad_x, "grad_x"), to_e = optional(grad_e, "grad_e");
  const Map to_i = optional(grad_i, "grad_i");
  check_cell_gradient_maps(in.x, in.e, in.i, of_e, of_i, to_x, to_e, to_i);
  Step::Gradients wanted{of_e.data, of_i.data, to_x.data, to_e.data, to_i.data, {}};
  for (int number = 0; grad_parameters != nullptr && number < GAMMANET_CELL_PARAMETERS;
       ++number) {
    const int64_t elements = cell.shape(number).elements();
    if (grad_parameters[number] != nullptr && elements != 0) {
      wanted.parameters[static_cast<size_t>(number)] =
          weights_on(cell.place, grad_parameters[number], kParameterNames[number], elements);
    }
  }
  Step step(cell, in.x, in.e.data, in.i.data);
  const Tensor new_i = empty_map(in.x.n, in.x.c, in.x.h, in.x.w, cell.place, false);
  step.inhibition(e, new_i.floats());
  step.candidate(new_i.get(), new_i.floats());
  step.backward(e, new_i.get(), wanted);
}

}  // namespace gammanet::cuda
