// The fGRU cell, forward.
#include "torch.h"

using namespace gammanet;

extern "C" {

GAMMANET_API int32_t gammanet_cell_pack(const AtenTensorHandle*, const int32_t*, GammanetCell*) {
  return guarded([] { unavailable("cells are not in this build"); });
}

GAMMANET_API int32_t gammanet_cell_free(GammanetCell) { return GAMMANET_OK; }

GAMMANET_API int32_t gammanet_cell_forward(GammanetCell, AtenTensorHandle, AtenTensorHandle,
                                           AtenTensorHandle, AtenTensorHandle, AtenTensorHandle,
                                           AtenTensorHandle) {
  return guarded([] { unavailable("cells are not in this build"); });
}

}  // extern "C"
