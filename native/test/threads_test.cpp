// Loops that threads share: each element is visited once, failures reach the caller, and loops of
// several callers and loops within loops end.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../src/threads.h"
#include "../src/torch.h"

namespace gammanet {

// Stands in for LibTorch.
std::atomic<uint32_t> threads{2};

const Torch& torch() {
  static const Torch instance = [] {
    Torch t{};
    t.get_num_threads = [](uint32_t* n) -> int32_t {
      *n = threads;
      return 0;
    };
    t.parallel_for = [](int64_t begin, int64_t end, int64_t, void (*body)(int64_t, int64_t, void*),
                        void* context) -> int32_t {
      std::vector<std::thread> others;
      for (int64_t i = begin + 1; i < end; ++i) {
        others.emplace_back(body, i, i + 1, context);
      }
      body(begin, begin + 1, context);
      for (std::thread& other : others) {
        other.join();
      }
      return 0;
    };
    return t;
  }();
  return instance;
}

void torch_check(int32_t status, const char*) {
  if (status != 0) {
    throw std::runtime_error("LibTorch's stand-in failed");
  }
}

}  // namespace gammanet

namespace {

using gammanet::parallel_for;
std::atomic<int> failures{0};

void check(bool condition, const char* what) {
  if (!condition) {
    std::fprintf(stderr, "failed: %s\n", what);
    ++failures;
  }
}

void visits_each_once(int64_t count, int64_t grain) {
  // Not atomic: what the threads write is seen by the caller afterwards.
  std::vector<int> visits(static_cast<size_t>(count));
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    check(end - begin >= grain || end == count, "a range has as many elements as asked for");
    for (int64_t i = begin; i < end; ++i) {
      ++visits[static_cast<size_t>(i)];
    }
  });
  for (int n : visits) {
    check(n == 1, "an element is visited once");
  }
}

void loops_of_all_sizes() {
  for (uint32_t n : {1u, 2u, 3u, 8u, 2u}) {
    gammanet::threads = n;
    for (int64_t count : {0, 1, 2, 7, 36, 1000}) {
      for (int64_t grain : {0, 1, 5, 2000}) {
        for (int again = 0; again < 20; ++again) {
          visits_each_once(count, grain);
        }
      }
    }
  }
}

void loops_after_a_rest() {
  gammanet::threads = 4;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    visits_each_once(64, 1);
  }
}

void failures_reach_the_caller() {
  gammanet::threads = 4;
  for (int64_t bad : {0, 17, 99}) {
    bool thrown = false;
    try {
      parallel_for(100, 1, [&](int64_t begin, int64_t end) {
        if (begin <= bad && bad < end) {
          throw std::runtime_error("element");
        }
      });
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    check(thrown, "a failure reaches the caller");
    visits_each_once(100, 1);
  }
}

void loops_within_loops() {
  gammanet::threads = 3;
  std::vector<int> visits(10 * 20);
  parallel_for(10, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      parallel_for(20, 1, [&](int64_t first, int64_t last) {
        check(first == 0 && last == 20, "a loop within a loop stays on its thread");
        for (int64_t j = first; j < last; ++j) {
          ++visits[static_cast<size_t>(i * 20 + j)];
        }
      });
    }
  });
  for (int n : visits) {
    check(n == 1, "an element of a loop within a loop is visited once");
  }
}

void several_callers() {
  gammanet::threads = 3;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([] {
      for (int again = 0; again < 200; ++again) {
        visits_each_once(50, 1);
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
}

}  // namespace

int main() {
  loops_of_all_sizes();
  loops_after_a_rest();
  failures_reach_the_caller();
  loops_within_loops();
  several_callers();
  return failures == 0 ? 0 : 1;
}
