// Gradients in bfloat16 against the reference in double precision, within what the rounding of the
// factors allows, for every instruction set that has them.
#include "random_cell.h"

using gammanet::reference::cell_backward;
using gammanet::reference::CellGradients;
using gammanet::reference::conv_backward;
using gammanet::reference::ConvGradients;

namespace {

// A number that is rounded to bfloat16, to 8 bits, changes by so much of itself at most.
constexpr double kRounding = 1.0 / 256;

Values magnitudes(Values values) {
  for (double& value : values) {
    value = std::fabs(value);
  }
  return values;
}

void fill_inputs(Random& random, std::initializer_list<TestTensor*> tensors) {
  for (TestTensor* tensor : tensors) {
    tensor->fill(random, -1, 1);
  }
}

// Each element is a sum of products of two rounded factors: it may differ by two roundings of each
// product, and by the rounding of the float32 sum.
void compare_sums(const Values& expected, const Values& of_magnitudes, const TestTensor& actual,
                  double terms, const std::string& what) {
  double worst = 0;
  for (size_t k = 0; k < expected.size(); ++k) {
    const double bound =
        (2 * kRounding + kRounding * kRounding + terms * 0x1p-24) * of_magnitudes[k] + 1e-30;
    worst = std::fmax(worst, std::fabs(actual.data()[k] - expected[k]) / bound);
  }
  CHECK(worst <= 1, "%s: %g of the bound", what.c_str(), worst);
}

void test_convolution(Random& random, Shape shape, int64_t out, int64_t k, bool relu) {
  TestTensor x = TestTensor::map(shape.n, shape.c, shape.h, shape.w);
  TestTensor grad = TestTensor::map(shape.n, out, shape.h, shape.w);
  TestTensor y = TestTensor::map(shape.n, out, shape.h, shape.w);
  TestTensor weight({out, shape.c, k, k});
  fill_inputs(random, {&x, &grad, &y, &weight});
  const Values rectified = relu ? doubles(y) : Values();
  const ConvGradients expected =
      conv_backward(doubles(x), shape, doubles(weight), out, k, rectified, doubles(grad));
  const ConvGradients bound =
      conv_backward(magnitudes(doubles(x)), shape, magnitudes(doubles(weight)), out, k, rectified,
                    magnitudes(doubles(grad)));
  for_each_instruction_set([&](const char* set) {
    GammanetConv conv = nullptr;
    const int32_t status = gammanet_conv_pack(weight.handle(), nullptr, GAMMANET_ALGORITHM_AUTO,
                                              GAMMANET_PRECISION_BFLOAT16, &conv);
    if (status == GAMMANET_UNAVAILABLE) {
      return;
    }
    CHECK_OK(status);
    for (uint32_t threads : {1u, 3u}) {
      set_threads(threads);
      TestTensor grad_x = TestTensor::map(shape.n, shape.c, shape.h, shape.w);
      TestTensor grad_weight({out, shape.c, k, k});
      grad_weight.fill(0);
      CHECK_OK(gammanet_conv_backward(conv, x.handle(), relu ? y.handle() : nullptr,
                                      grad.handle(), grad_x.handle(), grad_weight.handle(),
                                      nullptr));
      const std::string what = std::string(set) + ", convolution of " + std::to_string(shape.c) +
                               " to " + std::to_string(out) + " channels, " +
                               std::to_string(shape.n) + "x" + std::to_string(shape.h) + "x" +
                               std::to_string(shape.w) + ", k " + std::to_string(k);
      compare_sums(expected.x, bound.x, grad_x, static_cast<double>(out * k * k), what + ", x");
      compare_sums(expected.weight, bound.weight, grad_weight,
                   static_cast<double>(shape.pixels()), what + ", weight");
    }
    set_threads(2);
    CHECK_OK(gammanet_conv_free(conv));
  });
}

void test_convolutions() {
  Random random(8);
  const int64_t sizes[] = {8, 16, 17, 24, 40, 64};
  for (int repeat = 0; repeat < 16; ++repeat) {
    const int64_t k = repeat % 4 == 0 ? 1 : repeat % 4 == 1 ? 5 : 3;
    test_convolution(random,
                     {random.integer(1, 3), sizes[random.integer(0, 5)], random.integer(1, 12),
                      random.integer(1, 37)},
                     sizes[random.integer(0, 5)], k, repeat % 2 == 1);
  }
  // More than one chunk.
  test_convolution(random, {2, 40, 50, 99}, 24, 3, true);
  test_convolution(random, {1, 40, 90, 99}, 72, 1, false);
}

double distance(const Values& a, const Values& b) {
  double square = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    square += (a[k] - b[k]) * (a[k] - b[k]);
  }
  return std::sqrt(square);
}

// To bfloat16.
Values rounded(Values values) {
  for (double& value : values) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);
    value = std::ldexp(std::nearbyint(fraction / kRounding) * kRounding, exponent);
  }
  return values;
}

// Lets all that is rectified be positive: at zero a rounding would switch a gradient on or off.
void keep_positive(Random& random, RandomCell& parameters, StepMaps& maps) {
  for (int place : {GAMMANET_CELL_W_INH, GAMMANET_CELL_W_EXC, GAMMANET_CELL_N1_BIAS,
                    GAMMANET_CELL_N2_BIAS}) {
    const size_t at = static_cast<size_t>(place);
    TestTensor* tensor = parameters.tensors[at].get();
    const bool kernel = place == GAMMANET_CELL_W_INH || place == GAMMANET_CELL_W_EXC;
    if (tensor != nullptr) {
      const float one = kernel ? 1.0f / static_cast<float>(tensor->elements() / tensor->sizes()[0])
                               : 4.0f;
      tensor->fill(random, 0.5f * one, one);
      parameters.cell.parameters[at] = doubles(*tensor);
    }
  }
  maps.x.fill(random, 3, 5);
  maps.e.fill(random, 0.5f, 1.5f);
  maps.i.fill(random, 0.5f, 1.5f);
}

void test_cells() {
  // What rounding weights, inputs and gradients changes is a measure of how steep a gradient is.
  // The kernels round what is computed of these, too: up to four times in a row, in the forward pass
  // and again in the backward one. A pixel that is left out shows as 30.
  constexpr double kTolerance = 8;
  Random random(9);
  double worst = 0;
  for (int32_t norm = 0; norm < 3; ++norm) {
    for (int64_t c : {16, 24, 40}) {
      for (int64_t k : {1, 3}) {
        CellOptions options{};
        options[GAMMANET_CELL_NORMALIZATION] = norm;
        options[GAMMANET_CELL_GATE_NORM_POST] = c == 24 ? 1 : 0;
        options[GAMMANET_CELL_CIRCUIT] =
            c == 40 ? GAMMANET_CIRCUIT_SIGMOID : GAMMANET_CIRCUIT_SOFTPLUS;
        options[GAMMANET_CELL_MULTIPLICATIVE] = 1;
        options[GAMMANET_CELL_NORMALIZE_INPUTS] = norm != 0 && c != 24;
        options[GAMMANET_CELL_SYMMETRY] =
            c == 40 ? GAMMANET_SYMMETRY_SPATIAL_CHANNEL : GAMMANET_SYMMETRY_NONE;
        options[GAMMANET_CELL_PRECISION] = GAMMANET_PRECISION_BFLOAT16;
        const Shape shape{2, c, 11, 23};
        RandomCell parameters(random, options, c, k);
        StepMaps maps(random, shape);
        keep_positive(random, parameters, maps);
        const CellGradients expected =
            cell_backward(parameters.cell, shape, doubles(maps.x), doubles(maps.e),
                          doubles(maps.i), doubles(maps.grad_e), doubles(maps.grad_i));
        Cell coarse = parameters.cell;
        for (int place : {GAMMANET_CELL_W_INH, GAMMANET_CELL_W_EXC, GAMMANET_CELL_W_GAIN,
                          GAMMANET_CELL_W_MIX, GAMMANET_CELL_D_INH, GAMMANET_CELL_D_EXC}) {
          Values& weights = coarse.parameters[static_cast<size_t>(place)];
          weights = rounded(weights);
        }
        const CellGradients moved =
            cell_backward(coarse, shape, rounded(doubles(maps.x)), rounded(doubles(maps.e)),
                          rounded(doubles(maps.i)), rounded(doubles(maps.grad_e)),
                          rounded(doubles(maps.grad_i)));
        for_each_instruction_set([&](const char* set) {
          GammanetCell cell = nullptr;
          const int32_t status = gammanet_cell_pack(parameters.handles().data(),
                                                    parameters.cell.options.data(), &cell);
          if (status == GAMMANET_UNAVAILABLE) {
            return;
          }
          CHECK_OK(status);
          auto map = [&] { return TestTensor::map(shape.n, c, shape.h, shape.w); };
          TestTensor grad_x = map(), grad_e = map(), grad_i = map();
          auto gradients = zero_gradients(parameters.cell);
          CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), maps.e.handle(), maps.i.handle(),
                                          nullptr, maps.grad_e.handle(), maps.grad_i.handle(),
                                          grad_x.handle(), grad_e.handle(), grad_i.handle(),
                                          handles_of(gradients).data()));
          auto check = [&](const Values& values, const Values& other, const TestTensor& actual,
                           const std::string& of) {
            const double found = distance(values, doubles(actual)) / distance(values, other);
            worst = std::fmax(worst, found);
            CHECK(found < kTolerance, "%s, normalization %d, %d channels, k %d, %s: %g", set,
                  static_cast<int>(norm), static_cast<int>(c), static_cast<int>(k), of.c_str(),
                  found);
          };
          check(expected.x, moved.x, grad_x, "x");
          check(expected.e, moved.e, grad_e, "e");
          check(expected.i, moved.i, grad_i, "i");
          for (size_t place = 0; place < gradients.size(); ++place) {
            if (gradients[place]) {
              check(expected.parameters[place], moved.parameters[place], *gradients[place],
                    "parameter " + std::to_string(place));
            }
          }
          CHECK_OK(gammanet_cell_free(cell));
        });
      }
    }
  }
  std::printf("cells: greatest difference %.1f times that of rounded inputs\n", worst);
}

}  // namespace

int main() {
  start_testing();
  test_convolutions();
  test_cells();
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
