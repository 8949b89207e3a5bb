// Convolutions k x k, k odd, stride 1, zero padding, and the layers around the cells, on the CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "packed.h"
#include "torch.h"

namespace gammanet {

// A convolution; packed for an algorithm when it first runs.
struct Conv {
  // weight [outputs, inputs, k, k] stays the caller's and has to outlive this; bias may be null.
  Conv(const float* weight, const float* bias, int64_t outputs, int64_t inputs, int64_t k,
       int32_t algorithm, int32_t precision, int32_t symmetry = GAMMANET_SYMMETRY_NONE);

  const Kernels* kernels;
  const int32_t algorithm, precision, symmetry;
  const int64_t outputs, inputs, k;
  const bool has_bias;
  // Padded with zeros to a multiple of 16; all zeros when there is none.
  std::vector<float> bias;

  bool bf16() const { return precision == GAMMANET_PRECISION_BFLOAT16; }

  // Panels of the direct algorithm: depth is [k][k][inputs], inputs made even in bfloat16.
  const Panels& direct() const;
  // Panels of Winograd's algorithm: 36 matrices, one after the other.
  const Panels& winograd() const;
  // The convolution that turns the gradient of the output into that of the input.
  const Conv& transposed() const;

 private:
  // [outputs, inputs, k, k]: `source_`, or made symmetric in `memory`.
  const float* weight(std::vector<float>& memory) const;

  const float* source_;
  std::vector<float> own_;
  mutable std::once_flag direct_once_, winograd_once_, transposed_once_;
  mutable Panels direct_, winograd_;
  mutable std::unique_ptr<const Conv> transposed_;
};

// Throws a Failure with GAMMANET_UNAVAILABLE where the instruction set in use has no bfloat16.
void check_precision(int32_t precision);

// G of Winograd's F(4x4, 3x3), which transforms a kernel W to G W G^T.
struct WinogradKernel {
  WinogradKernel();
  double g[6][3];
};
// Planes a multiple of 4 KB apart would all fall into the same few lines of the cache.
inline int64_t plane_stride(int64_t rows, int64_t c) { return rows * c + 16; }

// S(W) of a [c, c, k, k] kernel; symmetry is one of GAMMANET_SYMMETRY_*. It is its own adjoint.
std::vector<float> symmetrized(const float* weight, int64_t c, int64_t k, int32_t symmetry);

// out[n, h, w] = relu?(conv * x + bias), out_stride >= outputs floats a pixel.
void convolve(const Conv& conv, const float* x, int64_t n, int64_t h, int64_t w, bool relu,
              float* out, int64_t out_stride);

// Pieces of an output map: four lines (fewer at the lower edge) of some columns, each computed by
// one thread on its own.
struct Pieces {
  // How many pieces a sample has; 0 if the convolution cannot be computed in pieces.
  int64_t count = 0;
  int64_t across = 0, columns = 0;

  struct Piece {
    int64_t y, x, lines, columns;
  };
  Piece at(int64_t piece, int64_t h, int64_t w) const;
};
// columns: how many at most.
Pieces pieces_of(const Conv& conv, int64_t h, int64_t w, int64_t columns);
// out[lines][columns][out_stride] = relu(conv * x), x [h, w, inputs] being one sample.
void convolve_piece(const Conv& conv, const float* x, int64_t h, int64_t w,
                    const Pieces::Piece& piece, float* out, int64_t out_stride);

// The same for a 1x1 kernel and any number of pixels, on the calling thread.
void convolve_rows(const Conv& conv, const float* x, int64_t pixels, bool relu, float* out,
                   int64_t out_stride);

// Where the pixels of a line resized from n to m come from (align_corners = false): between `first`
// and `second`, the fraction that of the second.
struct Resizing {
  Resizing(int64_t n, int64_t m);
  // Those that pixel i of the n takes part in.
  int64_t begin(int64_t i) const;
  int64_t end(int64_t i) const;

  std::vector<int32_t> first, second;
  std::vector<float> fraction;
};

// The functions of gammanet_native.h on checked arguments.
void conv_forward(const Conv& conv, const FeatureMap& x, bool relu, const FeatureMap& out);
// grad_x, grad_weight and grad_bias null where not needed, out where the output was not rectified.
void conv_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& out,
                   const FeatureMap& grad_out, const FeatureMap& grad_x, float* grad_weight,
                   float* grad_bias);
// conv null: pooling alone.
void align_pool_forward(const Conv* conv, const FeatureMap& x, const FeatureMap& out);
void project_up_forward(const Conv& conv, const FeatureMap& x, const FeatureMap& out);
// grad_x, grad_weight and grad_bias null where not needed.
void align_pool_backward(const Conv* conv, const FeatureMap& x, const FeatureMap& grad_out,
                         const FeatureMap& grad_x, float* grad_weight, float* grad_bias);
void project_up_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& grad_out,
                         const FeatureMap& grad_x, float* grad_weight, float* grad_bias);
void channel_layer_norm_forward(const FeatureMap& x, const float* weight, const float* bias,
                                const FeatureMap& out);

// Mean and 1 / sqrt(variance + 1e-5) over `pixels` rows: of each channel if groups is 0, else of
// each group of c / groups channels, repeated for its channels. mean, scale: c floats.
void channel_moments(const Kernels& kernels, const float* x, int64_t stride, int64_t pixels,
                     int64_t c, int64_t groups, float* mean, float* scale);

}  // namespace gammanet
