// The functions of gammanet_native.h on CUDA tensors: LibTorch's convolutions, called through its
// dispatcher, and between them the kernels of libgammanet_cuda. Everything is enqueued on LibTorch's
// current stream; nothing is copied to the host.
#pragma once

#include <memory>

#include "gammanet_native.h"

namespace gammanet::cuda {

// Loads libgammanet_cuda.
void init(const char* path);

// Whether a tensor, which may be null, lives on a CUDA device.
bool on_cuda(AtenTensorHandle tensor);

struct Conv;
struct Cell;

std::shared_ptr<const Conv> pack_conv(AtenTensorHandle weight, AtenTensorHandle bias,
                                      int32_t precision);
void conv_forward(const Conv& conv, AtenTensorHandle x, bool relu, AtenTensorHandle out);
void conv_backward(const Conv& conv, AtenTensorHandle x, AtenTensorHandle out,
                   AtenTensorHandle grad_out, AtenTensorHandle grad_x,
                   AtenTensorHandle grad_weight, AtenTensorHandle grad_bias);
// conv null: pooling alone.
void align_pool_forward(const Conv* conv, AtenTensorHandle x, AtenTensorHandle out);
void project_up_forward(const Conv& conv, AtenTensorHandle x, AtenTensorHandle out);
void channel_layer_norm_forward(AtenTensorHandle x, AtenTensorHandle weight,
                                AtenTensorHandle bias, AtenTensorHandle out);

std::shared_ptr<const Cell> pack_cell(const AtenTensorHandle* parameters, const int32_t* options);
void cell_forward(const Cell& cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i,
                  AtenTensorHandle new_e, AtenTensorHandle new_i, AtenTensorHandle sum);
void cell_backward(const Cell& cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i,
                   AtenTensorHandle grad_new_e, AtenTensorHandle grad_new_i,
                   AtenTensorHandle grad_x, AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                   const AtenTensorHandle* grad_parameters);

}  // namespace gammanet::cuda
