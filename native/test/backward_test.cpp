// The gradients of the cell and of convolutions against the reference, for every instruction set,
// on random shapes with tails; the same with any number of threads.
#include "random_cell.h"

using gammanet::reference::cell_backward;
using gammanet::reference::CellGradients;
using gammanet::reference::conv_backward;
using gammanet::reference::conv_forward;
using gammanet::reference::ConvGradients;

namespace {

// Of float32 sums in the units of relative_difference; Winograd's convolutions lose more.
constexpr double kTolerance = 2e-4;
double worst = 0;

void compare(const Values& expected, const TestTensor& actual, const std::string& what,
             double tolerance = kTolerance) {
  const double difference = relative_difference(expected, actual);
  CHECK(difference < tolerance, "%s: %g", what.c_str(), difference);
  worst = difference > worst ? difference : worst;
}

// A gradient jumps where a rectified value is near 0: then float32 and the reference may differ.
bool near_a_kink(const Cell& cell, Shape shape, const StepMaps& maps, bool states) {
  const auto step = gammanet::reference::cell_forward(
      cell, shape, doubles(maps.x), states ? doubles(maps.e) : Values(),
      states ? doubles(maps.i) : Values());
  for (const Values* values : {&step.rectified_input, &step.q_input}) {
    if (values == &step.q_input && cell.option(GAMMANET_CELL_MULTIPLICATIVE) != 0) {
      continue;
    }
    for (double value : *values) {
      if (std::fabs(value) < 2e-6) {
        return true;
      }
    }
  }
  return false;
}

// Kept values are those that would be computed again: the same step, and the same gradients but for
// the sizes of tiles.
void test_kept(GammanetCell cell, const Cell& reference, Shape shape, const StepMaps& maps,
               bool states, const TestTensor* const (&expected_maps)[3],
               const std::vector<std::unique_ptr<TestTensor>>& expected, const std::string& what) {
  int64_t channels = -1;
  CHECK_OK(gammanet_cell_kept_channels(cell, &channels));
  const int32_t norm = reference.option(GAMMANET_CELL_NORMALIZATION);
  const bool none = norm > 1 || (norm == 1 && reference.parameter_size(GAMMANET_CELL_N1_BIAS) != 0);
  CHECK((channels == 0) == none, "%s: %d channels", what.c_str(), static_cast<int>(channels));
  if (channels == 0) {
    return;
  }
  auto map = [&] { return TestTensor::map(shape.n, shape.c, shape.h, shape.w); };
  TestTensor e = map(), i = map(), kept_e = map(), kept_i = map();
  TestTensor kept = TestTensor::map(shape.n, channels, shape.h, shape.w);
  const AtenTensorHandle from_e = states ? maps.e.handle() : nullptr;
  const AtenTensorHandle from_i = states ? maps.i.handle() : nullptr;
  CHECK_OK(gammanet_cell_forward(cell, maps.x.handle(), from_e, from_i, e.handle(), i.handle(),
                                 nullptr));
  CHECK_OK(gammanet_cell_forward_keeping(cell, maps.x.handle(), from_e, from_i, kept_e.handle(),
                                         kept_i.handle(), kept.handle()));
  compare(doubles(e), kept_e, what + "kept e'");
  compare(doubles(i), kept_i, what + "kept i'");
  TestTensor grad_x = map(), grad_e = map(), grad_i = map();
  auto gradients = zero_gradients(reference);
  CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), from_e, from_i, kept.handle(),
                                  maps.grad_e.handle(), maps.grad_i.handle(), grad_x.handle(),
                                  grad_e.handle(), grad_i.handle(), handles_of(gradients).data()));
  compare(doubles(*expected_maps[0]), grad_x, what + "kept, x");
  compare(doubles(*expected_maps[1]), grad_e, what + "kept, e");
  compare(doubles(*expected_maps[2]), grad_i, what + "kept, i");
  for (size_t place = 0; place < gradients.size(); ++place) {
    if (gradients[place]) {
      compare(doubles(*expected[place]), *gradients[place],
              what + "kept, parameter " + std::to_string(place));
    }
  }
}

void test_cell(Random& random, const CellOptions& options, Shape shape, int64_t kernel,
               bool states) {
  RandomCell parameters(random, options, shape.c, kernel);
  StepMaps maps(random, shape);
  const std::string name = option_text(options) + ", C " + std::to_string(shape.c) + ", " +
                           std::to_string(shape.n) + "x" + std::to_string(shape.h) + "x" +
                           std::to_string(shape.w) + ", k " + std::to_string(kernel) +
                           (states ? "" : ", at rest") + ": ";
  if (near_a_kink(parameters.cell, shape, maps, states)) {
    return;
  }
  const Values e = states ? doubles(maps.e) : Values(), i = states ? doubles(maps.i) : Values();
  const CellGradients expected =
      cell_backward(parameters.cell, shape, doubles(maps.x), e, i, doubles(maps.grad_e),
                    doubles(maps.grad_i));
  for_each_instruction_set([&](const char* set) {
    GammanetCell cell = parameters.pack();
    auto map = [&] { return TestTensor::map(shape.n, shape.c, shape.h, shape.w); };
    TestTensor grad_x = map(), grad_e = map(), grad_i = map();
    auto gradients = zero_gradients(parameters.cell);
    const std::vector<AtenTensorHandle> handles = handles_of(gradients);
    CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), states ? maps.e.handle() : nullptr,
                                    states ? maps.i.handle() : nullptr, nullptr,
                                    maps.grad_e.handle(), maps.grad_i.handle(), grad_x.handle(),
                                    grad_e.handle(), grad_i.handle(), handles.data()));
    const std::string what = name + set + " ";
    compare(expected.x, grad_x, what + "x");
    compare(expected.e, grad_e, what + "e");
    compare(expected.i, grad_i, what + "i");
    for (size_t place = 0; place < gradients.size(); ++place) {
      if (gradients[place]) {
        compare(expected.parameters[place], *gradients[place],
                what + "parameter " + std::to_string(place));
      }
    }
    test_kept(cell, parameters.cell, shape, maps, states, {&grad_x, &grad_e, &grad_i}, gradients,
              what);
    CHECK_OK(gammanet_cell_free(cell));
  });
}

void test_cells() {
  Random random(3);
  int32_t number = 0;
  const int64_t sizes[] = {1, 3, 5, 8, 16, 19, 24, 40};
  for (int32_t norm = 0; norm < 4; ++norm) {
    for (int32_t post = 0; post < 2; ++post) {
      for (int32_t dynamic = 0; dynamic < 3; ++dynamic) {
        for (int repeat = 0; repeat < 3; ++repeat, ++number) {
          const int64_t c = sizes[random.integer(0, norm == 3 ? 4 : 7)];
          // Norms of few values are steep: keep clear of the degenerate ones.
          const Shape shape{random.integer(1, 2), norm != 0 && c < 3 ? 3 : c,
                            random.integer(2, 9), random.integer(2, 11)};
          const int64_t kernel = number % 4 == 0 ? 1 : number % 4 == 1 ? 5 : 3;
          test_cell(random, pattern_options(norm, post, dynamic, number), shape, kernel,
                    number % 5 != 0);
        }
      }
    }
  }
  // Channels that fill whole vectors of one instruction set or another.
  for (int64_t c : {8, 16, 24}) {
    for (int32_t dynamic = 0; dynamic < 3; ++dynamic) {
      test_cell(random, pattern_options(dynamic % 2, 0, dynamic, 3), {2, c, 4, 3}, 3, true);
    }
  }
  // More pixels than a tile and than a chunk, and an image border inside a tile.
  for (int32_t norm : {0, 1, 2}) {
    test_cell(random, pattern_options(norm, norm == 2, 1, norm), {2, 8, 31, 37}, 3, true);
  }
  std::printf("cells: greatest difference %.1e\n", worst);
}

// What is not wanted may be left out, and gradients may be turned over in place.
void test_optional_outputs() {
  Random random(4);
  const Shape shape{1, 6, 5, 7};
  RandomCell parameters(random, pattern_options(1, 0, 1, 0), shape.c, 3);
  StepMaps maps(random, shape);
  GammanetCell cell = parameters.pack();
  const Values zeros(static_cast<size_t>(shape.size()), 0.0);
  auto map = [&] { return TestTensor::map(shape.n, shape.c, shape.h, shape.w); };
  const auto both = cell_backward(parameters.cell, shape, doubles(maps.x), doubles(maps.e),
                                  doubles(maps.i), doubles(maps.grad_e), doubles(maps.grad_i));
  {
    TestTensor grad_e = map(), grad_i = map();
    for (int64_t k = 0; k < shape.size(); ++k) {
      grad_e.data()[k] = maps.grad_e.data()[k];
      grad_i.data()[k] = maps.grad_i.data()[k];
    }
    CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), maps.e.handle(), maps.i.handle(),
                                    nullptr, grad_e.handle(), grad_i.handle(), nullptr,
                                    grad_e.handle(), grad_i.handle(), nullptr));
    compare(both.e, grad_e, "in place e");
    compare(both.i, grad_i, "in place i");
  }
  {
    const auto expected = cell_backward(parameters.cell, shape, doubles(maps.x), doubles(maps.e),
                                        doubles(maps.i), {}, doubles(maps.grad_i));
    TestTensor grad_x = map(), grad_weight({shape.c, shape.c, 3, 3});
    grad_weight.fill(2);
    std::vector<AtenTensorHandle> wanted(GAMMANET_CELL_PARAMETERS, nullptr);
    wanted[GAMMANET_CELL_W_INH] = grad_weight.handle();
    CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), maps.e.handle(), maps.i.handle(),
                                    nullptr, nullptr, maps.grad_i.handle(), grad_x.handle(),
                                    nullptr, nullptr, wanted.data()));
    compare(expected.x, grad_x, "x alone");
    Values sum = expected.parameters[GAMMANET_CELL_W_INH];
    for (double& value : sum) {
      value += 2;
    }
    compare(sum, grad_weight, "added to");
  }
  {
    // One tensor as both states.
    const auto expected = cell_backward(parameters.cell, shape, doubles(maps.x), doubles(maps.e),
                                        doubles(maps.e), doubles(maps.grad_e), {});
    TestTensor grad_e = map(), grad_i = map();
    CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), maps.e.handle(), maps.e.handle(),
                                    nullptr, maps.grad_e.handle(), nullptr, nullptr,
                                    grad_e.handle(), grad_i.handle(), nullptr));
    compare(expected.e, grad_e, "shared state e");
    compare(expected.i, grad_i, "shared state i");
  }
  CHECK_OK(gammanet_cell_free(cell));
}

void test_threads() {
  Random random(5);
  const Shape shape{2, 12, 33, 35};
  for (int32_t norm : {1, 2}) {
    RandomCell parameters(random, pattern_options(norm, 0, 1, 1), shape.c, 3);
    StepMaps maps(random, shape);
    GammanetCell cell = parameters.pack();
    std::vector<std::vector<float>> first;
    for (uint32_t threads : {1u, 2u, 5u}) {
      set_threads(threads);
      auto map = [&] { return TestTensor::map(shape.n, shape.c, shape.h, shape.w); };
      TestTensor grad_x = map(), grad_e = map(), grad_i = map();
      auto gradients = zero_gradients(parameters.cell);
      CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), maps.e.handle(), maps.i.handle(),
                                      nullptr, maps.grad_e.handle(), maps.grad_i.handle(),
                                      grad_x.handle(), grad_e.handle(), grad_i.handle(),
                                      handles_of(gradients).data()));
      std::vector<std::vector<float>> all{grad_x.values(), grad_e.values(), grad_i.values()};
      for (const auto& gradient : gradients) {
        all.push_back(gradient ? gradient->values() : std::vector<float>());
      }
      if (first.empty()) {
        first = all;
      }
      for (size_t k = 0; k < all.size(); ++k) {
        CHECK(greatest_difference(first[k], all[k]) == 0, "%d threads, result %d",
              static_cast<int>(threads), static_cast<int>(k));
      }
    }
    set_threads(2);
    CHECK_OK(gammanet_cell_free(cell));
  }
}

void test_convolutions() {
  Random random(6);
  worst = 0;
  for (int repeat = 0; repeat < 24; ++repeat) {
    const int64_t sizes[] = {1, 3, 7, 16, 24, 65};
    const int64_t in = sizes[random.integer(0, 5)], out = sizes[random.integer(0, 5)];
    const int64_t k = repeat % 4 == 0 ? 1 : repeat % 4 == 1 ? 5 : 3;
    // The largest ones have tiles enough for Winograd's weight gradient, in more than one chunk.
    const int64_t larger = repeat % 6 == 3 ? 5 : 1;
    const Shape shape{random.integer(1, 2), in, larger * random.integer(1, 9),
                      larger * random.integer(1, 19)};
    const bool relu = repeat % 2 == 1;
    TestTensor x = TestTensor::map(shape.n, in, shape.h, shape.w);
    TestTensor grad = TestTensor::map(shape.n, out, shape.h, shape.w);
    TestTensor y = TestTensor::map(shape.n, out, shape.h, shape.w);
    TestTensor weight({out, in, k, k}), bias({out});
    x.fill(random, -1, 1);
    grad.fill(random, -1, 1);
    weight.fill(random, -0.2f, 0.2f);
    bias.fill(random, -0.2f, 0.2f);
    for_each_instruction_set([&](const char* set) {
      GammanetConv conv = nullptr;
      CHECK_OK(gammanet_conv_pack(weight.handle(), bias.handle(), GAMMANET_ALGORITHM_AUTO,
                                  GAMMANET_PRECISION_FLOAT32, &conv));
      CHECK_OK(gammanet_conv_forward(conv, x.handle(), relu, y.handle()));
      const ConvGradients expected =
          conv_backward(doubles(x), shape, doubles(weight), out, k, relu ? doubles(y) : Values(),
                        doubles(grad));
      TestTensor grad_x = TestTensor::map(shape.n, in, shape.h, shape.w);
      TestTensor grad_weight({out, in, k, k}), grad_bias({out});
      grad_weight.fill(0);
      grad_bias.fill(0);
      CHECK_OK(gammanet_conv_backward(conv, x.handle(), relu ? y.handle() : nullptr,
                                      grad.handle(), grad_x.handle(), grad_weight.handle(),
                                      grad_bias.handle()));
      const std::string what = std::string("convolution ") + std::to_string(in) + " to " +
                               std::to_string(out) + ", k " + std::to_string(k) + ", " + set;
      compare(expected.x, grad_x, what + " x");
      compare(expected.weight, grad_weight, what + " weight");
      compare(expected.bias, grad_bias, what + " bias");
      CHECK_OK(gammanet_conv_free(conv));
    });
  }
  std::printf("convolutions: greatest difference %.1e\n", worst);
}

// The derivative of a function along a direction, by central differences.
template <class Function>
double along(Values at, const Values& direction, const Function& function) {
  constexpr double kStep = 1e-6;
  double values[2];
  for (int side = 0; side < 2; ++side) {
    for (size_t k = 0; k < at.size(); ++k) {
      at[k] += (side == 0 ? kStep : -2 * kStep) * direction[k];
    }
    values[side] = function(at);
  }
  return (values[0] - values[1]) / (2 * kStep);
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    sum += a[k] * b[k];
  }
  return sum;
}

// Alignment with pooling and feedback: along random directions of input and parameters, with bounds
// in units of what a change of all elements can do.
void test_layers() {
  Random random(7);
  double greatest = 0;
  struct Case {
    int64_t n, i, o, h, w, height, width;
    bool up, conv;
  };
  for (const Case& s : {Case{2, 16, 24, 9, 7, 4, 3, false, true},
                        Case{1, 5, 5, 8, 6, 4, 3, false, false},
                        Case{1, 40, 17, 2, 2, 1, 1, false, true},
                        Case{2, 24, 16, 5, 4, 10, 8, true, true},
                        Case{1, 17, 19, 3, 7, 7, 15, true, true},
                        Case{2, 8, 3, 6, 6, 4, 5, true, true},
                        Case{1, 5, 20, 4, 3, 4, 3, true, true}}) {
    const Shape shape{s.n, s.i, s.h, s.w};
    TestTensor x = TestTensor::map(s.n, s.i, s.h, s.w), weight({s.o, s.i, 1, 1}), bias({s.o});
    TestTensor grad = TestTensor::map(s.n, s.o, s.height, s.width);
    x.fill(random, -1, 1);
    weight.fill(random, -0.5f, 0.5f);
    bias.fill(random, -0.5f, 0.5f);
    grad.fill(random, -1, 1);
    auto objective = [&](const Values& at, const Values& w, const Values& b) {
      const Values out =
          s.up ? gammanet::reference::project_up_forward(at, shape, w, b, s.o, s.height, s.width)
               : gammanet::reference::align_pool_forward(at, shape, w, b, s.o, !s.conv);
      return dot(out, doubles(grad));
    };
    for_each_instruction_set([&](const char* set) {
      GammanetConv conv = nullptr;
      if (s.conv) {
        CHECK_OK(gammanet_conv_pack(weight.handle(), bias.handle(), GAMMANET_ALGORITHM_AUTO,
                                    GAMMANET_PRECISION_FLOAT32, &conv));
      }
      std::vector<std::vector<float>> first;
      for (uint32_t threads : {1u, 3u}) {
        set_threads(threads);
        TestTensor grad_x = TestTensor::map(s.n, s.i, s.h, s.w);
        TestTensor grad_weight({s.o, s.i, 1, 1}), grad_bias({s.o});
        grad_weight.fill(0);
        grad_bias.fill(0);
        CHECK_OK((s.up ? gammanet_project_up_backward : gammanet_align_pool_backward)(
            conv, x.handle(), grad.handle(), grad_x.handle(), grad_weight.handle(),
            grad_bias.handle()));
        const std::vector<std::vector<float>> all{grad_x.values(), grad_weight.values(),
                                                  grad_bias.values()};
        first = first.empty() ? all : first;
        CHECK(first == all, "%s, %d threads", set, static_cast<int>(threads));
        const Values at[3] = {doubles(x), doubles(weight), doubles(bias)};
        const Values found[3] = {doubles(grad_x), doubles(grad_weight), doubles(grad_bias)};
        for (int of = 0; of < (s.conv ? 3 : 1); ++of) {
          for (int repeat = 0; repeat < 4; ++repeat) {
            Values direction(at[of].size());
            for (double& d : direction) {
              d = random.uniform(-1, 1);
            }
            const double expected = along(at[of], direction, [&](const Values& moved) {
              return objective(of == 0 ? moved : at[0], of == 1 ? moved : at[1],
                               of == 2 ? moved : at[2]);
            });
            const double length = std::sqrt(dot(found[of], found[of])) + 1;
            const double difference = std::fabs(dot(found[of], direction) - expected) / length;
            greatest = std::fmax(greatest, difference);
            CHECK(difference < 1e-4, "%s, %s of %d to %d channels, gradient %d: %g", set,
                  s.up ? "feedback" : "alignment", static_cast<int>(s.i),
                  static_cast<int>(s.o), of, difference);
          }
        }
      }
      set_threads(2);
      CHECK_OK(gammanet_conv_free(conv));
    });
  }
  std::printf("layers: greatest difference %.1e\n", greatest);
}

}  // namespace

int main() {
  start_testing();
  test_cells();
  test_optional_outputs();
  test_threads();
  test_convolutions();
  test_layers();
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
