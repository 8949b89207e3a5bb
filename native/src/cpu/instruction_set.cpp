// The instruction set in use, chosen by the processor.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels.h"

#ifdef GAMMANET_X86
#include <cpuid.h>
#endif

namespace gammanet {
namespace {

#ifdef GAMMANET_X86
// What processor and system support. The compilers' __builtin_cpu_supports is no help: with zig,
// which cross-compiles releases, it says no to everything.
struct Processor {
  bool avx2 = false, avx512 = false, bf16 = false, amd = false;

  Processor() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(0, &a, &b, &c, &d)) {
      return;
    }
    amd = b == 0x68747541;  // "Auth" of "AuthenticAMD"
    constexpr unsigned kFma = 1u << 12, kSavedByXsave = 1u << 27;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kFma) == 0 || (c & kSavedByXsave) == 0) {
      return;
    }
    unsigned saved = 0, high = 0;
    asm volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    constexpr unsigned kVectors = 0x6, kWideVectors = 0xE6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
      return;
    }
    constexpr unsigned kAvx2 = 1u << 5;
    constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    avx2 = (saved & kVectors) == kVectors && (b & kAvx2) != 0;
    avx512 = avx2 && (saved & kWideVectors) == kWideVectors && (b & kAvx512) == kAvx512;
    constexpr unsigned kBf16 = 1u << 5;
    bf16 = avx512 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & kBf16) != 0;
  }
};
#endif

// How a table computes in bfloat16.
struct Bfloat16 {
  decltype(Kernels::product_bf16) product;
  decltype(Kernels::convert_bf16) convert;
  decltype(Kernels::gradient_bf16) gradient;
  decltype(Kernels::pack_outputs_bf16) pack_outputs;
  decltype(Kernels::pack_inputs_bf16) pack_inputs;
  bool tiles;
};

Kernels with_bf16(Kernels table, const char* name, const Bfloat16& bf16) {
  table.name = name;
  table.product_bf16 = bf16.product;
  table.convert_bf16 = bf16.convert;
  table.depth_bf16 = bf16.tiles ? 32 : 2;
  table.gradient_bf16 = bf16.gradient;
  table.pack_outputs_bf16 = bf16.pack_outputs;
  table.pack_inputs_bf16 = bf16.pack_inputs;
  table.tiles = bf16.tiles;
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
    const Processor processor;
    if (processor.avx512) {
      const Kernels& avx512 = kernels_avx512;
#ifdef GAMMANET_BF16
#ifdef GAMMANET_AMX
      if (processor.bf16 && enable_amx()) {
        all.push_back({with_bf16(avx512, "amx",
                                 {product_bf16_amx, convert_bf16_avx512, gradient_bf16_amx,
                                  pack_outputs_bf16_avx512, pack_inputs_bf16_avx512, true}),
                       true});
      }
#endif
      if (processor.bf16) {
        // On Intel's processors they were measured to be no faster than float32.
        all.push_back({with_bf16(avx512, "avx512-bf16",
                                 {product_bf16_avx512, convert_bf16_avx512, gradient_bf16_avx512,
                                  pack_outputs_bf16_avx512, pack_inputs_bf16_avx512, false}),
                       processor.amd});
      }
#endif
      all.push_back({avx512, true});
    }
    if (processor.avx2) {
      all.push_back({kernels_avx2, true});
    }
#endif
    all.push_back({kernels_portable, true});
    // The tile instructions in plain loops, for tests.
    all.push_back({with_bf16(kernels_portable, "tiles",
                             {product_bf16_scalar, convert_bf16_scalar, gradient_bf16_scalar,
                              pack_outputs_bf16_scalar, pack_inputs_bf16_scalar, true}),
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

const char* wanted_instruction_set() { return std::getenv("GAMMANET_INSTRUCTION_SET"); }

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> chosen{[] {
    const Kernels* k = by_name(wanted_instruction_set());
    return k ? k : by_name(nullptr);
  }()};
  return chosen;
}

}  // namespace

const Kernels& kernels() { return *current().load(std::memory_order_relaxed); }

const char* missing_instruction_set() {
  const char* name = wanted_instruction_set();
  return by_name(name) == nullptr ? name : nullptr;
}

bool force_instruction_set(const char* name) {
  const Kernels* k = by_name(name);
  if (k != nullptr) {
    current() = k;
  }
  return k != nullptr;
}

}  // namespace gammanet
