#include "testing.h"

#include <cmath>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "../src/system.h"

namespace {

int failures = 0;
void* fake = nullptr;
int32_t device_of_data = 0;
constexpr int64_t kGuard = 64;
constexpr float kGuardValue = -12345.678f;

template <class Function>
Function fake_function(const char* name) {
  return reinterpret_cast<Function>(gammanet::symbol(fake, name));
}

}  // namespace

std::string testing_text(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

void fail(const char* file, int line, const char* condition, const std::string& text) {
  if (++failures <= 20) {
    std::printf("%s:%d: not so: %s  %s\n", file, line, condition, text.c_str());
  }
}

void check_failure(int32_t status, int32_t expected, const char* word, const char* call) {
  CHECK(status == expected, "%s gives %d (%s), not %d", call, status, gammanet_last_error(),
        expected);
  CHECK(std::strstr(gammanet_last_error(), word) != nullptr, "%s: \"%s\" lacks \"%s\"", call,
        gammanet_last_error(), word);
}

void start_testing() {
  fake = gammanet::open_library(FAKE_TORCH);
  if (fake == nullptr) {
    std::printf("cannot open %s\n", FAKE_TORCH);
    std::exit(1);
  }
  CHECK_OK(gammanet_native_init(FAKE_TORCH));
}

int finish_testing() {
  std::printf(failures ? "%d checks failed\n" : "all checks hold\n", failures);
  return failures ? 1 : 0;
}

void for_each_instruction_set(const std::function<void(const char*)>& test) {
  for (const char* name : {"portable", "avx2", "avx512", "avx512-bf16", "amx", "tiles"}) {
    if (gammanet_force_instruction_set(name) == GAMMANET_OK) {
      test(name);
    }
  }
  CHECK_OK(gammanet_force_instruction_set("auto"));
}

uint64_t Random::next() {
  uint64_t z = (state_ += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

float Random::uniform(float low, float high) {
  return low + (high - low) * (static_cast<float>(next() >> 40) * 0x1p-24f);
}

int64_t Random::integer(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
}

AtenTensorHandle make_tensor(void* data, std::vector<int64_t> sizes, std::vector<int64_t> strides,
                             int32_t dtype, int32_t device_type, bool defined) {
  using Make = AtenTensorHandle (*)(void*, int64_t, const int64_t*, const int64_t*, int32_t,
                                    int32_t, bool);
  static const Make make = fake_function<Make>("fake_torch_tensor");
  return make(data, static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(), dtype,
              device_type, defined);
}

void delete_tensor(AtenTensorHandle tensor) {
  static const auto free_tensor =
      fake_function<int32_t (*)(AtenTensorHandle)>("aoti_torch_delete_tensor_object");
  free_tensor(tensor);
}

void set_threads(uint32_t threads) {
  fake_function<void (*)(uint32_t)>("fake_torch_set_threads")(threads);
}

void set_cuda(bool cuda) { device_of_data = cuda ? 1 : 0; }

int64_t live_tensors() { return fake_function<int64_t (*)()>("fake_torch_live_tensors")(); }
void* data_of(AtenTensorHandle tensor) {
  void* data = nullptr;
  CHECK_OK(fake_function<decltype(&::aoti_torch_get_data_ptr)>("aoti_torch_get_data_ptr")(tensor,
                                                                                        &data));
  return data;
}

static std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= sizes[i];
  }
  return strides;
}

TestTensor::TestTensor(std::vector<int64_t> sizes)
    : TestTensor(sizes, contiguous_strides(sizes)) {}

TestTensor TestTensor::map(int64_t n, int64_t c, int64_t h, int64_t w) {
  return TestTensor({n, c, h, w}, {h * w * c, 1, w * c, c});
}

TestTensor::TestTensor(std::vector<int64_t> sizes, const std::vector<int64_t>& strides)
    : sizes_(std::move(sizes)), elements_(1) {
  for (int64_t size : sizes_) {
    elements_ *= size;
  }
  memory_.assign(static_cast<size_t>(elements_ + 2 * kGuard), kGuardValue);
  handle_ = make_tensor(data(), sizes_, strides, 6, device_of_data, true);
}

TestTensor::TestTensor(TestTensor&& other) noexcept
    : sizes_(std::move(other.sizes_)),
      elements_(other.elements_),
      memory_(std::move(other.memory_)),
      handle_(other.handle_) {
  other.handle_ = nullptr;
}

TestTensor::~TestTensor() {
  if (handle_ == nullptr) {
    return;
  }
  delete_tensor(handle_);
  for (int64_t i = 0; i < kGuard; ++i) {
    const float before = memory_[static_cast<size_t>(i)];
    const float after = memory_[static_cast<size_t>(kGuard + elements_ + i)];
    if (before != kGuardValue || after != kGuardValue) {
      fail(__FILE__, __LINE__, "no write beside a tensor", "");
      return;
    }
  }
}

float* TestTensor::data() const { return const_cast<float*>(memory_.data()) + kGuard; }

TestTensor& TestTensor::fill(Random& random, float low, float high) {
  for (int64_t i = 0; i < elements_; ++i) {
    data()[i] = random.uniform(low, high);
  }
  return *this;
}

TestTensor& TestTensor::fill(float value) {
  for (int64_t i = 0; i < elements_; ++i) {
    data()[i] = value;
  }
  return *this;
}

template <class A, class B>
static double greatest(const A& a, const B& b, size_t n) {
  double result = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = a[i], y = b[i];
    const double d =
        std::isnan(x) && std::isnan(y) ? 0 : x == y ? 0 : std::fabs(x - y);
    if (!(d <= result)) {
      result = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    }
  }
  return result;
}

double greatest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() ? greatest(a, b, a.size())
                              : std::numeric_limits<double>::infinity();
}

double greatest_difference(const std::vector<double>& expected, const TestTensor& actual) {
  return greatest(expected, actual.data(), expected.size());
}
