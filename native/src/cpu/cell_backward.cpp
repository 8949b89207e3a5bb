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
      pre_local_(pre_ && !over_pixels_),
      pre_global_(pre_ && over_pixels_),
      normalized_inputs_(cell.spec.normalizes_inputs()),
      dynamic_(cell.spec.dynamic()),
      activation_(static_cast<Activation>(cell.spec.option(GAMMANET_CELL_CIRCUIT))),
      multiplicative_(cell.spec.multiplicative()),
      bf16_(cell.spec.bf16()),
      no_horizontal_(!a.e && !normalized_inputs_ && !over_pixels_) {
  // About 400 KB of a tile's rows; enough rows to pay for reading the weights.
  const int64_t unit = bf16_ && kernels_.tiles ? 32 : 12;
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

void CellGradient::add_parts(const std::array<RowSum, 3>& sums, const float* parts,
                             int64_t rows) const {
  for (int64_t part = 0; part < 3; ++part) {
    const RowSum& s = sums[static_cast<size_t>(part)];
    if (s.to != nullptr) {
      k_.sum_rows(s.from, {parts + part * padded_, 3 * padded_}, {}, rows, c_, s.to, s.stride);
    }
  }
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

  Buffer<float> inputs = rows(chunk, 3), grad_gate = rows(chunk, 1);
  // [i'; e] with padded rows.
  const bool copy_states = network && !maps_in_place();
  const Buffer<float> states = rows(copy_states ? chunk : 0, 2);
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
    tile.e = at(a_.e, t);
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
  // The gate's inputs [e; q; i'].
  auto load = [&](const Tile& t, const Local& l) {
    const Rows e = rows_of(a_.e, t), new_i = rows_of(new_i_.get(), t);
    const Rows parts[3] = {e, {l.q, padded_}, new_i}, state[2] = {new_i, e};
    float* to = inputs.get() + t.in_chunk * 3 * padded_;
    k_.gather_rows(parts, 3, pre_local_ ? l.mean : nullptr, l.scale, t.rows, c_, padded_, to);
    for (int part = 0; pre_global_ && part < 3; ++part) {
      normalize(t, mix_moments[static_cast<size_t>(part)], to + part * padded_, 3 * padded_,
                to + part * padded_, 3 * padded_);
    }
    if (copy_states) {
      k_.gather_rows(state, 2, nullptr, nullptr, t.rows, c_, padded_,
                     states.get() + t.in_chunk * 2 * padded_);
    }
  };
  // What the gate's inputs give to the gradients of e, q and i'.
  auto sums_of = [&](const Tile& t, const Local& l) {
    return std::array<RowSum, 3>{RowSum{{l.grad_e, padded_}, l.grad_e, padded_},
                                 RowSum{{l.grad_q, padded_}, l.grad_q, padded_},
                                 RowSum{rows_of(a_.grad_new_i, t), l.grad_new_i, padded_}};
  };
  auto gate_backward = [&](const Tile& t, const Local& l) {
    const ExcitationTile tile = tile_of(t, l);
    k_.mix_backward(tile);
    k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
    if (post_ && !over_pixels_) {
      k_.normalize_rows_backward(tile.grad_gate, l.gate, l.scale, t.rows, 1, c_, padded_, nullptr);
    }
  };
  auto inputs_backward = [&](const Tile& t, const Local& l) {
    float* gradient = grad_gate.get() + t.in_chunk * padded_;
    if (post_ && over_pixels_) {
      normalize_backward(t, mix_moments[0], means[0], gradient, padded_, l.gate, padded_);
    }
    product(weights.mix, gradient, 1, t.rows, l.grads, 3);
    if (pre_local_) {
      k_.normalize_rows_backward(l.grads, inputs.get() + t.in_chunk * 3 * padded_, l.scale, t.rows,
                                 3, c_, padded_, sums_of(t, l).data());
    }
  };
  auto candidate_backward = [&](const Tile& t, const Local& l) {
    for (int part = 0; pre_global_ && part < 3; ++part) {
      normalize_backward(t, mix_moments[static_cast<size_t>(part)], means[part],
                         l.grads + part * padded_, 3 * padded_,
                         inputs.get() + t.in_chunk * 3 * padded_ + part * padded_, 3 * padded_);
    }
    const ExcitationTile tile = tile_of(t, l);
    if (!pre_local_) {
      add_parts(sums_of(t, l), l.grads, t.rows);
    }
    k_.candidate_backward(tile);
    if (circuit) {
      k_.column_sums(tile.product, 2 * padded_, nullptr, 0, t.rows, 2 * padded_,
                     circuit_sums.of(t));
    }
    Rows more[2];
    if (network) {
      product(weights.excitation_net, tile.product, 2, t.rows, l.grads, 2);
      more[0] = {l.grads, 2 * padded_};
      more[1] = {l.grads + padded_, 2 * padded_};
    }
    k_.sum_rows({l.grad_new_i, padded_}, more[0], {}, t.rows, c_, grad_i_.get() + t.first * c_,
                c_);
    if (a_.grad_e) {
      k_.sum_rows({l.grad_e, padded_}, more[1], {}, t.rows, c_, a_.grad_e.data + t.first * c_, c_);
    }
  };

  std::array<WeightGradient, 2> gradients = {
      weight_gradient(GAMMANET_CELL_W_MIX, grad_gate.get(), 1, 3),
      weight_gradient(GAMMANET_CELL_D_EXC, own_rows.get(), 2, 2)};
  set_parts(gradients[0], inputs.get());
  for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
    const int64_t end = std::min(begin + chunk_tiles_, tiles_);
    if (kept_network) {
      gradients[1].grad = kept_->excitation.network + begin * tile_ * 2 * padded_;
    }
    if (copy_states) {
      set_parts(gradients[1], states.get());
    } else {
      gradients[1].parts[0] = Rows{new_i_.get(), c_}.from(begin * tile_);
      gradients[1].parts[1] = Rows{a_.e ? a_.e.data : nullptr, c_}.from(begin * tile_);
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
  Buffer<float> gate_inputs = rows(chunk, 3), grad_gate = rows(chunk, 1);
  // [i; c1; x] with padded rows.
  const bool copy_inputs = !maps_in_place();
  const Buffer<float> inputs = rows(copy_inputs ? chunk : 0, 3);
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
  // What the gate's inputs give to the gradients of e, i and x.
  auto sums_of = [&](const Tile& t, const Local& l) {
    float* grad_e = a_.grad_e ? a_.grad_e.data + t.first * c_ : nullptr;
    return std::array<RowSum, 3>{RowSum{{grad_e, c_}, grad_e, c_},
                                 RowSum{{l.grads, 3 * padded_}, l.grads, 3 * padded_},
                                 RowSum{{l.grads + 2 * padded_, 3 * padded_},
                                        l.grads + 2 * padded_, 3 * padded_}};
  };
  auto update_backward = [&](const Tile& t, const Local& l) {
    // The inputs of the gate are [e; i; x], those of the circuit are [i; c1; x].
    const Rows i = rows_of(a_.i, t), x = rows_of(a_.x, t);
    const Rows parts[3] = {rows_of(a_.e, t), i, x};
    const Rows circuit[3] = {i, rows_of(no_horizontal_ ? nullptr : c1_.get(), t), x};
    float* gate_in = gate_inputs.get() + t.in_chunk * 3 * padded_;
    k_.gather_rows(parts, 3, pre_local_ ? mean_.get() + t.first : nullptr, scale_.get() + t.first,
                   t.rows, c_, padded_, gate_in);
    for (int part = 0; pre_global_ && part < 3; ++part) {
      float* to = gate_in + part * padded_;
      normalize(t, gain_moments_[static_cast<size_t>(part)], to, 3 * padded_, to, 3 * padded_);
    }
    if (copy_inputs) {
      k_.gather_rows(circuit, 3, nullptr, nullptr, t.rows, c_, padded_,
                     inputs.get() + t.in_chunk * 3 * padded_);
    }
    if (no_horizontal_ && dynamic_) {
      std::fill_n(circuit_rows(t), t.rows * 2 * padded_, 0.0f);
    }
    InhibitionTile tile{};
    tile.rows = t.rows;
    tile.channels = c_;
    tile.padded = padded_;
    tile.activation = activation_;
    tile.i = i.data;
    tile.c1 = circuit[1].data;
    tile.x = x.data;
    tile.product = circuit_rows(t);
    tile.alpha = cell_.alpha.data();
    tile.mu = cell_.parameter(GAMMANET_CELL_MU);
    tile.gate = gate_.get() + t.first * padded_;
    tile.gate_bias = cell_.parameter(GAMMANET_CELL_B_GAIN);
    tile.grad_new_i = grad_i_.get() + t.first * c_;
    tile.grad_n = grad_n_.get() + t.first * c_;
    tile.grad_gate = grad_gate.get() + t.in_chunk * padded_;
    tile.grad_inputs = l.grads;
    k_.inhibition_backward(tile);
    k_.column_sums(tile.grad_gate, padded_, nullptr, 0, t.rows, padded_, bias_sums.of(t));
    k_.column_sums(tile.product, 2 * padded_, nullptr, 0, t.rows, 2 * padded_, circuit_sums.of(t));
    if (post_ && !over_pixels_) {
      k_.normalize_rows_backward(tile.grad_gate, tile.gate, scale_.get() + t.first, t.rows, 1, c_,
                                 padded_, nullptr);
    }
  };
  auto gate_backward = [&](const Tile& t, const Local& l) {
    float* gradient = grad_gate.get() + t.in_chunk * padded_;
    if (post_ && over_pixels_) {
      normalize_backward(t, gain_moments_[0], means[0], gradient, padded_,
                         gate_.get() + t.first * padded_, padded_);
    }
    product(weights.gain, gradient, 1, t.rows, l.gate_grads, 3);
    if (pre_local_) {
      k_.normalize_rows_backward(l.gate_grads, gate_inputs.get() + t.in_chunk * 3 * padded_,
                                 scale_.get() + t.first, t.rows, 3, c_, padded_,
                                 sums_of(t, l).data());
    }
  };
  auto inputs_backward = [&](const Tile& t, const Local& l) {
    for (int part = 0; pre_global_ && part < 3; ++part) {
      normalize_backward(t, gain_moments_[static_cast<size_t>(part)], means[part],
                         l.gate_grads + part * padded_, 3 * padded_,
                         gate_inputs.get() + t.in_chunk * 3 * padded_ + part * padded_,
                         3 * padded_);
    }
    if (!pre_local_) {
      add_parts(sums_of(t, l), l.gate_grads, t.rows);
    }
    const bool network = dynamic_ && !no_horizontal_;
    if (network) {
      product(weights.inhibition_net, circuit_rows(t), 2, t.rows, l.gate_grads, 3);
    }
    auto total = [&](int64_t part, Rows mask, float* to) {
      const int64_t first = part * padded_;
      k_.sum_rows({l.grads + first, 3 * padded_},
                  {network ? l.gate_grads + first : nullptr, 3 * padded_}, mask, t.rows, c_,
                  to + t.first * c_, c_);
    };
    if (a_.grad_i) {
      total(0, {}, a_.grad_i.data);
    }
    if (!no_horizontal_) {
      total(1, rows_of(c1_.get(), t), grad_n_.get());
    }
    if (a_.grad_x) {
      total(2, {}, a_.grad_x.data);
    }
  };

  std::array<WeightGradient, 2> gradients = {
      weight_gradient(GAMMANET_CELL_W_GAIN, grad_gate.get(), 1, 3),
      no_horizontal_ ? WeightGradient() : weight_gradient(GAMMANET_CELL_D_INH, nullptr, 2, 3)};
  set_parts(gradients[0], gate_inputs.get());
  for (int64_t begin = 0; begin < tiles_; begin += chunk_tiles_) {
    const int64_t end = std::min(begin + chunk_tiles_, tiles_);
    gradients[1].grad = dynamic_ ? network_.get() + begin * tile_ * 2 * padded_ : nullptr;
    if (copy_inputs) {
      set_parts(gradients[1], inputs.get());
    } else {
      const float* maps[3] = {a_.i ? a_.i.data : nullptr, c1_.get(), a_.x.data};
      for (int part = 0; part < 3; ++part) {
        gradients[1].parts[part] = Rows{maps[part], c_}.from(begin * tile_);
      }
    }
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

  // grad_n_ now holds the gradient of what was rectified.
  add_horizontal(GAMMANET_CELL_W_INH, grad_n_.get(),
                 normalized_inputs_ ? n1_.get() : a_.e.data);
  const bool affine = normalized_inputs_ && (gradient_of(GAMMANET_CELL_N1_WEIGHT) != nullptr ||
                                             gradient_of(GAMMANET_CELL_N1_BIAS) != nullptr);
  if (no_horizontal_ || (!a_.grad_e && !affine)) {
    return;
  }
  float* grad_n1 = c1_.get();
  convolve(cell_.inhibition.transposed(), grad_n_.get(), samples_, a_.x.h, a_.x.w, false, grad_n1,
           c_);
  if (normalized_inputs_) {
    normalize_input_backward(a_.e.data, GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N1_BIAS, grad_n1);
  }
  if (a_.grad_e) {
    for_each_tile(0, tiles_, [&](const Tile& t) {
      k_.sum_rows(rows_of(a_.grad_e, t), rows_of(grad_n1, t), {}, t.rows, c_,
                  a_.grad_e.data + t.first * c_, c_);
    });
  }
}

void cell_backward(const Cell& cell, const CellBackward& a) { CellGradient(cell, a).run(); }

}  // namespace gammanet
