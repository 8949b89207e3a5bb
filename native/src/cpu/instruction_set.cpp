// The instruction set in use, chosen by the processor.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels.h"

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

bool force_instruction_set(const char* name) {
  const Kernels* k = by_name(name);
  if (k != nullptr) {
    current() = k;
  }
  return k != nullptr;
}

}  // namespace gammanet
