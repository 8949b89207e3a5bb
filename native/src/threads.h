// Threads that share the loops of the kernels.
#pragma once

#include <cstdint>

namespace gammanet {

// body(begin, end) on disjoint ranges that cover [0, count), by as many threads as LibTorch may use;
// which thread takes which range is not determined. An exception of the body ends up in the caller.
// A range has at least `grain` elements, but for the last. Within a body: on the same thread.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body);

// Number of threads that parallel_for may use: those of LibTorch.
int64_t thread_count();

// ---- Details ----

namespace detail {
using Range = void (*)(const void* body, int64_t begin, int64_t end);
void parallel_for(int64_t count, int64_t grain, const void* body, Range range);
}  // namespace detail

template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  detail::parallel_for(count, grain, &body, [](const void* b, int64_t begin, int64_t end) {
    (*static_cast<const Body*>(b))(begin, end);
  });
}

}  // namespace gammanet
