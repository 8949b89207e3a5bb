// The library as a whole: version, initialisation, instruction sets; and the layer normalisation.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/cuda.h"
#include "cpu/kernels.h"
#include "torch.h"

namespace gammanet {

namespace {

struct InstructionSet {
  const Kernels* kernels;
  bool supported;
};

// Best first.
const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets = [] {
    std::vector<InstructionSet> all;
#ifdef GAMMANET_X86
    __builtin_cpu_init();
    static Kernels avx512 = kernels_avx512;
#ifdef GAMMANET_BF16
    if (__builtin_cpu_supports("avx512bf16")) {
      avx512.product_bf16 = product_bf16_avx512;
      avx512.convert_bf16 = convert_bf16_avx512;
    }
#endif
    all.push_back({&avx512, __builtin_cpu_supports("avx512f") &&
                                __builtin_cpu_supports("avx512bw") &&
                                __builtin_cpu_supports("avx512dq") &&
                                __builtin_cpu_supports("avx512vl")});
    all.push_back(
        {&kernels_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")});
#endif
    all.push_back({&kernels_portable, true});
    return all;
  }();
  return sets;
}

// Null: none of that name, or not on this processor.
const Kernels* by_name(const char* name) {
  const bool any = name == nullptr || *name == '\0' || std::strcmp(name, "auto") == 0;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.supported && (any || std::strcmp(name, set.kernels->name) == 0)) {
      return set.kernels;
    }
  }
  return nullptr;
}

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> chosen{[] {
    const Kernels* k = by_name(std::getenv("GAMMANET_INSTRUCTION_SET"));
    return k ? k : by_name(nullptr);
  }()};
  return chosen;
}

}  // namespace

const Kernels& kernels() { return *current().load(std::memory_order_relaxed); }

}  // namespace gammanet

using namespace gammanet;

extern "C" {

GAMMANET_API uint32_t gammanet_native_abi_version(void) { return GAMMANET_NATIVE_ABI_VERSION; }

GAMMANET_API int32_t gammanet_native_init(const char* libtorch_cpu_path) {
  return guarded([&] { torch_init(libtorch_cpu_path); });
}

GAMMANET_API int32_t gammanet_native_init_cuda(const char* gammanet_cuda_path) {
  return guarded([&] {
    torch();
    cuda::init(gammanet_cuda_path);
  });
}

GAMMANET_API const char* gammanet_instruction_set(void) { return kernels().name; }

GAMMANET_API int32_t gammanet_force_instruction_set(const char* name) {
  return guarded([&] {
    const Kernels* k = by_name(name);
    if (k == nullptr) {
      unavailable("this processor or build has no instruction set \"%s\"", name);
    }
    current() = k;
  });
}

GAMMANET_API int32_t gammanet_release_scratch(void) {
  return guarded([] {
    release_scratch();
    release_map_memory();
  });
}

GAMMANET_API int32_t gammanet_channel_layer_norm_forward(AtenTensorHandle x,
                                                         AtenTensorHandle weight,
                                                         AtenTensorHandle bias,
                                                         AtenTensorHandle out) {
  return guarded([&] {
    if (cuda::on_cuda(x)) {
      return cuda::channel_layer_norm_forward(x, weight, bias, out);
    }
    const Map in = map_of(x, "x");
    const Map result = map_of(out, "out", in.n, in.c, in.h, in.w);
    const float* w = optional_vector_of(weight, "weight", in.c);
    const float* b = optional_vector_of(bias, "bias", in.c);
    if ((w == nullptr) != (b == nullptr)) {
      invalid("weight and bias must be given together");
    }
    check_same_or_disjoint(in, "x", result, "out");
    const Kernels& k = kernels();
    parallel_for(in.pixels(), 1 + 32768 / in.c, [&](int64_t begin, int64_t end) {
      k.layer_norm(in.data + begin * in.c, w, b, result.data + begin * in.c, end - begin, in.c);
    });
  });
}

}  // extern "C"
