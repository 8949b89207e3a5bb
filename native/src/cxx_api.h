// Functions of LibTorch that its C ABI lacks: C++ functions, looked up by their mangled names.
#pragma once

#include <cstdint>

#include "gammanet_native.h"

namespace gammanet {

void set_num_threads(int32_t threads);
bool requires_grad(AtenTensorHandle tensor);
// Makes a handle of a leaf's gradient; null when it has none.
AtenTensorHandle new_gradient_handle(AtenTensorHandle tensor);
void bump_version(AtenTensorHandle tensor);

}  // namespace gammanet
