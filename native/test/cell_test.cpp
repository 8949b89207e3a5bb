// The cell, against its equations in plain loops and double precision.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "testing.h"

namespace {

using Values = std::vector<double>;

struct Shape {
  int64_t n, c, h, w;
  int64_t pixels() const { return n * h * w; }
};

enum { kNone, kLayer, kInstance, kGroup };

// Normalizes [pixels, c] values over channels, over the pixels of each sample, or over both in
// groups.
void normalize(Values& x, const Shape& s, int64_t c, int kind, int64_t groups) {
  const int64_t area = s.h * s.w;
  auto set = [&](int64_t sample, int64_t p0, int64_t p1, int64_t c0, int64_t c1) {
    double mean = 0, variance = 0;
    const double count = static_cast<double>((p1 - p0) * (c1 - c0));
    auto each = [&](auto body) {
      for (int64_t p = p0; p < p1; ++p) {
        for (int64_t k = c0; k < c1; ++k) {
          body(x[static_cast<size_t>((sample * area + p) * c + k)]);
        }
      }
    };
    each([&](double v) { mean += v / count; });
    each([&](double v) { variance += (v - mean) * (v - mean) / count; });
    each([&](double& v) { v = (v - mean) / std::sqrt(variance + 1e-5); });
  };
  for (int64_t b = 0; b < s.n; ++b) {
    if (kind == kLayer) {
      for (int64_t p = 0; p < area; ++p) {
        set(b, p, p + 1, 0, c);
      }
    } else if (kind != kNone) {
      const int64_t width = kind == kInstance ? 1 : c / groups;
      for (int64_t k = 0; k < c; k += width) {
        set(b, 0, area, k, k + width);
      }
    }
  }
}

// weight [o, i, k, k] * x.
Values convolution(const Values& x, const Shape& s, int64_t i, const std::vector<float>& weight,
                   int64_t o, int64_t k) {
  Values out(static_cast<size_t>(s.pixels() * o));
  for (int64_t p = 0; p < s.pixels(); ++p) {
    const int64_t y = p / s.w % s.h, px = p % s.w;
    for (int64_t dy = -k / 2; dy <= k / 2; ++dy) {
      for (int64_t dx = -k / 2; dx <= k / 2; ++dx) {
        if (y + dy < 0 || y + dy >= s.h || px + dx < 0 || px + dx >= s.w) {
          continue;
        }
        const double* in = x.data() + (p + dy * s.w + dx) * i;
        for (int64_t r = 0; r < o; ++r) {
          double total = 0;
          for (int64_t j = 0; j < i; ++j) {
            total += in[j] * weight[static_cast<size_t>(((r * i + j) * k + dy + k / 2) * k + dx +
                                                        k / 2)];
          }
          out[static_cast<size_t>(p * o + r)] += total;
        }
      }
    }
  }
  return out;
}

Values joined(const std::vector<const Values*>& parts, const Shape& s) {
  Values out;
  for (int64_t p = 0; p < s.pixels(); ++p) {
    for (const Values* part : parts) {
      out.insert(out.end(), part->begin() + p * s.c, part->begin() + (p + 1) * s.c);
    }
  }
  return out;
}

std::vector<float> symmetric(const std::vector<float>& w, int64_t c, int64_t k, int32_t kind) {
  std::vector<float> out(w.size());
  auto at = [&](int64_t o, int64_t i, int64_t y, int64_t x) {
    return static_cast<size_t>(((o * c + i) * k + y) * k + x);
  };
  for (int64_t o = 0; o < c; ++o) {
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t y = 0; y < k; ++y) {
        for (int64_t x = 0; x < k; ++x) {
          const float here = w[at(o, i, y, x)], channel = w[at(i, o, y, x)];
          const float space = w[at(o, i, x, y)], both = w[at(i, o, x, y)];
          out[at(o, i, y, x)] = kind == 0   ? here
                                : kind == 1 ? (here + channel) / 2
                                : kind == 2 ? (here + space) / 2
                                            : (here + channel + space + both) / 4;
        }
      }
    }
  }
  return out;
}

struct Cell {
  Shape shape;
  int64_t k;
  int32_t options[GAMMANET_CELL_OPTIONS];
  std::vector<float> parameters[GAMMANET_CELL_PARAMETERS];

  double vector(int place, int64_t j) const {
    return parameters[place][static_cast<size_t>(j)];
  }
  double activated(double x) const {
    return options[GAMMANET_CELL_CIRCUIT] == 1 ? (x > 20 ? x : std::log1p(std::exp(x)))
                                               : 1 / (1 + std::exp(-x));
  }
  Values horizontal(Values input, int weight, int norm) const {
    const int kind = options[GAMMANET_CELL_NORMALIZATION];
    if (options[GAMMANET_CELL_NORMALIZE_INPUTS] && kind != kNone) {
      normalize(input, shape, shape.c, kind, std::min<int64_t>(8, shape.c));
      for (size_t j = 0; j < input.size(); ++j) {
        const int64_t channel = static_cast<int64_t>(j) % shape.c;
        input[j] = input[j] * vector(norm, channel) + vector(norm + 1, channel);
      }
    }
    Values out = convolution(input, shape, shape.c,
                             symmetric(parameters[weight], shape.c, k,
                                       options[GAMMANET_CELL_SYMMETRY]),
                             shape.c, k);
    for (double& v : out) {
      v = std::max(v, 0.0);
    }
    return out;
  }
  Values gate(Values input, int weight, int bias) const {
    const int kind = options[GAMMANET_CELL_NORMALIZATION];
    const int64_t c = shape.c, groups = std::min<int64_t>(8, c);
    const bool post = options[GAMMANET_CELL_GATE_NORM_POST] == 1;
    if (!post) {
      normalize(input, shape, 3 * c, kind, 3 * groups);
    }
    Values z = convolution(input, shape, 3 * c, parameters[weight], c, 1);
    if (post) {
      normalize(z, shape, c, kind, groups);
    }
    for (size_t j = 0; j < z.size(); ++j) {
      z[j] = 1 / (1 + std::exp(-(z[j] + vector(bias, static_cast<int64_t>(j) % c))));
    }
    return z;
  }
  // The parameter of element j: from a net's output, or stored.
  double parameter(const Values& net, size_t j, int64_t half, int place) const {
    const int64_t c = shape.c, channel = static_cast<int64_t>(j) % c;
    if (options[GAMMANET_CELL_CIRCUIT]) {
      const size_t at = static_cast<size_t>(static_cast<int64_t>(j) / c * 2 * c + half * c + channel);
      const int bias = place <= GAMMANET_CELL_MU ? GAMMANET_CELL_D_INH_BIAS
                                                 : GAMMANET_CELL_D_EXC_BIAS;
      return activated(net[at] + vector(bias, half * c + channel));
    }
    const double stored = vector(place, channel);
    return place == GAMMANET_CELL_ALPHA && options[GAMMANET_CELL_FORCE_ALPHA]
               ? 1 / (1 + std::exp(-stored))
           : place == GAMMANET_CELL_OMEGA && options[GAMMANET_CELL_FORCE_OMEGA]
               ? std::max(stored, 0.0)
               : stored;
  }

  // Replaces e and i by e' and i'.
  void step(const Values& x, Values& e, Values& i) const {
    const int64_t c = shape.c;
    const bool dynamic = options[GAMMANET_CELL_CIRCUIT] != 0;
    const Values c1 = horizontal(e, GAMMANET_CELL_W_INH, GAMMANET_CELL_N1_WEIGHT);
    Values net;
    if (dynamic) {
      net = convolution(joined({&i, &c1, &x}, shape), shape, 3 * c,
                        parameters[GAMMANET_CELL_D_INH], 2 * c, 1);
    }
    const Values g1 =
        gate(joined({&e, &i, &x}, shape), GAMMANET_CELL_W_GAIN, GAMMANET_CELL_B_GAIN);
    Values next_i(i.size());
    for (size_t j = 0; j < x.size(); ++j) {
      const double alpha = parameter(net, j, 0, GAMMANET_CELL_ALPHA);
      const double mu = parameter(net, j, 1, GAMMANET_CELL_MU);
      const double s = std::max(0.0, x[j] - (alpha * i[j] + mu) * c1[j]);
      next_i[j] = (1 - g1[j]) * i[j] + g1[j] * s;
    }
    i = next_i;
    const Values c2 = horizontal(i, GAMMANET_CELL_W_EXC, GAMMANET_CELL_N2_WEIGHT);
    const bool multiplicative = options[GAMMANET_CELL_MULTIPLICATIVE] == 1;
    if (dynamic && multiplicative) {
      net = convolution(joined({&i, &e}, shape), shape, 2 * c, parameters[GAMMANET_CELL_D_EXC],
                        2 * c, 1);
    }
    Values q(x.size());
    for (size_t j = 0; j < x.size(); ++j) {
      q[j] = multiplicative ? parameter(net, j, 1, GAMMANET_CELL_OMEGA) * c2[j] +
                                  parameter(net, j, 0, GAMMANET_CELL_KAPPA)
                            : std::max(0.0, i[j] + c2[j]);
    }
    const Values g2 = gate(joined({&e, &q, &i}, shape), GAMMANET_CELL_W_MIX, GAMMANET_CELL_B_MIX);
    for (size_t j = 0; j < x.size(); ++j) {
      e[j] = (1 - g2[j]) * e[j] + g2[j] * q[j];
    }
  }
};

// Fills the parameters that the options ask for and makes their tensors.
std::vector<TestTensor> make_parameters(Cell& cell, Random& random,
                                        AtenTensorHandle (&handles)[GAMMANET_CELL_PARAMETERS]) {
  const int64_t c = cell.shape.c, k = cell.k;
  const bool dynamic = cell.options[GAMMANET_CELL_CIRCUIT] != 0;
  const bool multiplicative = cell.options[GAMMANET_CELL_MULTIPLICATIVE] == 1;
  const bool norms = cell.options[GAMMANET_CELL_NORMALIZE_INPUTS] == 1 &&
                     cell.options[GAMMANET_CELL_NORMALIZATION] != kNone;
  std::vector<TestTensor> tensors;
  tensors.reserve(GAMMANET_CELL_PARAMETERS);
  auto add = [&](int place, std::vector<int64_t> sizes, float low, float high) {
    tensors.emplace_back(std::move(sizes)).fill(random, low, high);
    cell.parameters[place] = tensors.back().values();
    handles[place] = tensors.back().handle();
  };
  for (auto& handle : handles) {
    handle = nullptr;
  }
  auto scale = [](int64_t fan) { return std::sqrt(3.0f / static_cast<float>(fan)); };
  const float wide = scale(c * k * k), gate = scale(3 * c), net = 0.5f * scale(3 * c);
  add(GAMMANET_CELL_W_INH, {c, c, k, k}, -wide, wide);
  add(GAMMANET_CELL_W_EXC, {c, c, k, k}, -wide, wide);
  add(GAMMANET_CELL_W_GAIN, {c, 3 * c, 1, 1}, -gate, gate);
  add(GAMMANET_CELL_W_MIX, {c, 3 * c, 1, 1}, -gate, gate);
  add(GAMMANET_CELL_B_GAIN, {c}, -1, 1);
  add(GAMMANET_CELL_B_MIX, {1, c, 1, 1}, -1, 1);
  if (dynamic) {
    add(GAMMANET_CELL_D_INH, {2 * c, 3 * c, 1, 1}, -net, net);
    add(GAMMANET_CELL_D_INH_BIAS, {2 * c}, -1, 1);
    if (multiplicative) {
      add(GAMMANET_CELL_D_EXC, {2 * c, 2 * c, 1, 1}, -net, net);
      add(GAMMANET_CELL_D_EXC_BIAS, {2 * c}, -1, 1);
    }
  } else {
    add(GAMMANET_CELL_ALPHA, {c}, -0.5f, 1.5f);
    add(GAMMANET_CELL_MU, {c}, 0, 0.5f);
    if (multiplicative) {
      add(GAMMANET_CELL_KAPPA, {c}, -0.3f, 0.7f);
      add(GAMMANET_CELL_OMEGA, {c}, -0.3f, 0.7f);
    }
  }
  if (norms) {
    for (int place : {GAMMANET_CELL_N1_WEIGHT, GAMMANET_CELL_N2_WEIGHT}) {
      add(place, {c}, 0.75f, 1.25f);
      add(place + 1, {c}, -0.1f, 0.1f);
    }
  }
  return tensors;
}

double worst[2];

void test_step(const char* set, Cell& cell, Random& random, int states) {
  const Shape& s = cell.shape;
  AtenTensorHandle handles[GAMMANET_CELL_PARAMETERS];
  const std::vector<TestTensor> parameters = make_parameters(cell, random, handles);
  GammanetCell packed = nullptr;
  const bool half = cell.options[GAMMANET_CELL_PRECISION] == GAMMANET_PRECISION_BFLOAT16;
  const int32_t status = gammanet_cell_pack(handles, cell.options, &packed);
  if (half && status == GAMMANET_UNAVAILABLE) {
    return;
  }
  CHECK_OK(status);
  if (status != GAMMANET_OK) {
    return;
  }
  auto map = [&](float low, float high) {
    TestTensor t = TestTensor::map(s.n, s.c, s.h, s.w);
    t.fill(random, low, high);
    return t;
  };
  TestTensor x = map(-0.5f, 1.5f), e = map(0, 1), i = map(0, 1), new_e = map(7, 8);
  TestTensor new_i = map(7, 8), sum = map(-1, 1);
  // Bits: a state of zeros instead of e, of i; i is e; results in place; a sum.
  const bool no_e = states & 1, no_i = states & 2, shared = !no_e && !no_i && (states & 4);
  const bool in_place = states & 8, with_sum = states & 16;
  auto values = [](const TestTensor& t) { return Values(t.data(), t.data() + t.elements()); };
  Values expected_e = no_e ? Values(values(e).size()) : values(e);
  Values expected_i = no_i ? Values(expected_e.size()) : values(shared ? e : i);
  const Values before = values(sum);
  cell.step(values(x), expected_e, expected_i);
  const TestTensor& out_e = in_place && !no_e && !shared ? e : new_e;
  const TestTensor& out_i = in_place && !no_i && !shared ? i : new_i;
  CHECK_OK(gammanet_cell_forward(packed, x.handle(), no_e ? nullptr : e.handle(),
                                 no_i ? nullptr : (shared ? e : i).handle(), out_e.handle(),
                                 out_i.handle(), with_sum ? sum.handle() : nullptr));
  double error =
      std::max(greatest_difference(expected_e, out_e), greatest_difference(expected_i, out_i));
  if (with_sum) {
    for (size_t j = 0; j < before.size(); ++j) {
      expected_e[j] += before[j];
    }
    error = std::max(error, greatest_difference(expected_e, sum));
  }
  std::string text;
  for (int32_t option : cell.options) {
    text += " " + std::to_string(option);
  }
  CHECK(error < (half ? 0.1 : 5e-5), "%s, [%d, %d, %d, %d], k %d, options%s, states %d: %g", set,
        static_cast<int>(s.n), static_cast<int>(s.c), static_cast<int>(s.h),
        static_cast<int>(s.w), static_cast<int>(cell.k), text.c_str(), states, error);
  worst[half] = std::max(worst[half], error);
  CHECK_OK(gammanet_cell_free(packed));
}

void test_cells(const char* set) {
  Random random(5);
  worst[0] = worst[1] = 0;
  // The cells of the default network, then whatever there is.
  const Cell usual[] = {{{1, 64, 6, 7}, 3, {1, 0, 1, 0, 0, 1, 0, 0, 0, 0}, {}},
                        {{1, 64, 6, 7}, 1, {1, 0, 1, 0, 0, 1, 0, 0, 0, 0}, {}},
                        {{1, 160, 5, 5}, 3, {1, 0, 1, 0, 0, 1, 0, 0, 0, 0}, {}},
                        {{1, 64, 6, 7}, 3, {1, 0, 1, 0, 0, 1, 0, 0, 1, 0}, {}},
                        {{1, 64, 6, 7}, 1, {1, 0, 1, 0, 0, 1, 0, 0, 1, 0}, {}},
                        // Lines of more than one piece and tile.
                        {{2, 5, 6, 261}, 3, {1, 0, 1, 0, 0, 1, 0, 0, 0, 2}, {}},
                        {{1, 5, 3, 261}, 1, {0, 0, 2, 0, 0, 1, 0, 0, 0, 0}, {}}};
  for (Cell cell : usual) {
    for (int states : {0, 1, 2, 3, 8, 16, 24}) {
      test_step(set, cell, random, states);
    }
  }
  for (int repeat = 0; repeat < 120; ++repeat) {
    Cell cell{};
    static const int64_t channels[] = {1, 3, 8, 15, 16, 24, 31, 32, 40, 48};
    cell.shape = {random.integer(1, 2), channels[random.integer(0, 9)], random.integer(1, 7),
                  random.integer(1, 7)};
    cell.k = 2 * random.integer(0, 2) + 1;
    static const int32_t last[GAMMANET_CELL_OPTIONS] = {3, 1, 2, 1, 1, 1, 1, 3, 1, 2};
    for (int place = 0; place < GAMMANET_CELL_OPTIONS; ++place) {
      cell.options[place] = static_cast<int32_t>(random.integer(0, last[place]));
    }
    if (repeat % 3) {
      cell.options[GAMMANET_CELL_PRECISION] = 0;
    }
    if (cell.options[GAMMANET_CELL_NORMALIZATION] == kGroup && cell.shape.c > 8) {
      cell.shape.c = cell.shape.c / 8 * 8;
    }
    // A norm over few values enlarges rounding without bound.
    if (cell.options[GAMMANET_CELL_NORMALIZATION] >= kInstance) {
      cell.shape.h += 3;
      cell.shape.w += 3;
    } else if (cell.options[GAMMANET_CELL_NORMALIZATION] == kLayer) {
      cell.shape.c = std::max<int64_t>(cell.shape.c, 8);
    }
    set_threads(static_cast<uint32_t>(random.integer(1, 5)));
    test_step(set, cell, random, static_cast<int>(random.integer(0, 31)));
  }
  std::printf("%s: cells, greatest error %.1e, bfloat16 %.1e\n", set, worst[0], worst[1]);
}

void test_bad_arguments() {
  Random random(6);
  Cell cell{{1, 4, 3, 3}, 3, {1, 0, 1, 0, 0, 1, 0, 0, 0, 0}, {}};
  AtenTensorHandle handles[GAMMANET_CELL_PARAMETERS];
  const std::vector<TestTensor> parameters = make_parameters(cell, random, handles);
  GammanetCell packed = nullptr;
  CHECK_FAILS(gammanet_cell_pack(nullptr, cell.options, &packed), GAMMANET_INVALID_ARGUMENT,
              "parameters");
  CHECK_FAILS(gammanet_cell_pack(handles, nullptr, &packed), GAMMANET_INVALID_ARGUMENT, "options");
  CHECK_FAILS(gammanet_cell_pack(handles, cell.options, nullptr), GAMMANET_INVALID_ARGUMENT, "ret");
  for (int place = 0; place < GAMMANET_CELL_OPTIONS; ++place) {
    int32_t options[GAMMANET_CELL_OPTIONS];
    std::copy_n(cell.options, GAMMANET_CELL_OPTIONS, options);
    for (int32_t value : {-1, 99}) {
      options[place] = value;
      CHECK_FAILS(gammanet_cell_pack(handles, options, &packed), GAMMANET_INVALID_ARGUMENT, "");
    }
  }
  for (int place = 0; place <= GAMMANET_CELL_D_EXC_BIAS; ++place) {
    AtenTensorHandle kept = handles[place];
    handles[place] = nullptr;
    CHECK_FAILS(gammanet_cell_pack(handles, cell.options, &packed), GAMMANET_INVALID_ARGUMENT,
                "null");
    TestTensor wrong({5, 7});
    handles[place] = wrong.handle();
    CHECK_FAILS(gammanet_cell_pack(handles, cell.options, &packed), GAMMANET_INVALID_ARGUMENT, "");
    handles[place] = kept;
  }
  CHECK(packed == nullptr);
  CHECK_OK(gammanet_cell_pack(handles, cell.options, &packed));
  TestTensor maps[5] = {TestTensor::map(1, 4, 3, 3), TestTensor::map(1, 4, 3, 3),
                        TestTensor::map(1, 4, 3, 3), TestTensor::map(1, 4, 3, 3),
                        TestTensor::map(1, 4, 3, 3)};
  TestTensor other = TestTensor::map(1, 4, 3, 4);
  AtenTensorHandle x = maps[0].handle(), e = maps[1].handle(), i = maps[2].handle(),
                   a = maps[3].handle(), b = maps[4].handle();
  auto forward = [&](AtenTensorHandle drive, AtenTensorHandle old_e, AtenTensorHandle old_i,
                     AtenTensorHandle next_e, AtenTensorHandle next_i, AtenTensorHandle total) {
    return gammanet_cell_forward(packed, drive, old_e, old_i, next_e, next_i, total);
  };
  CHECK_FAILS(gammanet_cell_forward(nullptr, x, e, i, a, b, nullptr), GAMMANET_INVALID_ARGUMENT,
              "cell");
  CHECK_FAILS(forward(nullptr, e, i, a, b, nullptr), GAMMANET_INVALID_ARGUMENT, "x is null");
  CHECK_FAILS(forward(x, e, i, nullptr, b, nullptr), GAMMANET_INVALID_ARGUMENT, "new_e");
  CHECK_FAILS(forward(x, other.handle(), i, a, b, nullptr), GAMMANET_INVALID_ARGUMENT, "e must");
  CHECK_FAILS(forward(x, e, i, x, b, nullptr), GAMMANET_INVALID_ARGUMENT, "share");
  CHECK_FAILS(forward(x, e, i, a, a, nullptr), GAMMANET_INVALID_ARGUMENT, "share");
  CHECK_FAILS(forward(x, e, i, a, e, nullptr), GAMMANET_INVALID_ARGUMENT, "share");
  CHECK_FAILS(forward(x, e, i, a, b, x), GAMMANET_INVALID_ARGUMENT, "share");
  CHECK_OK(gammanet_cell_free(packed));
  CHECK_OK(gammanet_cell_free(nullptr));
}

}  // namespace

int main() {
  start_testing();
  for_each_instruction_set(test_cells);
  test_bad_arguments();
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
