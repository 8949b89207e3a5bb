// Arithmetic of the gradients, once for each instruction set, as in kernels.h.
//
// Rows are tiles of [rows, parts * padded] floats: `padded` is the number of channels rounded up to
// whole vectors. What lies between is finite and of no importance.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace gammanet {

// One tile of the excitatory half. Maps have a row stride of `channels`, all others one of as many
// `padded` as their comment says.
struct ExcitationTile {
  int64_t rows, channels, padded;
  Activation activation;    // kIdentity: static parameters
  bool multiplicative;
  const float* c2;          // map
  const float* grad_new_e;  // map, or null for zeros
  const float* e;           // map, or null for zeros
  float* product;           // 2: of the network, with bias; candidate_backward turns it into the gradient
  const float* omega;       // [padded], static
  const float* q;           // 1
  const float* gate;        // 1: argument of the sigmoid, without bias
  const float* gate_bias;   // [padded]
  float* grad_gate;         // 1
  float* grad_q;            // 1
  float* grad_e;            // 1
  float* grad_new_i;        // 1
  float* grad_u2;           // map
};

struct InhibitionTile {
  int64_t rows, channels, padded;
  Activation activation;    // kIdentity: static parameters
  const float* i;           // map, or null for zeros
  const float* c1;          // map, or null for zeros
  const float* x;           // map
  float* product;           // 2: of the network, with bias; inhibition_backward turns it into the gradient
  const float* alpha;       // [padded], static
  const float* mu;          // [padded]
  const float* gate;        // 1
  const float* gate_bias;   // [padded]
  const float* grad_new_i;  // map
  const float* grad_n;      // map: more of the gradient of i'
  float* grad_gate;         // 1
  float* grad_inputs;       // 3: of [i; c1; x]
};

// Where `from` plus new values goes; `to` may be from's rows, and null: nowhere.
struct RowSum {
  Rows from;
  float* to;
  int64_t stride;
};

struct BackwardKernels {
  // Columns that weight_gradient takes at most.
  int64_t panel;

  // out[o][k] += the sum over p of grad[p][o] * in[p][k]; o < rows, k < columns. The pixels are
  // `lines` lines of `length`, grad_line and in_line floats apart.
  void (*weight_gradient)(const float* grad, int64_t grad_stride, int64_t grad_line,
                          const float* in, int64_t in_stride, int64_t in_line, int64_t lines,
                          int64_t length, int64_t rows, int64_t columns, float* out,
                          int64_t out_stride);
  // The same for one line of `count` vectors of columns that lie apart.
  void (*weight_gradient_of_vectors)(const float* grad, int64_t grad_stride, const Rows* in,
                                     int64_t count, int64_t length, int64_t rows, float* out,
                                     int64_t out_stride);

  // The tiles first ... first + count - 1 of the gradient of the output of Winograd's
  // F(4x4, 3x3): u[36][count][c_stride], planes plane_stride floats apart, from grad [h, w, c]. The
  // pad of a row is zero.
  void (*winograd_gradient)(const float* grad, int64_t h, int64_t w, int64_t c, int64_t first,
                            int64_t count, float* u, int64_t c_stride, int64_t plane_stride);

  // sums[tap][c] += G^T m G, m[36][c]; planes of both lie `stride` floats apart.
  void (*winograd_weight)(const float* m, int64_t stride, const float (&g)[6][3], int64_t c,
                          float* sums);

  // sums[c] += the sum over rows of a[p][c] (times b[p][c] unless b is null), c < channels.
  void (*column_sums)(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                      int64_t rows, int64_t channels, float* sums);

  // Rows of parts * padded floats from the parts, filled with finite values up to `padded` each; as
  // (value - mean[row]) * r[row] if mean is given.
  void (*gather_rows)(const Rows* from, int64_t parts, const float* mean, const float* r,
                      int64_t rows, int64_t channels, int64_t padded, float* out);
  // out = a + b, or 0 where `mask` is given and not positive; out may be one of them.
  void (*sum_rows)(Rows a, Rows b, Rows mask, int64_t rows, int64_t channels, float* out,
                   int64_t out_stride);

  // Normalizes each row over its parts * channels values, in place; r gets 1/sigma of each row.
  void (*normalize_rows)(float* data, int64_t rows, int64_t parts, int64_t channels,
                         int64_t padded, float* r);
  // grad becomes the gradient of what was normalized to y; if `sums` is given, that of each part
  // goes there instead.
  void (*normalize_rows_backward)(float* grad, const float* y, const float* r, int64_t rows,
                                  int64_t parts, int64_t channels, int64_t padded,
                                  const RowSum* sums);
  // data = (data - mean[c]) * r[c]; out may be data.
  void (*normalize_columns)(const float* data, int64_t stride, const float* mean, const float* r,
                            int64_t rows, int64_t channels, float* out, int64_t out_stride);
  // grad = r[c] * (grad - mean_grad[c] - y * mean_product[c]).
  void (*normalize_columns_backward)(float* grad, int64_t grad_stride, const float* y,
                                     int64_t y_stride, const float* r, const float* mean_grad,
                                     const float* mean_product, int64_t rows, int64_t channels);
  // data[p][c] = data * scale[c] + shift[c]; shift null: none.
  void (*scale_columns)(float* data, int64_t stride, const float* scale, const float* shift,
                        int64_t rows, int64_t channels);

  // grad_gate, grad_q and grad_e from the gate.
  void (*mix_backward)(const ExcitationTile& tile);
  // The gradient of the network's product and grad_u2 from grad_q.
  void (*candidate_backward)(const ExcitationTile& tile);
  void (*inhibition_backward)(const InhibitionTile& tile);

  // Gradient of the 2x2 max pooling of two lines of w pixels, of rectified values if `rectified`: it
  // goes to the first of the greatest.
  void (*max_pool)(const float* upper, const float* lower, int64_t w, int64_t c, bool rectified,
                   const float* grad, float* grad_upper, float* grad_lower);
  // What a line of w pixels, interpolated as by Kernels::interpolate, gives back to one of the lines
  // that it is made of, with the share `weight`; added to out.
  void (*interpolate)(const float* grad, float weight, const int32_t* left, const int32_t* right,
                      const float* fraction, int64_t w, int64_t c, float* out);
  // grad becomes the gradient of x from that of elu(x).
  void (*elu)(const float* x, int64_t size, float* grad);

  // out = a where mask > 0, else 0; out may be a.
  void (*mask)(const float* a, const float* mask, int64_t size, float* out);
};

// Those for the same instruction set.
const BackwardKernels& backward_kernels(const Kernels& kernels);

extern const BackwardKernels backward_kernels_portable;
#ifdef GAMMANET_X86
extern const BackwardKernels backward_kernels_avx2;
extern const BackwardKernels backward_kernels_avx512;
#endif

}  // namespace gammanet
