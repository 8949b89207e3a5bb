#include "threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "torch.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace gammanet {
namespace {

// How often a thread looks for work before it sleeps: some 30 microseconds. The loops of a network
// follow each other faster than the system wakes a thread.
constexpr int kLooks = 1500;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether the calling thread is in a range of a loop: loops within it are its own.
thread_local bool in_loop = false;

class InLoop {
 public:
  InLoop() { in_loop = true; }
  ~InLoop() { in_loop = false; }
};

// A loop: threads take ranges that become smaller toward its end, so that they end together even
// where one of them starts late or runs slowly.
class Loop {
 public:
  Loop(int64_t count, int64_t grain, int64_t threads, const void* body, detail::Range range)
      : count_(count), grain_(grain), threads_(threads), body_(body), range_(range) {}

  int64_t helpers() const { return threads_ - 1; }

  void run() noexcept {
    const InLoop inside;
    try {
      for (int64_t begin = next_.load(std::memory_order_relaxed); begin < count_;) {
        const int64_t end =
            std::min(count_, begin + std::max(grain_, (count_ - begin) / (2 * threads_)));
        if (next_.compare_exchange_weak(begin, end, std::memory_order_relaxed)) {
          range_(body_, begin, end);
          begin = next_.load(std::memory_order_relaxed);
        }
      }
    } catch (...) {
      next_.store(count_, std::memory_order_relaxed);
      if (!failed_.exchange(true)) {
        error_ = std::current_exception();
      }
    }
  }

  void rethrow() const {
    if (error_) {
      std::rethrow_exception(error_);
    }
  }

 private:
  const int64_t count_, grain_, threads_;
  const void* const body_;
  const detail::Range range_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

// Threads of its own rather than LibTorch's: these are asleep when a short loop begins, and a loop
// would wait for them even if it could have been over before they are awake.
class Pool {
 public:
  // Whether the loop was run; false while another thread has the pool.
  bool run(Loop& loop) {
    std::unique_lock<std::mutex> mine(callers_, std::try_to_lock);
    if (!mine.owns_lock()) {
      return false;
    }
    hire(loop.helpers());
    loop_.store(&loop);
    generation_.fetch_add(1);
    if (asleep_.load() > 0) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      begin_.notify_all();
    }
    loop.run();
    // Whoever is not inside yet finds no loop.
    loop_.store(nullptr);
    for (int look = 0; inside_.load() > 0; ++look) {
      if (look < kLooks) {
        pause();
      } else {
        std::unique_lock<std::mutex> lock(mutex_);
        caller_asleep_.store(true);
        end_.wait(lock, [&] { return inside_.load() == 0; });
        caller_asleep_.store(false);
      }
    }
    return true;
  }

 private:
  // Fewer where the system has no more threads to give.
  void hire(int64_t workers) noexcept {
    try {
      for (; workers_ < workers; ++workers_) {
        std::thread(&Pool::work, this, workers_, generation_.load()).detach();
      }
    } catch (const std::system_error&) {
    }
  }

  void work(int64_t index, uint64_t seen) noexcept {
    for (;;) {
      for (int look = 0; look < kLooks && generation_.load(std::memory_order_relaxed) == seen;
           ++look) {
        pause();
      }
      if (generation_.load() == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        asleep_.fetch_add(1);
        begin_.wait(lock, [&] { return generation_.load() != seen; });
        asleep_.fetch_sub(1);
      }
      seen = generation_.load();
      inside_.fetch_add(1);
      Loop* loop = loop_.load();
      if (loop != nullptr && index < loop->helpers()) {
        loop->run();
      }
      if (inside_.fetch_sub(1) == 1 && caller_asleep_.load()) {
        { std::lock_guard<std::mutex> lock(mutex_); }
        end_.notify_all();
      }
    }
  }

  std::mutex callers_;
  int64_t workers_ = 0;
  std::atomic<uint64_t> generation_{0};
  std::atomic<Loop*> loop_{nullptr};
  std::atomic<int> inside_{0}, asleep_{0};
  std::atomic<bool> caller_asleep_{false};
  std::mutex mutex_;
  std::condition_variable begin_, end_;
};

// Never destroyed: its threads end with the process.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

// By LibTorch's threads; each thread that calls has a team of its own.
void run_by_torch(Loop& loop) {
  torch_check(torch().parallel_for(
                  0, loop.helpers() + 1, 1,
                  [](int64_t, int64_t, void* pointer) { static_cast<Loop*>(pointer)->run(); },
                  &loop),
              "torch_parallel_for");
}

}  // namespace

int64_t thread_count() {
  uint32_t threads = 1;
  torch_check(torch().get_num_threads(&threads), "torch_get_num_threads");
  return threads == 0 ? 1 : threads;
}

void detail::parallel_for(int64_t count, int64_t grain, const void* body, Range range) {
  if (count <= 0) {
    return;
  }
  grain = std::max<int64_t>(grain, 1);
  const int64_t threads =
      in_loop ? 1 : std::min(thread_count(), (count + grain - 1) / grain);
  if (threads <= 1) {
    range(body, 0, count);
    return;
  }
  Loop loop(count, grain, threads, body, range);
  if (!pool().run(loop)) {
    run_by_torch(loop);
  }
  loop.rethrow();
}

}  // namespace gammanet
