#include "cell_backward.h"

#include <algorithm>
#include <cmath>

namespace gammanet {

CellGradient::CellGradient(const Cell& cell, const CellBackward& a)
    : cell_(cell),
      a_(a),
      kernels_(*cell.kernels),
      k_(backward_kernels(*cell.kernels)),
      c_(cell.spec.channels),
      padded_(round_up(c_, kernels_.width)),
      samples_(a.x.n),
      area_(a.x.h * a.x.w),
      pixels_(samples_ * area_),
      pre_(cell.spec.gate_norm_pre()),
      post_(cell.spec.gate_norm_post()),
      over_pixels_(cell.spec.over_pixels()),
      normalized_inputs_(cell.spec.normalizes_inputs()),
      dynamic_(cell.spec.dynamic()),
      activation_(static_cast<Activation>(cell.spec.option(GAMMANET_CELL_CIRCUIT))),
      multiplicative_(cell.spec.multiplicative()),
      bf16_(cell.spec.bf16() && kernels_.fast_bf16()),
      no_horizontal_(!a.e && !normalized_inputs_ && !over_pixels_) {
  // About 400 KB of a tile's rows; enough rows to pay for reading the weights.
  const int64_t unit = bf16_ ? 32 : 12;
  tile_ = std::clamp<int64_t>(400 * 1024 / (17 * padded_ * 4), 96, 240) / unit * unit;
  tiles_ = (pixels_ + tile_ - 1) / tile_;
  // About 5 MB.
  const int64_t chunk = std::max<int64_t>(5 * 1024 * 1024 / (9 * padded_ * 4), 2 * tile_);
  if (a.kept) {
    kept_ = std::make_unique<const KeptStep>(cell, a.kept.data, pixels_);
  }
  chunk_tiles_ = over_pixels_ ? tiles_ : std::min(tiles_, chunk / tile_);
}

void CellGradient::run() {
  inhibition_forward();
  excitation_backward();
  inhibition_backward();
}

Buffer<float> CellGradient::rows(int64_t count, int64_t parts) const {
  const size_t size = static_cast<size_t>(count * parts * padded_);
  Buffer<float> buffer(size);
  if (padded_ != c_) {
    // Products multiply what lies beside the channels by 0: it must be finite.
    std::fill_n(buffer.get(), size, 0.0f);
  }
  return buffer;
}

void CellGradient::product(const Panels& panels, const float* grad, int64_t parts, int64_t count,
                           float* out, int64_t out_parts) const {
  const bool bf16 = panels.halves.get() != nullptr;
  const int64_t depth = panels.depth / parts;
  uint16_t* halves = bf16 ? reinterpret_cast<uint16_t*>(scratch(
                                kThreadConvScratch,
                                static_cast<size_t>(parts * count * depth / 2)))
                          : nullptr;
  Operand operands[2];
  for (int64_t part = 0; part < parts; ++part) {
    const float* rows = grad + part * padded_;
    operands[part] = {rows, parts * padded_, 0, c_, part * c_};
    if (bf16) {
      uint16_t* to = halves + part * count * depth;
      kernels_.convert_bf16(rows, parts * padded_, count, c_, to, depth, depth);
      operands[part] = {to, depth, 0, depth, part * depth};
    }
  }
  Product p{};
  p.panels = panels.data();
  p.depth = panels.depth;
  p.outputs = out_parts * padded_;
  p.operands = operands;
  p.operand_count = parts;
  p.lines = 1;
  p.rows = count;
  p.out = out;
  p.out_stride = out_parts * padded_;
  (bf16 ? kernels_.product_bf16 : kernels_.product)(p);
}

// ---- The inhibitory half, forward ----

void CellGradient::inhibition_forward() {
  if (kept_) {
    c1_ = kept_->inhibition.horizontal;
    network_ = kept_->inhibition.network;
    gate_ = kept_->inhibition.gate;
    mean_ = kept_->inhibition.mean;
    scale_ = kept_->inhibition.scale;
    new_i_ = kept_->new_i;
    return;
  }
  if (!no_horizontal_) {
    c1_ = map();
  }
  new_i_ = map();
  network_ = dynamic_ ? rows(pixels_, 2) : Buffer<float>();
  gate_ = rows(pixels_, 1);
  if (!over_pixels_) {
    mean_ = Buffer<float>(static_cast<size_t>(pixels_));
    scale_ = Buffer<float>(static_cast<size_t>(pixels_));
  }
  CellStep step(cell_, a_, new_i_.get(), tile_);
  const float* in = a_.e.data;
  if (normalized_inputs_) {
    n1_ = map();
    in = step.normalize({in, c_}, CellStep::kInhibition, n1_.get()).data;
  }
  if (in != nullptr) {
    convolve(cell_.inhibition, in, samples_, a_.x.h, a_.x.w, true, c1_.get(), c_);
  } else if (!no_horizontal_) {
    std::fill_n(c1_.get(), pixels_ * c_, 0.0f);
  }
  const Buffer<float> candidate = over_pixels_ ? rows(pixels_, 1) : Buffer<float>();
  CellStep::Kept kept{network_.get(), candidate.get(), gate_.get(), mean_.get(), scale_.get(),
                      std::vector<Moments>(3, Moments(samples_, c_))};
  step.keep_inhibition(c1_.get(), kept);
  gain_moments_ = std::move(kept.moments);
}

// ---- The excitatory half ----

void CellGradient::excitation_backward() {
  const bool network = dynamic_ && multiplicative_;
  const bool circuit = multiplicative_;
  const int64_t chunk = chunk_tiles_ * tile_;
  const BackwardWeights& weights = cell_.backward_weights();
  CellStep step(cell_, a_, new_i_.get(), tile_);
  const float* in = new_i_.get();
  Buffer<float> n2;
  if (normalized_inputs_) {
    n2 = map();
    in = step.normalize({in, c_}, CellStep::kExcitation, n2.get()).data;
  }
  if (kept_) {
    c2_ = kept_->excitation.horizontal;
  } else {
    c2_ = map();
    convolve(cell_.excitation, in, samples_, a_.x.h, a_.x.w, true, c2_.get(), c_);
  }

  Buffer<float> states = rows(chunk, 2), inputs = rows(chunk, 3), grad_gate = rows(chunk, 1);
  // Kept ones are those of all pixels.
  const bool kept_network = kept_ && network;
  const Buffer<float> own_rows = rows(circuit && !kept_network ? chunk : 0, 2);
  auto network_of = [&](const Tile& t) {
    return !circuit       ? nullptr
           : kept_network ? kept_->excitation.network + t.first * 2 * padded_
                          : own_rows.get() + t.in_chunk * 2 * padded_;
  };
  // What only a tile needs, unless sums over the image come between the steps.
  constexpr int64_t kLocal = 8;
  Buffer<float> kept_rows = rows(over_pixels_ ? chunk : 0, kLocal);
  grad_i_ = map();
  TileSums bias_sums(tiles_, padded_), circuit_sums(tiles_, 2 * padded_);
  std::vector<Moments> mix_moments(3, Moments(0, 0));
  GradientMeans means[3];

  struct Local {
    float *gate, *q, *grads, *grad_q, *grad_e, *grad_new_i, *mean, *scale;
  };
  auto local = [&](const Tile& t, float* base) {
    const int64_t count = over_pixels_ ? chunk : tile_, first = over_pixels_ ? t.in_chunk : 0;
    auto part = [&](int64_t number, int64_t width) {
      return base + (number * count + first * width) * padded_;
    };
    return Local{part(0, 1), part(1, 1), part(2, 3), part(5, 1),
                 part(6, 1), part(7, 1), nullptr,    nullptr};
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
    tile.product = network_of(t);
    tile.omega = cell_.omega.data();
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
  // [i'; e] and the gate's inputs [e; q; i'].
  auto load = [&](const Tile& t, const Local& l) {
    float* state = states.get() + t.in_chunk * 2 * padded_;
    float* to = inputs.get() + t.in_chunk * 3 * padded_;
    k_.load_rows(new_i_.get() + t.first * c_, c_, t.rows, state, 2 * padded_, padded_);
    k_.load_rows(at(a_.e, t), c_, t.rows, state + padded_, 2 * padded_, padded_);
    k_.load_rows(at(a_.e, t), c_, t.rows, to, 3 * padded_, padded_);
    k_.copy_rows(l.q, padded_, t.rows, padded_, to + padded_, 3 * padded_);
    k_.load_rows(new_i_.get() + t.first * c_, c_, t.rows, to + 2 * padded_, 3 * padded_, padded_);
    for (int part = 0; pre_ && over_pixels_ && part < 3; ++part) {
      normalize(t, mix_moments[static_cast<size_t>(part)], to + part * padded_, 3 * padded_,
                to + part * padded_, 3 * padded_);
    }
    if (pre_ && !over_pixels_) {
      k_.standardize_rows(to, l.mean, l.scale, t.rows, 3, padded_);
    }
  };
  auto gate_backward = [&](const Tile& t, const Local& l) {
    const ExcitationTile tile = tile_of(t, l);
    k_.mix_backward(tile);
    k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
    if (post_ && !over_pixels_) {
      k_.normalize_rows_backward(tile.grad_gate, l.gate, l.scale, t.rows, 1, c_, padded_);
    }
  };
  auto inputs_backward = [&](const Tile& t, const Local& l) {
    float* gradient = grad_gate.get() + t.in_chunk * padded_;
    if (post_ && over_pixels_) {
      normalize_backward(t, mix_moments[0], means[0], gradient, padded_, l.gate, padded_);
    }
    product(weights.mix, gradient, 1, t.rows, l.grads, 3);
    if (pre_ && !over_pixels_) {
      k_.normalize_rows_backward(l.grads, inputs.get() + t.in_chunk * 3 * padded_, l.scale, t.rows,
                                 3, c_, padded_);
    }
  };
  auto candidate_backward = [&](const Tile& t, const Local& l) {
    for (int part = 0; pre_ && over_pixels_ && part < 3; ++part) {
      normalize_backward(t, mix_moments[static_cast<size_t>(part)], means[part],
                         l.grads + part * padded_, 3 * padded_,
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
      product(weights.excitation_net, tile.product, 2, t.rows, l.grads, 2);
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
      weight_gradient(GAMMANET_CELL_D_EXC, own_rows.get(), 2, states.get(), 2)};
  for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
    const int64_t end = std::min(begin + chunk_tiles_, tiles_);
    if (kept_network) {
      gradients[1].grad = kept_->excitation.network + begin * tile_ * 2 * padded_;
    }
    if (!over_pixels_) {
      for_each_tile(begin, end, [&](const Tile& t) {
        CellStep::Tile s = step.make_tile(tile_ * kLocal * padded_);
        if (padded_ != c_) {
          std::fill_n(s.more, tile_ * kLocal * padded_, 0.0f);
        }
        Local l = local(t, s.more);
        l.mean = s.mean;
        l.scale = s.scale;
        s.first = t.first;
        s.count = t.rows;
        s.network = circuit ? network_of(t) : s.network;
        s.candidate = l.q;
        if (kept_) {
          l.gate = kept_->excitation.gate + t.first * padded_;
          l.mean = kept_->excitation.mean + t.first;
          l.scale = kept_->excitation.scale + t.first;
          step.candidate_again(s, c2_.get() + t.first * c_);
        } else {
          s.gate = l.gate;
          s.backward = true;
          step.keep_excitation(s, c2_.get() + t.first * c_);
        }
        load(t, l);
        gate_backward(t, l);
        inputs_backward(t, l);
        candidate_backward(t, l);
      });
    } else {
      auto over_tiles = [&](const auto& body) {
        for_each_tile(begin, end, [&](const Tile& t) { body(t, local(t, kept_rows.get())); });
      };
      const Local all = local(Tile{0, 0, pixels_, 0}, kept_rows.get());
      CellStep::Kept kept{own_rows.get(), all.q, all.gate, nullptr, nullptr,
                          std::vector<Moments>(3, Moments(samples_, c_))};
      step.keep_excitation(c2_.get(), kept);
      mix_moments = std::move(kept.moments);
      over_tiles(load);
      over_tiles(gate_backward);
      if (post_) {
        means[0] = gradient_means(grad_gate.get(), padded_, all.gate, padded_);
      }
      over_tiles(inputs_backward);
      for (int part = 0; pre_ && part < 3; ++part) {
        means[part] = gradient_means(all.grads + part * padded_, 3 * padded_,
                                     inputs.get() + part * padded_, 3 * padded_);
      }
      over_tiles(candidate_backward);
    }
    accumulate(gradients, std::min(end * tile_, pixels_) - begin * tile_);
  }
  finish(gradients[0]);
  finish(gradients[1]);
  add_sums(bias_sums, 0, gradient_of(GAMMANET_CELL_B_MIX));
  if (network) {
    float* bias = gradient_of(GAMMANET_CELL_D_EXC_BIAS);
    add_sums(circuit_sums, 0, bias);
    add_sums(circuit_sums, 1, bias ? bias + c_ : nullptr);
  } else if (circuit) {
    add_sums(circuit_sums, 0, gradient_of(GAMMANET_CELL_KAPPA));
    const float* stored = cell_.parameter(GAMMANET_CELL_OMEGA);
    const bool forced = cell_.spec.option(GAMMANET_CELL_FORCE_OMEGA) == 1;
    float* omega = gradient_of(GAMMANET_CELL_OMEGA);
    for (int64_t c = 0; omega != nullptr && c < c_; ++c) {
      if (!forced || stored[c] > 0) {
        omega[c] += static_cast<float>(circuit_sums.total(padded_ + c));
      }
    }
  }

  // c2_ now holds the gradient of what was rectified.
  add_horizontal(GAMMANET_CELL_W_EXC, c2_.get(), in);
  grad_n_ = map();
  convolve(cell_.excitation.transposed(), c2_.get(), samples_, a_.x.h, a_.x.w, false,
           grad_n_.get(), c_);
  if (normalized_inputs_) {
    normalize_input_backward(new_i_.get(), GAMMANET_CELL_N2_WEIGHT, GAMMANET_CELL_N2_BIAS,
                             grad_n_.get());
  }
}

// ---- The inhibitory half, backward ----

void CellGradient::inhibition_backward() {
  const int64_t chunk = chunk_tiles_ * tile_;
  const BackwardWeights& weights = cell_.backward_weights();
  Buffer<float> gate_inputs = rows(chunk, 3), inputs = rows(chunk, 3);
  Buffer<float> grad_gate = rows(chunk, 1);
  Buffer<float> static_rows = rows(dynamic_ ? 0 : chunk, 2);
  constexpr int64_t kLocal = 6;
  Buffer<float> kept_rows = rows(over_pixels_ ? chunk : 0, kLocal);
  TileSums bias_sums(tiles_, padded_), circuit_sums(tiles_, 2 * padded_);
  GradientMeans means[3];

  struct Local {
    float *grads, *gate_grads;
  };
  auto local = [&](const Tile& t) {
    const int64_t count = over_pixels_ ? chunk : tile_, first = over_pixels_ ? t.in_chunk : 0;
    float* base = kept_rows.get();
    if (!over_pixels_) {
      base = scratch(kThreadScratch, static_cast<size_t>(tile_ * kLocal * padded_));
      if (padded_ != c_) {
        std::fill_n(base, tile_ * kLocal * padded_, 0.0f);
      }
    }
    return Local{base + first * 3 * padded_, base + (count + first) * 3 * padded_};
  };
  auto circuit_rows = [&](const Tile& t) {
    return dynamic_ ? network_.get() + t.first * 2 * padded_
                    : static_rows.get() + t.in_chunk * 2 * padded_;
  };
  auto update_backward = [&](const Tile& t, const Local& l) {
    float* grad_new_i = grad_i_.get() + t.first * c_;
    k_.add_rows(grad_new_i, c_, grad_n_.get() + t.first * c_, c_, t.rows, c_);
    // The inputs of the gate are [e; i; x], those of the circuit are [i; c1; x].
    float* gate_in = gate_inputs.get() + t.in_chunk * 3 * padded_;
    float* in = inputs.get() + t.in_chunk * 3 * padded_;
    const float* maps[3] = {at(a_.e, t), at(a_.i, t), at(a_.x, t)};
    for (int part = 0; part < 3; ++part) {
      float* to = gate_in + part * padded_;
      k_.load_rows(maps[part], c_, t.rows, to, 3 * padded_, padded_);
      k_.load_rows(part == 0        ? maps[1]
                   : part == 2      ? maps[2]
                   : no_horizontal_ ? nullptr
                                    : c1_.get() + t.first * c_,
                   c_, t.rows, in + part * padded_, 3 * padded_, padded_);
      if (pre_ && over_pixels_) {
        normalize(t, gain_moments_[static_cast<size_t>(part)], to, 3 * padded_, to, 3 * padded_);
      }
    }
    if (pre_ && !over_pixels_) {
      k_.standardize_rows(gate_in, mean_.get() + t.first, scale_.get() + t.first, t.rows, 3,
                          padded_);
    }
    if (no_horizontal_ && dynamic_) {
      std::fill_n(circuit_rows(t), t.rows * 2 * padded_, 0.0f);
    }
    InhibitionTile tile{};
    tile.rows = t.rows;
    tile.channels = c_;
    tile.padded = padded_;
    tile.activation = activation_;
    tile.inputs = in;
    tile.product = circuit_rows(t);
    tile.alpha = cell_.alpha.data();
    tile.mu = cell_.parameter(GAMMANET_CELL_MU);
    tile.gate = gate_.get() + t.first * padded_;
    tile.gate_bias = cell_.parameter(GAMMANET_CELL_B_GAIN);
    tile.grad_new_i = grad_new_i;
    tile.grad_gate = grad_gate.get() + t.in_chunk * padded_;
    tile.grad_inputs = l.grads;
    k_.inhibition_backward(tile);
    k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
    k_.column_sums(tile.product, 2 * padded_, nullptr, 0, t.rows, 2 * padded_, circuit_sums.of(t));
    if (post_ && !over_pixels_) {
      k_.normalize_rows_backward(tile.grad_gate, tile.gate, scale_.get() + t.first, t.rows, 1, c_,
                                 padded_);
    }
  };
  auto gate_backward = [&](const Tile& t, const Local& l) {
    float* gradient = grad_gate.get() + t.in_chunk * padded_;
    if (post_ && over_pixels_) {
      normalize_backward(t, gain_moments_[0], means[0], gradient, padded_,
                         gate_.get() + t.first * padded_, padded_);
    }
    product(weights.gain, gradient, 1, t.rows, l.gate_grads, 3);
    if (pre_ && !over_pixels_) {
      k_.normalize_rows_backward(l.gate_grads, gate_inputs.get() + t.in_chunk * 3 * padded_,
                                 scale_.get() + t.first, t.rows, 3, c_, padded_);
    }
  };
  auto inputs_backward = [&](const Tile& t, const Local& l) {
    for (int part = 0; pre_ && over_pixels_ && part < 3; ++part) {
      normalize_backward(t, gain_moments_[static_cast<size_t>(part)], means[part],
                         l.gate_grads + part * padded_, 3 * padded_,
                         gate_inputs.get() + t.in_chunk * 3 * padded_ + part * padded_,
                         3 * padded_);
    }
    float* grad_i = l.grads;
    float* grad_c1 = l.grads + padded_;
    float* grad_x = l.grads + 2 * padded_;
    k_.add_rows(grad_i, 3 * padded_, l.gate_grads + padded_, 3 * padded_, t.rows, c_);
    k_.add_rows(grad_x, 3 * padded_, l.gate_grads + 2 * padded_, 3 * padded_, t.rows, c_);
    if (a_.grad_e) {
      k_.add_rows(a_.grad_e.data + t.first * c_, c_, l.gate_grads, 3 * padded_, t.rows, c_);
    }
    if (dynamic_ && !no_horizontal_) {
      product(weights.inhibition_net, circuit_rows(t), 2, t.rows, l.gate_grads, 3);
      k_.add_rows(l.grads, 3 * padded_, l.gate_grads, 3 * padded_, t.rows, 3 * padded_);
    }
    if (a_.grad_i) {
      k_.store_rows(grad_i, 3 * padded_, t.rows, c_, a_.grad_i.data + t.first * c_);
    }
    if (a_.grad_x) {
      k_.store_rows(grad_x, 3 * padded_, t.rows, c_, a_.grad_x.data + t.first * c_);
    }
    for (int64_t p = 0; p < t.rows && !no_horizontal_; ++p) {
      float* c1 = c1_.get() + (t.first + p) * c_;
      k_.mask(grad_c1 + p * 3 * padded_, c1, c_, c1);
    }
  };

  std::array<WeightGradient, 2> gradients = {
      weight_gradient(GAMMANET_CELL_W_GAIN, grad_gate.get(), 1, gate_inputs.get(), 3),
      no_horizontal_ ? WeightGradient()
                     : weight_gradient(GAMMANET_CELL_D_INH, nullptr, 2, inputs.get(), 3)};
  for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
    const int64_t end = std::min(begin + chunk_tiles_, tiles_);
    gradients[1].grad = dynamic_ ? network_.get() + begin * tile_ * 2 * padded_ : nullptr;
    if (!over_pixels_) {
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
        means[0] = gradient_means(grad_gate.get(), padded_, gate_.get(), padded_);
      }
      for_each_tile(begin, end, [&](const Tile& t) { gate_backward(t, local(t)); });
      for (int part = 0; pre_ && part < 3; ++part) {
        means[part] = gradient_means(all.gate_grads + part * padded_, 3 * padded_,
                                     gate_inputs.get() + part * padded_, 3 * padded_);
      }
      for_each_tile(begin, end, [&](const Tile& t) { inputs_backward(t, local(t)); });
    }
    accumulate(gradients, std::min(end * tile_, pixels_) - begin * tile_);
  }
  finish(gradients[0]);
  finish(gradients[1]);
  add_sums(bias_sums, 0, gradient_of(GAMMANET_CELL_B_GAIN));
  if (dynamic_) {
    float* bias = gradient_of(GAMMANET_CELL_D_INH_BIAS);
    add_sums(circuit_sums, 0, bias);
    add_sums(circuit_sums, 1, bias ? bias + c_ : nullptr);
  } else {
    const bool forced = cell_.spec.option(GAMMANET_CELL_FORCE_ALPHA) == 1;
    float* alpha = gradient_of(GAMMANET_CELL_ALPHA);
    for (int64_t c = 0; alpha != nullptr && c < c_; ++c) {
      const float y = cell_.alpha[static_cast<size_t>(c)];
      const double slope = forced ? y * (1 - y) : 1;
      alpha[c] += static_cast<float>(circuit_sums.total(c) * slope);
    }
    add_sums(circuit_sums, 1, gradient_of(GAMMANET_CELL_MU));
  }

  // c1_ now holds the gradient of what was rectified.
  add_horizontal(GAMMANET_CELL_W_INH, c1_.get(), normalized_inputs_ ? n1_.get() : a_.e.data);
  const bool affine = normalized_inputs_ && (gradient_of(GAMMANET_CELL_N1_WEIGHT) != nullptr ||
                                             gradient_of(GAMMANET_CELL_N1_BIAS) != nullptr);
  if (no_horizontal_ || (!a_.grad_e && !affine)) {
    return;
  }
  float* grad_n1 = grad_n_.get();
  convolve(cell_.inhibition.transposed(), c1_.get(), samples_, a_.x.h, a_.x.w, false, grad_n1, c_);
  if (normalized_inputs_) {
    normalize_input_backward(a_.e.data, GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N1_BIAS, grad_n1);
  }
  if (a_.grad_e) {
    for_each_tile(0, tiles_, [&](const Tile& t) {
      k_.add_rows(a_.grad_e.data + t.first * c_, c_, grad_n1 + t.first * c_, c_, t.rows, c_);
    });
  }
}

void cell_backward(const Cell& cell, const CellBackward& a) { CellGradient(cell, a).run(); }

}  // namespace gammanet
