// The fGRU cell, backward: the interior is computed again from the inputs, the excitatory half is
// taken back, then the inhibitory one.
//
// Pixels go through a half in tiles that fit the second-level cache. What the gradients of the 1x1
// weights need of a chunk of tiles is kept until the chunk is done, and is then multiplied with the
// weights' rows spread over the threads. Normalization over pixels needs sums over a whole image
// between the steps of a half; then the chunk is the whole batch and each step goes over all of it.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "cell_step.h"
#include "kernels_backward.h"
#include "threads.h"

namespace gammanet {

class CellGradient {
 public:
  CellGradient(const Cell& cell, const CellBackward& arguments);
  void run();

 private:
  // Pixels of a tile, and their position in a chunk.
  struct Tile {
    int64_t index, first, rows, in_chunk;
  };

  // Means of a gradient and of its product with the normalized values, of each channel and sample.
  struct GradientMeans {
    std::vector<float> grad, product;
  };

  // Sums of columns, a row of `count` floats for each tile.
  struct TileSums {
    TileSums(int64_t tiles, int64_t size)
        : count(size), parts(static_cast<size_t>(tiles * size), 0.0f) {}
    float* of(const Tile& t) { return parts.data() + t.index * count; }
    double total(int64_t c) const;
    int64_t count;
    std::vector<float> parts;
  };

  // A gradient of 1x1 weights that a chunk contributes to.
  struct WeightGradient {
    const float* grad;  // rows of `outputs`
    int64_t outputs;
    // Rows of a chunk, which begin with its pixels' channels.
    Rows parts[3];
    int64_t part_count;
    // Of the sums, in which a part takes so many columns.
    int64_t part_columns, height;
    Buffer<float> sums;  // [height][part_count * part_columns]
    float* to;           // null: not needed
    int64_t width() const { return part_count * part_columns; }
  };

  void inhibition_forward();
  void excitation_backward();
  void inhibition_backward();

  // ---- Memory ----
  Buffer<float> rows(int64_t count, int64_t parts) const;
  // Whether rows of a feature map serve where padded ones are wanted.
  bool maps_in_place() const { return padded_ == c_ || bf16_; }
  Buffer<float> map() const { return Buffer<float>(static_cast<size_t>(pixels_ * c_)); }

  // body(tile) for the tiles [begin, end) of a chunk.
  template <class Body>
  void for_each_tile(int64_t begin, int64_t end, const Body& body) const {
    parallel_for(end - begin, 1, [&](int64_t first, int64_t last) {
      for (int64_t t = begin + first; t < begin + last; ++t) {
        body(Tile{t, t * tile_, std::min(tile_, pixels_ - t * tile_), (t - begin) * tile_});
      }
    });
  }
  const float* at(const FeatureMap& map, const Tile& t) const { return rows_of(map, t).data; }
  Rows rows_of(const FeatureMap& map, const Tile& t) const {
    return Rows{map ? map.data : nullptr, c_}.from(t.first);
  }
  Rows rows_of(const float* map, const Tile& t) const { return Rows{map, c_}.from(t.first); }

  // From the gradient of a product's outputs to that of its inputs.
  void product(const Panels& panels, const float* grad, int64_t parts, int64_t rows, float* out,
               int64_t out_parts) const;

  // Adds parts that lie side by side in padded rows.
  void add_parts(const std::array<RowSum, 3>& sums, const float* parts, int64_t rows) const;

  // ---- Normalization ----
  Moments moments(const float* data) const;
  GradientMeans gradient_means(const float* grad, int64_t stride, const float* y,
                               int64_t y_stride) const;
  void normalize(const Tile& t, const Moments& m, const float* data, int64_t stride, float* out,
                 int64_t out_stride) const;
  void normalize_backward(const Tile& t, const Moments& m, const GradientMeans& means, float* grad,
                          int64_t stride, const float* y, int64_t y_stride) const;
  void normalize_input_backward(const float* data, int weight_index, int bias_index,
                                float* grad) const;
  template <class Body>
  void for_each_sample(const Tile& t, const Body& body) const;

  // ---- Gradients of parameters ----
  float* gradient_of(int index) const { return a_.grad_parameters[static_cast<size_t>(index)]; }
  void add_sums(const TileSums& sums, int64_t block, float* to) const;
  WeightGradient weight_gradient(int index, const float* grad, int64_t blocks,
                                 int64_t parts) const;
  // Parts that lie side by side in padded rows.
  void set_parts(WeightGradient& gradient, const float* rows) const;
  void accumulate(const std::array<WeightGradient, 2>& gradients, int64_t count) const;
  void accumulate_bf16(const std::array<WeightGradient, 2>& gradients, int64_t count) const;
  void finish(const WeightGradient& g) const;
  void add_horizontal(int index, const float* grad, const float* in) const;

  const Cell& cell_;
  const CellBackward& a_;
  const Kernels& kernels_;
  const BackwardKernels& k_;
  const int64_t c_, padded_, samples_, area_, pixels_;
  const bool pre_, post_, over_pixels_;
  // Whether a gate's inputs are normalized, and over what.
  const bool pre_local_, pre_global_;
  const bool normalized_inputs_, dynamic_;
  const Activation activation_;
  const bool multiplicative_;
  // Whether the factors of gradients are rounded.
  const bool bf16_;
  // Whether c1 is 0 everywhere, so that nothing depends on alpha, mu and W_INH.
  const bool no_horizontal_;
  int64_t tile_, tiles_, chunk_tiles_;

  // Values of all pixels: computed here in memory of their own, or kept by the forward pass.
  class Interior {
   public:
    void operator=(Buffer<float>&& memory) {
      own_ = std::move(memory);
      data_ = own_.get();
    }
    void operator=(float* kept) { data_ = kept; }
    float* get() const { return data_; }

   private:
    Buffer<float> own_;
    float* data_ = nullptr;
  };
  Buffer<float> n1_, grad_i_, grad_n_;
  Interior c1_, new_i_, c2_;
  // Values of the inhibitory half, kept by the forward pass or computed again.
  Interior network_, gate_, mean_, scale_;
  std::unique_ptr<const KeptStep> kept_;
  std::vector<Moments> gain_moments_;
};

}  // namespace gammanet
