// Gradients of weights with sums in vector registers: out[o][i] += the sum over pixels of
// grad[pixel][o] * in[pixel][i].
#pragma once

#include "kernels_backward.h"
#include "simd.h"

namespace gammanet {
namespace {

// Rows and vectors of what is kept in registers: as many sums as hide the latency of a
// multiply-add, and the operands beside them.
constexpr int kRows = 6;
constexpr int kVectors = kWidth == 16 ? 4 : 2;

// A vector of which only the first n elements exist, unless n is kWidth.
template <bool part>
GAMMANET_INLINE Vec load_some(const float* p, int64_t n) {
  return part ? load_part(p, n) : load(p);
}

// The right factor of a gradient: rows of lines, ...
struct Lines {
  const float* data;
  int64_t stride, line_stride;
  GAMMANET_INLINE Lines line(int64_t number) const {
    return {data + number * line_stride, stride, line_stride};
  }
  GAMMANET_INLINE const float* vector(int v) const { return data + v * kWidth; }
  GAMMANET_INLINE void next() { data += stride; }
};

// ... or a line of vectors that lie apart.
template <int vectors>
struct Vectors {
  Rows rows[vectors];
  GAMMANET_INLINE Vectors line(int64_t) const { return *this; }
  GAMMANET_INLINE const float* vector(int v) const { return rows[v].data; }
  GAMMANET_INLINE void next() {
    for (Rows& r : rows) {
      r.data += r.stride;
    }
  }
};

// Starts at 0, not at `out`: sums of short stretches added to the whole lose less to rounding.
template <int rows, int vectors, bool part, class In>
GAMMANET_INLINE void gradient_block(const float* grad, int64_t grad_stride, int64_t grad_line,
                                    const In& in, int64_t lines, int64_t length, int64_t last,
                                    float* out, int64_t out_stride) {
  Vec sums[rows][vectors] = {};
  for (int64_t line = 0; line < lines; ++line) {
    const float* a = grad + line * grad_line;
    In b = in.line(line);
    for (int64_t p = 0; p < length; ++p, a += grad_stride, b.next()) {
      Vec x[vectors];
      for (int v = 0; v < vectors; ++v) {
        x[v] = v == vectors - 1 ? load_some<part>(b.vector(v), last) : load(b.vector(v));
      }
      for (int r = 0; r < rows; ++r) {
        const Vec g = splat(a[r]);
        for (int v = 0; v < vectors; ++v) {
          sums[r][v] += g * x[v];
        }
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      float* to = out + r * out_stride + v * kWidth;
      if (part && v == vectors - 1) {
        store_part(to, load_part(to, last) + sums[r][v], last);
      } else {
        store(to, load(to) + sums[r][v]);
      }
    }
  }
}

template <int vectors, bool part, class In>
void gradient_panel(const float* grad, int64_t grad_stride, int64_t grad_line, const In& in,
                    int64_t lines, int64_t length, int64_t rows, int64_t last, float* out,
                    int64_t out_stride) {
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    gradient_block<kRows, vectors, part>(grad + r, grad_stride, grad_line, in, lines, length, last,
                                         out + r * out_stride, out_stride);
  }
  for (; r + 2 <= rows; r += 2) {
    gradient_block<2, vectors, part>(grad + r, grad_stride, grad_line, in, lines, length, last,
                                     out + r * out_stride, out_stride);
  }
  for (; r < rows; ++r) {
    gradient_block<1, vectors, part>(grad + r, grad_stride, grad_line, in, lines, length, last,
                                     out + r * out_stride, out_stride);
  }
}

template <int number>
struct Count {
  static constexpr int value = number;
};

// body(number of vectors), as a constant.
template <class Body>
GAMMANET_INLINE void with_vectors(int64_t vectors, const Body& body) {
  switch (vectors) {
    case 1:
      return body(Count<1>());
    case 2:
      return body(Count<2>());
#if defined(__AVX512F__)
    case 3:
      return body(Count<3>());
    case 4:
      return body(Count<4>());
#endif
  }
}

void weight_gradient(const float* grad, int64_t grad_stride, int64_t grad_line, const float* in,
                     int64_t in_stride, int64_t in_line, int64_t lines, int64_t length,
                     int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  const Lines right{in, in_stride, in_line};
  with_vectors((columns + kWidth - 1) / kWidth, [&](auto count) {
    constexpr int vectors = decltype(count)::value;
    const int64_t last = columns - (vectors - 1) * kWidth;
    if (last == kWidth) {
      gradient_panel<vectors, false>(grad, grad_stride, grad_line, right, lines, length, rows, last,
                                     out, out_stride);
    } else {
      gradient_panel<vectors, true>(grad, grad_stride, grad_line, right, lines, length, rows, last,
                                    out, out_stride);
    }
  });
}

void weight_gradient_of_vectors(const float* grad, int64_t grad_stride, const Rows* in,
                                int64_t count, int64_t length, int64_t rows, float* out,
                                int64_t out_stride) {
  with_vectors(count, [&](auto constant) {
    constexpr int vectors = decltype(constant)::value;
    Vectors<vectors> right;
    for (int v = 0; v < vectors; ++v) {
      right.rows[v] = in[v];
    }
    gradient_panel<vectors, false>(grad, grad_stride, 0, right, 1, length, rows, kWidth, out,
                                   out_stride);
  });
}

}  // namespace
}  // namespace gammanet
