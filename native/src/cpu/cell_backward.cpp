// The fGRU cell, backward: the interior is computed again from the inputs, the excitatory half is
// taken back, then the inhibitory one.
//
// Pixels go through a half in tiles that fit the second-level cache. What the gradients of the 1x1
// weights need of a chunk of tiles is kept until the chunk is done, and is then multiplied with the
// weights' rows spread over the threads. Normalisation over pixels needs sums over a whole image
// between the steps of a half; then the chunk is the whole batch and each step goes over all of it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "cuda/cuda.h"
#include "gradients.h"
#include "torch.h"

namespace gammanet {

struct BackwardWeights {
  // From the gradients of products to those of their inputs, whose parts are padded to vectors.
  Panels gain, mix, inhibition_net, excitation_net;
  // The products in float32, of a cell that has them in bfloat16 only.
  Panels forward_gain, forward_mix, forward_inhibition_net, forward_excitation_net;
};

namespace {

enum Norm { kNone = 0, kLayer = 1, kInstance = 2, kGroup = 3 };

// element(o, k) of a weight [outputs, parts * c] whose outputs are `blocks` blocks of c.
Panels forward_panels(const Kernels& kernels, const float* weight, int64_t blocks, int64_t parts,
                      int64_t c) {
  if (weight == nullptr) {
    return {};
  }
  const int64_t padded = round_up(c, kernels.width);
  return pack_panels(kernels, blocks * padded, parts * c, false, [&](int64_t o, int64_t k) {
    const int64_t block = o / padded, within = o % padded;
    return within < c ? weight[(block * c + within) * parts * c + k] : 0.0f;
  });
}

Panels backward_panels(const Kernels& kernels, const float* weight, int64_t blocks, int64_t parts,
                       int64_t c) {
  if (weight == nullptr) {
    return {};
  }
  const int64_t padded = round_up(c, kernels.width);
  return pack_panels(kernels, parts * padded, blocks * c, false, [&](int64_t o, int64_t k) {
    const int64_t part = o / padded, within = o % padded;
    return within < c ? weight[k * parts * c + part * c + within] : 0.0f;
  });
}

const BackwardWeights& backward_weights(const GammanetCellOpaque& cell) {
  std::call_once(cell.backward_once, [&] {
    auto result = std::make_shared<BackwardWeights>();
    const Kernels& k = *cell.kernels;
    const int64_t c = cell.channels;
    const float* gain = cell.parameter(GAMMANET_CELL_W_GAIN);
    const float* mix = cell.parameter(GAMMANET_CELL_W_MIX);
    const float* inhibition = cell.parameter(GAMMANET_CELL_D_INH);
    const float* excitation = cell.parameter(GAMMANET_CELL_D_EXC);
    result->gain = backward_panels(k, gain, 1, 3, c);
    result->mix = backward_panels(k, mix, 1, 3, c);
    result->inhibition_net = backward_panels(k, inhibition, 2, 3, c);
    result->excitation_net = backward_panels(k, excitation, 2, 2, c);
    if (cell.bf16()) {
      result->forward_gain = forward_panels(k, gain, 1, 3, c);
      result->forward_mix = forward_panels(k, mix, 1, 3, c);
      result->forward_inhibition_net = forward_panels(k, inhibition, 2, 3, c);
      result->forward_excitation_net = forward_panels(k, excitation, 2, 2, c);
    }
    cell.backward = std::move(result);
  });
  return *cell.backward;
}

// Of a parameter that the cell has; else 0.
int64_t parameter_elements(const GammanetCellOpaque& cell, int place) {
  const int64_t c = cell.channels;
  switch (place) {
    case GAMMANET_CELL_W_INH:
    case GAMMANET_CELL_W_EXC:
      return c * c * cell.k * cell.k;
    case GAMMANET_CELL_W_GAIN:
    case GAMMANET_CELL_W_MIX:
      return 3 * c * c;
    default:
      break;
  }
  if (cell.parameter(place) == nullptr) {
    return 0;
  }
  switch (place) {
    case GAMMANET_CELL_D_INH:
      return 6 * c * c;
    case GAMMANET_CELL_D_EXC:
      return 4 * c * c;
    case GAMMANET_CELL_D_INH_BIAS:
    case GAMMANET_CELL_D_EXC_BIAS:
      return 2 * c;
    default:
      return c;
  }
}

struct Arguments {
  Map x, e, i, grad_new_e, grad_new_i, grad_x, grad_e, grad_i;
  // Null where not wanted.
  std::array<float*, GAMMANET_CELL_PARAMETERS> grads{};
};

// Mean and 1/sigma of each channel of each sample, or the means of its gradients.
struct Moments {
  std::vector<float> mean, r;
};

class CellBackward {
 public:
  CellBackward(const GammanetCellOpaque& cell, const Arguments& a)
      : cell_(cell),
        a_(a),
        kernels_(*cell.kernels),
        k_(backward_kernels(*cell.kernels)),
        weights_(backward_weights(cell)),
        c_(cell.channels),
        padded_(round_up(c_, kernels_.width)),
        samples_(a.x.n),
        area_(a.x.h * a.x.w),
        pixels_(samples_ * area_),
        norm_(cell.options[GAMMANET_CELL_NORMALIZATION]),
        pre_(cell.options[GAMMANET_CELL_GATE_NORM_POST] == 0 && norm_ != kNone),
        post_(cell.options[GAMMANET_CELL_GATE_NORM_POST] != 0 && norm_ != kNone),
        spatial_(norm_ == kInstance || norm_ == kGroup),
        inputs_normalised_(cell.options[GAMMANET_CELL_NORMALIZE_INPUTS] != 0 && norm_ != kNone),
        dynamic_(cell.dynamic()),
        activation_(static_cast<Activation>(cell.options[GAMMANET_CELL_DYNAMIC])),
        multiplicative_(cell.options[GAMMANET_CELL_MULTIPLICATIVE] != 0) {
    // About 400 KB of a tile's rows; enough rows to pay for reading the weights.
    tile_ = std::clamp<int64_t>(400 * 1024 / (17 * padded_ * 4), 96, 240) / 12 * 12;
    tiles_ = (pixels_ + tile_ - 1) / tile_;
    // About 5 MB.
    const int64_t chunk = std::max<int64_t>(5 * 1024 * 1024 / (9 * padded_ * 4), 2 * tile_);
    chunk_tiles_ = spatial_ ? tiles_ : std::min(tiles_, chunk / tile_);
  }

  void run() {
    inhibitory_forward();
    excitatory_forward();
    excitatory_backward();
    inhibitory_backward();
  }

 private:
  // ---- Memory ----

  Buffer<float> rows(int64_t count, int64_t parts) const {
    const size_t size = static_cast<size_t>(count * parts * padded_);
    Buffer<float> buffer(size);
    if (padded_ != c_) {
      // Products take what lies beside the channels times 0: it must be finite.
      std::fill_n(buffer.get(), size, 0.0f);
    }
    return buffer;
  }
  Buffer<float> map() const { return Buffer<float>(static_cast<size_t>(pixels_ * c_)); }

  // Pixels of a tile, and where they are in a chunk.
  struct Tile {
    int64_t index, first, rows, in_chunk;
  };

  // body(tile) for the tiles [begin, end) of a chunk.
  template <class Body>
  void for_each_tile(int64_t begin, int64_t end, const Body& body) const {
    parallel_for(end - begin, 1, [&](int64_t first, int64_t last) {
      for (int64_t t = begin + first; t < begin + last; ++t) {
        body(Tile{t, t * tile_, std::min(tile_, pixels_ - t * tile_), (t - begin) * tile_});
      }
    });
  }

  const float* at(const Map& map, const Tile& t) const {
    return map ? map.data + t.first * c_ : nullptr;
  }

  // ---- Products ----

  void product(const Panels& panels, const float* in, int64_t parts, int64_t rows, float* out,
               int64_t out_parts) const {
    Operand operands[3];
    for (int64_t part = 0; part < parts; ++part) {
      operands[part] = {in + part * padded_, parts * padded_, 0, c_, part * c_};
    }
    Product p{};
    p.panels = panels.data();
    p.depth = panels.depth;
    p.outputs = out_parts * padded_;
    p.operands = operands;
    p.operand_count = parts;
    p.lines = 1;
    p.rows = rows;
    p.out = out;
    p.out_stride = out_parts * padded_;
    kernels_.product(p);
  }
  const Panels& forward(const Panels& own, const Panels& float32) const {
    return cell_.bf16() ? float32 : own;
  }

  // ---- Normalisation over pixels ----

  int64_t group() const { return norm_ == kGroup ? c_ / std::min<int64_t>(8, c_) : 1; }

  // Replaces sums over the pixels by means over these and the channels of a group.
  void to_means(std::vector<double>& sums) const {
    const int64_t g = group();
    for (int64_t first = 0; first < c_; first += g) {
      double total = 0;
      for (int64_t c = first; c < first + g; ++c) {
        total += sums[static_cast<size_t>(c)];
      }
      for (int64_t c = first; c < first + g; ++c) {
        sums[static_cast<size_t>(c)] = total / static_cast<double>(g * area_);
      }
    }
  }

  // Of one part, or null for zeros.
  Moments moments(const float* data, int64_t stride) const {
    Moments result;
    result.mean.resize(static_cast<size_t>(samples_ * c_), 0.0f);
    // Zeros have variance 0.
    result.r.resize(static_cast<size_t>(samples_ * c_), 1.0f / std::sqrt(1e-5f));
    for (int64_t b = 0; data != nullptr && b < samples_; ++b) {
      channel_moments(kernels_, data + b * area_ * stride, stride, area_, c_,
                      norm_ == kGroup ? c_ / group() : 0, result.mean.data() + b * c_,
                      result.r.data() + b * c_);
    }
    return result;
  }

  // Means of a gradient and of its product with y.
  Moments gradient_moments(const float* grad, int64_t stride, const float* y,
                           int64_t y_stride) const {
    Moments result;
    for (int64_t b = 0; b < samples_; ++b) {
      for (auto* to : {&result.mean, &result.r}) {
        const float* factor = to == &result.mean ? nullptr : y + b * area_ * y_stride;
        auto means = sum_over_pixels(area_, c_, [&](int64_t begin, int64_t end, float* sums) {
          k_.column_sums(grad + (b * area_ + begin) * stride, stride,
                         factor ? factor + begin * y_stride : nullptr, y_stride, end - begin, c_,
                         sums);
        });
        to_means(means);
        to->insert(to->end(), means.begin(), means.end());
      }
    }
    return result;
  }

  // body(sample, first row, rows) for the pixels of a tile, which may belong to several samples.
  template <class Body>
  void for_each_sample(const Tile& t, const Body& body) const {
    for (int64_t p = t.first; p < t.first + t.rows;) {
      const int64_t sample = p / area_;
      const int64_t end = std::min((sample + 1) * area_, t.first + t.rows);
      body(sample, p - t.first, end - p);
      p = end;
    }
  }

  void normalise(const Tile& t, const Moments& m, const float* data, int64_t stride, float* out,
                 int64_t out_stride) const {
    for_each_sample(t, [&](int64_t sample, int64_t row, int64_t count) {
      k_.normalize_columns(data + row * stride, stride, m.mean.data() + sample * c_,
                           m.r.data() + sample * c_, count, c_, out + row * out_stride,
                           out_stride);
    });
  }

  void normalise_backward(const Tile& t, const Moments& m, const Moments& of_gradient, float* grad,
                          int64_t stride, const float* y, int64_t y_stride) const {
    for_each_sample(t, [&](int64_t sample, int64_t row, int64_t count) {
      k_.normalize_columns_backward(grad + row * stride, stride, y + row * y_stride, y_stride,
                                    m.r.data() + sample * c_, of_gradient.mean.data() + sample * c_,
                                    of_gradient.r.data() + sample * c_, count, c_);
    });
  }

  // N1 or N2 of a map, null standing for zeros.
  void normalise_input(const float* data, const float* weight, const float* bias,
                       float* out) const {
    const Moments m = spatial_ ? moments(data, c_) : Moments();
    for_each_tile(0, tiles_, [&](const Tile& t) {
      float* to = out + t.first * c_;
      if (data == nullptr) {
        std::fill_n(to, t.rows * c_, 0.0f);
      } else if (spatial_) {
        normalise(t, m, data + t.first * c_, c_, to, c_);
      } else {
        kernels_.layer_norm(data + t.first * c_, nullptr, nullptr, to, t.rows, c_);
      }
      k_.scale_columns(to, c_, weight, bias, t.rows, c_);
    });
  }

  // Turns the gradient of N1's or N2's output, a map, into that of its input.
  void normalise_input_backward(const float* data, int weight_place, int bias_place,
                                float* grad) const {
    const float* weight = cell_.parameter(weight_place);
    Buffer<float> y = rows(pixels_, 1);
    Buffer<float> r(static_cast<size_t>(pixels_));
    const Moments m = spatial_ ? moments(data, c_) : Moments();
    for_each_tile(0, tiles_, [&](const Tile& t) {
      float* to = y.get() + t.first * padded_;
      k_.load_rows(data ? data + t.first * c_ : nullptr, c_, t.rows, to, padded_, padded_);
      if (spatial_) {
        normalise(t, m, to, padded_, to, padded_);
      } else {
        k_.normalize_rows(to, t.rows, 1, c_, padded_, r.get() + t.first);
      }
    });
    for (int place : {weight_place, bias_place}) {
      float* to = a_.grads[static_cast<size_t>(place)];
      if (to == nullptr) {
        continue;
      }
      auto sums = sum_over_pixels(pixels_, c_, [&](int64_t begin, int64_t end, float* part) {
        k_.column_sums(grad + begin * c_, c_,
                       place == weight_place ? y.get() + begin * padded_ : nullptr, padded_,
                       end - begin, c_, part);
      });
      for (int64_t c = 0; c < c_; ++c) {
        to[c] += static_cast<float>(sums[static_cast<size_t>(c)]);
      }
    }
    if (spatial_) {
      for_each_tile(0, tiles_, [&](const Tile& t) {
        k_.scale_columns(grad + t.first * c_, c_, weight, nullptr, t.rows, c_);
      });
      const Moments of_gradient = gradient_moments(grad, c_, y.get(), padded_);
      for_each_tile(0, tiles_, [&](const Tile& t) {
        normalise_backward(t, m, of_gradient, grad + t.first * c_, c_,
                           y.get() + t.first * padded_, padded_);
      });
      return;
    }
    for_each_tile(0, tiles_, [&](const Tile& t) {
      float* g = scratch(kThreadScratch, static_cast<size_t>(t.rows * padded_));
      k_.load_rows(grad + t.first * c_, c_, t.rows, g, padded_, padded_);
      k_.scale_columns(g, padded_, weight, nullptr, t.rows, c_);
      k_.normalize_rows_backward(g, y.get() + t.first * padded_, r.get() + t.first, t.rows, 1, c_,
                                 padded_);
      k_.store_rows(g, padded_, t.rows, c_, grad + t.first * c_);
    });
  }

  // ---- Gradients of parameters ----

  // Sums of columns, a row of `count` floats for each tile.
  struct TileSums {
    TileSums(int64_t tiles, int64_t size)
        : count(size), parts(static_cast<size_t>(tiles * size), 0.0f) {}
    float* of(const Tile& t) { return parts.data() + t.index * count; }
    double total(int64_t c) const {
      double sum = 0;
      for (size_t at = static_cast<size_t>(c); at < parts.size();
           at += static_cast<size_t>(count)) {
        sum += parts[at];
      }
      return sum;
    }
    int64_t count;
    std::vector<float> parts;
  };

  // Adds `parts` blocks of c sums to consecutive places of a parameter's gradient.
  void add_sums(const TileSums& sums, int64_t block, float* to) const {
    for (int64_t c = 0; to != nullptr && c < c_; ++c) {
      to[c] += static_cast<float>(sums.total(block * padded_ + c));
    }
  }

  // One of the gradients of 1x1 weights that a chunk contributes to.
  struct WeightGradient {
    const float* grad;
    int64_t blocks;
    const float* in;
    int64_t parts;
    Buffer<float> sums;  // [blocks * padded][parts * padded]
    float* to;
  };

  WeightGradient weight_gradient(int place, const float* grad, int64_t blocks, const float* in,
                                 int64_t parts) const {
    WeightGradient result{grad, blocks, in, parts, {}, a_.grads[static_cast<size_t>(place)]};
    if (result.to != nullptr) {
      const size_t size = static_cast<size_t>(blocks * parts * padded_ * padded_);
      result.sums = Buffer<float>(size);
      std::fill_n(result.sums.get(), size, 0.0f);
    }
    return result;
  }

  // Adds what `count` rows contribute; the weights' rows are spread over the threads.
  void accumulate(const std::array<WeightGradient, 2>& gradients, int64_t count) const {
    const int64_t kRowsOfTask = 24, kStretchRows = 128;
    auto tasks_of = [&](const WeightGradient& g) {
      const int64_t outputs = g.blocks * padded_, columns = g.parts * padded_;
      return g.to == nullptr ? 0
                             : (outputs + kRowsOfTask - 1) / kRowsOfTask *
                                   ((columns + k_.panel - 1) / k_.panel);
    };
    const int64_t first_tasks = tasks_of(gradients[0]);
    parallel_for(first_tasks + tasks_of(gradients[1]), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = 0; p < count; p += kStretchRows) {
        for (int64_t t = begin; t < end; ++t) {
          const WeightGradient& g = gradients[t < first_tasks ? 0 : 1];
          const int64_t task = t < first_tasks ? t : t - first_tasks;
          const int64_t outputs = g.blocks * padded_, columns = g.parts * padded_;
          const int64_t groups = (outputs + kRowsOfTask - 1) / kRowsOfTask;
          const int64_t o = task % groups * kRowsOfTask, j = task / groups * k_.panel;
          k_.weight_gradient(g.grad + p * outputs + o, outputs, 0, g.in + p * columns + j,
                             columns, 0, 1, std::min(kStretchRows, count - p),
                             std::min(kRowsOfTask, outputs - o), std::min(k_.panel, columns - j),
                             g.sums.get() + o * columns + j, columns);
        }
      }
    });
  }

  // Adds the sums to the parameter's gradient, [blocks * c, parts * c].
  void finish(const WeightGradient& g) const {
    for (int64_t o = 0; g.to != nullptr && o < g.blocks * c_; ++o) {
      const float* row = g.sums.get() + (o / c_ * padded_ + o % c_) * g.parts * padded_;
      for (int64_t j = 0; j < g.parts * c_; ++j) {
        g.to[o * g.parts * c_ + j] += row[j / c_ * padded_ + j % c_];
      }
    }
  }

  // The gradient of W_INH or W_EXC.
  void add_horizontal(int place, const float* grad, const float* in) const {
    float* to = a_.grads[static_cast<size_t>(place)];
    if (to == nullptr || in == nullptr) {
      return;
    }
    const int64_t taps = cell_.k * cell_.k, size = c_ * c_;
    std::vector<float> sums(static_cast<size_t>(taps * size), 0.0f);
    add_weight_gradient(kernels_, grad, c_, in, c_, samples_, a_.x.h, a_.x.w, cell_.k,
                        sums.data());
    std::vector<float> weight(sums.size());
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t o = 0; o < size; ++o) {
        weight[static_cast<size_t>(o * taps + t)] = sums[static_cast<size_t>(t * size + o)];
      }
    }
    const int32_t symmetry = cell_.options[GAMMANET_CELL_SYMMETRY];
    if (symmetry != 0) {
      weight = symmetrised(weight.data(), c_, cell_.k, symmetry);
    }
    for (size_t o = 0; o < weight.size(); ++o) {
      to[o] += weight[o];
    }
  }

  void convolution(const GammanetConvOpaque& conv, const float* x, bool relu, float* out) const {
    convolve(conv, x, samples_, a_.x.h, a_.x.w, relu, out, c_);
  }

  // ---- The inhibitory half, forward ----

  // Rows of the gate's inputs [e; i; x], normalised if the norm comes before the product.
  void gain_inputs(const Tile& t, float* to, float* r) const {
    const Map* sources[3] = {&a_.e, &a_.i, &a_.x};
    for (int part = 0; part < 3; ++part) {
      float* rows = to + part * padded_;
      k_.load_rows(at(*sources[part], t), c_, t.rows, rows, 3 * padded_, padded_);
      if (pre_ && spatial_) {
        normalise(t, gain_moments_[part], rows, 3 * padded_, rows, 3 * padded_);
      }
    }
    if (pre_ && !spatial_) {
      k_.normalize_rows(to, t.rows, 3, c_, padded_, r);
    }
  }

  void network_inputs(const Tile& t, float* to) const {
    k_.load_rows(at(a_.i, t), c_, t.rows, to, 3 * padded_, padded_);
    k_.load_rows(c1_.get() + t.first * c_, c_, t.rows, to + padded_, 3 * padded_, padded_);
    k_.load_rows(at(a_.x, t), c_, t.rows, to + 2 * padded_, 3 * padded_, padded_);
  }

  InhibitionTile inhibition_tile(const Tile& t, const float* inputs) const {
    InhibitionTile tile{};
    tile.rows = t.rows;
    tile.channels = c_;
    tile.padded = padded_;
    tile.activation = activation_;
    tile.inputs = inputs;
    tile.product = dynamic_ ? inhibition_product_.get() + t.first * 2 * padded_ : nullptr;
    tile.bias = cell_.inhibition_net_bias.data();
    tile.alpha = cell_.alpha.data();
    tile.mu = cell_.parameter(GAMMANET_CELL_MU);
    tile.gate = gain_product_.get() + t.first * padded_;
    tile.gate_bias = cell_.parameter(GAMMANET_CELL_B_GAIN);
    return tile;
  }

  void inhibitory_forward() {
    const float* e = a_.e ? a_.e.data : nullptr;
    c1_ = map();
    if (inputs_normalised_) {
      n1_ = map();
      normalise_input(e, cell_.parameter(GAMMANET_CELL_N1_WEIGHT),
                      cell_.parameter(GAMMANET_CELL_N1_BIAS), n1_.get());
    }
    const float* in = inputs_normalised_ ? n1_.get() : e;
    if (in != nullptr) {
      convolution(cell_.inhibition, in, true, c1_.get());
    } else {
      std::fill_n(c1_.get(), pixels_ * c_, 0.0f);
    }
    if (pre_ && spatial_) {
      gain_moments_[0] = moments(e, c_);
      gain_moments_[1] = moments(a_.i ? a_.i.data : nullptr, c_);
      gain_moments_[2] = moments(a_.x.data, c_);
    }
    inhibition_product_ = rows(dynamic_ ? pixels_ : chunk_tiles_ * tile_, 2);
    gain_product_ = rows(pixels_, 1);
    gain_r_ = Buffer<float>(static_cast<size_t>(pixels_));
    new_i_ = map();
    auto products = [&](const Tile& t, float* gate_inputs, float* inputs) {
      gain_inputs(t, gate_inputs, gain_r_.get() + t.first);
      product(forward(cell_.gain, weights_.forward_gain), gate_inputs, 3, t.rows,
              gain_product_.get() + t.first * padded_, 1);
      network_inputs(t, inputs);
      if (dynamic_) {
        product(forward(cell_.inhibition_net, weights_.forward_inhibition_net), inputs, 3, t.rows,
                inhibition_product_.get() + t.first * 2 * padded_, 2);
      }
    };
    auto update = [&](const Tile& t, const float* inputs) {
      InhibitionTile tile = inhibition_tile(t, inputs);
      tile.new_i = new_i_.get() + t.first * c_;
      k_.inhibition(tile);
    };
    for_each_tile(0, tiles_, [&](const Tile& t) {
      float* inputs = tile_scratch(6);
      products(t, inputs + tile_ * 3 * padded_, inputs);
      if (post_ && !spatial_) {
        k_.normalize_rows(gain_product_.get() + t.first * padded_, t.rows, 1, c_, padded_,
                          gain_r_.get() + t.first);
      }
      if (!(post_ && spatial_)) {
        update(t, inputs);
      }
    });
    if (post_ && spatial_) {
      gain_moments_[0] = moments(gain_product_.get(), padded_);
      for_each_tile(0, tiles_, [&](const Tile& t) {
        float* gate = gain_product_.get() + t.first * padded_;
        normalise(t, gain_moments_[0], gate, padded_, gate, padded_);
        float* inputs = tile_scratch(3);
        network_inputs(t, inputs);
        update(t, inputs);
      });
    }
  }

  // Zeroed where products would meet what is between the channels.
  float* tile_scratch(int64_t parts) const {
    const size_t size = static_cast<size_t>(tile_ * parts * padded_);
    float* result = scratch(kThreadScratch, size);
    if (padded_ != c_) {
      std::fill_n(result, size, 0.0f);
    }
    return result;
  }

  // ---- The excitatory half ----

  void excitatory_forward() {
    c2_ = map();
    if (inputs_normalised_) {
      n2_ = map();
      normalise_input(new_i_.get(), cell_.parameter(GAMMANET_CELL_N2_WEIGHT),
                      cell_.parameter(GAMMANET_CELL_N2_BIAS), n2_.get());
    }
    convolution(cell_.excitation, inputs_normalised_ ? n2_.get() : new_i_.get(), true, c2_.get());
  }

  void excitatory_backward() {
    const bool network = dynamic_ && multiplicative_;
    const bool circuit = multiplicative_;
    const int64_t chunk = chunk_tiles_ * tile_;
    Buffer<float> states = rows(chunk, 2), inputs = rows(chunk, 3), grad_gate = rows(chunk, 1);
    Buffer<float> product_rows = rows(circuit ? chunk : 0, 2);
    // What only a tile needs, unless sums over the image come between the steps.
    constexpr int64_t kLocal = 9;
    Buffer<float> kept = rows(spatial_ ? chunk : 0, kLocal);
    Buffer<float> r(static_cast<size_t>(chunk));
    grad_i_ = map();
    TileSums bias_sums(tiles_, padded_), circuit_sums(tiles_, 2 * padded_);
    Moments of_inputs[3], of_gradients[3], of_gate, of_gate_gradient;
    if (pre_ && spatial_) {
      of_inputs[0] = gain_moments_[0];
      of_inputs[2] = moments(new_i_.get(), c_);
    }

    struct Local {
      float *gate, *q, *omega, *grads, *grad_q, *grad_e, *grad_new_i;
    };
    auto local = [&](const Tile& t) {
      const int64_t count = spatial_ ? chunk : tile_, first = spatial_ ? t.in_chunk : 0;
      float* base = spatial_ ? kept.get() : tile_scratch(kLocal);
      auto part = [&](int64_t number, int64_t width) {
        return base + (number * count + first * width) * padded_;
      };
      return Local{part(0, 1), part(1, 1), part(2, 1), part(3, 3),
                   part(6, 1), part(7, 1), part(8, 1)};
    };
    auto tile_of = [&](const Tile& t, const Local& l) {
      ExcitationTile tile{};
      tile.rows = t.rows;
      tile.channels = c_;
      tile.padded = padded_;
      tile.activation = activation_;
      tile.multiplicative = multiplicative_;
      tile.c2 = c2_.get() + t.first * c_;
      tile.grad_new_e = at(a_.grad_new_e, t);
      tile.states = states.get() + t.in_chunk * 2 * padded_;
      tile.product = circuit ? product_rows.get() + t.in_chunk * 2 * padded_ : nullptr;
      tile.bias = cell_.excitation_net_bias.data();
      tile.kappa = cell_.parameter(GAMMANET_CELL_KAPPA);
      tile.omega = cell_.omega.data();
      tile.omega_rows = l.omega;
      tile.q = l.q;
      tile.gate = l.gate;
      tile.gate_bias = cell_.parameter(GAMMANET_CELL_B_MIX);
      tile.grad_gate = grad_gate.get() + t.in_chunk * padded_;
      tile.grad_q = l.grad_q;
      tile.grad_e = l.grad_e;
      tile.grad_new_i = l.grad_new_i;
      tile.grad_u2 = c2_.get() + t.first * c_;
      return tile;
    };
    auto candidate = [&](const Tile& t, const Local& l) {
      const ExcitationTile tile = tile_of(t, l);
      float* to = states.get() + t.in_chunk * 2 * padded_;
      k_.load_rows(new_i_.get() + t.first * c_, c_, t.rows, to, 2 * padded_, padded_);
      k_.load_rows(at(a_.e, t), c_, t.rows, to + padded_, 2 * padded_, padded_);
      if (network) {
        product(forward(cell_.excitation_net, weights_.forward_excitation_net), to, 2, t.rows,
                tile.product, 2);
      }
      k_.candidate(tile);
    };
    auto gate = [&](const Tile& t, const Local& l) {
      float* to = inputs.get() + t.in_chunk * 3 * padded_;
      const float* state = states.get() + t.in_chunk * 2 * padded_;
      const float* sources[3] = {state + padded_, l.q, state};
      const int64_t strides[3] = {2 * padded_, padded_, 2 * padded_};
      for (int part = 0; part < 3; ++part) {
        for (int64_t p = 0; p < t.rows; ++p) {
          std::copy_n(sources[part] + p * strides[part], padded_,
                      to + (p * 3 + part) * padded_);
        }
        if (pre_ && spatial_) {
          normalise(t, of_inputs[part], to + part * padded_, 3 * padded_, to + part * padded_,
                    3 * padded_);
        }
      }
      if (pre_ && !spatial_) {
        k_.normalize_rows(to, t.rows, 3, c_, padded_, r.get() + t.in_chunk);
      }
      product(forward(cell_.mix, weights_.forward_mix), to, 3, t.rows, l.gate, 1);
      if (post_ && !spatial_) {
        k_.normalize_rows(l.gate, t.rows, 1, c_, padded_, r.get() + t.in_chunk);
      }
    };
    auto gate_backward = [&](const Tile& t, const Local& l) {
      if (post_ && spatial_) {
        normalise(t, of_gate, l.gate, padded_, l.gate, padded_);
      }
      const ExcitationTile tile = tile_of(t, l);
      k_.mix_backward(tile);
      k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
      if (post_ && !spatial_) {
        k_.normalize_rows_backward(tile.grad_gate, l.gate, r.get() + t.in_chunk, t.rows, 1, c_,
                                   padded_);
      }
    };
    auto inputs_backward = [&](const Tile& t, const Local& l) {
      float* gradient = grad_gate.get() + t.in_chunk * padded_;
      if (post_ && spatial_) {
        normalise_backward(t, of_gate, of_gate_gradient, gradient, padded_, l.gate, padded_);
      }
      product(weights_.mix, gradient, 1, t.rows, l.grads, 3);
      if (pre_ && !spatial_) {
        k_.normalize_rows_backward(l.grads, inputs.get() + t.in_chunk * 3 * padded_,
                                   r.get() + t.in_chunk, t.rows, 3, c_, padded_);
      }
    };
    auto candidate_backward = [&](const Tile& t, const Local& l) {
      for (int part = 0; pre_ && spatial_ && part < 3; ++part) {
        normalise_backward(t, of_inputs[part], of_gradients[part], l.grads + part * padded_,
                           3 * padded_,
                           inputs.get() + t.in_chunk * 3 * padded_ + part * padded_, 3 * padded_);
      }
      const ExcitationTile tile = tile_of(t, l);
      k_.load_rows(at(a_.grad_new_i, t), c_, t.rows, l.grad_new_i, padded_, padded_);
      float* sums[3] = {l.grad_e, l.grad_q, l.grad_new_i};
      for (int part = 0; part < 3; ++part) {
        k_.add_rows(sums[part], padded_, l.grads + part * padded_, 3 * padded_, t.rows, c_);
      }
      k_.candidate_backward(tile);
      if (circuit) {
        k_.column_sums(tile.product, 2 * padded_, nullptr, 0, t.rows, 2 * padded_,
                       circuit_sums.of(t));
      }
      if (network) {
        product_of_network(weights_.excitation_net, tile.product, t.rows, l.grads, 2);
        k_.add_rows(l.grad_new_i, padded_, l.grads, 2 * padded_, t.rows, c_);
        k_.add_rows(l.grad_e, padded_, l.grads + padded_, 2 * padded_, t.rows, c_);
      }
      k_.store_rows(l.grad_new_i, padded_, t.rows, c_, grad_i_.get() + t.first * c_);
      if (a_.grad_e) {
        k_.store_rows(l.grad_e, padded_, t.rows, c_, a_.grad_e.data + t.first * c_);
      }
    };

    std::array<WeightGradient, 2> gradients = {
        weight_gradient(GAMMANET_CELL_W_MIX, grad_gate.get(), 1, inputs.get(), 3),
        weight_gradient(GAMMANET_CELL_D_EXC, product_rows.get(), 2, states.get(), 2)};
    if (!network) {
      gradients[1].to = nullptr;
    }
    for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
      const int64_t end = std::min(begin + chunk_tiles_, tiles_);
      if (!spatial_) {
        for_each_tile(begin, end, [&](const Tile& t) {
          const Local l = local(t);
          candidate(t, l);
          gate(t, l);
          gate_backward(t, l);
          inputs_backward(t, l);
          candidate_backward(t, l);
        });
      } else {
        const Local all = local(Tile{0, 0, pixels_, 0});
        for_each_tile(begin, end, [&](const Tile& t) { candidate(t, local(t)); });
        if (pre_) {
          of_inputs[1] = moments(all.q, padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { gate(t, local(t)); });
        if (post_) {
          of_gate = moments(all.gate, padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { gate_backward(t, local(t)); });
        if (post_) {
          of_gate_gradient = gradient_moments(grad_gate.get(), padded_, all.gate, padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { inputs_backward(t, local(t)); });
        for (int part = 0; pre_ && part < 3; ++part) {
          of_gradients[part] =
              gradient_moments(all.grads + part * padded_, 3 * padded_,
                               inputs.get() + part * padded_, 3 * padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { candidate_backward(t, local(t)); });
      }
      accumulate(gradients, std::min(end * tile_, pixels_) - begin * tile_);
    }
    finish(gradients[0]);
    finish(gradients[1]);
    add_sums(bias_sums, 0, a_.grads[GAMMANET_CELL_B_MIX]);
    if (network) {
      float* bias = a_.grads[GAMMANET_CELL_D_EXC_BIAS];
      add_sums(circuit_sums, 0, bias);
      add_sums(circuit_sums, 1, bias ? bias + c_ : nullptr);
    } else if (circuit) {
      add_sums(circuit_sums, 0, a_.grads[GAMMANET_CELL_KAPPA]);
      const float* stored = cell_.parameter(GAMMANET_CELL_OMEGA);
      const bool forced = cell_.options[GAMMANET_CELL_FORCE_OMEGA] != 0;
      float* omega = a_.grads[GAMMANET_CELL_OMEGA];
      for (int64_t c = 0; omega != nullptr && c < c_; ++c) {
        if (!forced || stored[c] > 0) {
          omega[c] += static_cast<float>(circuit_sums.total(padded_ + c));
        }
      }
    }

    // c2_ now holds the gradient of what was rectified.
    add_horizontal(GAMMANET_CELL_W_EXC, c2_.get(),
                   inputs_normalised_ ? n2_.get() : new_i_.get());
    grad_n2_ = map();
    convolution(transposed(cell_.excitation), c2_.get(), false, grad_n2_.get());
    if (inputs_normalised_) {
      normalise_input_backward(new_i_.get(), GAMMANET_CELL_N2_WEIGHT, GAMMANET_CELL_N2_BIAS,
                               grad_n2_.get());
    }
  }

  // From the gradient of a circuit network's 2C outputs to that of its inputs.
  void product_of_network(const Panels& panels, const float* grad, int64_t rows, float* out,
                          int64_t out_parts) const {
    product(panels, grad, 2, rows, out, out_parts);
  }

  // ---- The inhibitory half, backward ----

  void inhibitory_backward() {
    const int64_t chunk = chunk_tiles_ * tile_;
    Buffer<float> gate_inputs = rows(chunk, 3), inputs = rows(chunk, 3);
    Buffer<float> grad_gate = rows(chunk, 1);
    constexpr int64_t kLocal = 6;
    Buffer<float> kept = rows(spatial_ ? chunk : 0, kLocal);
    TileSums bias_sums(tiles_, padded_), circuit_sums(tiles_, 2 * padded_);
    Moments of_gradients[3], of_gate_gradient;

    struct Local {
      float *grads, *gate_grads;
    };
    auto local = [&](const Tile& t) {
      const int64_t count = spatial_ ? chunk : tile_, first = spatial_ ? t.in_chunk : 0;
      float* base = spatial_ ? kept.get() : tile_scratch(kLocal);
      return Local{base + first * 3 * padded_, base + (count + first) * 3 * padded_};
    };
    auto circuit_rows = [&](const Tile& t) {
      return inhibition_product_.get() + (dynamic_ ? t.first : t.in_chunk) * 2 * padded_;
    };
    auto update_backward = [&](const Tile& t, const Local& l) {
      float* grad_new_i = grad_i_.get() + t.first * c_;
      k_.add_rows(grad_new_i, c_, grad_n2_.get() + t.first * c_, c_, t.rows, c_);
      gain_inputs(t, gate_inputs.get() + t.in_chunk * 3 * padded_, gain_r_.get() + t.first);
      network_inputs(t, inputs.get() + t.in_chunk * 3 * padded_);
      InhibitionTile tile = inhibition_tile(t, inputs.get() + t.in_chunk * 3 * padded_);
      tile.product = circuit_rows(t);
      tile.grad_new_i = grad_new_i;
      tile.grad_gate = grad_gate.get() + t.in_chunk * padded_;
      tile.grad_inputs = l.grads;
      k_.inhibition_backward(tile);
      k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
      k_.column_sums(tile.product, 2 * padded_, nullptr, 0, t.rows, 2 * padded_,
                     circuit_sums.of(t));
      if (post_ && !spatial_) {
        k_.normalize_rows_backward(tile.grad_gate, tile.gate, gain_r_.get() + t.first, t.rows, 1,
                                   c_, padded_);
      }
    };
    auto gate_backward = [&](const Tile& t, const Local& l) {
      float* gradient = grad_gate.get() + t.in_chunk * padded_;
      if (post_ && spatial_) {
        normalise_backward(t, gain_moments_[0], of_gate_gradient, gradient, padded_,
                           gain_product_.get() + t.first * padded_, padded_);
      }
      product(weights_.gain, gradient, 1, t.rows, l.gate_grads, 3);
      if (pre_ && !spatial_) {
        k_.normalize_rows_backward(l.gate_grads, gate_inputs.get() + t.in_chunk * 3 * padded_,
                                   gain_r_.get() + t.first, t.rows, 3, c_, padded_);
      }
    };
    auto inputs_backward = [&](const Tile& t, const Local& l) {
      for (int part = 0; pre_ && spatial_ && part < 3; ++part) {
        normalise_backward(t, gain_moments_[part], of_gradients[part],
                           l.gate_grads + part * padded_, 3 * padded_,
                           gate_inputs.get() + t.in_chunk * 3 * padded_ + part * padded_,
                           3 * padded_);
      }
      // The gate's are of [e; i; x], the others of [i; c1; x].
      float* grad_i = l.grads;
      float* grad_c1 = l.grads + padded_;
      float* grad_x = l.grads + 2 * padded_;
      k_.add_rows(grad_i, 3 * padded_, l.gate_grads + padded_, 3 * padded_, t.rows, c_);
      k_.add_rows(grad_x, 3 * padded_, l.gate_grads + 2 * padded_, 3 * padded_, t.rows, c_);
      if (a_.grad_e) {
        k_.add_rows(a_.grad_e.data + t.first * c_, c_, l.gate_grads, 3 * padded_, t.rows, c_);
      }
      if (dynamic_) {
        product_of_network(weights_.inhibition_net, circuit_rows(t), t.rows, l.gate_grads, 3);
        k_.add_rows(l.grads, 3 * padded_, l.gate_grads, 3 * padded_, t.rows, 3 * padded_);
      }
      float* c1 = c1_.get() + t.first * c_;
      if (a_.grad_i) {
        k_.store_rows(grad_i, 3 * padded_, t.rows, c_, a_.grad_i.data + t.first * c_);
      }
      if (a_.grad_x) {
        k_.store_rows(grad_x, 3 * padded_, t.rows, c_, a_.grad_x.data + t.first * c_);
      }
      for (int64_t p = 0; p < t.rows; ++p) {
        k_.mask(grad_c1 + p * 3 * padded_, c1 + p * c_, c_, c1 + p * c_);
      }
    };

    std::array<WeightGradient, 2> gradients = {
        weight_gradient(GAMMANET_CELL_W_GAIN, grad_gate.get(), 1, gate_inputs.get(), 3),
        weight_gradient(GAMMANET_CELL_D_INH, nullptr, 2, inputs.get(), 3)};
    if (!dynamic_) {
      gradients[1].to = nullptr;
    }
    for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
      const int64_t end = std::min(begin + chunk_tiles_, tiles_);
      gradients[1].grad = inhibition_product_.get() + (dynamic_ ? begin * tile_ : 0) * 2 * padded_;
      if (!spatial_) {
        for_each_tile(begin, end, [&](const Tile& t) {
          const Local l = local(t);
          update_backward(t, l);
          gate_backward(t, l);
          inputs_backward(t, l);
        });
      } else {
        const Local all = local(Tile{0, 0, pixels_, 0});
        for_each_tile(begin, end, [&](const Tile& t) { update_backward(t, local(t)); });
        if (post_) {
          of_gate_gradient =
              gradient_moments(grad_gate.get(), padded_, gain_product_.get(), padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { gate_backward(t, local(t)); });
        for (int part = 0; pre_ && part < 3; ++part) {
          of_gradients[part] =
              gradient_moments(all.gate_grads + part * padded_, 3 * padded_,
                               gate_inputs.get() + part * padded_, 3 * padded_);
        }
        for_each_tile(begin, end, [&](const Tile& t) { inputs_backward(t, local(t)); });
      }
      accumulate(gradients, std::min(end * tile_, pixels_) - begin * tile_);
    }
    finish(gradients[0]);
    finish(gradients[1]);
    add_sums(bias_sums, 0, a_.grads[GAMMANET_CELL_B_GAIN]);
    if (dynamic_) {
      float* bias = a_.grads[GAMMANET_CELL_D_INH_BIAS];
      add_sums(circuit_sums, 0, bias);
      add_sums(circuit_sums, 1, bias ? bias + c_ : nullptr);
    } else {
      const bool forced = cell_.options[GAMMANET_CELL_FORCE_ALPHA] != 0;
      float* alpha = a_.grads[GAMMANET_CELL_ALPHA];
      for (int64_t c = 0; alpha != nullptr && c < c_; ++c) {
        const float y = cell_.alpha[static_cast<size_t>(c)];
        const double slope = forced ? y * (1 - y) : 1;
        alpha[c] += static_cast<float>(circuit_sums.total(c) * slope);
      }
      add_sums(circuit_sums, 1, a_.grads[GAMMANET_CELL_MU]);
    }

    const float* e = a_.e ? a_.e.data : nullptr;
    const bool affine = inputs_normalised_ && (a_.grads[GAMMANET_CELL_N1_WEIGHT] != nullptr ||
                                               a_.grads[GAMMANET_CELL_N1_BIAS] != nullptr);
    add_horizontal(GAMMANET_CELL_W_INH, c1_.get(), inputs_normalised_ ? n1_.get() : e);
    if (!a_.grad_e && !affine) {
      return;
    }
    float* grad_n1 = grad_n2_.get();
    convolution(transposed(cell_.inhibition), c1_.get(), false, grad_n1);
    if (inputs_normalised_) {
      normalise_input_backward(e, GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N1_BIAS, grad_n1);
    }
    if (a_.grad_e) {
      for_each_tile(0, tiles_, [&](const Tile& t) {
        k_.add_rows(a_.grad_e.data + t.first * c_, c_, grad_n1 + t.first * c_, c_, t.rows, c_);
      });
    }
  }

  const GammanetCellOpaque& cell_;
  const Arguments& a_;
  const Kernels& kernels_;
  const BackwardKernels& k_;
  const BackwardWeights& weights_;
  const int64_t c_, padded_, samples_, area_, pixels_;
  const int32_t norm_;
  const bool pre_, post_, spatial_, inputs_normalised_, dynamic_;
  const Activation activation_;
  const bool multiplicative_;
  int64_t tile_, tiles_, chunk_tiles_;

  Buffer<float> n1_, c1_, new_i_, n2_, c2_, grad_i_, grad_n2_;
  Buffer<float> inhibition_product_, gain_product_, gain_r_;
  // Of e, i and x before the gate's product, or [0] of the product.
  Moments gain_moments_[3];
};

}  // namespace

void check_cell_gradient_maps(const Map& x, const Map& e, const Map& i, const Map& grad_new_e,
                              const Map& grad_new_i, const Map& grad_x, const Map& grad_e,
                              const Map& grad_i) {
  struct Named {
    const Map& map;
    const char* name;
  };
  const Named inputs[] = {{x, "x"}, {e, "e"}, {i, "i"}};
  const Named outputs[] = {{grad_x, "grad_x"}, {grad_e, "grad_e"}, {grad_i, "grad_i"}};
  const Named given[] = {{grad_new_e, "grad_new_e"}, {grad_new_i, "grad_new_i"}};
  for (int o = 0; o < 3; ++o) {
    const Named& out = outputs[o];
    for (const Named& in : inputs) {
      check_disjoint(out.map, out.name, in.map, in.name);
    }
    for (int other = 0; other < o; ++other) {
      check_disjoint(out.map, out.name, outputs[other].map, outputs[other].name);
    }
    for (int g = 0; g < 2; ++g) {
      // grad_e may be grad_new_e and grad_i may be grad_new_i.
      const auto check = o == g + 1 ? check_same_or_disjoint : check_disjoint;
      check(out.map, out.name, given[g].map, given[g].name);
    }
  }
}

}  // namespace gammanet

using namespace gammanet;

extern "C" GAMMANET_API int32_t gammanet_cell_backward(
    GammanetCell cell, AtenTensorHandle x, AtenTensorHandle e, AtenTensorHandle i,
    AtenTensorHandle grad_new_e, AtenTensorHandle grad_new_i, AtenTensorHandle grad_x,
    AtenTensorHandle grad_e, AtenTensorHandle grad_i, const AtenTensorHandle* grad_parameters) {
  return guarded([&] {
    if (cell == nullptr) {
      invalid("cell is null");
    }
    if (cell->cuda) {
      return cuda::cell_backward(*cell->cuda, x, e, i, grad_new_e, grad_new_i, grad_x, grad_e,
                                 grad_i, grad_parameters);
    }
    Arguments a;
    a.x = map_of(x, "x");
    const int64_t c = cell->channels;
    if (a.x.c != c) {
      invalid("x must have %lld channels, not %lld", static_cast<long long>(c),
              static_cast<long long>(a.x.c));
    }
    auto same = [&](AtenTensorHandle tensor, const char* what) {
      return tensor == nullptr ? Map() : map_of(tensor, what, a.x.n, c, a.x.h, a.x.w);
    };
    a.e = same(e, "e");
    a.i = same(i, "i");
    a.grad_new_e = same(grad_new_e, "grad_new_e");
    a.grad_new_i = same(grad_new_i, "grad_new_i");
    a.grad_x = same(grad_x, "grad_x");
    a.grad_e = same(grad_e, "grad_e");
    a.grad_i = same(grad_i, "grad_i");
    check_cell_gradient_maps(a.x, a.e, a.i, a.grad_new_e, a.grad_new_i, a.grad_x, a.grad_e,
                             a.grad_i);
    for (int place = 0; grad_parameters != nullptr && place < GAMMANET_CELL_PARAMETERS; ++place) {
      const int64_t elements = parameter_elements(*cell, place);
      const AtenTensorHandle tensor = grad_parameters[place];
      if (tensor != nullptr && elements > 0) {
        char what[32];
        std::snprintf(what, sizeof what, "grad_parameters[%d]", place);
        a.grads[static_cast<size_t>(place)] = vector_of(tensor, what, elements);
      }
    }
    CellBackward(*cell, a).run();
  });
}
