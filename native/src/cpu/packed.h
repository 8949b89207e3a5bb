// Weights in the order in which the kernels read them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "gammanet_native.h"
#include "kernels.h"
#include "torch.h"

namespace gammanet {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size) : data_(static_cast<T*>(allocate(size * sizeof(T)))) {}
  T* get() const { return data_.get(); }
  T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  struct Delete {
    void operator()(T* p) const { deallocate(p); }
  };
  std::unique_ptr<T, Delete> data_;
};

inline int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// A matrix for Kernels::product or product_bf16: blocks of Kernels::block outputs, each
// [depth][outputs of the block], in bfloat16 [depth / 2][outputs of the block][2].
struct Panels {
  int64_t outputs = 0;  // a multiple of the vector's width
  int64_t depth = 0;    // even in bfloat16
  Buffer<float> floats;
  Buffer<uint16_t> halves;
  const void* data() const {
    return floats.get() ? static_cast<const void*>(floats.get()) : halves.get();
  }
};

// A packed matrix: element (o, k) is weight[rows[o] + columns[k]], or 0 where one of them is
// negative.
Panels pack_panels(const Kernels& kernels, const float* weight, const std::vector<int64_t>& rows,
                   const std::vector<int64_t>& columns, bool bf16);
// The same for element(o, k), 0 <= o < outputs, 0 <= k < depth; slower.
Panels pack_panels(const Kernels& kernels, int64_t outputs, int64_t depth, bool bf16,
                   const std::function<float(int64_t o, int64_t k)>& element);

// bfloat16, rounded to nearest even.
uint16_t to_bf16(float value);
float from_bf16(uint16_t value);

}  // namespace gammanet

namespace gammanet {
struct BackwardWeights;
namespace cuda {
struct Cell;
struct Conv;
}  // namespace cuda
}  // namespace gammanet

// On CUDA only `cuda` is set.
struct GammanetConvOpaque {
  const gammanet::Kernels* kernels = nullptr;
  int32_t algorithm = 0, precision = 0;
  // k x k.
  int64_t outputs = 0, inputs = 0, k = 0;
  // [outputs, inputs, k, k], before it is made symmetric; memory of a tensor that is held here or by
  // the cell, or `own`.
  const float* source = nullptr;
  int32_t symmetry = 0;
  gammanet::Held held;
  std::vector<float> own;
  // Padded with zeros to a multiple of 16; all zeros when the convolution has none.
  std::vector<float> bias;
  bool has_bias = false;

  bool bf16() const { return precision == GAMMANET_PRECISION_BFLOAT16; }

  // [outputs, inputs, k, k]: `source`, or made of it in `memory`.
  const float* weight(std::vector<float>& memory) const;

  // Of the direct algorithm: depth is [k][k][inputs], inputs made even in bfloat16. Packed when
  // first asked for.
  const gammanet::Panels& direct() const;
  // Of Winograd's: 36 matrices, one after the other.
  const gammanet::Panels& winograd() const;

  // See gammanet::transposed.
  mutable std::once_flag transposed_once;
  mutable std::shared_ptr<const GammanetConvOpaque> transposed;

  std::shared_ptr<const gammanet::cuda::Conv> cuda;

 private:
  mutable std::once_flag direct_once_, winograd_once_;
  mutable gammanet::Panels direct_, winograd_;
};

// On CUDA only `cuda` is set.
struct GammanetCellOpaque {
  const gammanet::Kernels* kernels = nullptr;
  int32_t options[GAMMANET_CELL_OPTIONS] = {};
  int64_t channels = 0, k = 0;
  // Vectors that the options do not leave out, padded with zeros to a multiple of 16.
  std::vector<float> vectors[GAMMANET_CELL_PARAMETERS];
  // The other parameters, as the tensors have them.
  const float* matrices[GAMMANET_CELL_PARAMETERS] = {};
  gammanet::Held held[GAMMANET_CELL_PARAMETERS];
  // With W_INH and W_EXC made symmetric; no bias.
  GammanetConvOpaque inhibition, excitation;
  // Static parameters as they are used: forced.
  std::vector<float> alpha, omega;
  // Outputs alpha and mu (kappa and omega), each padded to whole vectors; inputs i, c1, x (i', e).
  gammanet::Panels inhibition_net, excitation_net;
  std::vector<float> inhibition_net_bias, excitation_net_bias;
  // Inputs e, i, x (e, q, i').
  gammanet::Panels gain, mix;
  // Sums of the gates' weights over their 3C inputs, padded as a vector.
  std::vector<float> gain_sums, mix_sums;

  // Made by the first backward pass.
  mutable std::once_flag backward_once;
  mutable std::shared_ptr<const gammanet::BackwardWeights> backward;

  std::shared_ptr<const gammanet::cuda::Cell> cuda;

  bool bf16() const {
    return options[GAMMANET_CELL_PRECISION] == GAMMANET_PRECISION_BFLOAT16;
  }
  bool dynamic() const { return options[GAMMANET_CELL_DYNAMIC] != 0; }
  const float* parameter(int place) const {
    return vectors[place].empty() ? matrices[place] : vectors[place].data();
  }
};

namespace gammanet {

// Failures for numbers that are none of GAMMANET_ALGORITHM_* and GAMMANET_PRECISION_*, and for
// bfloat16 where the instruction set in use has none.
void check_algorithm(int32_t algorithm, int32_t precision);

// out(map or rows of `out_stride` floats a pixel) = relu?(conv * x + bias), the body of
// gammanet_conv_forward without checks. out_stride >= outputs.
void convolve(const GammanetConvOpaque& conv, const float* x, int64_t n, int64_t h, int64_t w,
              bool relu, float* out, int64_t out_stride);

// Pieces of an output map: four lines (fewer at the lower edge) of some columns, each made by one
// thread on its own.
struct Pieces {
  // Of a sample; 0 if the convolution is not one that can be made so.
  int64_t count = 0;
  int64_t across = 0, columns = 0;

  struct Piece {
    int64_t y, x, lines, columns;
  };
  Piece at(int64_t piece, int64_t h, int64_t w) const;
};
// columns: how many at most.
Pieces pieces_of(const GammanetConvOpaque& conv, int64_t h, int64_t w, int64_t columns);
// out[lines][columns][out_stride] = relu(conv * x), x [h, w, inputs] being one sample.
void convolve_piece(const GammanetConvOpaque& conv, const float* x, int64_t h, int64_t w,
                    const Pieces::Piece& piece, float* out, int64_t out_stride);

// Fills a convolution from plain memory; weight [outputs, inputs, k, k], which is not copied and has
// to stay; bias may be null.
void fill_conv(GammanetConvOpaque& conv, const float* weight, const float* bias, int64_t outputs,
               int64_t inputs, int64_t k, int32_t algorithm, int32_t precision);

// Mean and 1 / sqrt(variance + 1e-5) over `pixels` rows: of each channel if groups is 0, else of
// each group of c / groups channels, repeated for its channels. mean, scale: c floats.
void channel_moments(const Kernels& kernels, const float* x, int64_t stride, int64_t pixels,
                     int64_t c, int64_t groups, float* mean, float* scale);

// Whether the maps of gammanet_cell_forward, or of gammanet_cell_backward, may lie where they do.
void check_cell_maps(const Map& x, const Map& e, const Map& i, const Map& new_e, const Map& new_i,
                     const Map& sum);
void check_cell_gradient_maps(const Map& x, const Map& e, const Map& i, const Map& grad_new_e,
                              const Map& grad_new_i, const Map& grad_x, const Map& grad_e,
                              const Map& grad_i);

// Rows of c floats that a thread works on at a time: they and what is made of them stay in its
// second-level cache.
int64_t tile_rows(int64_t c);

// S(W) of a [c, c, k, k] kernel; symmetry as in GAMMANET_CELL_SYMMETRY. It is its own adjoint.
std::vector<float> symmetrised(const float* weight, int64_t c, int64_t k, int32_t symmetry);

}  // namespace gammanet
