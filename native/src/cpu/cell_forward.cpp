// The fGRU cell, forward.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/cuda.h"
#include "packed.h"
#include "torch.h"

namespace gammanet {
namespace {

enum Normalization { kNone, kLayer, kInstance, kGroup };

// ---- Packing ----

struct Reader {
  const AtenTensorHandle* parameters;
  GammanetCellOpaque& cell;

  // Keeps a vector of n elements, padded.
  void vector(int place, const char* name, int64_t n) {
    const float* data = vector_of(parameters[place], name, n);
    auto& to = cell.vectors[place];
    to.assign(static_cast<size_t>(round_up(n, 16)), 0.0f);
    std::copy(data, data + n, to.begin());
  }
  // Holds a matrix [rows, columns, 1, 1].
  void matrix(int place, const char* name, int64_t rows, int64_t columns) {
    int64_t sizes[4] = {rows, columns, 1, 1};
    cell.matrices[place] = weights_of(parameters[place], name, sizes, 4);
    cell.held[place] = Held(parameters[place]);
  }
};

void check_option(const int32_t* options, int place, int32_t last, const char* name) {
  if (options[place] < 0 || options[place] > last) {
    invalid("%s must be 0 to %d, not %d", name, static_cast<int>(last),
            static_cast<int>(options[place]));
  }
}

// A matrix whose inputs are `parts` times c and whose outputs are `groups` times c, each group
// padded to whole vectors, each part to an even number in bfloat16.
Panels pack_matrix(const GammanetCellOpaque& cell, int place, int64_t groups, int64_t parts) {
  const int64_t c = cell.channels, padded = round_up(c, cell.kernels->width);
  const int64_t part = cell.bf16() ? round_up(c, 2) : c;
  std::vector<int64_t> rows, columns;
  for (int64_t o = 0; o < groups * padded; ++o) {
    const int64_t row = o % padded;
    rows.push_back(row < c ? (o / padded * c + row) * parts * c : -1);
  }
  for (int64_t k = 0; k < parts * part; ++k) {
    const int64_t column = k % part;
    columns.push_back(column < c ? k / part * c + column : -1);
  }
  return pack_panels(*cell.kernels, cell.parameter(place), rows, columns, cell.bf16());
}

std::vector<float> grouped_bias(const GammanetCellOpaque& cell, int place, int64_t groups) {
  const int64_t c = cell.channels, padded = round_up(c, cell.kernels->width);
  std::vector<float> bias(static_cast<size_t>(round_up(groups * padded, 16)), 0.0f);
  for (int64_t g = 0; g < groups; ++g) {
    std::copy_n(cell.parameter(place) + g * c, c, bias.begin() + g * padded);
  }
  return bias;
}

// Sums of each output's weights, as they are multiplied: rounded in bfloat16.
std::vector<float> row_sums(const GammanetCellOpaque& cell, int place) {
  const int64_t c = cell.channels;
  std::vector<float> sums(static_cast<size_t>(round_up(c, 16)), 0.0f);
  for (int64_t o = 0; o < c; ++o) {
    double total = 0;
    for (int64_t k = 0; k < 3 * c; ++k) {
      const float w = cell.parameter(place)[o * 3 * c + k];
      total += cell.bf16() ? from_bf16(to_bf16(w)) : w;
    }
    sums[static_cast<size_t>(o)] = static_cast<float>(total);
  }
  return sums;
}

void pack_cell(const AtenTensorHandle* parameters, const int32_t* options,
               GammanetCellOpaque& cell) {
  check_option(options, GAMMANET_CELL_NORMALIZATION, 3, "the normalisation");
  check_option(options, GAMMANET_CELL_GATE_NORM_POST, 1, "the position of the gates' norm");
  check_option(options, GAMMANET_CELL_DYNAMIC, 2, "the kind of parameters");
  check_option(options, GAMMANET_CELL_FORCE_ALPHA, 1, "the option to force alpha");
  check_option(options, GAMMANET_CELL_FORCE_OMEGA, 1, "the option to force omega");
  check_option(options, GAMMANET_CELL_MULTIPLICATIVE, 1, "the option of the excitation");
  check_option(options, GAMMANET_CELL_NORMALIZE_INPUTS, 1, "the option to normalise inputs");
  check_option(options, GAMMANET_CELL_SYMMETRY, 3, "the symmetry");
  check_algorithm(options[GAMMANET_CELL_ALGORITHM], options[GAMMANET_CELL_PRECISION]);
  std::copy_n(options, GAMMANET_CELL_OPTIONS, cell.options);
  cell.kernels = &kernels();

  int64_t sizes[4] = {-1, -1, -1, -1};
  const float* w_inh = weights_of(parameters[GAMMANET_CELL_W_INH], "W_inh", sizes, 4);
  const int64_t c = cell.channels = sizes[0], k = cell.k = sizes[2];
  if (sizes[1] != c || sizes[3] != k || k % 2 == 0) {
    invalid("W_inh must be [C, C, k, k] with odd k, not [%lld, %lld, %lld, %lld]",
            static_cast<long long>(c), static_cast<long long>(sizes[1]),
            static_cast<long long>(k), static_cast<long long>(sizes[3]));
  }
  const float* w_exc = weights_of(parameters[GAMMANET_CELL_W_EXC], "W_exc", sizes, 4);
  const int32_t normalization = options[GAMMANET_CELL_NORMALIZATION];
  if (normalization == kGroup && c > 8 && c % 8 != 0) {
    invalid("group normalisation needs a multiple of 8 channels, not %lld",
            static_cast<long long>(c));
  }
  const int32_t symmetry = options[GAMMANET_CELL_SYMMETRY];
  cell.held[GAMMANET_CELL_W_INH] = Held(parameters[GAMMANET_CELL_W_INH]);
  cell.held[GAMMANET_CELL_W_EXC] = Held(parameters[GAMMANET_CELL_W_EXC]);
  fill_conv(cell.inhibition, w_inh, nullptr, c, c, k,
            options[GAMMANET_CELL_ALGORITHM], options[GAMMANET_CELL_PRECISION]);
  fill_conv(cell.excitation, w_exc, nullptr, c, c, k,
            options[GAMMANET_CELL_ALGORITHM], options[GAMMANET_CELL_PRECISION]);

  cell.inhibition.symmetry = cell.excitation.symmetry = symmetry;

  Reader read{parameters, cell};
  read.matrix(GAMMANET_CELL_W_GAIN, "W_gain", c, 3 * c);
  read.matrix(GAMMANET_CELL_W_MIX, "W_mix", c, 3 * c);
  read.vector(GAMMANET_CELL_B_GAIN, "b_gain", c);
  read.vector(GAMMANET_CELL_B_MIX, "b_mix", c);
  cell.gain = pack_matrix(cell, GAMMANET_CELL_W_GAIN, 1, 3);
  cell.mix = pack_matrix(cell, GAMMANET_CELL_W_MIX, 1, 3);
  cell.gain_sums = row_sums(cell, GAMMANET_CELL_W_GAIN);
  cell.mix_sums = row_sums(cell, GAMMANET_CELL_W_MIX);
  const bool multiplicative = options[GAMMANET_CELL_MULTIPLICATIVE] == 1;
  if (cell.dynamic()) {
    read.matrix(GAMMANET_CELL_D_INH, "D_inh", 2 * c, 3 * c);
    read.vector(GAMMANET_CELL_D_INH_BIAS, "d_inh", 2 * c);
    cell.inhibition_net = pack_matrix(cell, GAMMANET_CELL_D_INH, 2, 3);
    cell.inhibition_net_bias = grouped_bias(cell, GAMMANET_CELL_D_INH_BIAS, 2);
    if (multiplicative) {
      read.matrix(GAMMANET_CELL_D_EXC, "D_exc", 2 * c, 2 * c);
      read.vector(GAMMANET_CELL_D_EXC_BIAS, "d_exc", 2 * c);
      cell.excitation_net = pack_matrix(cell, GAMMANET_CELL_D_EXC, 2, 2);
      cell.excitation_net_bias = grouped_bias(cell, GAMMANET_CELL_D_EXC_BIAS, 2);
    }
  } else {
    read.vector(GAMMANET_CELL_ALPHA, "alpha", c);
    read.vector(GAMMANET_CELL_MU, "mu", c);
    cell.alpha = cell.vectors[GAMMANET_CELL_ALPHA];
    if (options[GAMMANET_CELL_FORCE_ALPHA]) {
      for (float& a : cell.alpha) {
        a = 1.0f / (1.0f + std::exp(-a));
      }
    }
    if (multiplicative) {
      read.vector(GAMMANET_CELL_KAPPA, "kappa", c);
      read.vector(GAMMANET_CELL_OMEGA, "omega", c);
      cell.omega = cell.vectors[GAMMANET_CELL_OMEGA];
      if (options[GAMMANET_CELL_FORCE_OMEGA]) {
        for (float& o : cell.omega) {
          o = o < 0.0f ? 0.0f : o;
        }
      }
    }
  }
  if (options[GAMMANET_CELL_NORMALIZE_INPUTS] && normalization != kNone) {
    read.vector(GAMMANET_CELL_N1_WEIGHT, "the weight of N1", c);
    read.vector(GAMMANET_CELL_N1_BIAS, "the bias of N1", c);
    read.vector(GAMMANET_CELL_N2_WEIGHT, "the weight of N2", c);
    read.vector(GAMMANET_CELL_N2_BIAS, "the bias of N2", c);
  }
}

// ---- One step ----

// Rows of floats: of a map, or of a buffer with padded rows. Without data: zeros.
struct Rows {
  const float* data = nullptr;
  int64_t stride = 0;
  Rows from(int64_t row) const { return {data ? data + row * stride : nullptr, stride}; }
};

class Step {
 public:
  Step(const GammanetCellOpaque& cell, const Map& x, const Map& e, const Map& i, const Map& new_e,
       const Map& new_i, const Map& sum)
      : cell_(cell),
        k_(*cell.kernels),
        c_(cell.channels),
        stride_(round_up(c_, 16)),
        padded_(round_up(c_, k_.width)),
        part_(cell.bf16() ? round_up(c_, 2) : c_),
        tile_rows_(tile_rows(c_)),
        normalization_(cell.options[GAMMANET_CELL_NORMALIZATION]),
        post_(cell.options[GAMMANET_CELL_GATE_NORM_POST] == 1),
        activation_(cell.options[GAMMANET_CELL_DYNAMIC] == 1   ? kSoftplus
                    : cell.options[GAMMANET_CELL_DYNAMIC] == 2 ? kSigmoid
                                                               : kIdentity),
        shape_(x),
        x_{x.data, c_},
        e_{e.data, c_},
        i_{i.data, c_},
        next_i_{new_i.data, c_},
        new_e_(new_e.data),
        new_i_(new_i.data),
        sum_(sum.data) {}

  void run() {
    const bool wide = cell_.k > 1;
    const bool global = normalization_ >= kInstance;
    const bool normalize_inputs = cell_.parameter(GAMMANET_CELL_N1_WEIGHT) != nullptr;
    if (!wide && !global && !normalize_inputs) {
      // Nothing needs a neighbour: both halves of a tile at once.
      over_tiles(0, shape_.pixels(), [&](Tile& t) {
        local_half(t, kFirst, e_, {});
        t.forget(next_i_.from(t.first).data);
        local_half(t, kSecond, next_i_, {});
      });
      return;
    }
    const Pieces pieces =
        pieces_of(cell_.inhibition, shape_.h, shape_.w, std::max<int64_t>(96, tile_rows_));
    if (!global && !normalize_inputs && pieces.count > 0) {
      // A thread takes a piece of the horizontal term at once to the end of the half.
      piecewise_half(kFirst, e_, pieces);
      piecewise_half(kSecond, next_i_, pieces);
      return;
    }
    const int64_t map = shape_.pixels() * stride_;
    float* memory = scratch(
        kCellScratch, static_cast<size_t>(((wide ? 1 : 0) + (normalize_inputs ? 1 : 0) +
                                           (global ? 2 : 0)) * map));
    float* horizontal = wide ? memory : nullptr;
    memory += wide ? map : 0;
    float* normalized = normalize_inputs ? memory : nullptr;
    memory += normalize_inputs ? map : 0;
    for (Half half : {kFirst, kSecond}) {
      Rows source = half == kFirst ? e_ : next_i_;
      if (normalize_inputs) {
        source = normalize(source, half, normalized);
      }
      Rows term;
      if (wide && source.data) {
        convolve(half == kFirst ? cell_.inhibition : cell_.excitation, source.data, shape_.n,
                 shape_.h, shape_.w, true, horizontal, stride_);
        term = {horizontal, stride_};
      }
      if (global) {
        global_half(half, source, term, memory, memory + map);
      } else {
        over_tiles(0, shape_.pixels(),
                   [&](Tile& t) { local_half(t, half, source, term.from(t.first)); });
      }
    }
  }

 private:
  // The first makes i', the second e'.
  enum Half { kFirst, kSecond };

  // Some pixels and a thread's memory for what is made of them.
  struct Tile {
    int64_t first, count;
    // The thread's next ones; 0: none.
    int64_t next, next_count;
    float *parameters, *candidate, *gate, *horizontal, *normalized, *mean, *scale, *more;
    uint16_t* halves;
    // What has been converted to bfloat16: in the order of its places in `halves`.
    const float* converted[8];
    int64_t conversions;
    void forget(const float* rows) {
      for (int64_t j = 0; j < conversions; ++j) {
        converted[j] = converted[j] == rows ? nullptr : converted[j];
      }
    }
  };

  // A thread's memory for tiles, and for `more` floats.
  Tile make_tile(int64_t more) const {
    const int64_t rows = tile_rows_;
    const int64_t own = round_up(rows * (8 * stride_ + 2 + (cell_.bf16() ? 4 * part_ : 0)), 16);
    float* memory = scratch(kThreadScratch, static_cast<size_t>(own + more));
    Tile t{};
    t.parameters = memory;
    t.candidate = memory + rows * 2 * stride_;
    t.gate = memory + rows * 3 * stride_;
    t.horizontal = memory + rows * 4 * stride_;
    t.normalized = memory + rows * 5 * stride_;
    t.mean = memory + rows * 8 * stride_;
    t.scale = t.mean + rows;
    t.halves = reinterpret_cast<uint16_t*>(t.scale + rows);
    t.more = memory + own;
    return t;
  }

  template <class Body>
  void over_tiles(int64_t start, int64_t pixels, const Body& body) const {
    const int64_t rows = tile_rows_;
    parallel_for((pixels + rows - 1) / rows, 1, [&](int64_t begin, int64_t end) {
      Tile t = make_tile(0);
      for (int64_t item = begin; item < end; ++item) {
        t.first = start + item * rows;
        t.count = std::min(rows, pixels - item * rows);
        t.next = item + 1 < end ? t.first + rows : 0;
        t.next_count = std::min(rows, pixels - (item + 1) * rows);
        t.conversions = 0;
        body(t);
      }
    });
  }

  // A half of a cell with a wide kernel, whose horizontal term never becomes a map.
  void piecewise_half(Half half, Rows source, const Pieces& pieces) const {
    const GammanetConvOpaque& conv = half == kFirst ? cell_.inhibition : cell_.excitation;
    const int64_t area = shape_.h * shape_.w;
    parallel_for(shape_.n * pieces.count, 1, [&](int64_t begin, int64_t end) {
      Tile t = make_tile(4 * pieces.columns * stride_);
      for (int64_t item = begin; item < end; ++item) {
        const int64_t start = item / pieces.count * area;
        const Pieces::Piece piece = pieces.at(item % pieces.count, shape_.h, shape_.w);
        if (source.data) {
          convolve_piece(conv, source.from(start).data, shape_.h, shape_.w, piece, t.more,
                         stride_);
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
            term = {t.more + (j / parts * piece.columns + column(j % parts)) * stride_, stride_};
          }
          local_half(t, half, source, term);
        }
      }
    });
  }

  // Rows of a tile as the operand that meets the weights of part `index`.
  Operand operand(Tile& t, Rows rows, int64_t index) const {
    if (!cell_.bf16()) {
      return {rows.data, rows.stride, 0, c_, index * c_};
    }
    int64_t place = 0;
    while (place < t.conversions && t.converted[place] != rows.data) {
      ++place;
    }
    uint16_t* to = t.halves + place * tile_rows_ * part_;
    if (place == t.conversions) {
      k_.convert_bf16(rows.data, rows.stride, t.count, c_, to, part_);
      t.converted[t.conversions++] = rows.data;
    }
    return {to, part_, 0, part_, index * part_};
  }

  // out = panels x the parts that are not zero, from output `start` on. Meanwhile the next tile's
  // rows of a map are fetched.
  void product(Tile& t, const Panels& panels, int64_t start, int64_t outputs, const float* bias,
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
                       start * panels.depth * (cell_.bf16() ? 2 : 4);
    Product p{data, panels.depth, outputs, operands, count, 1, t.count, bias, out, out_stride, 0,
              relu, nullptr, 0};
    if (map && t.next) {
      p.ahead = map + t.next * c_;
      p.ahead_floats = t.next_count * c_;
    }
    (cell_.bf16() ? k_.product_bf16 : k_.product)(p);
  }

  // The horizontal term of a tile: given as `term`, or made here by a 1x1 kernel.
  Rows horizontal_term(Tile& t, Half half, Rows source, Rows term) const {
    if (term.data || !source.data) {
      return term;
    }
    const Rows part = source.from(t.first);
    product(t, (half == kFirst ? cell_.inhibition : cell_.excitation).direct(), 0, padded_,
            nullptr, true, &part, 1, t.horizontal, stride_, half == kFirst ? e_.data : sum_);
    return {t.horizontal, stride_};
  }

  // s of the first half, q of the second.
  void make_candidate(Tile& t, Half half, Rows term, float* out) const {
    const bool dynamic = cell_.dynamic();
    if (half == kFirst) {
      const Rows parts[3] = {i_.from(t.first), term, x_.from(t.first)};
      Inhibit a{parts[2].data, parts[0].data, term.data, term.stride, cell_.alpha.data(),
                cell_.parameter(GAMMANET_CELL_MU), 0, activation_, out, stride_, t.count, c_};
      if (dynamic && term.data) {
        // Without inhibition alpha is not needed.
        const int64_t skip = parts[0].data || padded_ % k_.block ? 0 : padded_;
        product(t, cell_.inhibition_net, skip, 2 * padded_ - skip,
                cell_.inhibition_net_bias.data() + skip, false, parts, 3, t.parameters + skip,
                2 * stride_, x_.data);
        a.alpha = t.parameters;
        a.mu = t.parameters + padded_;
        a.parameter_stride = 2 * stride_;
      }
      k_.inhibit(a);
    } else {
      const Rows parts[2] = {next_i_.from(t.first), e_.from(t.first)};
      const bool multiplicative = cell_.options[GAMMANET_CELL_MULTIPLICATIVE] == 1;
      Excite a{parts[0].data, term.data, term.stride,
               multiplicative ? cell_.parameter(GAMMANET_CELL_KAPPA) : nullptr,
               cell_.omega.data(), 0, activation_, out, stride_, t.count, c_};
      if (dynamic && multiplicative) {
        product(t, cell_.excitation_net, 0, 2 * padded_, cell_.excitation_net_bias.data(), false,
                parts, 2, t.parameters, 2 * stride_, cell_.k > 1 ? e_.data : nullptr);
        a.kappa = t.parameters;
        a.omega = t.parameters + padded_;
        a.parameter_stride = 2 * stride_;
      }
      k_.excite(a);
    }
  }

  // What a gate sees: rows of whole maps, but the candidate's.
  void gate_inputs(Half half, Rows candidate, Rows (&parts)[3]) const {
    parts[0] = e_;
    parts[1] = half == kFirst ? i_ : candidate;
    parts[2] = half == kFirst ? x_ : next_i_;
  }

  // The gate's argument before norm and bias.
  void make_gate(Tile& t, Half half, const Rows (&parts)[3], float* out) const {
    product(t, half == kFirst ? cell_.gain : cell_.mix, 0, padded_, nullptr, false, parts, 3, out,
            stride_, half == kFirst ? i_.data : cell_.k > 1 ? next_i_.data : nullptr);
  }

  Mix mix_of(const Tile& t, Half half, const float* gate, const float* candidate) const {
    const Rows state = (half == kFirst ? i_ : e_).from(t.first);
    Mix a{};
    a.z = gate;
    a.z_stride = stride_;
    a.bias = cell_.parameter(half == kFirst ? GAMMANET_CELL_B_GAIN : GAMMANET_CELL_B_MIX);
    a.state = state.data;
    a.candidate = candidate;
    a.candidate_stride = stride_;
    a.out = (half == kFirst ? new_i_ : new_e_) + t.first * c_;
    a.sum = half == kSecond && sum_ ? sum_ + t.first * c_ : nullptr;
    a.rows = t.count;
    a.c = c_;
    return a;
  }

  // A half whose gate has no norm, or one over channels. horizontal: the tile's horizontal term, if
  // the kernel is wide.
  void local_half(Tile& t, Half half, Rows source, Rows horizontal) const {
    make_candidate(t, half, horizontal_term(t, half, source, horizontal), t.candidate);
    Rows parts[3];
    gate_inputs(half, {}, parts);
    for (Rows& rows : parts) {
      rows = rows.from(t.first);
    }
    if (half == kSecond) {
      parts[1] = {t.candidate, stride_};
    }
    make_gate(t, half, parts, t.gate);
    Mix a = mix_of(t, half, t.gate, t.candidate);
    if (normalization_ == kLayer) {
      // W ((z - m) r) = r (W z - m (sum of W)).
      const float* pieces[3] = {parts[0].data, parts[1].data, parts[2].data};
      int64_t strides[3] = {parts[0].stride, parts[1].stride, parts[2].stride};
      if (post_) {
        pieces[0] = t.gate;
        strides[0] = stride_;
        a.sums = ones();
      } else {
        a.sums = (half == kFirst ? cell_.gain_sums : cell_.mix_sums).data();
      }
      k_.row_moments(pieces, strides, post_ ? 1 : 3, t.count, c_, t.mean, t.scale);
      a.mean = t.mean;
      a.scale = t.scale;
    }
    k_.mix(a);
  }

  // A half whose gate has a norm over the pixels of each sample: candidates and, for a norm after
  // the product, the gate's arguments of the whole map come first.
  void global_half(Half half, Rows source, Rows horizontal, float* candidates, float* gates) const {
    const int64_t pixels = shape_.h * shape_.w;
    const int64_t groups = normalization_ == kGroup ? std::min<int64_t>(8, c_) : 0;
    Rows inputs[3];
    gate_inputs(half, {candidates, stride_}, inputs);
    std::vector<float> means(static_cast<size_t>(3 * stride_)), scales(means.size());
    std::vector<float> bias(static_cast<size_t>(stride_));
    const float* own_bias =
        cell_.parameter(half == kFirst ? GAMMANET_CELL_B_GAIN : GAMMANET_CELL_B_MIX);
    for (int64_t sample = 0; sample < shape_.n; ++sample) {
      const int64_t start = sample * pixels;
      over_tiles(start, pixels, [&](Tile& t) {
        make_candidate(t, half, horizontal_term(t, half, source, horizontal.from(t.first)),
                       candidates + t.first * stride_);
        if (post_) {
          Rows parts[3];
          for (int j = 0; j < 3; ++j) {
            parts[j] = inputs[j].from(t.first);
          }
          make_gate(t, half, parts, gates + t.first * stride_);
        }
      });
      if (post_) {
        channel_moments(k_, gates + start * stride_, stride_, pixels, c_, groups, means.data(),
                        scales.data());
        for (int64_t j = 0; j < c_; ++j) {
          const auto at = static_cast<size_t>(j);
          bias[at] = own_bias[j] - means[at] * scales[at];
        }
      } else {
        for (int j = 0; j < 3; ++j) {
          if (inputs[j].data) {
            float *mean = means.data() + j * stride_, *scale = scales.data() + j * stride_;
            channel_moments(k_, inputs[j].from(start).data, inputs[j].stride, pixels, c_, groups,
                            mean, scale);
            for (int64_t channel = 0; channel < c_; ++channel) {
              mean[channel] *= -scale[channel];
            }
          }
        }
      }
      over_tiles(start, pixels, [&](Tile& t) {
        const float* candidate = candidates + t.first * stride_;
        if (post_) {
          Mix a = mix_of(t, half, gates + t.first * stride_, candidate);
          a.channel_scale = scales.data();
          a.bias = bias.data();
          k_.mix(a);
          return;
        }
        Rows parts[3];
        for (int j = 0; j < 3; ++j) {
          const Rows rows = inputs[j].from(t.first);
          if (rows.data) {
            float* to = t.normalized + j * tile_rows_ * stride_;
            k_.scale_shift(rows.data, rows.stride, t.count, c_, scales.data() + j * stride_,
                           means.data() + j * stride_, false, to, stride_);
            parts[j] = {to, stride_};
          }
        }
        make_gate(t, half, parts, t.gate);
        k_.mix(mix_of(t, half, t.gate, candidate));
      });
    }
  }

  // N1 or N2 of a map, into memory with rows of c floats.
  Rows normalize(Rows source, Half half, float* out) const {
    const float* weight = cell_.parameter(half == kFirst ? GAMMANET_CELL_N1_WEIGHT
                                                         : GAMMANET_CELL_N2_WEIGHT);
    const float* bias =
        cell_.parameter(half == kFirst ? GAMMANET_CELL_N1_BIAS : GAMMANET_CELL_N2_BIAS);
    const int64_t pixels = shape_.h * shape_.w, grain = 1 + 32768 / c_;
    if (source.data == nullptr) {
      parallel_for(shape_.pixels(), grain, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          std::memcpy(out + p * c_, bias, static_cast<size_t>(c_) * sizeof(float));
        }
      });
    } else if (normalization_ == kLayer) {
      parallel_for(shape_.pixels(), grain, [&](int64_t begin, int64_t end) {
        k_.layer_norm(source.data + begin * c_, weight, bias, out + begin * c_, end - begin, c_);
      });
    } else {
      const int64_t groups = normalization_ == kGroup ? std::min<int64_t>(8, c_) : 0;
      std::vector<float> shift(static_cast<size_t>(stride_)), scale(shift.size());
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

  const float* ones() const { return ones_.data(); }

  const GammanetCellOpaque& cell_;
  const Kernels& k_;
  // Rows of buffers have stride_ floats, of which padded_ are computed; operands part_ numbers.
  const int64_t c_, stride_, padded_, part_, tile_rows_;
  const int32_t normalization_;
  const bool post_;
  const Activation activation_;
  const Map& shape_;
  const Rows x_, e_, i_, next_i_;
  float *const new_e_, *const new_i_, *const sum_;
  const std::vector<float> ones_ = std::vector<float>(static_cast<size_t>(stride_), 1.0f);
};

}  // namespace

void check_cell_maps(const Map& x, const Map& e, const Map& i, const Map& new_e, const Map& new_i,
                     const Map& sum) {
  check_disjoint(x, "x", new_e, "new_e");
  check_disjoint(x, "x", new_i, "new_i");
  check_disjoint(new_e, "new_e", new_i, "new_i");
  check_same_or_disjoint(e, "e", i, "i");
  check_same_or_disjoint(e, "e", new_e, "new_e");
  check_same_or_disjoint(i, "i", new_i, "new_i");
  // i' is written while neighbours still need e; e' where e is i, too, is not allowed either.
  check_disjoint(e, "e", new_i, "new_i");
  check_disjoint(i, "i", new_e, "new_e");
  check_disjoint(sum, "sum", x, "x");
  check_disjoint(sum, "sum", e, "e");
  check_disjoint(sum, "sum", i, "i");
  check_disjoint(sum, "sum", new_e, "new_e");
  check_disjoint(sum, "sum", new_i, "new_i");
}

}  // namespace gammanet

using namespace gammanet;

extern "C" {

GAMMANET_API int32_t gammanet_cell_pack(const AtenTensorHandle* parameters, const int32_t* options,
                                        GammanetCell* ret) {
  return guarded([&] {
    if (parameters == nullptr || options == nullptr || ret == nullptr) {
      invalid("%s is null",
              parameters == nullptr ? "parameters" : options == nullptr ? "options" : "ret");
    }
    auto cell = std::make_unique<GammanetCellOpaque>();
    if (cuda::on_cuda(parameters[GAMMANET_CELL_W_INH])) {
      cell->cuda = cuda::pack_cell(parameters, options);
    } else {
      pack_cell(parameters, options, *cell);
    }
    *ret = cell.release();
  });
}

GAMMANET_API int32_t gammanet_cell_free(GammanetCell cell) {
  delete cell;
  return GAMMANET_OK;
}

GAMMANET_API int32_t gammanet_cell_forward(GammanetCell cell, AtenTensorHandle x,
                                           AtenTensorHandle e, AtenTensorHandle i,
                                           AtenTensorHandle new_e, AtenTensorHandle new_i,
                                           AtenTensorHandle sum) {
  return guarded([&] {
    if (cell == nullptr) {
      invalid("cell is null");
    }
    if (cell->cuda) {
      return cuda::cell_forward(*cell->cuda, x, e, i, new_e, new_i, sum);
    }
    const Map drive = map_of(x, "x");
    const int64_t n = drive.n, c = cell->channels, h = drive.h, w = drive.w;
    if (drive.c != c) {
      invalid("x must have %lld channels, not %lld", static_cast<long long>(c),
              static_cast<long long>(drive.c));
    }
    const Map excitation = e ? map_of(e, "e", n, c, h, w) : Map();
    const Map inhibition = i ? map_of(i, "i", n, c, h, w) : Map();
    const Map next_e = map_of(new_e, "new_e", n, c, h, w);
    const Map next_i = map_of(new_i, "new_i", n, c, h, w);
    const Map total = sum ? map_of(sum, "sum", n, c, h, w) : Map();
    check_cell_maps(drive, excitation, inhibition, next_e, next_i, total);
    Step(*cell, drive, excitation, inhibition, next_e, next_i, total).run();
  });
}

}  // extern "C"
