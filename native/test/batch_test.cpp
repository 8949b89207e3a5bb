// The results of a sample are the same to the last bit in whatever batch it is, at whatever place,
// and with any number of threads.
#include <cstring>

#include "random_cell.h"

namespace {

constexpr int64_t kBatch = 4;

// Sample b of a feature map.
TestTensor sample_of(const TestTensor& map, int64_t b) {
  const auto& s = map.sizes();
  TestTensor result = TestTensor::map(1, s[1], s[2], s[3]);
  const size_t size = static_cast<size_t>(result.elements());
  std::memcpy(result.data(), map.data() + static_cast<int64_t>(size) * b, size * sizeof(float));
  return result;
}

// forward(inputs, outputs): calls a function on feature maps of any batch size.
template <class Forward>
void check(const std::vector<const TestTensor*>& inputs, std::vector<TestTensor>& outputs,
           const std::string& name, const Forward& forward) {
  auto handles = [](const auto& tensors) {
    std::vector<AtenTensorHandle> result;
    for (const auto& tensor : tensors) {
      result.push_back(tensor.handle());
    }
    return result;
  };
  for (uint32_t threads : {1u, 2u, 4u}) {
    set_threads(threads);
    std::vector<AtenTensorHandle> all;
    for (const TestTensor* input : inputs) {
      all.push_back(input->handle());
    }
    forward(all, handles(outputs));
    set_threads(threads % 3 + 1);
    for (int64_t b = 0; b < kBatch; ++b) {
      std::vector<TestTensor> in, out;
      for (const TestTensor* input : inputs) {
        in.push_back(sample_of(*input, b));
      }
      for (const TestTensor& output : outputs) {
        out.push_back(sample_of(output, b));
        out.back().fill(-7);
      }
      forward(handles(in), handles(out));
      for (size_t k = 0; k < outputs.size(); ++k) {
        CHECK(std::memcmp(out[k].data(), sample_of(outputs[k], b).data(),
                          static_cast<size_t>(out[k].elements()) * sizeof(float)) == 0,
              "%s, output %d of sample %d, %d threads", name.c_str(), static_cast<int>(k),
              static_cast<int>(b), static_cast<int>(threads));
      }
    }
  }
  set_threads(2);
}

void test_convolutions(const char* set, int32_t precision) {
  Random random(21);
  const int64_t shapes[][5] = {{3, 16, 3, 21, 18},  {16, 24, 3, 13, 30}, {40, 48, 3, 9, 11},
                               {160, 192, 3, 12, 9}, {24, 40, 1, 15, 14}, {5, 7, 5, 10, 9}};
  for (const auto& s : shapes) {
    TestTensor weight({s[1], s[0], s[2], s[2]}), bias({s[1]});
    weight.fill(random, -0.2f, 0.2f);
    bias.fill(random, -0.2f, 0.2f);
    TestTensor x = TestTensor::map(kBatch, s[0], s[3], s[4]);
    x.fill(random, -1, 1);
    GammanetConv conv = nullptr;
    const int32_t status = gammanet_conv_pack(weight.handle(), bias.handle(),
                                              GAMMANET_ALGORITHM_AUTO, precision, &conv);
    if (status == GAMMANET_UNAVAILABLE) {
      return;
    }
    CHECK_OK(status);
    const std::string name = std::string(set) + ", precision " + std::to_string(precision) +
                             ", " + std::to_string(s[0]) + " to " + std::to_string(s[1]);
    std::vector<TestTensor> out;
    out.push_back(TestTensor::map(kBatch, s[1], s[3], s[4]));
    check({&x}, out, name, [&](const auto& in, const auto& to) {
      CHECK_OK(gammanet_conv_forward(conv, in[0], 1, to[0]));
    });
    if (s[2] == 1) {
      std::vector<TestTensor> pooled, up;
      pooled.push_back(TestTensor::map(kBatch, s[1], s[3] / 2, s[4] / 2));
      check({&x}, pooled, name + " pooled", [&](const auto& in, const auto& to) {
        CHECK_OK(gammanet_align_pool_forward(conv, in[0], to[0]));
      });
      up.push_back(TestTensor::map(kBatch, s[1], 2 * s[3] + 1, 2 * s[4]));
      check({&x}, up, name + " projected", [&](const auto& in, const auto& to) {
        CHECK_OK(gammanet_project_up_forward(conv, in[0], to[0]));
      });
    }
    CHECK_OK(gammanet_conv_free(conv));
  }
}

void test_cells(const char* set, int32_t precision) {
  Random random(22);
  int32_t number = 0;
  for (int32_t norm = 0; norm < 4; ++norm) {
    for (int32_t post = 0; post < 2; ++post, ++number) {
      CellOptions options = pattern_options(norm, post, 1 + number % 2, number);
      options[GAMMANET_CELL_PRECISION] = precision;
      RandomCell cell(random, options, number % 2 ? 32 : 24, number % 4 == 3 ? 1 : 3);
      const Shape shape{kBatch, cell.cell.channels, 17, 13};
      StepMaps maps(random, shape);
      GammanetCell packed = nullptr;
      const int32_t status =
          gammanet_cell_pack(cell.handles().data(), options.data(), &packed);
      if (status == GAMMANET_UNAVAILABLE) {
        return;
      }
      CHECK_OK(status);
      std::vector<TestTensor> out;
      out.push_back(StepMaps::of(shape));
      out.push_back(StepMaps::of(shape));
      check({&maps.x, &maps.e, &maps.i}, out,
            std::string(set) + ", cell" + option_text(options),
            [&](const auto& in, const auto& to) {
              CHECK_OK(gammanet_cell_forward(packed, in[0], in[1], in[2], to[0], to[1], nullptr));
            });
      CHECK_OK(gammanet_cell_free(packed));
    }
  }
}

}  // namespace

int main() {
  start_testing();
  for_each_instruction_set([](const char* set) {
    for (int32_t precision : {GAMMANET_PRECISION_FLOAT32, GAMMANET_PRECISION_BFLOAT16}) {
      test_convolutions(set, precision);
      test_cells(set, precision);
    }
  });
  return finish_testing();
}
