// Every exported function with arguments that are right or, in any place, wrong: null, of another
// shape, dtype, device or memory layout, undefined, empty, sharing memory. A call may succeed, or
// must give a status with a text; it may not crash or write beside a tensor. Meant to be run under
// sanitizers, too (GAMMANET_SANITIZE).
//
//   fuzz_test [CALLS [SEED]]
#include <cstdlib>
#include <cstring>
#include <map>

#include "testing.h"

namespace {

Random* source = nullptr;
std::map<int32_t, int> statuses;

int64_t pick(int64_t low, int64_t high) { return source->integer(low, high); }
bool chance(int64_t percent) { return pick(1, 100) <= percent; }

// Tensors of one call. Its memory is exactly as large as the right tensor's.
class Arguments {
 public:
  ~Arguments() {
    for (AtenTensorHandle t : handles_) {
      delete_tensor(t);
    }
  }

  AtenTensorHandle map(int64_t n, int64_t c, int64_t h, int64_t w) {
    return tensor({n, c, h, w}, {h * w * c, 1, w * c, c});
  }
  AtenTensorHandle plain(const std::vector<int64_t>& sizes) {
    std::vector<int64_t> strides(sizes.size());
    int64_t stride = 1;
    for (size_t d = sizes.size(); d-- > 0; stride *= sizes[d]) {
      strides[d] = stride;
    }
    return tensor(sizes, strides);
  }

  int64_t wrong = 3;  // in percent

 private:
  AtenTensorHandle tensor(std::vector<int64_t> sizes, std::vector<int64_t> strides) {
    if (!chance(wrong)) {
      return add(sizes, strides, 6, 0, true);
    }
    switch (pick(0, 11)) {
      case 0:
        return nullptr;
      case 1:
        return add(sizes, strides, 6, 0, false);
      case 2:
        return add(sizes, strides, static_cast<int32_t>(pick(0, 20)), 0, true);
      case 3:
        return add(sizes, strides, 6, static_cast<int32_t>(pick(0, 3)), true);
      case 4:
        std::swap(sizes.front(), sizes.back());
        return add(sizes, strides, 6, 0, true);
      case 5:
        sizes[pick(0, last(sizes))] += pick(-2, 2);
        return add(sizes, strides, 6, 0, true);
      case 6:
        sizes[pick(0, last(sizes))] = pick(-1, 0);
        return add(sizes, strides, 6, 0, true);
      case 7:
        strides[pick(0, last(strides))] = pick(-3, 40);
        return add(sizes, strides, 6, 0, true);
      case 8:
        sizes.pop_back();
        strides.pop_back();
        return add(sizes, strides, 6, 0, true);
      case 9:
        sizes.push_back(1);
        strides.push_back(1);
        return add(sizes, strides, 6, 0, true);
      case 10:
        // Huge: products of sizes must not overflow into something that looks right.
        sizes[pick(0, last(sizes))] = INT64_C(1) << pick(31, 62);
        return add(sizes, strides, 6, 0, true);
      default:
        return handles_.empty() ? nullptr : handles_[static_cast<size_t>(pick(0, last(handles_)))];
    }
  }

  template <class T>
  static int64_t last(const std::vector<T>& list) {
    return static_cast<int64_t>(list.size()) - 1;
  }

  AtenTensorHandle add(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                       int32_t dtype, int32_t device, bool defined) {
    int64_t elements = 1;
    for (int64_t size : sizes) {
      elements = size > 0 && size < 4096 ? elements * size : 0;
    }
    elements = elements < 1 << 20 ? elements : 0;
    memory_.emplace_back(static_cast<size_t>(elements));
    for (float& value : memory_.back()) {
      value = source->uniform(-1, 1);
    }
    float* data = defined && elements > 0 ? memory_.back().data() : nullptr;
    AtenTensorHandle t =
        make_tensor(data, sizes.empty() ? std::vector<int64_t>{1} : sizes,
                    strides.empty() ? std::vector<int64_t>{1} : strides, dtype, device, defined);
    handles_.push_back(t);
    return t;
  }

  std::vector<std::vector<float>> memory_;
  std::vector<AtenTensorHandle> handles_;
};

void note(int32_t status, const char* what) {
  ++statuses[status];
  const bool allowed = status == GAMMANET_OK || status == GAMMANET_INVALID_ARGUMENT ||
                       status == GAMMANET_UNAVAILABLE;
  CHECK(allowed, "%s: %d, %s", what, static_cast<int>(status), gammanet_last_error());
  CHECK(status == GAMMANET_OK || std::strlen(gammanet_last_error()) > 0, "%s", what);
}

void convolutions() {
  Arguments a;
  a.wrong = pick(0, 1) ? 0 : 12;
  const int64_t n = pick(1, 2), i = pick(1, 20), o = pick(1, 20), k = pick(0, 2) * 2 + 1;
  const int64_t h = pick(1, 9), w = pick(1, 9);
  GammanetConv conv = nullptr;
  const bool bad_number = chance(3);
  note(gammanet_conv_pack(a.plain({o, i, k, k}), chance(50) ? nullptr : a.plain({o}),
                          static_cast<int32_t>(bad_number ? pick(-9, 99) : pick(0, 2)), 0,
                          chance(2) ? nullptr : &conv),
       "conv_pack");
  a.wrong = pick(0, 1) ? 0 : 12;
  const GammanetConv used = chance(2) ? nullptr : conv;
  note(gammanet_conv_forward(used, a.map(n, i, h, w), static_cast<int32_t>(chance(3) ? 7 : 1),
                             a.map(n, o, h, w)),
       "conv_forward");
  note(gammanet_conv_backward(used, a.map(n, i, h, w), chance(50) ? nullptr : a.map(n, o, h, w),
                              a.map(n, o, h, w), chance(30) ? nullptr : a.map(n, i, h, w),
                              chance(30) ? nullptr : a.plain({o, i, k, k}),
                              chance(30) ? nullptr : a.plain({o})),
       "conv_backward");
  note(gammanet_align_pool_forward(used, a.map(n, i, h, w), a.map(n, o, h / 2, w / 2)),
       "align_pool_forward");
  note(gammanet_align_pool_backward(used, a.map(n, i, h, w), a.map(n, o, h / 2, w / 2),
                                    a.map(n, i, h, w), nullptr, nullptr),
       "align_pool_backward");
  note(gammanet_align_pool_forward(nullptr, a.map(n, i, h, w), a.map(n, i, h / 2, w / 2)),
       "align_pool_forward");
  note(gammanet_project_up_forward(used, a.map(n, i, h, w),
                                   a.map(n, o, h + pick(0, 9), w + pick(0, 9))),
       "project_up_forward");
  note(gammanet_project_up_backward(used, a.map(n, i, h, w),
                                    a.map(n, o, h + pick(0, 9), w + pick(0, 9)),
                                    chance(30) ? nullptr : a.map(n, i, h, w),
                                    chance(30) ? nullptr : a.plain({o, i, 1, 1}),
                                    chance(30) ? nullptr : a.plain({o})),
       "project_up_backward");
  note(gammanet_channel_layer_norm_forward(a.map(n, i, h, w), chance(50) ? nullptr : a.plain({i}),
                                           chance(50) ? nullptr : a.plain({i}),
                                           a.map(n, i, h, w)),
       "channel_layer_norm_forward");
  note(gammanet_conv_free(conv), "conv_free");
}

void cells() {
  Arguments a;
  a.wrong = pick(0, 1) ? 0 : 6;
  const int64_t n = pick(1, 2), c = pick(1, 20), h = pick(1, 7), w = pick(1, 7);
  const int64_t k = pick(0, 2) * 2 + 1;
  int32_t options[GAMMANET_CELL_OPTIONS] = {
      static_cast<int32_t>(pick(0, 3)), static_cast<int32_t>(pick(0, 1)),
      static_cast<int32_t>(pick(0, 2)), static_cast<int32_t>(pick(0, 1)),
      static_cast<int32_t>(pick(0, 1)), static_cast<int32_t>(pick(0, 1)),
      static_cast<int32_t>(pick(0, 1)), static_cast<int32_t>(pick(0, 3)),
      static_cast<int32_t>(chance(10)), static_cast<int32_t>(pick(0, 2))};
  if (chance(5)) {
    options[pick(0, GAMMANET_CELL_OPTIONS - 1)] = static_cast<int32_t>(pick(-99, 99));
  }
  auto parameter = [&](int place) {
    switch (place) {
      case GAMMANET_CELL_W_INH:
      case GAMMANET_CELL_W_EXC:
        return a.plain({c, c, k, k});
      case GAMMANET_CELL_W_GAIN:
      case GAMMANET_CELL_W_MIX:
        return a.plain({c, 3 * c, 1, 1});
      case GAMMANET_CELL_D_INH:
        return a.plain({2 * c, 3 * c, 1, 1});
      case GAMMANET_CELL_D_EXC:
        return a.plain({2 * c, 2 * c, 1, 1});
      case GAMMANET_CELL_D_INH_BIAS:
      case GAMMANET_CELL_D_EXC_BIAS:
        return a.plain({2 * c});
      default:
        return a.plain({c});
    }
  };
  AtenTensorHandle parameters[GAMMANET_CELL_PARAMETERS];
  AtenTensorHandle gradients[GAMMANET_CELL_PARAMETERS];
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    parameters[place] = parameter(place);
  }
  GammanetCell cell = nullptr;
  note(gammanet_cell_pack(chance(2) ? nullptr : parameters, chance(2) ? nullptr : options,
                          chance(2) ? nullptr : &cell),
       "cell_pack");
  a.wrong = pick(0, 1) ? 0 : 8;
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    gradients[place] = chance(20) ? nullptr : parameter(place);
  }
  auto map = [&] { return a.map(n, c, h, w); };
  auto optional = [&] { return chance(25) ? nullptr : map(); };
  const GammanetCell used = chance(2) ? nullptr : cell;
  const AtenTensorHandle e = optional(), i = chance(20) ? e : optional();
  note(gammanet_cell_forward(used, map(), e, i, chance(20) ? e : map(), chance(20) ? i : map(),
                             optional()),
       "cell_forward");
  const AtenTensorHandle of_e = optional(), of_i = optional();
  note(gammanet_cell_backward(used, map(), e, i, nullptr, of_e, of_i, optional(),
                              chance(30) ? of_e : optional(), chance(30) ? of_i : optional(),
                              chance(20) ? nullptr : gradients),
       "cell_backward");
  int64_t channels = 0;
  note(gammanet_cell_kept_channels(used, chance(2) ? nullptr : &channels), "cell_kept_channels");
  const int64_t some = chance(10) ? pick(1, 99) : channels;
  const AtenTensorHandle kept = chance(2) ? nullptr : a.map(n, some > 0 ? some : 1, h, w);
  note(gammanet_cell_forward_keeping(used, map(), e, i, map(), map(), kept),
       "cell_forward_keeping");
  note(gammanet_cell_backward(used, map(), e, i, kept, of_e, of_i, optional(), optional(),
                              optional(), chance(20) ? nullptr : gradients),
       "cell_backward, kept");
  note(gammanet_cell_free(cell), "cell_free");
}

}  // namespace

int main(int arguments, char** argument) {
  const int calls = arguments > 1 ? std::atoi(argument[1]) : 1500;
  Random random(arguments > 2 ? std::strtoull(argument[2], nullptr, 10) : 11);
  source = &random;
  start_testing();
  const int64_t before = live_tensors();
  const char* sets[] = {"portable", "avx2", "avx512", "avx512-bf16", "amx", "tiles"};
  for (int call = 0; call < calls; ++call) {
    // Not every processor has every set.
    gammanet_force_instruction_set(sets[call % 6]);
    convolutions();
    cells();
  }
  CHECK_OK(gammanet_force_instruction_set("auto"));
  CHECK_OK(gammanet_release_scratch());
  CHECK(live_tensors() == before, "tensors are left");
  for (const auto& [status, count] : statuses) {
    std::printf("status %d: %d calls\n", static_cast<int>(status), count);
  }
  CHECK(statuses[GAMMANET_OK] > calls && statuses[GAMMANET_INVALID_ARGUMENT] > calls);
  return finish_testing();
}
