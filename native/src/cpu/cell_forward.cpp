// The fGRU cell, forward.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cell_step.h"
#include "threads.h"

namespace gammanet {

Moments::Moments(int64_t samples, int64_t channels)
    : mean(static_cast<size_t>(samples * channels), 0.0f),
      r(mean.size(), 1.0f / std::sqrt(1e-5f)) {}

void CellStep::Tile::forget(const float* rows) {
  for (int64_t j = 0; j < conversions; ++j) {
    converted[j] = converted[j] == rows ? nullptr : converted[j];
  }
}

CellStep::CellStep(const Cell& cell, const CellInputs& inputs, float* new_i, int64_t tile_rows)
    : cell_(cell),
      k_(*cell.kernels),
      c_(cell.spec.channels),
      padded_(round_up(c_, k_.width)),
      part_(cell.spec.bf16() ? round_up(c_, k_.depth_bf16) : c_),
      tile_rows_(tile_rows),
      normalization_(cell.spec.normalization()),
      post_(cell.spec.gate_norm_post()),
      activation_(static_cast<Activation>(cell.spec.option(GAMMANET_CELL_CIRCUIT))),
      shape_(inputs.x),
      x_{inputs.x.data, c_},
      e_{inputs.e.data, c_},
      i_{inputs.i.data, c_},
      next_i_{new_i, c_},
      new_i_(new_i),
      ones_(static_cast<size_t>(padded_), 1.0f) {}

// ---- Whole halves ----

void CellStep::run(float* new_e, float* sum) {
  new_e_ = new_e;
  sum_ = sum;
  const bool wide = cell_.spec.k > 1;
  const bool global = cell_.spec.over_pixels();
  const bool normalize_inputs = cell_.parameter(GAMMANET_CELL_N1_WEIGHT) != nullptr;
  if (!wide && !global && !normalize_inputs) {
    // Nothing needs a neighbor: both halves of a tile at once.
    over_tiles(0, shape_.pixels(), nullptr, [&](Tile& t) {
      local_half(t, kInhibition, e_, {});
      t.forget(next_i_.from(t.first).data);
      local_half(t, kExcitation, next_i_, {});
    });
    return;
  }
  const Pieces pieces =
      pieces_of(cell_.inhibition, shape_.h, shape_.w, std::max<int64_t>(96, tile_rows_));
  if (!global && !normalize_inputs && pieces.count > 0) {
    // A thread takes a piece of the horizontal term at once to the end of the half.
    piecewise_half(kInhibition, e_, pieces);
    piecewise_half(kExcitation, next_i_, pieces);
    return;
  }
  const int64_t map = shape_.pixels() * padded_;
  float* memory = scratch(
      kCellScratch, static_cast<size_t>(((wide ? 1 : 0) + (normalize_inputs ? 1 : 0) +
                                         (global ? 2 : 0)) * map));
  float* horizontal = wide ? memory : nullptr;
  memory += wide ? map : 0;
  float* normalized = normalize_inputs ? memory : nullptr;
  memory += normalize_inputs ? map : 0;
  for (Half half : {kInhibition, kExcitation}) {
    Rows source = half == kInhibition ? e_ : next_i_;
    if (normalize_inputs) {
      source = normalize(source, half, normalized);
    }
    Rows term;
    if (wide && source.data) {
      convolve(conv(half), source.data, shape_.n,
               shape_.h, shape_.w, true, horizontal, padded_);
      term = {horizontal, padded_};
    }
    if (global) {
      global_half(half, source, term, memory, memory + map, nullptr);
    } else {
      over_tiles(0, shape_.pixels(), nullptr,
                 [&](Tile& t) { local_half(t, half, source, term.from(t.first)); });
    }
  }
}

// The rows of mean and scale have one number for each pixel.
int64_t KeptStep::channels(const Cell& cell) {
  const int64_t c = cell.spec.channels, padded = round_up(c, cell.kernels->width);
  return cell.spec.over_pixels() || cell.spec.normalizes_inputs() ? 0 : 3 * c + 6 * padded + 4;
}

KeptStep::KeptStep(const Cell& cell, float* memory, int64_t pixels) {
  const int64_t c = cell.spec.channels, padded = round_up(c, cell.kernels->width);
  auto next = [&](int64_t channels) {
    float* rows = memory;
    memory += channels * pixels;
    return rows;
  };
  for (Half* half : {&inhibition, &excitation}) {
    *half = {next(c), next(2 * padded), next(padded), next(1), next(1)};
  }
  new_i = next(c);
}

void CellStep::run_keeping(float* new_e, const KeptStep& kept) {
  new_e_ = new_e;
  for (Half half : {kInhibition, kExcitation}) {
    const KeptStep::Half& to = half == kInhibition ? kept.inhibition : kept.excitation;
    const Rows source = half == kInhibition ? e_ : next_i_;
    const int64_t pixels = shape_.pixels();
    Rows term;
    if (source.data) {
      convolve(conv(half), source.data, shape_.n, shape_.h, shape_.w, true, to.horizontal, c_);
      term = {to.horizontal, c_};
    }
    const Kept rows{to.network, nullptr, to.gate, to.mean, to.scale, {}};
    over_tiles(0, pixels, &rows, [&](Tile& t) {
      local_half(t, half, {}, term.from(t.first));
      if (half == kInhibition) {
        std::copy_n(new_i_ + t.first * c_, t.count * c_, kept.new_i + t.first * c_);
      }
    });
  }
}

void CellStep::keep_inhibition(const float* term, Kept& kept) {
  if (cell_.spec.over_pixels()) {
    global_half(kInhibition, {}, {term, c_}, kept.candidate, kept.gate, &kept);
    return;
  }
  over_tiles(0, shape_.pixels(), &kept, [&](Tile& t) {
    local_half(t, kInhibition, {}, Rows{term, c_}.from(t.first));
  });
}

void CellStep::keep_excitation(const float* term, Kept& kept) {
  global_half(kExcitation, {}, {term, c_}, kept.candidate, kept.gate, &kept);
}

void CellStep::keep_excitation(Tile& tile, const float* term) const {
  local_half(tile, kExcitation, {}, {term, c_});
}

void CellStep::candidate_again(Tile& tile, const float* term) const {
  tile.known = true;
  make_candidate(tile, kExcitation, {term, c_}, tile.candidate);
}

// ---- Tiles ----

CellStep::Tile CellStep::make_tile(int64_t more) const {
  const int64_t rows = tile_rows_;
  const int64_t own = round_up(rows * (8 * padded_ + 2 + (cell_.spec.bf16() ? 4 * part_ : 0)), 16);
  float* memory = scratch(kThreadScratch, static_cast<size_t>(own + more));
  Tile t{};
  t.network = memory;
  t.candidate = memory + rows * 2 * padded_;
  t.gate = memory + rows * 3 * padded_;
  t.horizontal = memory + rows * 4 * padded_;
  t.normalized = memory + rows * 5 * padded_;
  t.mean = memory + rows * 8 * padded_;
  t.scale = t.mean + rows;
  t.halves = reinterpret_cast<uint16_t*>(t.scale + rows);
  t.more = memory + own;
  return t;
}

template <class Body>
void CellStep::over_tiles(int64_t start, int64_t pixels, const Kept* kept,
                          const Body& body) const {
  const int64_t rows = tile_rows_;
  parallel_for((pixels + rows - 1) / rows, 1, [&](int64_t begin, int64_t end) {
    Tile t = make_tile(0);
    t.backward = kept != nullptr;
    for (int64_t item = begin; item < end; ++item) {
      t.first = start + item * rows;
      t.count = std::min(rows, pixels - item * rows);
      t.next = item + 1 < end ? t.first + rows : 0;
      t.next_count = t.next ? std::min(rows, pixels - (item + 1) * rows) : 0;
      t.conversions = 0;
      if (kept != nullptr) {
        point_at(t, kept);
      }
      body(t);
    }
  });
}

// Lets a tile write where its values are kept.
void CellStep::point_at(Tile& t, const Kept* kept) const {
  t.network = kept->network ? kept->network + t.first * 2 * padded_ : t.network;
  t.gate = kept->gate + t.first * padded_;
  if (kept->mean != nullptr) {
    t.mean = kept->mean + t.first;
    t.scale = kept->scale + t.first;
  }
}

// A half of a cell with a wide kernel, whose horizontal term never becomes a feature map.
void CellStep::piecewise_half(Half half, Rows source, const Pieces& pieces) const {
  const int64_t area = shape_.h * shape_.w;
  parallel_for(shape_.n * pieces.count, 1, [&](int64_t begin, int64_t end) {
    Tile t = make_tile(4 * pieces.columns * padded_);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t start = item / pieces.count * area;
      const Pieces::Piece piece = pieces.at(item % pieces.count, shape_.h, shape_.w);
      if (source.data) {
        convolve_piece(conv(half), source.from(start).data, shape_.h, shape_.w, piece, t.more,
                       padded_);
      }
      // Lines of a piece are longer than a tile, or shorter.
      const int64_t parts = (piece.columns + tile_rows_ - 1) / tile_rows_;
      for (int64_t j = 0; j < piece.lines * parts; ++j) {
        auto column = [&](int64_t part) { return part * piece.columns / parts; };
        auto pixel = [&](int64_t at) {
          return start + (piece.y + at / parts) * shape_.w + piece.x + column(at % parts);
        };
        t.first = pixel(j);
        t.count = column(j % parts + 1) - column(j % parts);
        t.next = j + 1 < piece.lines * parts ? pixel(j + 1) : 0;
        t.next_count = t.next ? column((j + 1) % parts + 1) - column((j + 1) % parts) : 0;
        t.conversions = 0;
        Rows term;
        if (source.data) {
          term = {t.more + (j / parts * piece.columns + column(j % parts)) * padded_, padded_};
        }
        local_half(t, half, source, term);
      }
    }
  });
}

// Rows of a tile as the operand that meets the weights of part `index`.
Operand CellStep::operand(Tile& t, Rows rows, int64_t index) const {
  if (!cell_.spec.bf16()) {
    return {rows.data, rows.stride, 0, c_, index * c_};
  }
  int64_t at = 0;
  while (at < t.conversions && t.converted[at] != rows.data) {
    ++at;
  }
  uint16_t* to = t.halves + at * tile_rows_ * part_;
  if (at == t.conversions) {
    k_.convert_bf16(rows.data, rows.stride, t.count, c_, to, part_, part_);
    t.converted[t.conversions++] = rows.data;
  }
  return {to, part_, 0, part_, index * part_};
}

// out = panels x the parts that are not zero, from output `start` on. Meanwhile the next tile's
// rows of a feature map are prefetched.
void CellStep::product(Tile& t, const Panels& panels, int64_t start, int64_t outputs, const float* bias,
             bool relu, const Rows* parts, int64_t part_count, float* out, int64_t out_stride,
             const float* map) const {
  Operand operands[3];
  int64_t count = 0;
  for (int64_t j = 0; j < part_count; ++j) {
    if (parts[j].data) {
      operands[count++] = operand(t, parts[j], j);
    }
  }
  const char* data = static_cast<const char*>(panels.data()) +
                     start * panels.depth * (cell_.spec.bf16() ? 2 : 4);
  Product p{data, panels.depth, outputs, operands, count, 1, t.count, bias, out, out_stride, 0,
            relu, nullptr, 0};
  if (map && t.next) {
    p.ahead = map + t.next * c_;
    p.ahead_floats = t.next_count * c_;
  }
  (cell_.spec.bf16() ? k_.product_bf16 : k_.product)(p);
}

// The horizontal term of a tile: given as `term`, or computed here by a 1x1 kernel.
Rows CellStep::horizontal_term(Tile& t, Half half, Rows source, Rows term) const {
  if (term.data || !source.data) {
    return term;
  }
  const Rows part = source.from(t.first);
  product(t, conv(half).direct(), 0, padded_,
          nullptr, true, &part, 1, t.horizontal, padded_, half == kInhibition ? e_.data : sum_);
  return {t.horizontal, padded_};
}

// s of the first half, q of the second.
void CellStep::make_candidate(Tile& t, Half half, Rows term, float* out) const {
  const bool dynamic = cell_.spec.dynamic();
  if (half == kInhibition) {
    const Rows parts[3] = {i_.from(t.first), term, x_.from(t.first)};
    Inhibit a{parts[2].data, parts[0].data, term.data, term.stride, cell_.alpha.data(),
              cell_.parameter(GAMMANET_CELL_MU), 0, activation_, out, padded_, t.count, c_};
    if (dynamic && term.data) {
      // Without inhibition alpha is not needed.
      const int64_t skip = t.backward || parts[0].data || padded_ % (cell_.spec.bf16() ? kBlockBf16 : k_.block) != 0
                               ? 0
                               : padded_;
      product(t, cell_.inhibition_net, skip, 2 * padded_ - skip,
              cell_.inhibition_net_bias.data() + skip, false, parts, 3, t.network + skip,
              2 * padded_, x_.data);
      a.alpha = t.network;
      a.mu = t.network + padded_;
      a.parameter_stride = 2 * padded_;
    }
    k_.inhibit(a);
  } else {
    const Rows parts[2] = {next_i_.from(t.first), e_.from(t.first)};
    const bool multiplicative = cell_.spec.multiplicative();
    Excite a{parts[0].data, term.data, term.stride,
             multiplicative ? cell_.parameter(GAMMANET_CELL_KAPPA) : nullptr,
             cell_.omega.data(), 0, activation_, out, padded_, t.count, c_};
    if (dynamic && multiplicative && !t.known) {
      product(t, cell_.excitation_net, 0, 2 * padded_, cell_.excitation_net_bias.data(), false,
              parts, 2, t.network, 2 * padded_, cell_.spec.k > 1 ? e_.data : nullptr);
    }
    if (dynamic && multiplicative) {
      a.kappa = t.network;
      a.omega = t.network + padded_;
      a.parameter_stride = 2 * padded_;
    }
    k_.excite(a);
  }
}

// A gate's inputs: rows of whole feature maps, but the candidate's.
void CellStep::gate_inputs(Half half, Rows candidate, Rows (&parts)[3]) const {
  parts[0] = e_;
  parts[1] = half == kInhibition ? i_ : candidate;
  parts[2] = half == kInhibition ? x_ : next_i_;
}

// The gate's product, before normalization and bias.
void CellStep::make_gate(Tile& t, Half half, const Rows (&parts)[3], float* out) const {
  product(t, half == kInhibition ? cell_.gain : cell_.mix, 0, padded_, nullptr, false, parts, 3, out,
          padded_, half == kInhibition ? i_.data : cell_.spec.k > 1 ? next_i_.data : nullptr);
}

Mix CellStep::mix_of(const Tile& t, Half half, float* gate, const float* candidate) const {
  const Rows state = (half == kInhibition ? i_ : e_).from(t.first);
  Mix a{};
  a.z = gate;
  a.z_stride = padded_;
  a.bias = cell_.parameter(half == kInhibition ? GAMMANET_CELL_B_GAIN : GAMMANET_CELL_B_MIX);
  a.state = state.data;
  a.candidate = candidate;
  a.candidate_stride = padded_;
  a.argument = t.backward ? gate : nullptr;
  a.out = half == kInhibition ? new_i_ + t.first * c_
          : new_e_            ? new_e_ + t.first * c_
                              : nullptr;
  a.sum = half == kExcitation && sum_ ? sum_ + t.first * c_ : nullptr;
  a.rows = t.count;
  a.c = c_;
  return a;
}

// A half whose gate has no normalization, or one over channels. term: the tile's horizontal term,
// unless the kernel is 1x1.
void CellStep::local_half(Tile& t, Half half, Rows source, Rows term) const {
  make_candidate(t, half, horizontal_term(t, half, source, term), t.candidate);
  Rows parts[3];
  gate_inputs(half, {}, parts);
  for (Rows& rows : parts) {
    rows = rows.from(t.first);
  }
  if (half == kExcitation) {
    parts[1] = {t.candidate, padded_};
  }
  make_gate(t, half, parts, t.gate);
  Mix a = mix_of(t, half, t.gate, t.candidate);
  if (normalization_ == GAMMANET_NORMALIZATION_LAYER) {
    // W ((z - m) r) = r (W z - m (sum of W)).
    const float* pieces[3] = {parts[0].data, parts[1].data, parts[2].data};
    int64_t strides[3] = {parts[0].stride, parts[1].stride, parts[2].stride};
    if (post_) {
      pieces[0] = t.gate;
      strides[0] = padded_;
      a.sums = ones_.data();
    } else {
      a.sums = (half == kInhibition ? cell_.gain_sums : cell_.mix_sums).data();
    }
    k_.row_moments(pieces, strides, post_ ? 1 : 3, t.count, c_, t.mean, t.scale);
    a.mean = t.mean;
    a.scale = t.scale;
  }
  k_.mix(a);
}

// A half whose gate is normalized over the pixels of each sample: candidates and, if the
// normalization follows the product, the gate's products of the whole sample come first.
void CellStep::global_half(Half half, Rows source, Rows term, float* candidates, float* gates,
                           Kept* kept) const {
  const int64_t pixels = shape_.h * shape_.w;
  const int64_t groups = cell_.spec.groups();
  Rows inputs[3];
  gate_inputs(half, {candidates, padded_}, inputs);
  std::vector<float> means(static_cast<size_t>(3 * padded_)), scales(means.size());
  auto keep = [this](Kept* to, int part, int64_t sample, const float* mean, const float* r) {
    if (to != nullptr) {
      Moments& m = to->moments[static_cast<size_t>(part)];
      std::copy_n(mean, c_, m.mean.begin() + sample * c_);
      std::copy_n(r, c_, m.r.begin() + sample * c_);
    }
  };
  for (int64_t sample = 0; sample < shape_.n; ++sample) {
    const int64_t start = sample * pixels;
    over_tiles(start, pixels, kept, [&](Tile& t) {
      make_candidate(t, half, horizontal_term(t, half, source, term.from(t.first)),
                     candidates + t.first * padded_);
      if (post_) {
        Rows parts[3];
        for (int j = 0; j < 3; ++j) {
          parts[j] = inputs[j].from(t.first);
        }
        make_gate(t, half, parts, gates + t.first * padded_);
      }
    });
    if (post_) {
      channel_moments(k_, gates + start * padded_, padded_, pixels, c_, groups, means.data(),
                      scales.data());
      keep(kept, 0, sample, means.data(), scales.data());
      for (int64_t j = 0; j < c_; ++j) {
        means[static_cast<size_t>(j)] *= -scales[static_cast<size_t>(j)];
      }
    } else {
      for (int j = 0; j < 3; ++j) {
        if (inputs[j].data) {
          float *mean = means.data() + j * padded_, *scale = scales.data() + j * padded_;
          channel_moments(k_, inputs[j].from(start).data, inputs[j].stride, pixels, c_, groups,
                          mean, scale);
          keep(kept, j, sample, mean, scale);
          for (int64_t channel = 0; channel < c_; ++channel) {
            mean[channel] *= -scale[channel];
          }
        }
      }
    }
    over_tiles(start, pixels, kept, [&](Tile& t) {
      const float* candidate = candidates + t.first * padded_;
      if (post_) {
        Mix a = mix_of(t, half, gates + t.first * padded_, candidate);
        a.channel_scale = scales.data();
        a.channel_shift = means.data();
        k_.mix(a);
        return;
      }
      Rows parts[3];
      for (int j = 0; j < 3; ++j) {
        const Rows rows = inputs[j].from(t.first);
        if (rows.data) {
          float* to = t.normalized + j * tile_rows_ * padded_;
          k_.scale_shift(rows.data, rows.stride, t.count, c_, scales.data() + j * padded_,
                         means.data() + j * padded_, false, to, padded_);
          parts[j] = {to, padded_};
        }
      }
      make_gate(t, half, parts, t.gate);
      k_.mix(mix_of(t, half, t.gate, candidate));
    });
  }
}

Rows CellStep::normalize(Rows source, Half half, float* out) const {
  const float* weight = cell_.parameter(half == kInhibition ? GAMMANET_CELL_N1_WEIGHT
                                                       : GAMMANET_CELL_N2_WEIGHT);
  const float* bias =
      cell_.parameter(half == kInhibition ? GAMMANET_CELL_N1_BIAS : GAMMANET_CELL_N2_BIAS);
  const int64_t pixels = shape_.h * shape_.w, grain = 1 + 32768 / c_;
  if (source.data == nullptr) {
    parallel_for(shape_.pixels(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        std::memcpy(out + p * c_, bias, static_cast<size_t>(c_) * sizeof(float));
      }
    });
  } else if (normalization_ == GAMMANET_NORMALIZATION_LAYER) {
    parallel_for(shape_.pixels(), grain, [&](int64_t begin, int64_t end) {
      k_.layer_norm(source.data + begin * c_, weight, bias, out + begin * c_, end - begin, c_);
    });
  } else {
    const int64_t groups = cell_.spec.groups();
    std::vector<float> shift(static_cast<size_t>(padded_)), scale(shift.size());
    for (int64_t sample = 0; sample < shape_.n; ++sample) {
      const float* in = source.data + sample * pixels * c_;
      channel_moments(k_, in, c_, pixels, c_, groups, shift.data(), scale.data());
      for (int64_t j = 0; j < c_; ++j) {
        const auto at = static_cast<size_t>(j);
        scale[at] *= weight[j];
        shift[at] = bias[j] - shift[at] * scale[at];
      }
      parallel_for(pixels, grain, [&](int64_t begin, int64_t end) {
        k_.scale_shift(in + begin * c_, c_, end - begin, c_, scale.data(), shift.data(), false,
                       out + (sample * pixels + begin) * c_, c_);
      });
    }
  }
  return {out, c_};
}

int64_t cell_kept_channels(const Cell& cell) { return KeptStep::channels(cell); }

void cell_forward(const Cell& cell, const CellForward& a) {
  const bool tiles = cell.spec.bf16() && cell.kernels->tiles;
  CellStep step(cell, a, a.new_i.data, tile_rows(cell.spec.channels, tiles));
  if (a.kept) {
    step.run_keeping(a.new_e.data, KeptStep(cell, a.kept.data, a.x.pixels()));
  } else {
    step.run(a.new_e.data, a.sum.data);
  }
}

}  // namespace gammanet
