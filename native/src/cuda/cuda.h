// The functions of gammanet_native.h on checked CUDA tensors: LibTorch's convolutions, called through
// its dispatcher, and between them the kernels of libgammanet_cuda. Everything is enqueued on
// LibTorch's current stream; nothing is copied to the host.
#pragma once

#include "../cell.h"
#include "../torch.h"

namespace gammanet::cuda {

// Loads libgammanet_cuda.
void init(const char* path);
// Throws a Failure with GAMMANET_UNAVAILABLE before init.
void require();

// Packed weights.
struct Conv;
struct Cell;
struct Delete {
  void operator()(const Conv* conv) const;
  void operator()(const Cell* cell) const;
};

const Conv* new_conv(Device device, const float* weight, const float* bias, int64_t outputs,
                     int64_t inputs, int64_t k, int32_t precision);
void conv_forward(const Conv& conv, const FeatureMap& x, bool relu, const FeatureMap& out);
void conv_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& out,
                   const FeatureMap& grad_out, const FeatureMap& grad_x, float* grad_weight,
                   float* grad_bias);
// conv null: pooling alone.
void align_pool_forward(const Conv* conv, const FeatureMap& x, const FeatureMap& out);
void project_up_forward(const Conv& conv, const FeatureMap& x, const FeatureMap& out);
void channel_layer_norm_forward(const FeatureMap& x, const float* weight, const float* bias,
                                const FeatureMap& out);

const Cell* new_cell(const CellSpec& spec, const CellParameters& parameters);
void cell_forward(const Cell& cell, const CellForward& arguments);
void cell_backward(const Cell& cell, const CellBackward& arguments);

}  // namespace gammanet::cuda
