// The arithmetic, once for each instruction set: tables of functions that work on plain memory, on
// the calling thread, without checks.
#pragma once

#include <cstdint>

namespace gammanet {

struct Kernels {
  const char* name;
  // Floats in a vector register.
  int64_t width;

  // Layer normalisation of [pixels, c], in place if out is x; weight and bias null: no affine part.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float* out,
                     int64_t pixels, int64_t c);
};

extern const Kernels kernels_portable;
#ifdef GAMMANET_X86
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

// The set in use.
const Kernels& kernels();

}  // namespace gammanet
