// Convolutions and what surrounds the cells, against plain loops in double precision.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "testing.h"

namespace {

// weight * x.
std::vector<double> convolution(const TestTensor& x, const TestTensor& weight) {
  const auto &s = x.sizes(), &k = weight.sizes();
  std::vector<double> out(static_cast<size_t>(s[0] * s[2] * s[3] * k[0]));
  size_t at = 0;
  for (int64_t b = 0; b < s[0]; ++b) {
    for (int64_t y = 0; y < s[2]; ++y) {
      for (int64_t px = 0; px < s[3]; ++px) {
        for (int64_t o = 0; o < k[0]; ++o) {
          double total = 0;
          for (int64_t dy = 0; dy < k[2]; ++dy) {
            for (int64_t dx = 0; dx < k[3]; ++dx) {
              const int64_t iy = y + dy - k[2] / 2, ix = px + dx - k[3] / 2;
              if (iy < 0 || iy >= s[2] || ix < 0 || ix >= s[3]) {
                continue;
              }
              for (int64_t i = 0; i < s[1]; ++i) {
                total += static_cast<double>(x.at(b, i, iy, ix)) *
                         weight.data()[((o * s[1] + i) * k[2] + dy) * k[3] + dx];
              }
            }
          }
          out[at++] = total;
        }
      }
    }
  }
  return out;
}

// Adds a bias, if there is one, and rectifies.
std::vector<double> finished(std::vector<double> values, const TestTensor* bias, bool relu) {
  for (size_t j = 0; j < values.size(); ++j) {
    if (bias) {
      values[j] += bias->data()[j % static_cast<size_t>(bias->elements())];
    }
    values[j] = relu ? std::max(values[j], 0.0) : values[j];
  }
  return values;
}

struct Case {
  int64_t n, i, o, k, h, w;
};

struct Convolution {
  explicit Convolution(const Case& s, Random& random)
      : shape(s),
        x(TestTensor::map(s.n, s.i, s.h, s.w)),
        weight({s.o, s.i, s.k, s.k}),
        bias({s.o}) {
    const float scale = std::sqrt(3.0f / static_cast<float>(s.i * s.k * s.k));
    x.fill(random, -1, 2);
    weight.fill(random, -scale, scale);
    bias.fill(random, -0.5f, 0.5f);
    expected = convolution(x, weight);
  }
  Case shape;
  TestTensor x, weight, bias;
  std::vector<double> expected;
};

std::vector<Convolution> make_convolutions() {
  Random random(2);
  // The last but one takes several batches of tiles, the last more than one piece of a line.
  std::vector<Case> cases = {{1, 3, 64, 3, 9, 13},    {2, 64, 64, 3, 8, 12}, {1, 17, 33, 3, 7, 5},
                             {1, 64, 1, 1, 5, 7},     {1, 1, 1, 3, 1, 1},    {2, 5, 7, 5, 3, 2},
                             {1, 160, 200, 3, 6, 9},  {1, 32, 16, 15, 4, 5}, {1, 48, 48, 3, 13, 30},
                             {1, 8, 3200, 3, 4, 104}, {2, 8, 6, 3, 6, 250}};
  for (int repeat = 0; repeat < 6; ++repeat) {
    cases.push_back({random.integer(1, 3), random.integer(1, 40), random.integer(1, 70),
                     2 * random.integer(0, 2) + 1, random.integer(1, 14), random.integer(1, 14)});
  }
  std::vector<Convolution> result;
  result.reserve(cases.size());
  for (const Case& s : cases) {
    result.emplace_back(s, random);
  }
  return result;
}

void test_convolution(const char* set, const std::vector<Convolution>& convolutions) {
  Random random(3);
  double worst = 0, worst_bf16 = 0;
  for (const Convolution& c : convolutions) {
    const Case& s = c.shape;
    TestTensor out = TestTensor::map(s.n, s.o, s.h, s.w);
    for (int32_t algorithm : {GAMMANET_ALGORITHM_AUTO, GAMMANET_ALGORITHM_DIRECT,
                              GAMMANET_ALGORITHM_WINOGRAD}) {
      for (int32_t precision : {GAMMANET_PRECISION_FLOAT32, GAMMANET_PRECISION_BFLOAT16}) {
        const bool relu = random.integer(0, 1) == 1, with_bias = random.integer(0, 1) == 1;
        GammanetConv conv = nullptr;
        const int32_t status =
            gammanet_conv_pack(c.weight.handle(), with_bias ? c.bias.handle() : nullptr, algorithm,
                               precision, &conv);
        if (precision == GAMMANET_PRECISION_BFLOAT16 && status == GAMMANET_UNAVAILABLE) {
          continue;
        }
        CHECK_OK(status);
        out.fill(NAN);
        set_threads(static_cast<uint32_t>(random.integer(1, 7)));
        CHECK_OK(gammanet_conv_forward(conv, c.x.handle(), relu, out.handle()));
        CHECK_OK(gammanet_conv_free(conv));
        const double error = greatest_difference(
            finished(c.expected, with_bias ? &c.bias : nullptr, relu), out);
        const bool half = precision == GAMMANET_PRECISION_BFLOAT16;
        CHECK(error < (half ? 5e-2 : 2e-5),
              "%s, algorithm %d, precision %d, [%d, %d->%d, %d, %d], k %d: %g", set,
              static_cast<int>(algorithm), static_cast<int>(precision), static_cast<int>(s.n),
              static_cast<int>(s.i), static_cast<int>(s.o), static_cast<int>(s.h),
              static_cast<int>(s.w), static_cast<int>(s.k), error);
        (half ? worst_bf16 : worst) = std::max(half ? worst_bf16 : worst, error);
      }
    }
  }
  std::printf("%s: convolutions, greatest error %.1e, bfloat16 %.1e\n", set, worst, worst_bf16);
}

// A NaN reaches the lines around it alone: not others by the memory that lines are copied to. With
// tiles it may reach one line more, as the factor of a weight of 0.
void test_reach(const char* set) {
  Random random(5);
  // Blocks of lines, of which the last has fewer.
  for (const Case& s : {Case{1, 3, 16, 3, 40, 18}, Case{1, 24, 5, 3, 17, 30}, Case{1, 5, 7, 5, 29, 20},
                        Case{2, 16, 16, 3, 15, 21}}) {
    TestTensor weight({s.o, s.i, s.k, s.k});
    weight.fill(random, -0.2f, 0.2f);
    TestTensor x = TestTensor::map(s.n, s.i, s.h, s.w), expected = TestTensor::map(s.n, s.o, s.h, s.w),
               out = TestTensor::map(s.n, s.o, s.h, s.w);
    x.fill(random, -1, 1);
    const int64_t in_line = s.w * s.i, out_line = s.w * s.o, lines = s.n * s.h;
    for (int32_t precision : {GAMMANET_PRECISION_FLOAT32, GAMMANET_PRECISION_BFLOAT16}) {
      GammanetConv conv = nullptr;
      const int32_t status = gammanet_conv_pack(weight.handle(), nullptr, GAMMANET_ALGORITHM_DIRECT,
                                                precision, &conv);
      if (precision == GAMMANET_PRECISION_BFLOAT16 && status == GAMMANET_UNAVAILABLE) {
        continue;
      }
      CHECK_OK(status);
      set_threads(1);
      CHECK_OK(gammanet_conv_forward(conv, x.handle(), 0, expected.handle()));
      for (int64_t y = 0; y < lines; ++y) {
        const std::vector<float> line(x.data() + y * in_line, x.data() + (y + 1) * in_line);
        std::fill_n(x.data() + y * in_line, in_line, NAN);
        CHECK_OK(gammanet_conv_forward(conv, x.handle(), 0, out.handle()));
        std::copy(line.begin(), line.end(), x.data() + y * in_line);
        for (int64_t at = 0; at < lines; ++at) {
          if (at / s.h != y / s.h || std::abs(at - y) > s.k / 2 + 1) {
            CHECK(std::memcmp(out.data() + at * out_line, expected.data() + at * out_line,
                              static_cast<size_t>(out_line) * sizeof(float)) == 0,
                  "%s, precision %d, %d to %d, a NaN in line %d reaches line %d", set,
                  static_cast<int>(precision), static_cast<int>(s.i), static_cast<int>(s.o),
                  static_cast<int>(y), static_cast<int>(at));
          }
        }
      }
      CHECK_OK(gammanet_conv_free(conv));
    }
  }
}

void test_align_pool(const char* set) {
  Random random(3);
  double worst = 0;
  for (const Case& s : {Case{1, 64, 64, 1, 8, 6}, Case{2, 17, 19, 1, 7, 5}, Case{1, 3, 40, 1, 2, 2},
                        Case{1, 5, 5, 1, 3, 9}}) {
    TestTensor x = TestTensor::map(s.n, s.i, s.h, s.w), weight({s.o, s.i, 1, 1}), bias({s.o});
    x.fill(random, -1, 1);
    weight.fill(random, -0.3f, 0.3f);
    bias.fill(random, -1, 1);
    for (bool with_conv : {true, false}) {
      if (!with_conv && s.i != s.o) {
        continue;
      }
      GammanetConv conv = nullptr;
      if (with_conv) {
        CHECK_OK(gammanet_conv_pack(weight.handle(), bias.handle(), GAMMANET_ALGORITHM_AUTO,
                                    GAMMANET_PRECISION_FLOAT32, &conv));
      }
      TestTensor out = TestTensor::map(s.n, s.o, s.h / 2, s.w / 2);
      CHECK_OK(gammanet_align_pool_forward(conv, x.handle(), out.handle()));
      CHECK_OK(gammanet_conv_free(conv));
      std::vector<double> full(x.data(), x.data() + x.elements());
      if (with_conv) {
        full = finished(convolution(x, weight), &bias, true);
      }
      std::vector<double> expected;
      for (int64_t b = 0; b < s.n; ++b) {
        for (int64_t y = 0; y < s.h / 2; ++y) {
          for (int64_t px = 0; px < s.w / 2; ++px) {
            for (int64_t c = 0; c < s.o; ++c) {
              double greatest = -1e30;
              for (int64_t j = 0; j < 4; ++j) {
                const int64_t pixel = (b * s.h + 2 * y + j / 2) * s.w + 2 * px + j % 2;
                greatest = std::max(greatest, full[static_cast<size_t>(pixel * s.o + c)]);
              }
              expected.push_back(greatest);
            }
          }
        }
      }
      const double error = greatest_difference(expected, out);
      CHECK(error < 1e-5, "%s: %g", set, error);
      worst = std::max(worst, error);
    }
  }
  std::printf("%s: alignment and pooling, greatest error %.1e\n", set, worst);
}

void test_project_up(const char* set) {
  Random random(4);
  double worst = 0;
  struct Sizes {
    int64_t n, i, o, h, w, height, width;
  };
  for (const Sizes& s : {Sizes{1, 64, 32, 5, 4, 10, 8}, Sizes{2, 17, 19, 3, 7, 7, 15},
                         Sizes{1, 8, 3, 6, 6, 4, 5}, Sizes{1, 5, 20, 4, 3, 4, 3},
                         Sizes{1, 3, 3, 1, 1, 2, 3}, Sizes{1, 16, 16, 40, 33, 80, 66}}) {
    TestTensor x = TestTensor::map(s.n, s.i, s.h, s.w), weight({s.o, s.i, 1, 1}), bias({s.o});
    TestTensor out = TestTensor::map(s.n, s.o, s.height, s.width);
    x.fill(random, -1, 1);
    weight.fill(random, -0.5f, 0.5f);
    bias.fill(random, -1, 1);
    GammanetConv conv = nullptr;
    CHECK_OK(gammanet_conv_pack(weight.handle(), bias.handle(), GAMMANET_ALGORITHM_AUTO,
                                GAMMANET_PRECISION_FLOAT32, &conv));
    CHECK_OK(gammanet_project_up_forward(conv, x.handle(), out.handle()));
    CHECK_OK(gammanet_conv_free(conv));
    std::vector<double> small = finished(convolution(x, weight), &bias, false);
    const int64_t pixels = s.h * s.w;
    for (int64_t b = 0; b < s.n; ++b) {
      for (int64_t c = 0; c < s.o; ++c) {
        auto at = [&](int64_t p) -> double& {
          return small[static_cast<size_t>((b * pixels + p) * s.o + c)];
        };
        double mean = 0, variance = 0;
        for (int64_t p = 0; p < pixels; ++p) {
          mean += at(p) / static_cast<double>(pixels);
        }
        for (int64_t p = 0; p < pixels; ++p) {
          variance += (at(p) - mean) * (at(p) - mean) / static_cast<double>(pixels);
        }
        for (int64_t p = 0; p < pixels; ++p) {
          const double y = (at(p) - mean) / std::sqrt(variance + 1e-5);
          at(p) = y > 0 ? y : std::expm1(y);
        }
      }
    }
    auto place = [](int64_t j, int64_t n, int64_t m, int64_t* first, int64_t* second) {
      const double p = std::max(
          0.0, (static_cast<double>(j) + 0.5) * static_cast<double>(n) / static_cast<double>(m) -
                   0.5);
      *first = static_cast<int64_t>(p);
      *second = std::min(*first + 1, n - 1);
      return p - static_cast<double>(*first);
    };
    std::vector<double> expected;
    for (int64_t b = 0; b < s.n; ++b) {
      for (int64_t y = 0; y < s.height; ++y) {
        for (int64_t px = 0; px < s.width; ++px) {
          int64_t top, bottom, left, right;
          const double fy = place(y, s.h, s.height, &top, &bottom);
          const double fx = place(px, s.w, s.width, &left, &right);
          for (int64_t c = 0; c < s.o; ++c) {
            auto at = [&](int64_t iy, int64_t ix) {
              return small[static_cast<size_t>((b * pixels + iy * s.w + ix) * s.o + c)];
            };
            expected.push_back((1 - fy) * ((1 - fx) * at(top, left) + fx * at(top, right)) +
                               fy * ((1 - fx) * at(bottom, left) + fx * at(bottom, right)));
          }
        }
      }
    }
    const double error = greatest_difference(expected, out);
    // A plane of one pixel, or of two alike, has variance 0: the rounding of its mean is enlarged.
    CHECK(error < (pixels < 4 ? 1e-3 : 2e-5), "%s: %g", set, error);
    worst = std::max(worst, error);
  }
  std::printf("%s: projection upwards, greatest error %.1e\n", set, worst);
}

void test_bad_arguments() {
  TestTensor weight({4, 3, 3, 3}), even({4, 3, 2, 2}), bias({4}), long_bias({5}), flat({4, 3});
  TestTensor x = TestTensor::map(1, 3, 4, 4), out = TestTensor::map(1, 4, 4, 4);
  TestTensor other = TestTensor::map(1, 4, 4, 5);
  weight.fill(0);
  GammanetConv conv = nullptr;
  auto pack = [&](AtenTensorHandle w, AtenTensorHandle b, int32_t algorithm, int32_t precision) {
    return gammanet_conv_pack(w, b, algorithm, precision, &conv);
  };
  CHECK_FAILS(pack(nullptr, nullptr, 0, 0), GAMMANET_INVALID_ARGUMENT, "weight is null");
  CHECK_FAILS(pack(even.handle(), nullptr, 0, 0), GAMMANET_INVALID_ARGUMENT, "odd");
  CHECK_FAILS(pack(flat.handle(), nullptr, 0, 0), GAMMANET_INVALID_ARGUMENT, "any");
  CHECK_FAILS(pack(weight.handle(), long_bias.handle(), 0, 0), GAMMANET_INVALID_ARGUMENT, "4 el");
  CHECK_FAILS(pack(weight.handle(), nullptr, 3, 0), GAMMANET_INVALID_ARGUMENT, "algorithm");
  CHECK_FAILS(pack(weight.handle(), nullptr, 0, -1), GAMMANET_INVALID_ARGUMENT, "precision");
  CHECK_FAILS(gammanet_conv_pack(weight.handle(), nullptr, 0, 0, nullptr),
              GAMMANET_INVALID_ARGUMENT, "ret");
  CHECK(conv == nullptr);
  CHECK_OK(pack(weight.handle(), bias.handle(), 0, 0));
  auto forward = [&](AtenTensorHandle in, AtenTensorHandle result) {
    return gammanet_conv_forward(conv, in, 0, result);
  };
  CHECK_FAILS(gammanet_conv_forward(nullptr, x.handle(), 0, out.handle()),
              GAMMANET_INVALID_ARGUMENT, "conv is null");
  CHECK_FAILS(gammanet_conv_forward(conv, x.handle(), 2, out.handle()), GAMMANET_INVALID_ARGUMENT,
              "relu");
  CHECK_FAILS(forward(out.handle(), out.handle()), GAMMANET_INVALID_ARGUMENT, "[1, 3, 4, 4]");
  CHECK_FAILS(forward(x.handle(), other.handle()), GAMMANET_INVALID_ARGUMENT, "[1, 4, 4, 4]");
  CHECK_FAILS(forward(nullptr, out.handle()), GAMMANET_INVALID_ARGUMENT, "x is null");
  CHECK_FAILS(gammanet_align_pool_forward(conv, x.handle(), out.handle()),
              GAMMANET_INVALID_ARGUMENT, "1x1");
  CHECK_FAILS(gammanet_project_up_forward(nullptr, x.handle(), out.handle()),
              GAMMANET_INVALID_ARGUMENT, "conv is null");
  CHECK_OK(gammanet_conv_free(conv));
  CHECK_OK(gammanet_conv_free(nullptr));
}

}  // namespace

int main() {
  start_testing();
  const std::vector<Convolution> convolutions = make_convolutions();
  for_each_instruction_set([&](const char* set) {
    test_convolution(set, convolutions);
    test_reach(set);
    test_align_pool(set);
    test_project_up(set);
  });
  test_bad_arguments();
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
