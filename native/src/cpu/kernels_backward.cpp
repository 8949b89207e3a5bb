// Arithmetic of the gradients; compiled once for each instruction set, with GAMMANET_ISA as its
// name.
#include "kernels_backward.h"

#include <math.h>

#include "simd.h"
#include "weight_gradient.h"

namespace gammanet {
namespace {

// ---- Activations ----

struct Slope {
  Vec value, slope;
};

GAMMANET_INLINE Slope sigmoid_slope(Vec x) {
  const Vec t = exponential(minimum(x, -x));
  const Vec large = reciprocal(1.0f + t);
  return {x < 0.0f ? t * large : large, t * large * large};
}

template <Activation activation>
GAMMANET_INLINE Slope activate(Vec x) {
  const Slope y = sigmoid_slope(x);
  return activation == kSoftplus ? Slope{softplus(x), y.value} : y;
}

// ---- Winograd's algorithm ----

// The transpose of output_transform in kernels.cpp.
GAMMANET_INLINE void gradient_transform(const Vec (&y)[4], Vec (&u)[6]) {
  constexpr float a = kWinogradA, b = kWinogradB;
  const Vec even_a = y[0] + (a * a) * y[2], odd_a = a * y[1] + (a * a * a) * y[3];
  const Vec even_b = y[0] + (b * b) * y[2], odd_b = b * y[1] + (b * b * b) * y[3];
  u[0] = y[0];
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = y[3];
}

void winograd_gradient(const float* grad, int64_t h, int64_t w, int64_t c, int64_t first,
                       int64_t count, float* u, int64_t c_stride, int64_t plane_stride) {
  const int64_t across = (w + 3) / 4;
  for (int64_t t = first; t < first + count; ++t, u += c_stride) {
    const int64_t top = t / across * 4, left = t % across * 4;
    const float* pixels[16];
    for (int i = 0; i < 16; ++i) {
      const int64_t y = top + i / 4, x = left + i % 4;
      pixels[i] = y < h && x < w ? grad + (y * w + x) * c : nullptr;
    }
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      Vec half[4][6];
#pragma GCC unroll 4
      for (int y = 0; y < 4; ++y) {
        Vec row[4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; ++x) {
          row[x] = pixels[y * 4 + x] ? load(pixels[y * 4 + x] + k, rest, size) : Vec{};
        }
        gradient_transform(row, half[y]);
      }
#pragma GCC unroll 6
      for (int x = 0; x < 6; ++x) {
        Vec column[4], result[6];
#pragma GCC unroll 4
        for (int y = 0; y < 4; ++y) {
          column[y] = half[y][x];
        }
        gradient_transform(column, result);
#pragma GCC unroll 6
        for (int y = 0; y < 6; ++y) {
          store(u + (y * 6 + x) * plane_stride + k, result[y]);
        }
      }
    });
  }
}

void winograd_weight(const float* m, int64_t stride, const float (&g)[6][3], int64_t c,
                     float* sums) {
  over_channels(c, [&](int64_t k, int64_t rest, auto size) {
    Vec half[6][3];
    for (int p = 0; p < 6; ++p) {
      for (int d = 0; d < 3; ++d) {
        half[p][d] = Vec{};
      }
      for (int q = 0; q < 6; ++q) {
        const Vec x = load(m + (p * 6 + q) * stride + k, rest, size);
        for (int d = 0; d < 3; ++d) {
          half[p][d] += x * g[q][d];
        }
      }
    }
    for (int tap = 0; tap < 9; ++tap) {
      float* to = sums + tap * stride + k;
      Vec sum = {};
      for (int p = 0; p < 6; ++p) {
        sum += half[p][tap % 3] * g[p][tap / 3];
      }
      store(to, load(to, rest, size) + sum, rest, size);
    }
  });
}

// ---- Rows and columns ----

// body(c, n) for the vectors of a row: n < kWidth elements only in the last one.
template <class Body>
GAMMANET_INLINE void for_each_vector(int64_t channels, const Body& body) {
  int64_t c = 0;
  for (; c + kWidth <= channels; c += kWidth) {
    body(c, kWidth);
  }
  if (c < channels) {
    body(c, channels - c);
  }
}

GAMMANET_INLINE Vec load_n(const float* p, int64_t n) {
  return n == kWidth ? load(p) : load_part(p, n);
}

GAMMANET_INLINE void store_n(float* p, Vec v, int64_t n) {
  if (n == kWidth) {
    store(p, v);
  } else {
    store_part(p, v, n);
  }
}

void column_sums(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t rows,
                 int64_t channels, float* sums) {
  for_each_vector(channels, [&](int64_t c, int64_t n) {
    Vec total = {};
    for (int64_t p = 0; p < rows; ++p) {
      const Vec x = load_n(a + p * a_stride + c, n);
      total += b == nullptr ? x : x * load_n(b + p * b_stride + c, n);
    }
    store_n(sums + c, load_n(sums + c, n) + total, n);
  });
}

void gather_rows(const Rows* from, int64_t parts, const float* mean, const float* r, int64_t rows,
                 int64_t channels, int64_t padded, float* out) {
  for (int64_t p = 0; p < rows; ++p) {
    const float m = mean ? mean[p] : 0.0f, scale = mean ? r[p] : 1.0f;
    for (int64_t part = 0; part < parts; ++part, out += padded) {
      const float* row = from[part].from(p).data;
      for_each_vector(channels, [&](int64_t c, int64_t n) {
        store(out + c, ((row ? load_n(row + c, n) : Vec{}) - m) * scale);
      });
    }
  }
}

void sum_rows(Rows a, Rows b, Rows mask, int64_t rows, int64_t channels, float* out,
              int64_t out_stride) {
  for (int64_t p = 0; p < rows; ++p, out += out_stride) {
    const float *x = a.from(p).data, *y = b.from(p).data, *m = mask.from(p).data;
    for_each_vector(channels, [&](int64_t c, int64_t n) {
      Vec sum = x ? load_n(x + c, n) : Vec{};
      if (y) {
        sum += load_n(y + c, n);
      }
      if (m) {
        sum = load_n(m + c, n) > 0.0f ? sum : Vec{};
      }
      store_n(out + c, sum, n);
    });
  }
}

// body(k, n) for the vectors of the parts of a row.
template <class Body>
GAMMANET_INLINE void for_each_part_vector(int64_t parts, int64_t channels, int64_t padded,
                                          const Body& body) {
  for (int64_t part = 0; part < parts; ++part) {
    for_each_vector(channels, [&](int64_t c, int64_t n) { body(part * padded + c, n); });
  }
}

void normalize_rows(float* data, int64_t rows, int64_t parts, int64_t channels, int64_t padded,
                    float* r) {
  const float count = static_cast<float>(parts * channels);
  for (int64_t p = 0; p < rows; ++p, data += parts * padded) {
    Vec total = {}, squares = {};
    for_each_part_vector(parts, channels, padded,
                         [&](int64_t k, int64_t) { total += load(data + k); });
    const float mean = sum(total) / count;
    for_each_part_vector(parts, channels, padded, [&](int64_t k, int64_t n) {
      Vec d = load(data + k) - mean;
      if (n != kWidth) {
        store(data + k, d);
        d = load_part(data + k, n);
      }
      store(data + k, d);
      squares += d * d;
    });
    r[p] = 1.0f / sqrtf(sum(squares) / count + 1e-5f);
    for_each_part_vector(parts, channels, padded,
                         [&](int64_t k, int64_t) { store(data + k, load(data + k) * r[p]); });
  }
}

void normalize_rows_backward(float* grad, const float* y, const float* r, int64_t rows,
                             int64_t parts, int64_t channels, int64_t padded, const RowSum* sums) {
  const float count = static_cast<float>(parts * channels);
  for (int64_t p = 0; p < rows; ++p, grad += parts * padded, y += parts * padded) {
    Vec total = {}, products = {};
    for_each_part_vector(parts, channels, padded, [&](int64_t k, int64_t n) {
      const Vec g = load_n(grad + k, n);
      total += g;
      products += g * load(y + k);
    });
    const float mean = sum(total) / count, projection = sum(products) / count;
    auto of_input = [&](int64_t k) {
      return r[p] * (load(grad + k) - mean - load(y + k) * projection);
    };
    if (sums == nullptr) {
      for_each_part_vector(parts, channels, padded,
                           [&](int64_t k, int64_t) { store(grad + k, of_input(k)); });
      continue;
    }
    for (int64_t part = 0; part < parts; ++part) {
      const RowSum& s = sums[part];
      if (s.to == nullptr) {
        continue;
      }
      const float* from = s.from.from(p).data;
      float* to = s.to + p * s.stride;
      for_each_vector(channels, [&](int64_t c, int64_t n) {
        const Vec before = from ? load_n(from + c, n) : Vec{};
        store_n(to + c, before + of_input(part * padded + c), n);
      });
    }
  }
}

void normalize_columns(const float* data, int64_t stride, const float* mean, const float* r,
                       int64_t rows, int64_t channels, float* out, int64_t out_stride) {
  for (int64_t p = 0; p < rows; ++p) {
    for_each_vector(channels, [&](int64_t c, int64_t n) {
      const Vec y = (load_n(data + p * stride + c, n) - load_n(mean + c, n)) * load_n(r + c, n);
      store_n(out + p * out_stride + c, y, n);
    });
  }
}

void normalize_columns_backward(float* grad, int64_t grad_stride, const float* y, int64_t y_stride,
                                const float* r, const float* mean_grad, const float* mean_product,
                                int64_t rows, int64_t channels) {
  for (int64_t p = 0; p < rows; ++p) {
    for_each_vector(channels, [&](int64_t c, int64_t n) {
      float* g = grad + p * grad_stride + c;
      const Vec centered = load_n(g, n) - load_n(mean_grad + c, n) -
                          load_n(y + p * y_stride + c, n) * load_n(mean_product + c, n);
      store_n(g, load_n(r + c, n) * centered, n);
    });
  }
}

void scale_columns(float* data, int64_t stride, const float* scale, const float* shift,
                   int64_t rows, int64_t channels) {
  for (int64_t p = 0; p < rows; ++p) {
    for_each_vector(channels, [&](int64_t c, int64_t n) {
      float* to = data + p * stride + c;
      Vec y = load_n(to, n) * load_n(scale + c, n);
      if (shift != nullptr) {
        y += load_n(shift + c, n);
      }
      store_n(to, y, n);
    });
  }
}

// ---- The cell ----

void mix_backward(const ExcitationTile& t) {
  for (int64_t p = 0; p < t.rows; ++p) {
    for_each_vector(t.channels, [&](int64_t c, int64_t n) {
      const int64_t k = p * t.padded + c;
      const Vec grad =
          t.grad_new_e == nullptr ? Vec{} : load_n(t.grad_new_e + p * t.channels + c, n);
      const Slope g = sigmoid_slope(load(t.gate + k) + load(t.gate_bias + c));
      const Vec e = t.e == nullptr ? Vec{} : load_n(t.e + p * t.channels + c, n);
      store(t.grad_gate + k, grad * (load(t.q + k) - e) * g.slope);
      store(t.grad_q + k, grad * g.value);
      store(t.grad_e + k, grad * (1.0f - g.value));
    });
  }
}

template <Activation activation>
void candidate_backward_with(const ExcitationTile& t) {
  for (int64_t p = 0; p < t.rows; ++p) {
    for_each_vector(t.channels, [&](int64_t c, int64_t n) {
      const int64_t k = p * t.padded + c;
      const Vec c2 = load_n(t.c2 + p * t.channels + c, n);
      const Vec grad = load_n(t.grad_q + k, n);
      Vec grad_c2;
      if (!t.multiplicative) {
        grad_c2 = load(t.q + k) > 0.0f ? grad : Vec{};
        store(t.grad_new_i + k, load(t.grad_new_i + k) + grad_c2);
      } else {
        float* product = t.product + p * 2 * t.padded + c;
        if (activation == kIdentity) {
          grad_c2 = grad * load(t.omega + c);
          store(product, grad);
          store(product + t.padded, grad * c2);
        } else {
          const Slope kappa = activate<activation>(load(product));
          const Slope omega = activate<activation>(load(product + t.padded));
          grad_c2 = grad * omega.value;
          store(product, grad * kappa.slope);
          store(product + t.padded, grad * c2 * omega.slope);
        }
      }
      store_n(t.grad_u2 + p * t.channels + c, c2 > 0.0f ? grad_c2 : Vec{}, n);
    });
  }
}

void candidate_backward(const ExcitationTile& t) {
  switch (t.activation) {
    case kSoftplus:
      return candidate_backward_with<kSoftplus>(t);
    case kSigmoid:
      return candidate_backward_with<kSigmoid>(t);
    default:
      return candidate_backward_with<kIdentity>(t);
  }
}

template <Activation activation>
void inhibition_backward_with(const InhibitionTile& t) {
  for (int64_t p = 0; p < t.rows; ++p) {
    const int64_t row = p * t.channels;
    float* grads = t.grad_inputs + p * 3 * t.padded;
    float* product = t.product + p * 2 * t.padded;
    for_each_vector(t.channels, [&](int64_t c, int64_t n) {
      const int64_t second = t.padded + c, third = 2 * t.padded + c;
      const Vec i = t.i == nullptr ? Vec{} : load_n(t.i + row + c, n);
      const Vec c1 = t.c1 == nullptr ? Vec{} : load_n(t.c1 + row + c, n);
      const Vec x = load_n(t.x + row + c, n);
      Slope alpha, mu;
      if (activation == kIdentity) {
        alpha = {load(t.alpha + c), splat(1.0f)};
        mu = {load(t.mu + c), splat(1.0f)};
      } else {
        alpha = activate<activation>(load(product + c));
        mu = activate<activation>(load(product + second));
      }
      const Slope g = sigmoid_slope(load(t.gate + p * t.padded + c) + load(t.gate_bias + c));
      const Vec strength = alpha.value * i + mu.value;
      const Vec s = x - strength * c1;
      const Vec grad = load_n(t.grad_new_i + row + c, n) + load_n(t.grad_n + row + c, n);
      const Vec grad_s = s > 0.0f ? grad * g.value : Vec{};
      const Vec grad_strength = -grad_s * c1;
      store(t.grad_gate + p * t.padded + c, grad * (relu(s) - i) * g.slope);
      store(product + c, grad_strength * i * alpha.slope);
      store(product + second, grad_strength * mu.slope);
      store(grads + c, grad * (1.0f - g.value) + grad_strength * alpha.value);
      store(grads + second, -grad_s * strength);
      store(grads + third, grad_s);
    });
  }
}

void inhibition_backward(const InhibitionTile& t) {
  switch (t.activation) {
    case kSoftplus:
      return inhibition_backward_with<kSoftplus>(t);
    case kSigmoid:
      return inhibition_backward_with<kSigmoid>(t);
    default:
      return inhibition_backward_with<kIdentity>(t);
  }
}

// ---- Pooling and resizing ----

void max_pool_backward(const float* upper, const float* lower, int64_t w, int64_t c,
                       bool rectified, const float* grad, float* grad_upper, float* grad_lower) {
  int64_t x = 0;
  for (; x + 1 < w; x += 2, grad += c) {
    const float* in[4] = {upper + x * c, upper + (x + 1) * c, lower + x * c, lower + (x + 1) * c};
    float* out[4] = {grad_upper + x * c, grad_upper + (x + 1) * c, grad_lower + x * c,
                     grad_lower + (x + 1) * c};
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      Vec values[4];
      for (int j = 0; j < 4; ++j) {
        values[j] = load(in[j] + k, rest, size);
      }
      const Vec most =
          maximum(maximum(values[0], values[1]), maximum(values[2], values[3]));
      Vec left = load(grad + k, rest, size);
      if (rectified) {
        left = most > 0.0f ? left : Vec{};
      }
      for (int j = 0; j < 4; ++j) {
        const Vec taken = values[j] == most ? left : Vec{};
        store(out[j] + k, taken, rest, size);
        left = values[j] == most ? Vec{} : left;
      }
    });
  }
  if (x < w) {
    memset(grad_upper + x * c, 0, static_cast<size_t>(c) * sizeof(float));
    memset(grad_lower + x * c, 0, static_cast<size_t>(c) * sizeof(float));
  }
}

void interpolate_backward(const float* grad, float weight, const int32_t* left,
                          const int32_t* right, const float* fraction, int64_t w, int64_t c,
                          float* out) {
  for (int64_t x = 0; x < w; ++x, grad += c) {
    float *l = out + left[x] * c, *r = out + right[x] * c;
    const float of_right = weight * fraction[x], of_left = weight - of_right;
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      const Vec g = load(grad + k, rest, size);
      store(l + k, load(l + k, rest, size) + of_left * g, rest, size);
      store(r + k, load(r + k, rest, size) + of_right * g, rest, size);
    });
  }
}

void elu_backward(const float* x, int64_t size, float* grad) {
  for_each_vector(size, [&](int64_t k, int64_t n) {
    const Vec y = load_n(x + k, n), g = load_n(grad + k, n);
    store_n(grad + k, y < 0.0f ? g * exponential(y) : g, n);
  });
}

void mask(const float* a, const float* mask, int64_t size, float* out) {
  for_each_vector(size, [&](int64_t k, int64_t n) {
    const Vec m = load_n(mask + k, n), x = load_n(a + k, n);
    store_n(out + k, m > 0.0f ? x : Vec{}, n);
  });
}

}  // namespace

#define GAMMANET_TABLE_NAME(isa) GAMMANET_JOIN(backward_kernels_, isa)
#define GAMMANET_JOIN(a, b) a##b

extern const BackwardKernels GAMMANET_TABLE_NAME(GAMMANET_ISA);
const BackwardKernels GAMMANET_TABLE_NAME(GAMMANET_ISA) = {
    kVectors * kWidth,
    weight_gradient,
    weight_gradient_of_vectors,
    winograd_gradient,
    winograd_weight,
    column_sums,
    gather_rows,
    sum_rows,
    normalize_rows,
    normalize_rows_backward,
    normalize_columns,
    normalize_columns_backward,
    scale_columns,
    mix_backward,
    candidate_backward,
    inhibition_backward,
    max_pool_backward,
    interpolate_backward,
    elu_backward,
    mask,
};

}  // namespace gammanet
