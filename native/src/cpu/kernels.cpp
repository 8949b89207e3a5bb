// Compiled once for each instruction set, with GAMMANET_ISA as its name.
#include "kernels.h"

#include <math.h>

#include "product.h"
#include "simd.h"

namespace gammanet {

namespace {

// ---- Products ----

struct Float32 {
  using Number = float;
  using Right = Vec;
  static constexpr int kStep = 1;
  static GAMMANET_INLINE Vec load_right(const float* p) { return load(p); }
  static GAMMANET_INLINE Vec load_left(const float* p) { return splat(*p); }
  static GAMMANET_INLINE Vec add(Vec sums, Vec left, Vec right) { return sums + left * right; }
};

// ---- Normalization ----

void layer_norm(const float* x, const float* weight, const float* bias, float* out, int64_t pixels,
                int64_t c) {
  for (int64_t p = 0; p < pixels; ++p, x += c, out += c) {
    Vec total = {};
    over_channels(c, [&](int64_t k, int64_t rest, auto size) { total += load(x + k, rest, size); });
    const float mean = sum(total) / static_cast<float>(c);
    const int64_t rest = c % kWidth, whole = c - rest;
    Vec squares = {};
    for (int64_t k = 0; k < whole; k += kWidth) {
      const Vec d = load(x + k) - mean;
      squares += d * d;
    }
    float square = sum(squares);
    for (int64_t k = whole; k < c; ++k) {
      square += (x[k] - mean) * (x[k] - mean);
    }
    const float scale = 1.0f / sqrtf(square / static_cast<float>(c) + 1e-5f);
    over_channels(c, [&](int64_t k, int64_t part, auto size) {
      Vec y = (load(x + k, part, size) - mean) * scale;
      if (weight) {
        y = y * load(weight + k, part, size) + load(bias + k, part, size);
      }
      store(out + k, y, part, size);
    });
  }
}

void row_moments(const float* const* pieces, const int64_t* strides, int64_t parts, int64_t rows,
                 int64_t c, float* mean, float* scale) {
  const float count = static_cast<float>(parts * c);
  const int64_t rest = c % kWidth, whole = c - rest;
  for (int64_t r = 0; r < rows; ++r) {
    Vec total = {};
    for (int64_t i = 0; i < parts; ++i) {
      if (pieces[i]) {
        const float* x = pieces[i] + r * strides[i];
        over_channels(c,
                      [&](int64_t k, int64_t n, auto size) { total += load(x + k, n, size); });
      }
    }
    const float m = sum(total) / count;
    Vec squares = {};
    float square = 0;
    for (int64_t i = 0; i < parts; ++i) {
      if (pieces[i]) {
        const float* x = pieces[i] + r * strides[i];
        for (int64_t k = 0; k < whole; k += kWidth) {
          const Vec d = load(x + k) - m;
          squares += d * d;
        }
        for (int64_t k = whole; k < c; ++k) {
          square += (x[k] - m) * (x[k] - m);
        }
      } else {
        square += static_cast<float>(c) * m * m;
      }
    }
    mean[r] = m;
    scale[r] = 1.0f / sqrtf((sum(squares) + square) / count + 1e-5f);
  }
}

void column_sums(const float* x, int64_t stride, int64_t rows, int64_t c, const float* mean,
                 float* sums) {
  over_channels(c, [&](int64_t k, int64_t rest, auto size) {
    const Vec m = mean ? load(mean + k, rest, size) : Vec{};
    Vec total = {};
    for (int64_t r = 0; r < rows; ++r) {
      const Vec d = load(x + r * stride + k, rest, size) - m;
      total += mean ? d * d : d;
    }
    store(sums + k, total, rest, size);
  });
}

void scale_shift(const float* x, int64_t stride, int64_t rows, int64_t c, const float* scale,
                 const float* shift, bool with_elu, float* out, int64_t out_stride) {
  over_channels(c, [&](int64_t k, int64_t rest, auto size) {
    const Vec a = load(scale + k, rest, size), b = load(shift + k, rest, size);
    for (int64_t r = 0; r < rows; ++r) {
      const Vec y = load(x + r * stride + k, rest, size) * a + b;
      store(out + r * out_stride + k, with_elu ? elu(y) : y, rest, size);
    }
  });
}

// ---- The elementwise part of the cell ----

template <Activation A>
GAMMANET_INLINE Vec activated(Vec x) {
  return A == kSoftplus ? softplus(x) : A == kSigmoid ? sigmoid(x) : x;
}

template <Activation A>
GAMMANET_INLINE void inhibit_with(const Inhibit& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *x = a.x + r * a.c, *i = a.i ? a.i + r * a.c : nullptr;
    const float* c1 = a.c1 ? a.c1 + r * a.c1_stride : nullptr;
    const int64_t p = r * a.parameter_stride;
    float* out = a.out + r * a.out_stride;
    over_channels(a.c, [&](int64_t k, int64_t rest, auto size) {
      Vec s = load(x + k, rest, size);
      if (c1) {
        Vec strength = activated<A>(load(a.mu + p + k));
        if (i) {
          strength += activated<A>(load(a.alpha + p + k)) * load(i + k, rest, size);
        }
        s -= strength * load(c1 + k, rest, size);
      }
      store(out + k, relu(s));
    });
  }
}

void inhibit(const Inhibit& a) {
  if (a.activation == kSoftplus) {
    inhibit_with<kSoftplus>(a);
  } else if (a.activation == kSigmoid) {
    inhibit_with<kSigmoid>(a);
  } else {
    inhibit_with<kIdentity>(a);
  }
}

template <Activation A>
GAMMANET_INLINE void excite_with(const Excite& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *i = a.i + r * a.c, *c2 = a.c2 + r * a.c2_stride;
    const int64_t p = r * a.parameter_stride;
    float* out = a.out + r * a.out_stride;
    over_channels(a.c, [&](int64_t k, int64_t rest, auto size) {
      const Vec c = load(c2 + k, rest, size);
      store(out + k, a.kappa ? activated<A>(load(a.omega + p + k)) * c +
                                   activated<A>(load(a.kappa + p + k))
                             : relu(load(i + k, rest, size) + c));
    });
  }
}

void excite(const Excite& a) {
  if (a.activation == kSoftplus) {
    excite_with<kSoftplus>(a);
  } else if (a.activation == kSigmoid) {
    excite_with<kSigmoid>(a);
  } else {
    excite_with<kIdentity>(a);
  }
}

void mix(const Mix& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *z = a.z + r * a.z_stride, *q = a.candidate + r * a.candidate_stride;
    const float* state = a.state ? a.state + r * a.c : nullptr;
    const float mean = a.mean ? a.mean[r] : 0.0f, scale = a.scale ? a.scale[r] : 1.0f;
    float* argument = a.argument ? a.argument + r * a.z_stride : nullptr;
    float* out = a.out ? a.out + r * a.c : nullptr;
    float* total = a.sum ? a.sum + r * a.c : nullptr;
    over_channels(a.c, [&](int64_t k, int64_t rest, auto size) {
      Vec y = load(z + k);
      if (a.channel_scale) {
        y = y * load(a.channel_scale + k) + load(a.channel_shift + k);
      }
      if (a.mean) {
        y = (y - mean * load(a.sums + k)) * scale;
      }
      if (argument) {
        store(argument + k, y);
      }
      if (!out) {
        return;
      }
      const Vec g = sigmoid(y + load(a.bias + k));
      const Vec h = state ? load(state + k, rest, size) : Vec{};
      const Vec next = h + g * (load(q + k) - h);
      store(out + k, next, rest, size);
      if (total) {
        store(total + k, load(total + k, rest, size) + next, rest, size);
      }
    });
  }
}

// ---- Winograd's F(4x4, 3x3), with the points 0, +-a, +-b, infinity ----

constexpr float kA = kWinogradA, kB = kWinogradB, kAA = kWinogradA * kWinogradA,
                kBB = kWinogradB * kWinogradB;

GAMMANET_INLINE void input_transform(const Vec (&x)[6], Vec (&y)[6]) {
  const Vec even_a = x[4] - kBB * x[2], odd_a = kA * (x[3] - kBB * x[1]);
  const Vec even_b = x[4] - kAA * x[2], odd_b = kB * (x[3] - kAA * x[1]);
  y[0] = (x[4] - (kAA + kBB) * x[2]) + (kAA * kBB) * x[0];
  y[1] = even_a + odd_a;
  y[2] = even_a - odd_a;
  y[3] = even_b + odd_b;
  y[4] = even_b - odd_b;
  y[5] = (x[5] - (kAA + kBB) * x[3]) + (kAA * kBB) * x[1];
}

GAMMANET_INLINE void output_transform(const Vec (&m)[6], Vec (&y)[4]) {
  const Vec sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const Vec sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = kA * difference_a + kB * difference_b;
  y[2] = kAA * sum_a + kBB * sum_b;
  y[3] = (kAA * kA) * difference_a + ((kBB * kB) * difference_b + m[5]);
}

template <class Size>
GAMMANET_INLINE void input_tile(const float* const (&pixels)[36], int64_t k, int64_t rest,
                                Size size, float* v, int64_t plane_stride) {
  Vec half[6][6];
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    Vec column[6], result[6];
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      column[y] = pixels[y * 6 + x] ? load(pixels[y * 6 + x] + k, rest, size) : Vec{};
    }
    input_transform(column, result);
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      half[y][x] = result[y];
    }
  }
#pragma GCC unroll 6
  for (int y = 0; y < 6; ++y) {
    Vec result[6];
    input_transform(half[y], result);
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) {
      store(v + (y * 6 + x) * plane_stride + k, result[x]);
    }
  }
}

void winograd_input(const float* x, int64_t h, int64_t w, int64_t c, int64_t first, int64_t count,
                    float* v, int64_t c_stride, int64_t plane_stride) {
  const int64_t across = (w + 3) / 4;
  int64_t row = first / across, column = first % across;
  for (int64_t t = 0; t < count; ++t, v += c_stride) {
    const float* pixels[36];
    for (int i = 0; i < 36; ++i) {
      const int64_t py = row * 4 - 1 + i / 6, px = column * 4 - 1 + i % 6;
      pixels[i] =
          py >= 0 && py < h && px >= 0 && px < w ? x + (py * w + px) * c : nullptr;
    }
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      input_tile(pixels, k, rest, size, v, plane_stride);
    });
    if (++column == across) {
      column = 0;
      ++row;
    }
  }
}

void winograd_output(const float* m, int64_t c_stride, int64_t plane_stride, int64_t first,
                     int64_t count, const float* bias, bool with_relu, float* out, int64_t h,
                     int64_t w, int64_t c, int64_t out_stride) {
  const int64_t across = (w + 3) / 4;
  int64_t row = first / across, column = first % across;
  for (int64_t t = 0; t < count; ++t, m += c_stride) {
    const int64_t rows = h - row * 4 < 4 ? h - row * 4 : 4;
    const int64_t columns = w - column * 4 < 4 ? w - column * 4 : 4;
    float* corner = out + (row * 4 * w + column * 4) * out_stride;
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      Vec half[4][6];
#pragma GCC unroll 6
      for (int x = 0; x < 6; ++x) {
        Vec in[6], result[4];
#pragma GCC unroll 6
        for (int y = 0; y < 6; ++y) {
          in[y] = load(m + (y * 6 + x) * plane_stride + k);
        }
        output_transform(in, result);
#pragma GCC unroll 4
        for (int y = 0; y < 4; ++y) {
          half[y][x] = result[y];
        }
      }
      const Vec b = load(bias + k);
      for (int y = 0; y < rows; ++y) {
        Vec result[4];
        output_transform(half[y], result);
        float* line = corner + y * w * out_stride + k;
        for (int x = 0; x < columns; ++x) {
          const Vec s = result[x] + b;
          store(line + x * out_stride, with_relu ? relu(s) : s, rest, size);
        }
      }
    });
    if (++column == across) {
      column = 0;
      ++row;
    }
  }
}

// ---- Pooling and resizing ----

void max_pool(const float* upper, const float* lower, int64_t stride, int64_t w, int64_t c,
              float* out) {
  for (int64_t x = 0; x + 1 < w; x += 2, out += c) {
    const float *a = upper + x * stride, *b = lower + x * stride;
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      const Vec top = maximum(load(a + k, rest, size), load(a + stride + k, rest, size));
      const Vec bottom = maximum(load(b + k, rest, size), load(b + stride + k, rest, size));
      store(out + k, maximum(top, bottom), rest, size);
    });
  }
}

void interpolate(const float* upper, const float* lower, float fy, int64_t stride,
                 const int32_t* left, const int32_t* right, const float* fraction, int64_t w,
                 int64_t c, float* out) {
  for (int64_t x = 0; x < w; ++x, out += c) {
    const int64_t l = left[x] * stride, r = right[x] * stride;
    const float fx = fraction[x];
    const float ul = (1 - fy) * (1 - fx), ur = (1 - fy) * fx, ll = fy * (1 - fx), lr = fy * fx;
    over_channels(c, [&](int64_t k, int64_t rest, auto size) {
      store(out + k,
            (ul * load(upper + l + k, rest, size) + ur * load(upper + r + k, rest, size)) +
                (ll * load(lower + l + k, rest, size) + lr * load(lower + r + k, rest, size)),
            rest, size);
    });
  }
}

}  // namespace

#define GAMMANET_TABLE_NAME(isa) GAMMANET_JOIN(kernels_, isa)
#define GAMMANET_JOIN(a, b) a##b
#define GAMMANET_TEXT(isa) GAMMANET_QUOTE(isa)
#define GAMMANET_QUOTE(x) #x

extern const Kernels GAMMANET_TABLE_NAME(GAMMANET_ISA);
const Kernels GAMMANET_TABLE_NAME(GAMMANET_ISA) = {
    GAMMANET_TEXT(GAMMANET_ISA),
    kWidth,
    kVectors* kWidth,
    product<Float32>,
    nullptr,
    nullptr,
    2,
    nullptr,
    nullptr,
    nullptr,
    false,
    layer_norm,
    row_moments,
    column_sums,
    scale_shift,
    inhibit,
    excite,
    mix,
    winograd_input,
    winograd_output,
    max_pool,
    interpolate,
};

}  // namespace gammanet
