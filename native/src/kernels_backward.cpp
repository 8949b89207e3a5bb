// Arithmetic of the gradients; compiled once for each instruction set, with GAMMANET_ISA as its
// name.
#include "simd.h"
