// Products of bfloat16 numbers on Intel's tiles (AMX).
#include <asm/prctl.h>
#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels.h"
#include "tile_product.h"

namespace gammanet {
namespace {

// The layout that ldtilecfg reads.
struct Configuration {
  uint8_t palette, start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(Configuration) == 64, "as the instruction expects");

struct Amx {
  static void configure(int64_t rows) {
    Configuration c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int t = 0; t < 8; ++t) {
      c.row_bytes[t] = 64;
      c.rows[t] = static_cast<uint8_t>(t < 6 ? rows : 16);
    }
    asm volatile("ldtilecfg %0" ::"m"(c));
  }
  template <int T>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(T));
  }
  template <int T>
  static void load(const void* p, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static void store(void* p, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride), "i"(T) : "memory");
  }
  template <int T, int A, int B>
  static void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(T), "i"(A), "i"(B));
  }
};

}  // namespace

bool enable_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kBf16) == 0 || (d & kTile) == 0) {
    return false;
  }
  // The state of tiles is large: Linux gives it to processes that ask for it.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

void product_bf16_amx(const Product& p) {
  tile_product<Amx>(p);
  asm volatile("tilerelease");
}

void gradient_bf16_amx(const Bf16Gradient& g) {
  tile_gradient<Amx>(g);
  asm volatile("tilerelease");
}

}  // namespace gammanet
