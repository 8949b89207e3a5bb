// Convolutions, backward.
#include "torch.h"

using namespace gammanet;

extern "C" GAMMANET_API int32_t gammanet_conv_backward(GammanetConv, AtenTensorHandle,
                                                       AtenTensorHandle, AtenTensorHandle,
                                                       AtenTensorHandle, AtenTensorHandle,
                                                       AtenTensorHandle) {
  return guarded([] { unavailable("gradients of convolutions are not in this build"); });
}
