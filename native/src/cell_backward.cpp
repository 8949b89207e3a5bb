// The fGRU cell, backward.
#include "torch.h"

using namespace gammanet;

extern "C" GAMMANET_API int32_t gammanet_cell_backward(GammanetCell, AtenTensorHandle,
                                                       AtenTensorHandle, AtenTensorHandle,
                                                       AtenTensorHandle, AtenTensorHandle,
                                                       AtenTensorHandle, AtenTensorHandle,
                                                       AtenTensorHandle, const AtenTensorHandle*) {
  return guarded([] { unavailable("gradients of cells are not in this build"); });
}
