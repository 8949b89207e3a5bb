// Tensors, random numbers and checks for the tests of the kernels.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "gammanet_native.h"

// Counts a failure, with its place and a text made as by printf, unless the condition holds.
#define CHECK(condition, ...)                                          \
  do {                                                                 \
    if (!(condition)) {                                                \
      fail(__FILE__, __LINE__, #condition, testing_text(__VA_ARGS__)); \
    }                                                                  \
  } while (0)

void fail(const char* file, int line, const char* condition, const std::string& text);
inline std::string testing_text() { return ""; }
std::string testing_text(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The status is GAMMANET_OK; else the text of the failure is shown.
#define CHECK_OK(call)                                                 \
  do {                                                                 \
    const int32_t testing_status = (call);                             \
    CHECK(testing_status == GAMMANET_OK, "%s", gammanet_last_error()); \
  } while (0)

// The status is as expected and the text contains a word.
void check_failure(int32_t status, int32_t expected, const char* word, const char* call);
#define CHECK_FAILS(call, expected, word) check_failure((call), (expected), (word), #call)

// Opens the stand-in for LibTorch and initializes the library.
void start_testing();
// Prints how many checks failed; the program's exit code.
int finish_testing();

// Calls the test once for each instruction set that this processor has.
void for_each_instruction_set(const std::function<void(const char* name)>& test);

// A deterministic source of random numbers.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  // In [low, high).
  float uniform(float low, float high);
  // In [low, high].
  int64_t integer(int64_t low, int64_t high);

 private:
  uint64_t state_;
};

// A float32 tensor with its memory. Around the elements lie guards, so that a write beside them is
// noticed when the tensor is destroyed.
class TestTensor {
 public:
  // Contiguous, any number of dimensions.
  explicit TestTensor(std::vector<int64_t> sizes);
  // A channels-last map [n, c, h, w].
  static TestTensor map(int64_t n, int64_t c, int64_t h, int64_t w);
  TestTensor(TestTensor&& other) noexcept;
  TestTensor(const TestTensor&) = delete;
  ~TestTensor();

  TestTensor& fill(Random& random, float low, float high);
  TestTensor& fill(float value);
  AtenTensorHandle handle() const { return handle_; }
  float* data() const;
  int64_t elements() const { return elements_; }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  // Of a map.
  float& at(int64_t b, int64_t channel, int64_t y, int64_t x) const {
    return data()[((b * sizes_[2] + y) * sizes_[3] + x) * sizes_[1] + channel];
  }
  std::vector<float> values() const { return {data(), data() + elements_}; }

 private:
  TestTensor(std::vector<int64_t> sizes, const std::vector<int64_t>& strides);
  std::vector<int64_t> sizes_;
  int64_t elements_;
  std::vector<float> memory_;
  AtenTensorHandle handle_;
};

// A tensor of any description, also an impossible one; to be deleted with delete_tensor.
AtenTensorHandle make_tensor(void* data, std::vector<int64_t> sizes, std::vector<int64_t> strides,
                             int32_t dtype, int32_t device_type, bool defined);
void delete_tensor(AtenTensorHandle tensor);
void set_threads(uint32_t threads);
// Tensors that are made from now on say that they live on CUDA; their memory is the host's.
void set_cuda(bool cuda);
// Tensors of LibTorch that were made and not deleted.
int64_t live_tensors();
void* data_of(AtenTensorHandle tensor);

// The greatest |a - b|, where NaN equals only NaN (infinity otherwise).
double greatest_difference(const std::vector<float>& a, const std::vector<float>& b);
double greatest_difference(const std::vector<double>& expected, const TestTensor& actual);
