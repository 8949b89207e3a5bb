// LibTorch's operators on CUDA tensors, and launches of the kernels of libgammanet_cuda.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../torch.h"
#include "kernels.h"

namespace gammanet::cuda {

// LibTorch's functions beyond those of torch.h.
struct Functions {
  decltype(&::torch_call_dispatcher) call_dispatcher;
  decltype(&::torch_new_list_reserve_size) new_list;
  decltype(&::torch_list_push_back) list_push_back;
  decltype(&::aoti_torch_empty_strided) empty_strided;
  decltype(&::aoti_torch_copy_) copy;
  decltype(&::aoti_torch_zero_) zero;
  decltype(&::aoti_torch_grad_mode_is_enabled) grad_mode_is_enabled;
  decltype(&::aoti_torch_grad_mode_set_enabled) grad_mode_set_enabled;
  decltype(&::aoti_torch_get_current_cuda_stream) current_stream;
  int32_t dtype_bfloat16;
  const Kernels* kernels;
};

// The table; throws a Failure with GAMMANET_UNAVAILABLE before init.
const Functions& functions();

// A tensor that lives during a call or belongs to packed weights.
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

Tensor empty_vector(int64_t size, Device device);
// half: bfloat16.
Tensor empty_map(int64_t n, int64_t c, int64_t h, int64_t w, Device device, bool half);
Tensor zeros(int64_t size, Device device);

// weight * x without a bias, zero padding, channels last.
Tensor convolution(AtenTensorHandle x, const Tensor& weight, int64_t k, Device device, bool half);

struct ConvolutionGradients {
  Tensor x, weight;
};
ConvolutionGradients convolution_backward(AtenTensorHandle grad, AtenTensorHandle x,
                                          const Tensor& weight, int64_t k, bool need_x,
                                          bool need_weight, Device device, bool half);

// No gradients are recorded in a scope.
class NoGrad {
 public:
  NoGrad() : before_(functions().grad_mode_is_enabled()) { functions().grad_mode_set_enabled(false); }
  ~NoGrad() { functions().grad_mode_set_enabled(before_); }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// ---- Launches ----

// Device and stream of a call.
struct Queue {
  explicit Queue(Device d) : device(d) {
    torch_check(functions().current_stream(d.index, &stream),
                "aoti_torch_get_current_cuda_stream");
  }
  template <class Argument>
  void operator()(const char* (*kernel)(const Argument&, int, void*),
                  const Argument& argument) const {
    if (const char* error = kernel(argument, device.index, stream)) {
      throw Failure(GAMMANET_INTERNAL_ERROR, std::string("a CUDA kernel failed: ") + error);
    }
  }
  Device device;
  void* stream = nullptr;
};

Source source(const void* data, bool half = false, bool relu = false);
Extent extent_of(const FeatureMap& map, int64_t channels, int parts);

// Mean and 1/sigma, or the means of a gradient, of one part.
struct Moments {
  Tensor mean, r;
};

Moments reduce(const Queue& queue, Extent extent, const Source& from, int64_t group);
// out may be null.
void add_column_sums(const Queue& queue, Extent extent, const Source& a, const Source& b,
                     float* out);
// Adds a weight's gradient in LibTorch's memory order to a contiguous one.
void add_weight(const Queue& queue, const Tensor& grad, bool half, int64_t outputs, int64_t inputs,
                int64_t k, int32_t symmetry, float* out);
// A weight as convolutions read it: channels last, S applied, perhaps in bfloat16.
Tensor weight_copy(const Queue& queue, const float* weight, int64_t outputs, int64_t inputs,
                   int64_t k, int32_t symmetry, bool half);
Tensor vector_copy(const Queue& queue, const float* vector, int64_t size, int32_t forcing);
// A feature map rounded to bfloat16; without a tensor if half is false.
Tensor converted(const Queue& queue, const FeatureMap& map, bool half);

}  // namespace gammanet::cuda
