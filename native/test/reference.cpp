#include "reference.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace gammanet::reference {
namespace {

constexpr double kEpsilon = 1e-5;

enum Normalization { kNone = 0, kLayer = 1, kInstance = 2, kGroup = 3 };

size_t at(int64_t index) { return static_cast<size_t>(index); }

Values zeros(int64_t size) { return Values(at(size), 0.0); }

Values or_zeros(const Values &values, int64_t size) {
  return values.empty() ? zeros(size) : values;
}

void add(Values &sum, const Values &term) {
  for (size_t k = 0; k < sum.size(); ++k) sum[k] += term[k];
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/* What one normalization needs again in its backward pass. */
struct Normalized {
  Values y;
  /* 1/sigma at every element. */
  Values r;
};

/*
 * Calls visit(list of element indices) for every set of elements that share a mean. `channels` are
 * those of the map, of which `group` consecutive ones belong together (instance: 1).
 */
template <typename Visit>
void for_each_set(int kind, int64_t n, int64_t pixels, int64_t channels, int64_t group,
                  Visit visit) {
  std::vector<size_t> set;
  if (kind == kLayer) {
    for (int64_t p = 0; p < n * pixels; ++p) {
      set.clear();
      for (int64_t c = 0; c < channels; ++c) set.push_back(at(p * channels + c));
      visit(set);
    }
    return;
  }
  for (int64_t b = 0; b < n; ++b) {
    for (int64_t first = 0; first < channels; first += group) {
      set.clear();
      for (int64_t p = b * pixels; p < (b + 1) * pixels; ++p) {
        for (int64_t c = first; c < first + group; ++c) set.push_back(at(p * channels + c));
      }
      visit(set);
    }
  }
}

Normalized normalize(int kind, const Values &x, int64_t n, int64_t pixels, int64_t channels,
                     int64_t group) {
  Normalized result{x, Values(x.size(), 1.0)};
  if (kind == kNone) return result;
  for_each_set(kind, n, pixels, channels, group, [&](const std::vector<size_t> &set) {
    double mean = 0;
    for (size_t k : set) mean += x[k];
    mean /= static_cast<double>(set.size());
    double variance = 0;
    for (size_t k : set) variance += (x[k] - mean) * (x[k] - mean);
    variance /= static_cast<double>(set.size());
    double r = 1 / std::sqrt(variance + kEpsilon);
    for (size_t k : set) {
      result.y[k] = (x[k] - mean) * r;
      result.r[k] = r;
    }
  });
  return result;
}

Values normalize_backward(int kind, const Normalized &forward, const Values &grad, int64_t n,
                          int64_t pixels, int64_t channels, int64_t group) {
  Values result = grad;
  if (kind == kNone) return result;
  for_each_set(kind, n, pixels, channels, group, [&](const std::vector<size_t> &set) {
    double mean = 0, projection = 0;
    for (size_t k : set) {
      mean += grad[k];
      projection += grad[k] * forward.y[k];
    }
    mean /= static_cast<double>(set.size());
    projection /= static_cast<double>(set.size());
    for (size_t k : set) {
      result[k] = forward.r[k] * (grad[k] - mean - forward.y[k] * projection);
    }
  });
  return result;
}

/* [a; b; c] along channels. */
Values concatenate(int64_t pixels, int64_t channels, const std::vector<const Values *> &parts) {
  int64_t count = static_cast<int64_t>(parts.size());
  Values result = zeros(pixels * channels * count);
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t part = 0; part < count; ++part) {
      for (int64_t c = 0; c < channels; ++c) {
        result[at((p * count + part) * channels + c)] = (*parts[at(part)])[at(p * channels + c)];
      }
    }
  }
  return result;
}

/* The other way round: adds each part of `all` to its place. */
void add_parts(const Values &all, int64_t pixels, int64_t channels,
               const std::vector<Values *> &parts) {
  int64_t count = static_cast<int64_t>(parts.size());
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t part = 0; part < count; ++part) {
      for (int64_t c = 0; c < channels; ++c) {
        (*parts[at(part)])[at(p * channels + c)] += all[at((p * count + part) * channels + c)];
      }
    }
  }
}

/* A gate: sigmoid of a normalized 1x1 product of three maps. */
struct Gate {
  Values z;            /* [3C] */
  Normalized norm;     /* of z (pre) or of the product (post) */
  Values value;        /* [C] */
};

class CellMath {
 public:
  CellMath(const Cell &cell, Shape shape) : cell_(cell), shape_(shape) {}

  int norm() const { return cell_.option(GAMMANET_CELL_NORMALIZATION); }
  bool post() const { return cell_.option(GAMMANET_CELL_GATE_NORM_POST) != 0; }
  int64_t channels() const { return shape_.c; }
  /* Channels of one set of instance and group normalization, for C and for 3C channels alike. */
  int64_t group() const {
    return norm() == kGroup ? shape_.c / std::min<int64_t>(8, shape_.c) : 1;
  }
  int input_norm() const {
    return cell_.option(GAMMANET_CELL_NORMALIZE_INPUTS) != 0 ? norm() : kNone;
  }

  Normalized normalize_map(int kind, const Values &x, int64_t channels) const {
    return normalize(kind, x, shape_.n, shape_.h * shape_.w, channels, group());
  }
  Values normalize_map_backward(int kind, const Normalized &forward, const Values &grad,
                                int64_t channels) const {
    return normalize_backward(kind, forward, grad, shape_.n, shape_.h * shape_.w, channels,
                              group());
  }

  Shape with_channels(int64_t c) const { return {shape_.n, c, shape_.h, shape_.w}; }

  Gate gate(const std::vector<const Values *> &inputs, const Values &weight,
            const Values &bias) const {
    Gate gate;
    gate.z = concatenate(shape_.pixels(), shape_.c, inputs);
    Values product;
    if (post()) {
      product = conv_forward(gate.z, with_channels(3 * shape_.c), weight, {}, shape_.c, 1, false);
      gate.norm = normalize_map(norm(), product, shape_.c);
      product = gate.norm.y;
    } else {
      gate.norm = normalize_map(norm(), gate.z, 3 * shape_.c);
      product =
          conv_forward(gate.norm.y, with_channels(3 * shape_.c), weight, {}, shape_.c, 1, false);
    }
    gate.value = zeros(shape_.size());
    for (int64_t k = 0; k < shape_.size(); ++k) {
      gate.value[at(k)] = sigmoid(product[at(k)] + bias[at(k % shape_.c)]);
    }
    return gate;
  }

  /* Adds to the gradients of the gate's inputs and parameters. */
  void gate_backward(const Gate &gate, const Values &weight, const Values &grad_value,
                     const std::vector<Values *> &grad_inputs, Values &grad_weight,
                     Values &grad_bias) const {
    Values grad = grad_value;
    for (size_t k = 0; k < grad.size(); ++k) {
      grad[k] *= gate.value[k] * (1 - gate.value[k]);
      grad_bias[k % at(shape_.c)] += grad[k];
    }
    Shape in = with_channels(3 * shape_.c);
    Values grad_z;
    if (post()) {
      grad = normalize_map_backward(norm(), gate.norm, grad, shape_.c);
      ConvGradients product = conv_backward(gate.z, in, weight, shape_.c, 1, {}, grad);
      add(grad_weight, product.weight);
      grad_z = std::move(product.x);
    } else {
      ConvGradients product = conv_backward(gate.norm.y, in, weight, shape_.c, 1, {}, grad);
      add(grad_weight, product.weight);
      grad_z = normalize_map_backward(norm(), gate.norm, product.x, 3 * shape_.c);
    }
    add_parts(grad_z, shape_.pixels(), shape_.c, grad_inputs);
  }

  bool dynamic() const { return cell_.option(GAMMANET_CELL_CIRCUIT) != 0; }
  bool softplus() const { return cell_.option(GAMMANET_CELL_CIRCUIT) == 1; }

  double activation(double x) const {
    if (!softplus()) return sigmoid(x);
    return x > 20 ? x : std::log1p(std::exp(x));
  }
  double activation_slope(double value) const {
    /* softplus: sigmoid(x) = 1 - exp(-softplus(x)). */
    return softplus() ? -std::expm1(-value) : value * (1 - value);
  }

  /* Two maps of C: a(weight * inputs + bias), or the vectors spread over the pixels. */
  std::pair<Values, Values> circuit(const std::vector<const Values *> &inputs, int weight,
                                    int bias, const Values &first, const Values &second) const {
    std::pair<Values, Values> result{zeros(shape_.size()), zeros(shape_.size())};
    if (!dynamic()) {
      for (int64_t k = 0; k < shape_.size(); ++k) {
        result.first[at(k)] = first[at(k % shape_.c)];
        result.second[at(k)] = second[at(k % shape_.c)];
      }
      return result;
    }
    Values z = concatenate(shape_.pixels(), shape_.c, inputs);
    int64_t in = static_cast<int64_t>(inputs.size()) * shape_.c;
    Values both = conv_forward(z, with_channels(in), cell_.parameter(weight),
                               cell_.parameter(bias), 2 * shape_.c, 1, false);
    for (int64_t p = 0; p < shape_.pixels(); ++p) {
      for (int64_t c = 0; c < shape_.c; ++c) {
        result.first[at(p * shape_.c + c)] = activation(both[at(2 * p * shape_.c + c)]);
        result.second[at(p * shape_.c + c)] =
            activation(both[at((2 * p + 1) * shape_.c + c)]);
      }
    }
    return result;
  }

  void circuit_backward(const std::vector<const Values *> &inputs, int weight, int bias,
                        const std::pair<const Values *, const Values *> &values,
                        const Values &grad_first, const Values &grad_second,
                        const std::vector<Values *> &grad_inputs, CellGradients &grads) const {
    Values z = concatenate(shape_.pixels(), shape_.c, inputs);
    int64_t in = static_cast<int64_t>(inputs.size()) * shape_.c;
    Values grad = zeros(2 * shape_.size());
    for (int64_t p = 0; p < shape_.pixels(); ++p) {
      for (int64_t c = 0; c < shape_.c; ++c) {
        size_t k = at(p * shape_.c + c);
        grad[at(2 * p * shape_.c + c)] = grad_first[k] * activation_slope((*values.first)[k]);
        grad[at((2 * p + 1) * shape_.c + c)] =
            grad_second[k] * activation_slope((*values.second)[k]);
      }
    }
    ConvGradients product = conv_backward(z, with_channels(in), cell_.parameter(weight),
                                          2 * shape_.c, 1, {}, grad);
    add(grads.parameters[at(weight)], product.weight);
    add(grads.parameters[at(bias)], product.bias);
    add_parts(product.x, shape_.pixels(), shape_.c, grad_inputs);
  }

  /* N1 or N2. */
  Values input_normalized(const Normalized &norm, int weight, int bias) const {
    Values result = norm.y;
    if (input_norm() == kNone) return result;
    for (size_t k = 0; k < result.size(); ++k) {
      size_t c = k % at(shape_.c);
      result[k] = result[k] * cell_.parameter(weight)[c] + cell_.parameter(bias)[c];
    }
    return result;
  }

  /* Returns the gradient of the map that N1 or N2 was given. */
  Values input_normalized_backward(const Normalized &norm, int weight, int bias, Values grad,
                                   CellGradients &grads) const {
    if (input_norm() == kNone) return grad;
    for (size_t k = 0; k < grad.size(); ++k) {
      size_t c = k % at(shape_.c);
      grads.parameters[at(weight)][c] += grad[k] * norm.y[k];
      grads.parameters[at(bias)][c] += grad[k];
      grad[k] *= cell_.parameter(weight)[c];
    }
    return normalize_map_backward(input_norm(), norm, grad, shape_.c);
  }

  Values horizontal_weight(int place) const {
    return symmetric(cell_.parameter(place), shape_.c, cell_.kernel,
                     cell_.option(GAMMANET_CELL_SYMMETRY));
  }

  Values static_alpha() const {
    Values result = cell_.parameter(GAMMANET_CELL_ALPHA);
    if (cell_.option(GAMMANET_CELL_FORCE_ALPHA) != 0) {
      for (double &value : result) value = sigmoid(value);
    }
    return result;
  }
  Values static_omega() const {
    Values result = cell_.parameter(GAMMANET_CELL_OMEGA);
    if (cell_.option(GAMMANET_CELL_FORCE_OMEGA) != 0) {
      for (double &value : result) value = std::max(value, 0.0);
    }
    return result;
  }

 private:
  const Cell &cell_;
  Shape shape_;
};

/* A step with what only its backward pass needs. */
struct Trace {
  CellStep step;
  Normalized norm1, norm2;
  Gate gain, mix;
};

Trace trace(const Cell &cell, const CellMath &math, Shape shape, const Values &x, const Values &e,
            const Values &i) {
  Trace t;
  CellStep &step = t.step;
  int64_t c = shape.c, size = shape.size();

  t.norm1 = math.normalize_map(math.input_norm(), e, c);
  step.n1 = math.input_normalized(t.norm1, GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N1_BIAS);
  step.c1 = conv_forward(step.n1, shape, math.horizontal_weight(GAMMANET_CELL_W_INH), {}, c,
                         cell.kernel, true);
  std::tie(step.alpha, step.mu) =
      math.circuit({&i, &step.c1, &x}, GAMMANET_CELL_D_INH, GAMMANET_CELL_D_INH_BIAS,
                   math.static_alpha(), cell.parameter(GAMMANET_CELL_MU));
  step.rectified_input = zeros(size);
  step.s = zeros(size);
  for (size_t k = 0; k < step.s.size(); ++k) {
    step.rectified_input[k] = x[k] - (step.alpha[k] * i[k] + step.mu[k]) * step.c1[k];
    step.s[k] = std::max(step.rectified_input[k], 0.0);
  }
  t.gain = math.gate({&e, &i, &x}, cell.parameter(GAMMANET_CELL_W_GAIN),
                     cell.parameter(GAMMANET_CELL_B_GAIN));
  step.g1 = t.gain.value;
  step.new_i = zeros(size);
  for (size_t k = 0; k < step.s.size(); ++k) {
    step.new_i[k] = (1 - step.g1[k]) * i[k] + step.g1[k] * step.s[k];
  }

  t.norm2 = math.normalize_map(math.input_norm(), step.new_i, c);
  step.n2 = math.input_normalized(t.norm2, GAMMANET_CELL_N2_WEIGHT, GAMMANET_CELL_N2_BIAS);
  step.c2 = conv_forward(step.n2, shape, math.horizontal_weight(GAMMANET_CELL_W_EXC), {}, c,
                         cell.kernel, true);
  step.q_input = zeros(size);
  step.q = zeros(size);
  if (cell.option(GAMMANET_CELL_MULTIPLICATIVE) != 0) {
    std::tie(step.kappa, step.omega) =
        math.circuit({&step.new_i, &e}, GAMMANET_CELL_D_EXC, GAMMANET_CELL_D_EXC_BIAS,
                     cell.parameter(GAMMANET_CELL_KAPPA), math.static_omega());
    for (size_t k = 0; k < step.q.size(); ++k) {
      step.q_input[k] = step.omega[k] * step.c2[k] + step.kappa[k];
      step.q[k] = step.q_input[k];
    }
  } else {
    for (size_t k = 0; k < step.q.size(); ++k) {
      step.q_input[k] = step.new_i[k] + step.c2[k];
      step.q[k] = std::max(step.q_input[k], 0.0);
    }
  }
  t.mix = math.gate({&e, &step.q, &step.new_i}, cell.parameter(GAMMANET_CELL_W_MIX),
                    cell.parameter(GAMMANET_CELL_B_MIX));
  step.g2 = t.mix.value;
  step.new_e = zeros(size);
  for (size_t k = 0; k < step.q.size(); ++k) {
    step.new_e[k] = (1 - step.g2[k]) * e[k] + step.g2[k] * step.q[k];
  }
  return t;
}

}  // namespace

Values conv_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                    int64_t out, int64_t k, bool relu) {
  Values result = zeros(in.pixels() * out);
  int64_t half = (k - 1) / 2;
  for (int64_t b = 0; b < in.n; ++b) {
    for (int64_t y = 0; y < in.h; ++y) {
      for (int64_t z = 0; z < in.w; ++z) {
        double *target = &result[at(((b * in.h + y) * in.w + z) * out)];
        for (int64_t o = 0; o < out; ++o) {
          double sum = bias.empty() ? 0 : bias[at(o)];
          for (int64_t ky = 0; ky < k; ++ky) {
            for (int64_t kx = 0; kx < k; ++kx) {
              int64_t sy = y + ky - half, sz = z + kx - half;
              if (sy < 0 || sy >= in.h || sz < 0 || sz >= in.w) continue;
              const double *source = &x[at(((b * in.h + sy) * in.w + sz) * in.c)];
              for (int64_t c = 0; c < in.c; ++c) {
                sum += weight[at(((o * in.c + c) * k + ky) * k + kx)] * source[c];
              }
            }
          }
          target[o] = relu ? std::max(sum, 0.0) : sum;
        }
      }
    }
  }
  return result;
}

ConvGradients conv_backward(const Values &x, Shape in, const Values &weight, int64_t out_channels,
                            int64_t k, const Values &out, const Values &grad_out) {
  ConvGradients grads{zeros(in.size()), zeros(static_cast<int64_t>(weight.size())),
                      zeros(out_channels)};
  int64_t half = (k - 1) / 2;
  for (int64_t b = 0; b < in.n; ++b) {
    for (int64_t y = 0; y < in.h; ++y) {
      for (int64_t z = 0; z < in.w; ++z) {
        int64_t pixel = (b * in.h + y) * in.w + z;
        for (int64_t o = 0; o < out_channels; ++o) {
          double grad = grad_out[at(pixel * out_channels + o)];
          if (!out.empty() && !(out[at(pixel * out_channels + o)] > 0)) continue;
          grads.bias[at(o)] += grad;
          for (int64_t ky = 0; ky < k; ++ky) {
            for (int64_t kx = 0; kx < k; ++kx) {
              int64_t sy = y + ky - half, sz = z + kx - half;
              if (sy < 0 || sy >= in.h || sz < 0 || sz >= in.w) continue;
              int64_t source = ((b * in.h + sy) * in.w + sz) * in.c;
              for (int64_t c = 0; c < in.c; ++c) {
                size_t w = at(((o * in.c + c) * k + ky) * k + kx);
                grads.weight[w] += grad * x[at(source + c)];
                grads.x[at(source + c)] += grad * weight[w];
              }
            }
          }
        }
      }
    }
  }
  return grads;
}

Values channel_layer_norm(const Values &x, Shape shape, const Values &weight, const Values &bias) {
  Values y = normalize(kLayer, x, shape.n, shape.h * shape.w, shape.c, 1).y;
  if (weight.empty()) return y;
  for (size_t k = 0; k < y.size(); ++k) {
    y[k] = y[k] * weight[k % at(shape.c)] + bias[k % at(shape.c)];
  }
  return y;
}

Values align_pool_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                          int64_t out, bool pool_only) {
  Values full = pool_only ? x : conv_forward(x, in, weight, bias, out, 1, true);
  int64_t c = pool_only ? in.c : out, h = in.h / 2, w = in.w / 2;
  Values result = zeros(in.n * h * w * c);
  for (int64_t b = 0; b < in.n; ++b) {
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t z = 0; z < w; ++z) {
        for (int64_t k = 0; k < c; ++k) {
          auto value = [&](int64_t dy, int64_t dz) {
            return full[at(((b * in.h + 2 * y + dy) * in.w + 2 * z + dz) * c + k)];
          };
          result[at(((b * h + y) * w + z) * c + k)] =
              std::max(std::max(value(0, 0), value(0, 1)), std::max(value(1, 0), value(1, 1)));
        }
      }
    }
  }
  return result;
}

Values project_up_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                          int64_t out, int64_t height, int64_t width) {
  Values low = conv_forward(x, in, weight, bias, out, 1, false);
  low = normalize(kInstance, low, in.n, in.h * in.w, out, 1).y;
  for (double &value : low) value = value > 0 ? value : std::expm1(value);
  auto place = [](int64_t index, int64_t from, int64_t to) {
    double scale = static_cast<double>(from) / static_cast<double>(to);
    double position = std::max(0.0, (static_cast<double>(index) + 0.5) * scale - 0.5);
    int64_t first = std::min(static_cast<int64_t>(position), from - 1);
    return std::make_pair(first, position - static_cast<double>(first));
  };
  Values result = zeros(in.n * height * width * out);
  for (int64_t b = 0; b < in.n; ++b) {
    for (int64_t y = 0; y < height; ++y) {
      auto [y0, fy] = place(y, in.h, height);
      int64_t y1 = std::min(y0 + 1, in.h - 1);
      for (int64_t z = 0; z < width; ++z) {
        auto [z0, fz] = place(z, in.w, width);
        int64_t z1 = std::min(z0 + 1, in.w - 1);
        for (int64_t c = 0; c < out; ++c) {
          auto value = [&](int64_t sy, int64_t sz) {
            return low[at(((b * in.h + sy) * in.w + sz) * out + c)];
          };
          result[at(((b * height + y) * width + z) * out + c)] =
              (1 - fy) * ((1 - fz) * value(y0, z0) + fz * value(y0, z1)) +
              fy * ((1 - fz) * value(y1, z0) + fz * value(y1, z1));
        }
      }
    }
  }
  return result;
}

Values symmetric(const Values &weight, int64_t c, int64_t k, int32_t symmetry) {
  Values result = weight;
  auto value = [&](int64_t o, int64_t i, int64_t y, int64_t x) {
    return weight[at(((o * c + i) * k + y) * k + x)];
  };
  for (int64_t o = 0; o < c; ++o) {
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t y = 0; y < k; ++y) {
        for (int64_t x = 0; x < k; ++x) {
          double &target = result[at(((o * c + i) * k + y) * k + x)];
          if (symmetry == 1) {
            target = 0.5 * (value(o, i, y, x) + value(i, o, y, x));
          } else if (symmetry == 2) {
            target = 0.5 * (value(o, i, y, x) + value(o, i, x, y));
          } else if (symmetry == 3) {
            target = 0.25 * (value(o, i, y, x) + value(i, o, y, x) + value(o, i, x, y) +
                             value(i, o, x, y));
          }
        }
      }
    }
  }
  return result;
}

int64_t Cell::parameter_size(int place) const {
  int64_t c = channels;
  bool dynamic = option(GAMMANET_CELL_CIRCUIT) != 0;
  bool multiplicative = option(GAMMANET_CELL_MULTIPLICATIVE) != 0;
  switch (place) {
    case GAMMANET_CELL_W_INH:
    case GAMMANET_CELL_W_EXC:
      return c * c * kernel * kernel;
    case GAMMANET_CELL_W_GAIN:
    case GAMMANET_CELL_W_MIX:
      return 3 * c * c;
    case GAMMANET_CELL_B_GAIN:
    case GAMMANET_CELL_B_MIX:
      return c;
    case GAMMANET_CELL_D_INH:
      return dynamic ? 6 * c * c : 0;
    case GAMMANET_CELL_D_EXC:
      return dynamic ? 4 * c * c : 0;
    case GAMMANET_CELL_D_INH_BIAS:
    case GAMMANET_CELL_D_EXC_BIAS:
      return dynamic ? 2 * c : 0;
    case GAMMANET_CELL_ALPHA:
    case GAMMANET_CELL_MU:
      return dynamic ? 0 : c;
    case GAMMANET_CELL_KAPPA:
    case GAMMANET_CELL_OMEGA:
      return dynamic || !multiplicative ? 0 : c;
    default:
      return option(GAMMANET_CELL_NORMALIZE_INPUTS) != 0 &&
                     option(GAMMANET_CELL_NORMALIZATION) != kNone
                 ? c
                 : 0;
  }
}

CellStep cell_forward(const Cell &cell, Shape shape, const Values &x, const Values &e,
                      const Values &i) {
  CellMath math(cell, shape);
  return trace(cell, math, shape, x, or_zeros(e, shape.size()), or_zeros(i, shape.size())).step;
}

CellGradients cell_backward(const Cell &cell, Shape shape, const Values &x, const Values &e_or_none,
                            const Values &i_or_none, const Values &grad_new_e,
                            const Values &grad_new_i) {
  CellMath math(cell, shape);
  int64_t size = shape.size(), channels = shape.c;
  Values e = or_zeros(e_or_none, size), i = or_zeros(i_or_none, size);
  Trace t = trace(cell, math, shape, x, e, i);
  const CellStep &step = t.step;

  CellGradients grads;
  grads.x = zeros(size);
  grads.e = zeros(size);
  grads.i = zeros(size);
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    grads.parameters[at(place)] = zeros(cell.parameter_size(place));
  }
  auto grad_parameter = [&](int place) -> Values & { return grads.parameters[at(place)]; };
  auto convolution = [&](const Values &input, int place, const Values &output,
                         const Values &grad) {
    ConvGradients conv = conv_backward(input, shape, math.horizontal_weight(place), channels,
                                       cell.kernel, output, grad);
    add(grad_parameter(place), symmetric(conv.weight, channels, cell.kernel,
                                         cell.option(GAMMANET_CELL_SYMMETRY)));
    return conv.x;
  };

  /* (10) to (7). */
  Values grad_e = or_zeros(grad_new_e, size), grad_i = or_zeros(grad_new_i, size);
  Values grad_g = zeros(size), grad_q = zeros(size);
  for (size_t k = 0; k < grad_e.size(); ++k) {
    grad_g[k] = grad_e[k] * (step.q[k] - e[k]);
    grads.e[k] = grad_e[k] * (1 - step.g2[k]);
    grad_q[k] = grad_e[k] * step.g2[k];
  }
  math.gate_backward(t.mix, cell.parameter(GAMMANET_CELL_W_MIX), grad_g,
                     {&grads.e, &grad_q, &grad_i}, grad_parameter(GAMMANET_CELL_W_MIX),
                     grad_parameter(GAMMANET_CELL_B_MIX));
  Values grad_c = zeros(size);
  if (cell.option(GAMMANET_CELL_MULTIPLICATIVE) != 0) {
    Values grad_omega = zeros(size);
    for (size_t k = 0; k < grad_q.size(); ++k) {
      grad_omega[k] = grad_q[k] * step.c2[k];
      grad_c[k] = grad_q[k] * step.omega[k];
    }
    if (math.dynamic()) {
      math.circuit_backward({&step.new_i, &e}, GAMMANET_CELL_D_EXC, GAMMANET_CELL_D_EXC_BIAS,
                            {&step.kappa, &step.omega}, grad_q, grad_omega, {&grad_i, &grads.e},
                            grads);
    } else {
      bool forced = cell.option(GAMMANET_CELL_FORCE_OMEGA) != 0;
      for (size_t k = 0; k < grad_q.size(); ++k) {
        size_t c = k % at(channels);
        grad_parameter(GAMMANET_CELL_KAPPA)[c] += grad_q[k];
        if (!forced || cell.parameter(GAMMANET_CELL_OMEGA)[c] > 0) {
          grad_parameter(GAMMANET_CELL_OMEGA)[c] += grad_omega[k];
        }
      }
    }
  } else {
    for (size_t k = 0; k < grad_q.size(); ++k) {
      double grad = step.q_input[k] > 0 ? grad_q[k] : 0;
      grad_i[k] += grad;
      grad_c[k] = grad;
    }
  }
  /* (6). */
  add(grad_i, math.input_normalized_backward(
                  t.norm2, GAMMANET_CELL_N2_WEIGHT, GAMMANET_CELL_N2_BIAS,
                  convolution(step.n2, GAMMANET_CELL_W_EXC, step.c2, grad_c), grads));

  /* (5) to (2). */
  Values grad_alpha = zeros(size), grad_mu = zeros(size);
  for (size_t k = 0; k < grad_i.size(); ++k) {
    grad_g[k] = grad_i[k] * (step.s[k] - i[k]);
    grads.i[k] = grad_i[k] * (1 - step.g1[k]);
    double grad_s = step.rectified_input[k] > 0 ? grad_i[k] * step.g1[k] : 0;
    grads.x[k] = grad_s;
    grad_alpha[k] = -grad_s * i[k] * step.c1[k];
    grad_mu[k] = -grad_s * step.c1[k];
    grads.i[k] -= grad_s * step.alpha[k] * step.c1[k];
    grad_c[k] = -grad_s * (step.alpha[k] * i[k] + step.mu[k]);
  }
  math.gate_backward(t.gain, cell.parameter(GAMMANET_CELL_W_GAIN), grad_g,
                     {&grads.e, &grads.i, &grads.x}, grad_parameter(GAMMANET_CELL_W_GAIN),
                     grad_parameter(GAMMANET_CELL_B_GAIN));
  if (math.dynamic()) {
    math.circuit_backward({&i, &step.c1, &x}, GAMMANET_CELL_D_INH, GAMMANET_CELL_D_INH_BIAS,
                          {&step.alpha, &step.mu}, grad_alpha, grad_mu,
                          {&grads.i, &grad_c, &grads.x}, grads);
  } else {
    Values alpha = math.static_alpha();
    bool forced = cell.option(GAMMANET_CELL_FORCE_ALPHA) != 0;
    for (size_t k = 0; k < grad_i.size(); ++k) {
      size_t c = k % at(channels);
      double slope = forced ? alpha[c] * (1 - alpha[c]) : 1;
      grad_parameter(GAMMANET_CELL_ALPHA)[c] += grad_alpha[k] * slope;
      grad_parameter(GAMMANET_CELL_MU)[c] += grad_mu[k];
    }
  }
  /* (1). */
  add(grads.e, math.input_normalized_backward(
                   t.norm1, GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N1_BIAS,
                   convolution(step.n1, GAMMANET_CELL_W_INH, step.c1, grad_c), grads));
  return grads;
}

}  // namespace gammanet::reference
