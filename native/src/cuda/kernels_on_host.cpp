// The kernels of libgammanet_cuda as ordinary functions, one thread after the other: what the tests
// load where there is no GPU.
#include "kernels.cu"
