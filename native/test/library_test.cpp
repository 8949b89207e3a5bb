// The library as a whole, and the layer normalisation.
#include <cmath>
#include <cstring>

#include "testing.h"

namespace {

void test_before_initialisation() {
  CHECK(gammanet_native_abi_version() == GAMMANET_NATIVE_ABI_VERSION);
  CHECK_FAILS(gammanet_channel_layer_norm_forward(nullptr, nullptr, nullptr, nullptr),
              GAMMANET_UNAVAILABLE, "gammanet_native_init");
  CHECK_FAILS(gammanet_native_init("/no/such/libtorch_cpu.so"), GAMMANET_UNAVAILABLE,
              "/no/such/libtorch_cpu.so");
}

void test_instruction_sets() {
  CHECK_FAILS(gammanet_force_instruction_set("mmx"), GAMMANET_UNAVAILABLE, "mmx");
  for_each_instruction_set([](const char* name) {
    CHECK(std::strcmp(gammanet_instruction_set(), name) == 0, "%s", name);
  });
}

void test_bad_tensors() {
  TestTensor map = TestTensor::map(1, 3, 2, 2);
  TestTensor plain({1, 3, 2, 2});
  TestTensor vector({3}), other({4}), flat({3, 2, 2});
  std::vector<float> memory(12);
  const std::vector<int64_t> sizes{1, 3, 2, 2}, strides{12, 1, 6, 3};
  AtenTensorHandle wide = make_tensor(memory.data(), sizes, strides, 7, 0, true);
  AtenTensorHandle far_away = make_tensor(memory.data(), sizes, strides, 6, 1, true);
  AtenTensorHandle undefined = make_tensor(nullptr, sizes, strides, 6, 0, false);
  AtenTensorHandle empty = make_tensor(memory.data(), {0, 3, 2, 2}, strides, 6, 0, true);
  auto norm = [](AtenTensorHandle x, AtenTensorHandle w, AtenTensorHandle b, AtenTensorHandle o) {
    return gammanet_channel_layer_norm_forward(x, w, b, o);
  };
  const AtenTensorHandle m = map.handle(), v = vector.handle();
  CHECK_FAILS(norm(nullptr, v, v, m), GAMMANET_INVALID_ARGUMENT, "x is null");
  CHECK_FAILS(norm(m, v, v, nullptr), GAMMANET_INVALID_ARGUMENT, "out is null");
  CHECK_FAILS(norm(m, v, nullptr, m), GAMMANET_INVALID_ARGUMENT, "together");
  CHECK_FAILS(norm(m, other.handle(), v, m), GAMMANET_INVALID_ARGUMENT, "3 elements");
  CHECK_FAILS(norm(plain.handle(), v, v, m), GAMMANET_INVALID_ARGUMENT, "channels-last");
  CHECK_FAILS(norm(flat.handle(), v, v, m), GAMMANET_INVALID_ARGUMENT, "[N, C, H, W]");
  CHECK_FAILS(norm(wide, v, v, m), GAMMANET_INVALID_ARGUMENT, "float32");
  CHECK_FAILS(norm(far_away, v, v, m), GAMMANET_UNAVAILABLE, "gammanet_native_init_cuda");
  CHECK_FAILS(norm(undefined, v, v, m), GAMMANET_INVALID_ARGUMENT, "undefined");
  CHECK_FAILS(norm(empty, v, v, m), GAMMANET_INVALID_ARGUMENT, "no elements");
  for (AtenTensorHandle t : {wide, far_away, undefined, empty}) {
    delete_tensor(t);
  }
}

void test_layer_norm(const char* set) {
  Random random(1);
  double worst = 0;
  for (int64_t c : {1, 3, 4, 8, 15, 16, 17, 31, 48, 64, 100, 512}) {
    const int64_t n = random.integer(1, 2), h = random.integer(1, 5), w = random.integer(1, 5);
    TestTensor x = TestTensor::map(n, c, h, w), out = TestTensor::map(n, c, h, w);
    TestTensor weight({c}), bias({c});
    x.fill(random, -1, 3);
    weight.fill(random, 0.5f, 1.5f);
    bias.fill(random, -1, 1);
    for (bool affine : {false, true}) {
      std::vector<double> expected(static_cast<size_t>(x.elements()));
      for (int64_t p = 0; p < n * h * w; ++p) {
        const float* in = x.data() + p * c;
        double mean = 0, variance = 0;
        for (int64_t k = 0; k < c; ++k) {
          mean += in[k] / static_cast<double>(c);
        }
        for (int64_t k = 0; k < c; ++k) {
          variance += (in[k] - mean) * (in[k] - mean) / static_cast<double>(c);
        }
        for (int64_t k = 0; k < c; ++k) {
          const double y = (in[k] - mean) / std::sqrt(variance + 1e-5);
          expected[static_cast<size_t>(p * c + k)] =
              affine ? y * weight.data()[k] + bias.data()[k] : y;
        }
      }
      CHECK_OK(gammanet_channel_layer_norm_forward(x.handle(), affine ? weight.handle() : nullptr,
                                                   affine ? bias.handle() : nullptr,
                                                   out.handle()));
      const double error = greatest_difference(expected, out);
      CHECK(error < 1e-5, "%s, %d channels: %g", set, static_cast<int>(c), error);
      worst = error > worst ? error : worst;
    }
    CHECK_OK(gammanet_channel_layer_norm_forward(x.handle(), weight.handle(), bias.handle(),
                                                 x.handle()));
    CHECK(greatest_difference(x.values(), out.values()) == 0, "%s, in place", set);
  }
  std::printf("%s: layer norm, greatest error %.1e\n", set, worst);
}

}  // namespace

int main() {
  test_before_initialisation();
  start_testing();
  test_instruction_sets();
  test_bad_tensors();
  for_each_instruction_set(test_layer_norm);
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
