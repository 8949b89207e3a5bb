// Convolutions and what surrounds the cells, forward.
#include "torch.h"

using namespace gammanet;

extern "C" {

GAMMANET_API int32_t gammanet_conv_pack(AtenTensorHandle, AtenTensorHandle, int32_t, int32_t,
                                        GammanetConv*) {
  return guarded([] { unavailable("convolutions are not in this build"); });
}

GAMMANET_API int32_t gammanet_conv_free(GammanetConv) { return GAMMANET_OK; }

GAMMANET_API int32_t gammanet_conv_forward(GammanetConv, AtenTensorHandle, int32_t,
                                           AtenTensorHandle) {
  return guarded([] { unavailable("convolutions are not in this build"); });
}

GAMMANET_API int32_t gammanet_align_pool_forward(GammanetConv, AtenTensorHandle,
                                                 AtenTensorHandle) {
  return guarded([] { unavailable("convolutions are not in this build"); });
}

GAMMANET_API int32_t gammanet_project_up_forward(GammanetConv, AtenTensorHandle,
                                                 AtenTensorHandle) {
  return guarded([] { unavailable("convolutions are not in this build"); });
}

}  // extern "C"
