// Every exported function: checks its arguments, then calls the CPU's or CUDA's implementation.
#include <cstdio>
#include <cstdlib>
#ifndef _WIN32
#include <unistd.h>
#endif
#include <memory>

#include "cell.h"
#include "cpu/cell.h"
#include "cpu/conv.h"
#include "cuda/cuda.h"
#include "cxx_api.h"
#include "memory.h"
#include "torch.h"

using namespace gammanet;

struct GammanetConvOpaque {
  int64_t outputs, inputs, k;
  Device device;
  // Keeps the weights' memory.
  Held weight;
  std::unique_ptr<const Conv> cpu;
  std::unique_ptr<const cuda::Conv, cuda::Delete> cuda;
};

struct GammanetCellOpaque {
  CellSpec spec;
  Held parameters[GAMMANET_CELL_PARAMETERS];
  std::unique_ptr<const Cell> cpu;
  std::unique_ptr<const cuda::Cell, cuda::Delete> cuda;
};

namespace {

template <class T>
T* not_null(T* argument, const char* what) {
  if (argument == nullptr) {
    invalid("%s is null", what);
  }
  return argument;
}

void check_flag(int32_t value, const char* what) {
  if (value != 0 && value != 1) {
    invalid("%s must be 0 or 1, not %d", what, static_cast<int>(value));
  }
}

Device usable_device_of(AtenTensorHandle tensor, const char* what) {
  const Device device = device_of(tensor, what);
  if (device.is_cuda()) {
    cuda::require();
  }
  return device;
}

// The input of a layer; conv may be null.
FeatureMap input_of(GammanetConv conv, AtenTensorHandle x) {
  usable_device_of(x, "x");
  const FeatureMap in = feature_map(x, "x");
  return conv == nullptr
             ? in
             : feature_map(x, "x", in.n, conv->inputs, in.h, in.w, conv->device);
}

void on_cpu(const FeatureMap& x, const char* what) {
  if (x.device.is_cuda()) {
    unavailable("the gradient of %s has no kernel on CUDA", what);
  }
}

// Gradients of a convolution's parameters, null where not wanted.
struct ParameterGradients {
  ParameterGradients(GammanetConv conv, AtenTensorHandle weight_tensor,
                     AtenTensorHandle bias_tensor)
      : bias(conv ? optional_vector_of(bias_tensor, "grad_bias", conv->outputs, conv->device)
                  : nullptr) {
    if (weight_tensor != nullptr && conv != nullptr) {
      int64_t sizes[4] = {conv->outputs, conv->inputs, conv->k, conv->k};
      weight = weights_of(weight_tensor, "grad_weight", sizes, conv->device);
    }
  }
  float *weight = nullptr, *bias;
};

void check_pointwise(GammanetConv conv) {
  if (conv != nullptr && conv->k != 1) {
    invalid("conv must be 1x1, not %lldx%lld", static_cast<long long>(conv->k),
            static_cast<long long>(conv->k));
  }
}

// What a cell's step leaves for its backward pass.
FeatureMap kept_by(GammanetCell cell, AtenTensorHandle kept, const FeatureMap& x) {
  const int64_t channels = cell->cpu ? cell_kept_channels(*cell->cpu) : 0;
  if (channels == 0) {
    unavailable("a cell of this kind keeps nothing for its backward pass");
  }
  const FeatureMap map = feature_map(kept, "kept", x.n, channels, x.h, x.w, x.device);
  check_disjoint(map, "kept", x, "x");
  return map;
}

}  // namespace

extern "C" {

// ---- The library ----

GAMMANET_API uint32_t gammanet_native_abi_version(void) { return GAMMANET_NATIVE_ABI_VERSION; }

GAMMANET_API int32_t gammanet_native_init(const char* libtorch_cpu_path) {
  return guarded([&] {
    if (const char* name = missing_instruction_set()) {
      unavailable("GAMMANET_INSTRUCTION_SET is \"%s\", which this processor or build lacks", name);
    }
    torch_init(libtorch_cpu_path);
  });
}

GAMMANET_API int32_t gammanet_native_init_cuda(const char* gammanet_cuda_path) {
  return guarded([&] { cuda::init(not_null(gammanet_cuda_path, "gammanet_cuda_path")); });
}

GAMMANET_API const char* gammanet_last_error(void) { return last_error(); }

GAMMANET_API const char* gammanet_instruction_set(void) { return kernels().name; }

GAMMANET_API int32_t gammanet_force_instruction_set(const char* name) {
  return guarded([&] {
    if (!force_instruction_set(name)) {
      unavailable("this processor or build has no instruction set \"%s\"", name);
    }
  });
}

GAMMANET_API int32_t gammanet_skip_destructors(void) {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Handlers run in reverse order of their registration: this one before all destructors.
  on_exit(
      [](int status, void*) {
        std::fflush(nullptr);
        _exit(status);
      },
      nullptr);
#endif
  return GAMMANET_OK;
}

// ---- Functions of LibTorch that its C ABI lacks ----

GAMMANET_API int32_t gammanet_torch_set_num_threads(int32_t threads) {
  return guarded([&] { set_num_threads(threads); });
}

GAMMANET_API int32_t gammanet_torch_requires_grad(AtenTensorHandle tensor, int32_t* ret) {
  return guarded([&] { *not_null(ret, "ret") = requires_grad(tensor) ? 1 : 0; });
}

GAMMANET_API int32_t gammanet_torch_grad(AtenTensorHandle tensor, AtenTensorHandle* ret) {
  return guarded([&] { *not_null(ret, "ret") = new_gradient_handle(tensor); });
}

GAMMANET_API int32_t gammanet_torch_bump_version(AtenTensorHandle tensor) {
  return guarded([&] { bump_version(tensor); });
}

// ---- Memory ----

GAMMANET_API int32_t gammanet_release_scratch(void) {
  return guarded([] {
    release_scratch();
    release_memory();
  });
}

GAMMANET_API int32_t gammanet_map_new(int64_t n, int64_t c, int64_t h, int64_t w,
                                              AtenTensorHandle* ret) {
  return guarded([&] {
    not_null(ret, "ret");
    int64_t bytes = sizeof(float);
    for (int64_t size : {n, c, h, w}) {
      if (size <= 0 || __builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 2) {
        invalid("a feature map cannot be [%lld, %lld, %lld, %lld]", static_cast<long long>(n),
                static_cast<long long>(c), static_cast<long long>(h), static_cast<long long>(w));
      }
    }
    *ret = new_feature_map(n, c, h, w);
  });
}

GAMMANET_API int32_t gammanet_keep_map_memory(int64_t bytes) {
  return guarded([&] {
    if (bytes < 0) {
      invalid("the memory to keep cannot be %lld bytes", static_cast<long long>(bytes));
    }
    keep_memory(static_cast<size_t>(bytes));
  });
}

// ---- Convolutions and layers around the cells ----

GAMMANET_API int32_t gammanet_conv_pack(AtenTensorHandle weight, AtenTensorHandle bias,
                                        int32_t algorithm, int32_t precision, GammanetConv* ret) {
  return guarded([&] {
    not_null(ret, "ret");
    check_option(GAMMANET_CELL_ALGORITHM, algorithm);
    check_option(GAMMANET_CELL_PRECISION, precision);
    const Device device = usable_device_of(weight, "weight");
    int64_t sizes[4] = {-1, -1, -1, -1};
    const float* w = weights_of(weight, "weight", sizes, device);
    if (sizes[2] != sizes[3] || sizes[2] % 2 == 0) {
      invalid("weight must have a square kernel of odd size, not %lldx%lld",
              static_cast<long long>(sizes[2]), static_cast<long long>(sizes[3]));
    }
    const float* b = optional_vector_of(bias, "bias", sizes[0], device);
    auto conv = std::make_unique<GammanetConvOpaque>();
    conv->outputs = sizes[0];
    conv->inputs = sizes[1];
    conv->k = sizes[2];
    conv->device = device;
    if (device.is_cuda()) {
      conv->cuda.reset(
          cuda::new_conv(device, w, b, conv->outputs, conv->inputs, conv->k, precision));
    } else {
      check_precision(precision);
      conv->weight = Held(weight);
      conv->cpu = std::make_unique<Conv>(w, b, conv->outputs, conv->inputs, conv->k, algorithm,
                                         precision);
    }
    *ret = conv.release();
  });
}

GAMMANET_API int32_t gammanet_conv_free(GammanetConv conv) {
  return guarded([&] { delete conv; });
}

GAMMANET_API int32_t gammanet_conv_forward(GammanetConv conv, AtenTensorHandle x, int32_t relu,
                                           AtenTensorHandle out) {
  return guarded([&] {
    not_null(conv, "conv");
    check_flag(relu, "relu");
    const FeatureMap in = input_of(conv, x);
    const FeatureMap result =
        feature_map(out, "out", in.n, conv->outputs, in.h, in.w, conv->device);
    check_disjoint(in, "x", result, "out");
    if (conv->cuda) {
      cuda::conv_forward(*conv->cuda, in, relu == 1, result);
    } else {
      conv_forward(*conv->cpu, in, relu == 1, result);
    }
  });
}

GAMMANET_API int32_t gammanet_conv_backward(GammanetConv conv, AtenTensorHandle x,
                                            AtenTensorHandle out, AtenTensorHandle grad_out,
                                            AtenTensorHandle grad_x, AtenTensorHandle grad_weight,
                                            AtenTensorHandle grad_bias) {
  return guarded([&] {
    not_null(conv, "conv");
    const Device device = conv->device;
    const FeatureMap in = input_of(conv, x);
    auto optional = [&](AtenTensorHandle tensor, const char* what, int64_t c) {
      return tensor == nullptr ? FeatureMap()
                               : feature_map(tensor, what, in.n, c, in.h, in.w, device);
    };
    const FeatureMap grad =
        feature_map(grad_out, "grad_out", in.n, conv->outputs, in.h, in.w, device);
    const FeatureMap rectified = optional(out, "out", conv->outputs);
    const FeatureMap result = optional(grad_x, "grad_x", conv->inputs);
    const ParameterGradients parameters(conv, grad_weight, grad_bias);
    check_disjoint(result, "grad_x", in, "x");
    check_disjoint(result, "grad_x", grad, "grad_out");
    check_disjoint(result, "grad_x", rectified, "out");
    if (conv->cuda) {
      cuda::conv_backward(*conv->cuda, in, rectified, grad, result, parameters.weight,
                          parameters.bias);
    } else {
      conv_backward(*conv->cpu, in, rectified, grad, result, parameters.weight, parameters.bias);
    }
  });
}

GAMMANET_API int32_t gammanet_align_pool_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out) {
  return guarded([&] {
    check_pointwise(conv);
    const FeatureMap in = input_of(conv, x);
    if (in.h < 2 || in.w < 2) {
      invalid("x must have at least 2x2 pixels, not %lldx%lld", static_cast<long long>(in.h),
              static_cast<long long>(in.w));
    }
    const FeatureMap result = feature_map(out, "out", in.n, conv ? conv->outputs : in.c, in.h / 2,
                                          in.w / 2, in.device);
    check_disjoint(in, "x", result, "out");
    if (in.device.is_cuda()) {
      cuda::align_pool_forward(conv ? conv->cuda.get() : nullptr, in, result);
    } else {
      align_pool_forward(conv ? conv->cpu.get() : nullptr, in, result);
    }
  });
}

GAMMANET_API int32_t gammanet_align_pool_backward(GammanetConv conv, AtenTensorHandle x,
                                                  AtenTensorHandle grad_out,
                                                  AtenTensorHandle grad_x,
                                                  AtenTensorHandle grad_weight,
                                                  AtenTensorHandle grad_bias) {
  return guarded([&] {
    check_pointwise(conv);
    const FeatureMap in = input_of(conv, x);
    on_cpu(in, "alignment");
    if (in.h < 2 || in.w < 2) {
      invalid("x must have at least 2x2 pixels, not %lldx%lld", static_cast<long long>(in.h),
              static_cast<long long>(in.w));
    }
    const FeatureMap grad = feature_map(grad_out, "grad_out", in.n, conv ? conv->outputs : in.c,
                                        in.h / 2, in.w / 2, in.device);
    const FeatureMap result =
        grad_x == nullptr && conv != nullptr
            ? FeatureMap()
            : feature_map(grad_x, "grad_x", in.n, in.c, in.h, in.w, in.device);
    const ParameterGradients parameters(conv, grad_weight, grad_bias);
    check_disjoint(result, "grad_x", in, "x");
    check_disjoint(result, "grad_x", grad, "grad_out");
    align_pool_backward(conv ? conv->cpu.get() : nullptr, in, grad, result, parameters.weight,
                        parameters.bias);
  });
}

GAMMANET_API int32_t gammanet_project_up_backward(GammanetConv conv, AtenTensorHandle x,
                                                  AtenTensorHandle grad_out,
                                                  AtenTensorHandle grad_x,
                                                  AtenTensorHandle grad_weight,
                                                  AtenTensorHandle grad_bias) {
  return guarded([&] {
    not_null(conv, "conv");
    check_pointwise(conv);
    const FeatureMap in = input_of(conv, x);
    on_cpu(in, "feedback");
    const FeatureMap any = feature_map(grad_out, "grad_out");
    const FeatureMap grad =
        feature_map(grad_out, "grad_out", in.n, conv->outputs, any.h, any.w, in.device);
    const FeatureMap result =
        grad_x == nullptr ? FeatureMap()
                          : feature_map(grad_x, "grad_x", in.n, in.c, in.h, in.w, in.device);
    const ParameterGradients parameters(conv, grad_weight, grad_bias);
    check_disjoint(result, "grad_x", in, "x");
    check_disjoint(result, "grad_x", grad, "grad_out");
    project_up_backward(*conv->cpu, in, grad, result, parameters.weight, parameters.bias);
  });
}

GAMMANET_API int32_t gammanet_project_up_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out) {
  return guarded([&] {
    not_null(conv, "conv");
    check_pointwise(conv);
    const FeatureMap in = input_of(conv, x);
    const FeatureMap any = feature_map(out, "out");
    const FeatureMap result =
        feature_map(out, "out", in.n, conv->outputs, any.h, any.w, conv->device);
    check_disjoint(in, "x", result, "out");
    if (conv->cuda) {
      cuda::project_up_forward(*conv->cuda, in, result);
    } else {
      project_up_forward(*conv->cpu, in, result);
    }
  });
}

GAMMANET_API int32_t gammanet_channel_layer_norm_forward(AtenTensorHandle x,
                                                         AtenTensorHandle weight,
                                                         AtenTensorHandle bias,
                                                         AtenTensorHandle out) {
  return guarded([&] {
    const FeatureMap in = input_of(nullptr, x);
    const FeatureMap result = feature_map(out, "out", in.n, in.c, in.h, in.w, in.device);
    const float* w = optional_vector_of(weight, "weight", in.c, in.device);
    const float* b = optional_vector_of(bias, "bias", in.c, in.device);
    if ((w == nullptr) != (b == nullptr)) {
      invalid("weight and bias must be given together");
    }
    check_same_or_disjoint(in, "x", result, "out");
    if (in.device.is_cuda()) {
      cuda::channel_layer_norm_forward(in, w, b, result);
    } else {
      channel_layer_norm_forward(in, w, b, result);
    }
  });
}

// ---- The cell ----

GAMMANET_API int32_t gammanet_cell_pack(const AtenTensorHandle* parameters, const int32_t* options,
                                        GammanetCell* ret) {
  return guarded([&] {
    not_null(parameters, "parameters");
    not_null(options, "options");
    not_null(ret, "ret");
    auto cell = std::make_unique<GammanetCellOpaque>();
    CellParameters data{};
    usable_device_of(parameters[GAMMANET_CELL_W_INH], "W_inh");
    cell->spec = check_cell(parameters, options, data);
    if (cell->spec.device.is_cuda()) {
      cell->cuda.reset(cuda::new_cell(cell->spec, data));
    } else {
      check_precision(cell->spec.option(GAMMANET_CELL_PRECISION));
      for (int index = 0; index < GAMMANET_CELL_PARAMETERS; ++index) {
        if (data[static_cast<size_t>(index)] != nullptr) {
          cell->parameters[index] = Held(parameters[index]);
        }
      }
      cell->cpu = std::make_unique<Cell>(cell->spec, data);
    }
    *ret = cell.release();
  });
}

GAMMANET_API int32_t gammanet_cell_free(GammanetCell cell) {
  return guarded([&] { delete cell; });
}

GAMMANET_API int32_t gammanet_cell_forward(GammanetCell cell, AtenTensorHandle x,
                                           AtenTensorHandle e, AtenTensorHandle i,
                                           AtenTensorHandle new_e, AtenTensorHandle new_i,
                                           AtenTensorHandle sum) {
  return guarded([&] {
    not_null(cell, "cell");
    const CellForward arguments = check_forward(cell->spec, x, e, i, new_e, new_i, sum);
    if (cell->cuda) {
      cuda::cell_forward(*cell->cuda, arguments);
    } else {
      cell_forward(*cell->cpu, arguments);
    }
  });
}

GAMMANET_API int32_t gammanet_cell_kept_channels(GammanetCell cell, int64_t* ret) {
  return guarded([&] {
    not_null(cell, "cell");
    *not_null(ret, "ret") = cell->cpu ? cell_kept_channels(*cell->cpu) : 0;
  });
}

GAMMANET_API int32_t gammanet_cell_forward_keeping(GammanetCell cell, AtenTensorHandle x,
                                                   AtenTensorHandle e, AtenTensorHandle i,
                                                   AtenTensorHandle new_e, AtenTensorHandle new_i,
                                                   AtenTensorHandle kept) {
  return guarded([&] {
    not_null(cell, "cell");
    CellForward arguments = check_forward(cell->spec, x, e, i, new_e, new_i, nullptr);
    check_disjoint(arguments.e, "e", arguments.new_e, "new_e");
    check_disjoint(arguments.i, "i", arguments.new_i, "new_i");
    arguments.kept = kept_by(cell, kept, arguments.x);
    for (const FeatureMap& map :
         {arguments.e, arguments.i, arguments.new_e, arguments.new_i}) {
      check_disjoint(arguments.kept, "kept", map, "another argument");
    }
    cell_forward(*cell->cpu, arguments);
  });
}

GAMMANET_API int32_t gammanet_cell_backward(GammanetCell cell, AtenTensorHandle x,
                                            AtenTensorHandle e, AtenTensorHandle i,
                                            AtenTensorHandle kept, AtenTensorHandle grad_new_e,
                                            AtenTensorHandle grad_new_i, AtenTensorHandle grad_x,
                                            AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                                            const AtenTensorHandle* grad_parameters) {
  return guarded([&] {
    not_null(cell, "cell");
    CellBackward arguments = check_backward(cell->spec, x, e, i, grad_new_e, grad_new_i, grad_x,
                                            grad_e, grad_i, grad_parameters);
    if (kept != nullptr) {
      arguments.kept = kept_by(cell, kept, arguments.x);
      for (const FeatureMap& map :
           {arguments.e, arguments.i, arguments.grad_new_e, arguments.grad_new_i, arguments.grad_x,
            arguments.grad_e, arguments.grad_i}) {
        check_disjoint(arguments.kept, "kept", map, "another argument");
      }
    }
    if (cell->cuda) {
      cuda::cell_backward(*cell->cuda, arguments);
    } else {
      cell_backward(*cell->cpu, arguments);
    }
  });
}

}  // extern "C"
