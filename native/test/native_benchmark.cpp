// Times the kernels at the sizes of the network (VGG16GammaNetV2, one 320x320 image), beside
// LibTorch's own convolution:
//
//   cmake --build BUILD --target native_benchmark && BUILD/test/native_benchmark FOLDER [WORD]
//
// FOLDER holds LibTorch's libraries; with a WORD only lines that contain it are measured. The
// number of threads is OMP_NUM_THREADS. Each figure is the least of several runs.
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gammanet_native.h"

namespace {

void* libtorch = nullptr;
const char* only = "";

#define TORCH(name) reinterpret_cast<decltype(&::name)>(dlsym(libtorch, #name))

void check(int32_t status, const char* what) {
  if (status != 0) {
    std::printf("%s failed: %s\n", what, gammanet_last_error());
    std::exit(1);
  }
}

AtenTensorHandle tensor(std::vector<int64_t> sizes, std::vector<int64_t> strides, float low,
                        float high) {
  AtenTensorHandle t = nullptr;
  check(TORCH(aoti_torch_empty_strided)(static_cast<int64_t>(sizes.size()), sizes.data(),
                                        strides.data(), TORCH(aoti_torch_dtype_float32)(),
                                        TORCH(aoti_torch_device_type_cpu)(), 0, &t),
        "aoti_torch_empty_strided");
  void* data = nullptr;
  TORCH(aoti_torch_get_data_ptr)(t, &data);
  int64_t n = 1;
  for (int64_t size : sizes) {
    n *= size;
  }
  uint32_t state = 12345;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    static_cast<float*>(data)[i] = low + (high - low) * static_cast<float>(state >> 8) * 0x1p-24f;
  }
  return t;
}

AtenTensorHandle map(int64_t c, int64_t h, int64_t w, float low = 0, float high = 1) {
  return tensor({1, c, h, w}, {c * h * w, 1, w * c, c}, low, high);
}

AtenTensorHandle plain(std::vector<int64_t> sizes, float low, float high) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0; stride *= sizes[i]) {
    strides[i] = stride;
  }
  return tensor(sizes, strides, low, high);
}

void release(AtenTensorHandle t) { TORCH(aoti_torch_delete_tensor_object)(t); }

// The least time of a call, in milliseconds.
double least(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  call();
  double best = 1e30, total = 0;
  for (int i = 0; i < 40 && (i < 3 || total < 400); ++i) {
    const auto start = Clock::now();
    call();
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    best = ms < best ? ms : best;
    total += ms;
  }
  return best;
}

double line(const std::string& name, double mega_macs, const std::function<void()>& call) {
  if (name.find(only) == std::string::npos) {
    return 0;
  }
  const double ms = least(call);
  std::printf("%-44s %9.3f ms %8.1f GMAC/s\n", name.c_str(), ms, mega_macs / ms);
  std::fflush(stdout);
  return ms;
}

// LibTorch's conv2d on its usual layout.
void torch_convolution(AtenTensorHandle x, AtenTensorHandle weight) {
  auto new_handle = TORCH(aoti_torch_new_tensor_handle);
  auto new_list = TORCH(torch_new_list_reserve_size);
  auto push = TORCH(torch_list_push_back);
  AtenTensorHandle a, b;
  new_handle(x, &a);
  new_handle(weight, &b);
  auto pair = [&](int64_t value) {
    StableListHandle list;
    new_list(2, &list);
    push(list, static_cast<uint64_t>(value));
    push(list, static_cast<uint64_t>(value));
    return reinterpret_cast<uint64_t>(list);
  };
  uint64_t stack[7] = {reinterpret_cast<uint64_t>(a), reinterpret_cast<uint64_t>(b), 0,
                       pair(1),  pair(1), pair(1), 1};
  check(TORCH(torch_call_dispatcher)("aten::conv2d", "", stack, UINT64_C(0x020B000000000000)),
        "aten::conv2d");
  release(reinterpret_cast<AtenTensorHandle>(stack[0]));
}

double convolution(const char* label, int64_t i, int64_t o, int64_t k, int64_t size,
                   int32_t algorithm, int32_t precision) {
  const std::string name = std::string(label) + " conv " + std::to_string(k) + "x" +
                           std::to_string(k) + " " + std::to_string(i) + "->" +
                           std::to_string(o) + " " + std::to_string(size);
  if (name.find(only) == std::string::npos) {
    return 0;
  }
  AtenTensorHandle x = map(i, size, size), out = map(o, size, size);
  AtenTensorHandle weight = plain({o, i, k, k}, -0.05f, 0.05f);
  const double mega = static_cast<double>(i * o * k * k * size * size) * 1e-6;
  double ms = 0;
  if (algorithm < 0) {
    AtenTensorHandle usual = plain({1, i, size, size}, 0, 1);
    ms = line(name, mega, [&] { torch_convolution(usual, weight); });
    release(usual);
  } else {
    GammanetConv conv = nullptr;
    if (gammanet_conv_pack(weight, nullptr, algorithm, precision, &conv) == GAMMANET_OK) {
      ms = line(name, mega,
                [&] { check(gammanet_conv_forward(conv, x, 1, out), "gammanet_conv_forward"); });
      if (algorithm == GAMMANET_ALGORITHM_AUTO && precision == GAMMANET_PRECISION_FLOAT32) {
        AtenTensorHandle grad_x = map(i, size, size), grad = map(o, size, size);
        AtenTensorHandle grad_weight = plain({o, i, k, k}, 0, 0);
        line(name + " backward", 2 * mega, [&] {
          check(gammanet_conv_backward(conv, x, out, grad, grad_x, grad_weight, nullptr),
                "gammanet_conv_backward");
        });
        for (AtenTensorHandle t : {grad_x, grad, grad_weight}) {
          release(t);
        }
      }
      gammanet_conv_free(conv);
    }
  }
  for (AtenTensorHandle t : {x, out, weight}) {
    release(t);
  }
  return ms;
}

// All gradients of a step, whose multiply-adds include those of the interior computed again.
void cell_backward(const std::string& name, GammanetCell packed, const AtenTensorHandle* parameters,
                   int64_t c, int64_t size, double mega_macs) {
  AtenTensorHandle maps[8], grads[GAMMANET_CELL_PARAMETERS] = {};
  for (AtenTensorHandle& t : maps) {
    t = map(c, size, size);
  }
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    if (parameters[place] != nullptr) {
      int64_t dimensions = 0, *sizes = nullptr;
      TORCH(aoti_torch_get_dim)(parameters[place], &dimensions);
      TORCH(aoti_torch_get_sizes)(parameters[place], &sizes);
      grads[place] = plain(std::vector<int64_t>(sizes, sizes + dimensions), 0, 0);
    }
  }
  line(name + " backward", mega_macs, [&] {
    check(gammanet_cell_backward(packed, maps[0], maps[1], maps[2], nullptr, maps[3], maps[4],
                                 maps[5], maps[6], maps[7], grads),
          "gammanet_cell_backward");
  });
  for (AtenTensorHandle t : maps) {
    release(t);
  }
  for (AtenTensorHandle t : grads) {
    if (t != nullptr) {
      release(t);
    }
  }
}

double cell(const char* label, int64_t c, int64_t size, int64_t k, int32_t precision) {
  const std::string name = std::string(label) + " cell k=" + std::to_string(k) + " " +
                           std::to_string(c) + " " + std::to_string(size);
  if (name.find(only) == std::string::npos) {
    return 0;
  }
  AtenTensorHandle x = map(c, size, size), e = map(c, size, size), i = map(c, size, size);
  AtenTensorHandle sum = k == 1 ? map(c, size, size) : nullptr;
  AtenTensorHandle p[GAMMANET_CELL_PARAMETERS] = {};
  p[GAMMANET_CELL_W_INH] = plain({c, c, k, k}, -0.02f, 0.02f);
  p[GAMMANET_CELL_W_EXC] = plain({c, c, k, k}, -0.02f, 0.02f);
  p[GAMMANET_CELL_W_GAIN] = plain({c, 3 * c, 1, 1}, -0.05f, 0.05f);
  p[GAMMANET_CELL_W_MIX] = plain({c, 3 * c, 1, 1}, -0.05f, 0.05f);
  p[GAMMANET_CELL_B_GAIN] = plain({c}, -0.1f, 0.1f);
  p[GAMMANET_CELL_B_MIX] = plain({c}, -0.1f, 0.1f);
  p[GAMMANET_CELL_D_INH] = plain({2 * c, 3 * c, 1, 1}, -0.05f, 0.05f);
  p[GAMMANET_CELL_D_INH_BIAS] = plain({2 * c}, -0.1f, 0.1f);
  p[GAMMANET_CELL_D_EXC] = plain({2 * c, 2 * c, 1, 1}, -0.05f, 0.05f);
  p[GAMMANET_CELL_D_EXC_BIAS] = plain({2 * c}, -0.1f, 0.1f);
  int32_t options[GAMMANET_CELL_OPTIONS] = {1, 0, 1, 0, 0, 1, 0, 0, precision, 0};
  GammanetCell packed = nullptr;
  double ms = 0;
  if (k == 3) {
    line(std::string("pack ") + name, 0, [&] {
      check(gammanet_cell_pack(p, options, &packed), "gammanet_cell_pack");
      gammanet_cell_free(packed);
    });
  }
  if (gammanet_cell_pack(p, options, &packed) == GAMMANET_OK) {
    const double mega = static_cast<double>((2 * k * k + 16) * c * c * size * size) * 1e-6;
    ms = line(name, mega, [&] {
      check(gammanet_cell_forward(packed, x, e, i, e, i, sum), "gammanet_cell_forward");
    });
    if (precision == GAMMANET_PRECISION_FLOAT32) {
      cell_backward(name, packed, p, c, size, 3 * mega);
    }
    gammanet_cell_free(packed);
  }
  for (AtenTensorHandle t : {x, e, i, sum}) {
    if (t) {
      release(t);
    }
  }
  for (AtenTensorHandle t : p) {
    if (t) {
      release(t);
    }
  }
  return ms;
}

double around(const char* label, bool up, int64_t i, int64_t o, int64_t size, int32_t precision) {
  const std::string name = std::string(label) + (up ? " project up " : " align pool ") +
                           std::to_string(i) + "->" + std::to_string(o) + " " +
                           std::to_string(size);
  if (name.find(only) == std::string::npos) {
    return 0;
  }
  const int64_t result = up ? size * 2 : size / 2;
  AtenTensorHandle x = map(i, size, size), out = map(o, result, result);
  AtenTensorHandle weight = plain({o, i, 1, 1}, -0.1f, 0.1f), bias = plain({o}, -0.1f, 0.1f);
  GammanetConv conv = nullptr;
  double ms = 0;
  if (gammanet_conv_pack(weight, bias, 0, precision, &conv) == GAMMANET_OK) {
    ms = line(name, static_cast<double>(i * o * size * size) * 1e-6, [&] {
      check(up ? gammanet_project_up_forward(conv, x, out)
               : gammanet_align_pool_forward(conv, x, out),
            "gammanet_..._forward");
    });
    gammanet_conv_free(conv);
  }
  for (AtenTensorHandle t : {x, out, weight, bias}) {
    release(t);
  }
  return ms;
}

// One timestep of the default network, and the block that is computed once.
void network(const char* label, int32_t precision) {
  constexpr int64_t kWidths[] = {64, 128, 256, 512, 512};
  constexpr int64_t kDepths[] = {2, 2, 3, 3, 3};
  double once = 0, step = 0;
  for (int level = 0; level < 5; ++level) {
    const int64_t c = kWidths[level], size = 320 >> level;
    for (int64_t j = 0; j < kDepths[level]; ++j) {
      const int64_t from = j > 0 ? c : level == 0 ? 3 : kWidths[level - 1];
      (level == 0 ? once : step) += convolution(label, from, c, 3, size, 0, precision);
    }
    step += cell(label, c, size, 3, precision);
    if (level < 4) {
      step += around(label, false, c, c, size, precision);
      step += around(label, true, kWidths[level + 1], c, size / 2, precision);
      step += cell(label, c, size, 1, precision);
    }
  }
  std::printf("%s: once %.1f ms, a timestep %.1f ms, eight timesteps %.2f s\n", label, once, step,
              (once + 8 * step) * 1e-3);
}

}  // namespace

int main(int arguments, char** argument) {
  if (arguments < 2) {
    std::printf("usage: native_benchmark FOLDER_OF_LIBTORCH [WORD]\n");
    return 2;
  }
  only = arguments > 2 ? argument[2] : "";
  const std::string folder = argument[1];
  for (const char* file : {"libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0",
                           "libgomp.so.1", "libc10.so", "libtorch_cpu.so"}) {
    libtorch = dlopen((folder + "/" + file).c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (libtorch == nullptr && std::strstr(file, "torch")) {
      std::printf("%s\n", dlerror());
      return 1;
    }
  }
  check(gammanet_native_init((folder + "/libtorch_cpu.so").c_str()), "gammanet_native_init");
  uint32_t threads = 0;
  TORCH(torch_get_num_threads)(&threads);
  std::printf("%s, %u threads\n", gammanet_instruction_set(), threads);
  constexpr int64_t kWidths[] = {64, 128, 256, 512, 512};
  for (int level = 0; level < 5; ++level) {
    const int64_t c = kWidths[level], size = 320 >> level;
    convolution("libtorch", c, c, 3, size, -1, 0);
    convolution("direct", c, c, 3, size, GAMMANET_ALGORITHM_DIRECT, 0);
    convolution("winograd", c, c, 3, size, GAMMANET_ALGORITHM_WINOGRAD, 0);
    convolution("direct-bf16", c, c, 3, size, GAMMANET_ALGORITHM_DIRECT, 1);
    convolution("winograd-bf16", c, c, 3, size, GAMMANET_ALGORITHM_WINOGRAD, 1);
  }
  {
    AtenTensorHandle x = map(512, 4, 4), out = map(512, 4, 4);
    AtenTensorHandle weight = plain({512, 512, 3, 3}, -0.05f, 0.05f);
    for (int32_t algorithm : {GAMMANET_ALGORITHM_DIRECT, GAMMANET_ALGORITHM_WINOGRAD}) {
      line("pack conv 3x3 512->512, algorithm " + std::to_string(algorithm), 0, [&] {
        GammanetConv conv = nullptr;
        check(gammanet_conv_pack(weight, nullptr, algorithm, 0, &conv), "gammanet_conv_pack");
        check(gammanet_conv_forward(conv, x, 1, out), "gammanet_conv_forward");
        gammanet_conv_free(conv);
      });
    }
    for (AtenTensorHandle t : {x, out, weight}) {
      release(t);
    }
  }
  network("float32", GAMMANET_PRECISION_FLOAT32);
  network("bfloat16", GAMMANET_PRECISION_BFLOAT16);
  return 0;
}
