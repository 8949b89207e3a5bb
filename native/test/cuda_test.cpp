// The CUDA side against the reference, where there is no GPU: the kernels run on the host, "CUDA"
// tensors lie in plain memory, and the stand-in for LibTorch computes the convolutions.
#include <cmath>
#include <cstring>

#include "random_cell.h"

using namespace gammanet::reference;

namespace {

double worst = 0;

void compare(const Values& expected, const TestTensor& actual, const std::string& what,
             double tolerance = 2e-4) {
  const double difference = relative_difference(expected, actual);
  CHECK(difference < tolerance, "%s: %g", what.c_str(), difference);
  worst = difference > worst ? difference : worst;
}

TestTensor new_map(Shape s) { return StepMaps::of(s); }

void test_cell(Random& random, CellOptions options, Shape shape, int64_t kernel, bool states,
               bool half) {
  options[GAMMANET_CELL_PRECISION] = half;
  RandomCell parameters(random, options, shape.c, kernel);
  StepMaps maps(random, shape);
  const std::string name = option_text(options) + ", C " + std::to_string(shape.c) + ", k " +
                           std::to_string(kernel) + (states ? "" : ", at rest") + ": ";
  const Values x = doubles(maps.x);
  const Values e = states ? doubles(maps.e) : Values(), i = states ? doubles(maps.i) : Values();
  GammanetCell cell = parameters.pack();
  const AtenTensorHandle e_handle = states ? maps.e.handle() : nullptr;
  const AtenTensorHandle i_handle = states ? maps.i.handle() : nullptr;

  const CellStep step = cell_forward(parameters.cell, shape, x, e, i);
  TestTensor new_e = new_map(shape), new_i = new_map(shape), sum = new_map(shape);
  sum.fill(1);
  CHECK_OK(gammanet_cell_forward(cell, maps.x.handle(), e_handle, i_handle, new_e.handle(),
                                 new_i.handle(), sum.handle()));
  Values expected_sum = step.new_e;
  for (double& value : expected_sum) {
    value += 1;
  }
  // bfloat16 keeps 8 bits, which norms of few values spread.
  const double tolerance = half ? 0.1 : 2e-4;
  compare(step.new_e, new_e, name + "e'", tolerance);
  compare(step.new_i, new_i, name + "i'", tolerance);
  compare(expected_sum, sum, name + "sum", tolerance);

  const CellGradients expected = cell_backward(parameters.cell, shape, x, e, i,
                                               doubles(maps.grad_e), doubles(maps.grad_i));
  TestTensor grad_x = new_map(shape), grad_e = new_map(shape), grad_i = new_map(shape);
  auto gradients = zero_gradients(parameters.cell);
  CHECK_OK(gammanet_cell_backward(cell, maps.x.handle(), e_handle, i_handle, nullptr,
                                  maps.grad_e.handle(), maps.grad_i.handle(), grad_x.handle(),
                                  grad_e.handle(), grad_i.handle(), handles_of(gradients).data()));
  CHECK_OK(gammanet_cell_free(cell));
  if (half) {
    // Rectified values may change sides; the forward pass has shown that halves are read right.
    for (const TestTensor* grad : {&grad_x, &grad_e, &grad_i}) {
      for (float value : grad->values()) {
        CHECK(std::isfinite(value), "%s", name.c_str());
      }
    }
    return;
  }
  compare(expected.x, grad_x, name + "grad x");
  compare(expected.e, grad_e, name + "grad e");
  compare(expected.i, grad_i, name + "grad i");
  for (size_t place = 0; place < gradients.size(); ++place) {
    if (gradients[place]) {
      compare(expected.parameters[place], *gradients[place],
              name + "parameter " + std::to_string(place));
    }
  }
}

void test_cells() {
  Random random(7);
  int32_t number = 0;
  for (int32_t norm = 0; norm < 4; ++norm) {
    for (int32_t post = 0; post < 2; ++post) {
      for (int32_t dynamic = 0; dynamic < 3; ++dynamic) {
        for (int repeat = 0; repeat < 2; ++repeat, ++number) {
          const Shape shape{random.integer(1, 2), norm == 3 && repeat ? 16 : 3 + 2 * repeat,
                            random.integer(3, 7), random.integer(3, 7)};
          test_cell(random, pattern_options(norm, post, dynamic, number), shape,
                    number % 3 == 0 ? 1 : 3, number % 5 != 0, false);
        }
      }
    }
  }
  std::printf("cells: greatest difference %.1e\n", worst);
  worst = 0;
  for (int32_t norm : {0, 1}) {
    test_cell(random, pattern_options(norm, 0, 1, norm), {1, 8, 6, 5}, 3, true, true);
  }
  // More pixels than a chunk of a reduction.
  test_cell(random, pattern_options(2, 0, 1, 1), {2, 3, 13, 11}, 1, true, false);
  std::printf("cells in bfloat16: greatest difference %.1e\n", worst);
}

void test_convolutions() {
  Random random(8);
  worst = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const int64_t in = random.integer(1, 7), out = random.integer(1, 7), k = repeat % 2 ? 3 : 1;
    const bool relu = repeat % 3 == 0;
    const Shape shape{2, in, random.integer(2, 6), random.integer(2, 6)};
    const Shape to{2, out, shape.h, shape.w};
    TestTensor x = new_map(shape), y = new_map(to), grad = new_map(to), grad_x = new_map(shape);
    TestTensor weight({out, in, k, k}), bias({out}), grad_weight({out, in, k, k}),
        grad_bias({out});
    x.fill(random, -1, 1);
    grad.fill(random, -1, 1);
    weight.fill(random, -0.5f, 0.5f);
    bias.fill(random, -0.5f, 0.5f);
    grad_weight.fill(0);
    grad_bias.fill(0);
    GammanetConv conv = nullptr;
    CHECK_OK(gammanet_conv_pack(weight.handle(), bias.handle(), GAMMANET_ALGORITHM_AUTO,
                                GAMMANET_PRECISION_FLOAT32, &conv));
    CHECK_OK(gammanet_conv_forward(conv, x.handle(), relu, y.handle()));
    compare(conv_forward(doubles(x), shape, doubles(weight), doubles(bias), out, k, relu), y,
            "convolution");
    CHECK_OK(gammanet_conv_backward(conv, x.handle(), relu ? y.handle() : nullptr, grad.handle(),
                                    grad_x.handle(), grad_weight.handle(), grad_bias.handle()));
    const ConvGradients expected = conv_backward(
        doubles(x), shape, doubles(weight), out, k, relu ? doubles(y) : Values(), doubles(grad));
    compare(expected.x, grad_x, "convolution's x");
    compare(expected.weight, grad_weight, "convolution's weight");
    compare(expected.bias, grad_bias, "convolution's bias");
    if (k == 1) {
      TestTensor pooled = TestTensor::map(2, out, shape.h / 2, shape.w / 2);
      CHECK_OK(gammanet_align_pool_forward(conv, x.handle(), pooled.handle()));
      compare(align_pool_forward(doubles(x), shape, doubles(weight), doubles(bias), out, false),
              pooled, "alignment and pooling");
      for (int64_t more : {0, 1, 5}) {
        TestTensor up = TestTensor::map(2, out, shape.h + more, 2 * shape.w);
        CHECK_OK(gammanet_project_up_forward(conv, x.handle(), up.handle()));
        compare(project_up_forward(doubles(x), shape, doubles(weight), doubles(bias), out,
                                   shape.h + more, 2 * shape.w),
                up, "projection");
      }
    }
    CHECK_OK(gammanet_conv_free(conv));
    TestTensor pooled = TestTensor::map(2, in, shape.h / 2, shape.w / 2);
    CHECK_OK(gammanet_align_pool_forward(nullptr, x.handle(), pooled.handle()));
    compare(align_pool_forward(doubles(x), shape, {}, {}, in, true), pooled, "pooling");
    TestTensor scale({in}), shift({in}), normalized = new_map(shape);
    scale.fill(random, 0.5f, 1.5f);
    shift.fill(random, -1, 1);
    CHECK_OK(gammanet_channel_layer_norm_forward(x.handle(), scale.handle(), shift.handle(),
                                                 normalized.handle()));
    compare(channel_layer_norm(doubles(x), shape, doubles(scale), doubles(shift)), normalized,
            "layer norm");
  }
  std::printf("convolutions and around: greatest difference %.1e\n", worst);
}

void test_errors() {
  Random random(9);
  const Shape shape{1, 4, 3, 3};
  RandomCell parameters(random, pattern_options(1, 0, 1, 0), 4, 3);
  GammanetCell cell = parameters.pack();
  TestTensor x = new_map(shape), e = new_map(shape), i = new_map(shape);
  set_cuda(false);
  TestTensor host = new_map(shape);
  set_cuda(true);
  TestTensor wide = TestTensor::map(1, 5, 3, 3);
  CHECK_FAILS(gammanet_cell_forward(cell, host.handle(), nullptr, nullptr, e.handle(), i.handle(),
                                    nullptr),
              GAMMANET_INVALID_ARGUMENT, "device");
  CHECK_FAILS(gammanet_cell_forward(cell, wide.handle(), nullptr, nullptr, e.handle(), i.handle(),
                                    nullptr),
              GAMMANET_INVALID_ARGUMENT, "[1, 4, 3, 3]");
  CHECK_FAILS(gammanet_cell_forward(cell, x.handle(), nullptr, nullptr, x.handle(), i.handle(),
                                    nullptr),
              GAMMANET_INVALID_ARGUMENT, "share memory");
  CHECK_OK(gammanet_cell_free(cell));
}

}  // namespace

int main() {
  start_testing();
  CHECK_FAILS(gammanet_native_init_cuda(nullptr), GAMMANET_INVALID_ARGUMENT, "null");
  CHECK_FAILS(gammanet_native_init_cuda("/no/such/libgammanet_cuda.so"), GAMMANET_UNAVAILABLE,
              "/no/such/libgammanet_cuda.so");
  CHECK_FAILS(gammanet_native_init_cuda(FAKE_TORCH), GAMMANET_UNAVAILABLE, "CUDA kernels");
  CHECK_OK(gammanet_native_init_cuda(CUDA_ON_HOST));
  set_cuda(true);
  const int64_t before = live_tensors();
  test_cells();
  test_convolutions();
  test_errors();
  CHECK(live_tensors() == before, "%d tensors are left", static_cast<int>(live_tensors() - before));
  return finish_testing();
}
