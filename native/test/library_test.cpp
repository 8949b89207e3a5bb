// The library as a whole, and the layer normalization.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "testing.h"

// Memory for everything but tensors, which runs out on demand.
static std::atomic<bool> out_of_memory{false};

void* operator new(size_t bytes) {
  void* memory = out_of_memory ? nullptr : std::malloc(bytes);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

void test_before_initialization() {
  CHECK(gammanet_native_abi_version() == GAMMANET_NATIVE_ABI_VERSION);
  CHECK_FAILS(gammanet_channel_layer_norm_forward(nullptr, nullptr, nullptr, nullptr),
              GAMMANET_UNAVAILABLE, "gammanet_native_init");
  CHECK_FAILS(gammanet_native_init("/no/such/libtorch_cpu.so"), GAMMANET_UNAVAILABLE,
              "/no/such/libtorch_cpu.so");
}

void set_environment(const char* name, const char* value) {
#ifdef _WIN32
  _putenv_s(name, value);
#else
  setenv(name, value, 1);
#endif
}

void test_unknown_instruction_set() {
  set_environment("GAMMANET_INSTRUCTION_SET", "avx-512");
  CHECK_FAILS(gammanet_native_init(nullptr), GAMMANET_UNAVAILABLE, "avx-512");
  set_environment("GAMMANET_INSTRUCTION_SET", "");
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

// A feature map, filled with one number.
struct Block {
  AtenTensorHandle map;
  float* data;
  int64_t elements;
  float number;
};

Block new_map(int64_t n, int64_t c, int64_t h, int64_t w, float number) {
  AtenTensorHandle map = nullptr;
  CHECK_OK(gammanet_map_new(n, c, h, w, &map));
  void* data = data_of(map);
  Block block{map, static_cast<float*>(data), n * c * h * w, number};
  CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0, "not aligned");
  std::fill_n(block.data, block.elements, number);
  return block;
}

void delete_map(const Block& block) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < block.elements; ++i) {
    wrong += block.data[i] != block.number;
  }
  CHECK(wrong == 0, "%d numbers of a map were overwritten", static_cast<int>(wrong));
  delete_tensor(block.map);
}

void test_maps() {
  AtenTensorHandle none = nullptr;
  CHECK_FAILS(gammanet_map_new(1, 1, 1, 1, nullptr), GAMMANET_INVALID_ARGUMENT, "ret is null");
  CHECK_FAILS(gammanet_map_new(1, 0, 1, 1, &none), GAMMANET_INVALID_ARGUMENT, "[1, 0, 1, 1]");
  CHECK_FAILS(gammanet_map_new(INT64_MAX, 2, 3, 4, &none), GAMMANET_INVALID_ARGUMENT, "map cannot");
  CHECK_FAILS(gammanet_keep_map_memory(-1), GAMMANET_INVALID_ARGUMENT, "-1");

  // A pass that is run again finds its memory where it was.
  float* places[2][4];
  for (auto& place : places) {
    Block blocks[4];
    for (int k = 0; k < 4; ++k) {
      blocks[k] = new_map(1, 16, 40 + k, 30, static_cast<float>(k));
      place[k] = blocks[k].data;
    }
    for (int k : {2, 0, 3, 1}) {
      delete_map(blocks[k]);
    }
  }
  CHECK(std::equal(places[0], places[0] + 4, places[1]), "the memory is not used again");

  // Whatever the order, on any threads, no two maps meet.
  const int64_t before = live_tensors();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([t] {
      Random random(static_cast<uint64_t>(t + 1));
      std::vector<Block> blocks;
      for (int step = 0; step < 400; ++step) {
        if (blocks.size() > 20 || (!blocks.empty() && random.integer(0, 2) == 0)) {
          const size_t at = static_cast<size_t>(
              random.integer(0, static_cast<int64_t>(blocks.size()) - 1));
          delete_map(blocks[at]);
          blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
        } else {
          blocks.push_back(new_map(1, random.integer(1, 64), random.integer(1, 60),
                                   random.integer(1, 60), static_cast<float>(step + 1000 * t)));
        }
      }
      for (const Block& block : blocks) {
        delete_map(block);
      }
    });
  }
  for (std::thread& t : threads) {
    t.join();
  }
  CHECK(live_tensors() == before, "tensors are left");

  // Freeing needs no memory: holes on both sides, on one, on none.
  {
    Block blocks[7];
    for (int k = 0; k < 7; ++k) {
      blocks[k] = new_map(1, 16, 40, 30, static_cast<float>(k));
    }
    out_of_memory = true;
    for (int k : {1, 3, 2, 5, 0, 6, 4}) {
      delete_map(blocks[k]);
    }
    out_of_memory = false;
  }

  // More than a segment, and nothing kept.
  CHECK_OK(gammanet_keep_map_memory(0));
  Block large = new_map(1, 64, 1024, 600, 3);
  Block small = new_map(1, 1, 1, 1, 4);
  delete_map(large);
  CHECK_OK(gammanet_release_scratch());
  delete_map(small);
  CHECK_OK(gammanet_keep_map_memory(INT64_C(1) << 30));
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

// The stand-in for LibTorch has none of its C++ functions.
static void test_cxx_functions() {
  TestTensor tensor({3});
  int32_t flag = 7;
  AtenTensorHandle gradient = nullptr;
  CHECK_FAILS(gammanet_torch_set_num_threads(0), GAMMANET_INVALID_ARGUMENT, "at least 1");
  CHECK_FAILS(gammanet_torch_set_num_threads(2), GAMMANET_UNAVAILABLE, "set_num_threads");
  CHECK_FAILS(gammanet_torch_requires_grad(nullptr, &flag), GAMMANET_INVALID_ARGUMENT, "null");
  CHECK_FAILS(gammanet_torch_grad(nullptr, &gradient), GAMMANET_INVALID_ARGUMENT, "null");
  CHECK_FAILS(gammanet_torch_bump_version(nullptr), GAMMANET_INVALID_ARGUMENT, "null");
  CHECK_FAILS(gammanet_torch_grad(tensor.handle(), &gradient), GAMMANET_UNAVAILABLE, "grad");
  CHECK(flag == 7 && gradient == nullptr);
}

int main() {
  test_before_initialization();
  test_unknown_instruction_set();
  start_testing();
  test_instruction_sets();
  test_bad_tensors();
  test_cxx_functions();
  test_maps();
  for_each_instruction_set(test_layer_norm);
  CHECK_OK(gammanet_release_scratch());
  return finish_testing();
}
