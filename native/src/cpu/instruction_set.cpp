// The instruction set in use, chosen by the processor.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels.h"

namespace gammanet {
namespace {

// A table with products in bfloat16.
Kernels with_bf16(Kernels table, const char* name, decltype(Kernels::product_bf16) product,
                  decltype(Kernels::convert_bf16) convert, int64_t depth, bool fast) {
  table.name = name;
  table.product_bf16 = product;
  table.convert_bf16 = convert;
  table.depth_bf16 = depth;
  table.fast_bf16 = fast;
  return table;
}

struct InstructionSet {
  Kernels kernels;
  // Whether it may be chosen without its name.
  bool automatic;
};

// Those of this processor, best first.
const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets = [] {
    std::vector<InstructionSet> all;
#ifdef GAMMANET_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      const Kernels& avx512 = kernels_avx512;
#ifdef GAMMANET_BF16
      const bool bf16 = __builtin_cpu_supports("avx512bf16");
#ifdef GAMMANET_AMX
      if (bf16 && enable_amx()) {
        all.push_back(
            {with_bf16(avx512, "amx", product_bf16_amx, convert_bf16_avx512, 32, true), true});
      }
#endif
      if (bf16) {
        // On Intel's processors they were measured to be no faster than float32.
        all.push_back({with_bf16(avx512, "avx512-bf16", product_bf16_avx512, convert_bf16_avx512,
                                 2, false),
                       __builtin_cpu_is("amd") != 0});
      }
#endif
      all.push_back({avx512, true});
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      all.push_back({kernels_avx2, true});
    }
#endif
    all.push_back({kernels_portable, true});
    // The tile instructions in plain loops, for tests.
    all.push_back({with_bf16(kernels_portable, "tiles", product_bf16_scalar, convert_bf16_scalar,
                             32, true),
                   false});
    return all;
  }();
  return sets;
}

// Null: none of that name on this processor.
const Kernels* by_name(const char* name) {
  const bool any = name == nullptr || *name == '\0' || std::strcmp(name, "auto") == 0;
  for (const InstructionSet& set : instruction_sets()) {
    if (any ? set.automatic : std::strcmp(name, set.kernels.name) == 0) {
      return &set.kernels;
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
