// The arithmetic, once for each instruction set: tables of functions that work on plain memory, on
// the calling thread, without checks.
#pragma once

#include <cstdint>

#include "gammanet_native.h"

namespace gammanet {

// Rows of floats: of a feature map, or of a buffer with padded rows. Without data: zeros.
struct Rows {
  const float* data = nullptr;
  int64_t stride = 0;
  Rows from(int64_t row) const { return {data ? data + row * stride : nullptr, stride}; }
};

// Some columns of the left matrix of a product: row r of line l starts at element
// l * line_stride + r * stride and has `depth` elements; they meet the rows of the right matrix
// from `offset` on. In bfloat16 depth and offset are multiples of depth_bf16.
struct Operand {
  const void* rows;
  int64_t stride, line_stride;
  int64_t depth, offset;
};

// out[l][r][o] = relu?(bias[o] + sum of operands x panels), o < outputs.
struct Product {
  const void* panels;  // see Panels
  int64_t depth;       // of the panels
  int64_t outputs;
  const Operand* operands;
  int64_t operand_count;
  int64_t lines, rows;
  const float* bias;  // null for zeros; padded to whole vectors
  float* out;
  int64_t out_stride, out_line_stride;
  bool relu;
  // Contiguous memory that is wanted soon: brought into the cache while this is computed.
  const float* ahead;
  int64_t ahead_floats;
  // On tiles: of each `period` rows the first `run` are stored, one after the other. 0: all are.
  int64_t run = 0, period = 0;
};

// A gradient of weights: out[o][i] (+)= sum over pixels of grad[pixel][o] * in[pixel][i].
struct Bf16Gradient {
  const uint16_t *grad, *in;     // as pack_outputs_bf16 and pack_inputs_bf16 make them
  int64_t grad_plane, in_plane;  // numbers from 16 channels to the next 16
  int64_t pixels;                // a multiple of 32
  int64_t outputs, inputs;       // multiples of 16
  float* out;
  int64_t out_stride;
  bool first;  // whether `out` is set and not added to
};

enum Activation {
  kIdentity = GAMMANET_CIRCUIT_STATIC,
  kSoftplus = GAMMANET_CIRCUIT_SOFTPLUS,
  kSigmoid = GAMMANET_CIRCUIT_SIGMOID
};

// s = relu(x - (a(alpha) i + a(mu)) c1) for rows of c channels.
struct Inhibit {
  const float *x, *i;  // [rows, c]; i null for zeros
  const float* c1;     // c1_stride floats a row; null for zeros
  int64_t c1_stride;
  const float *alpha, *mu;   // parameter_stride floats a row, 0: the same for all
  int64_t parameter_stride;
  Activation activation;
  float* out;
  int64_t out_stride;
  int64_t rows, c;
};

// q = a(omega) c2 + a(kappa), or relu(i + c2) if kappa is null.
struct Excite {
  const float* i;   // [rows, c]
  const float* c2;  // c2_stride floats a row
  int64_t c2_stride;
  const float *kappa, *omega;
  int64_t parameter_stride;
  Activation activation;
  float* out;
  int64_t out_stride;
  int64_t rows, c;
};

// argument = (z - mean * sums) * scale, or z * channel_scale + channel_shift;
// out = state + sigmoid(argument + bias) (candidate - state).
struct Mix {
  const float* z;
  int64_t z_stride;
  const float *mean, *scale;       // of each row; null: 0 and 1
  const float *sums, *bias;        // of each channel, padded to whole vectors
  const float *channel_scale, *channel_shift;  // null: 1 and 0
  float* argument;                             // z_stride floats a row; may be z; null: not kept
  const float* state;              // [rows, c]; null for zeros
  const float* candidate;
  int64_t candidate_stride;
  float* out;  // [rows, c]; may be state; null: only the argument is needed
  float* sum;  // [rows, c]: out is added to it; null: none
  int64_t rows, c;
};

struct Kernels {
  const char* name;
  // Floats in a vector register.
  int64_t width;
  // Outputs in a block of panels.
  int64_t block;

  void (*product)(const Product&);
  // Operands and panels in bfloat16; null where that would be no faster than float32 (filled in at
  // run time).
  void (*product_bf16)(const Product&);
  // Rows of c floats to rows of bfloat16, filled with zeros up to `padded` numbers. Null together
  // with product_bf16.
  void (*convert_bf16)(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                       int64_t out_stride, int64_t padded);
  // Depth and offset of an operand in bfloat16 are multiples of this.
  int64_t depth_bf16;
  // Gradients of weights in bfloat16; null together with product_bf16.
  void (*gradient_bf16)(const Bf16Gradient&);
  // Rows of c floats (null for zeros) to bfloat16: out[c / 16][count / 32][16 channels][32 pixels],
  // count being a multiple of 32, planes `plane` numbers apart.
  void (*pack_outputs_bf16)(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                            int64_t plane);
  // The same to out[c / 16][count / 2][16 channels][2 pixels], count being even.
  void (*pack_inputs_bf16)(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                           int64_t plane);

  // Whether products in bfloat16 are tile instructions, so much faster that they replace Winograd's
  // algorithm in float32.
  bool tiles;

  // Layer normalization of [pixels, c], in place if out is x; weight and bias null: no affine part.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float* out,
                     int64_t pixels, int64_t c);
  // Mean and 1 / sqrt(variance + 1e-5) of each row of `parts` concatenated pieces of c channels,
  // a null piece being zeros.
  void (*row_moments)(const float* const* pieces, const int64_t* strides, int64_t parts,
                      int64_t rows, int64_t c, float* mean, float* scale);
  // sums[k] = sum over rows of x[k], or of (x[k] - mean[k])^2 where mean is given.
  void (*column_sums)(const float* x, int64_t stride, int64_t rows, int64_t c, const float* mean,
                      float* sums);
  // out = x * scale + shift, of each channel; then ELU if elu. May be in place.
  void (*scale_shift)(const float* x, int64_t stride, int64_t rows, int64_t c, const float* scale,
                      const float* shift, bool elu, float* out, int64_t out_stride);

  void (*inhibit)(const Inhibit&);
  void (*excite)(const Excite&);
  void (*mix)(const Mix&);

  // The tiles first ... first + count - 1 (row by row, ceil(w / 4) in each) of Winograd's
  // F(4x4, 3x3): v[36][count][c_stride], planes plane_stride floats apart, from x [h, w, c]. The
  // pad of a row is zero.
  void (*winograd_input)(const float* x, int64_t h, int64_t w, int64_t c, int64_t first,
                         int64_t count, float* v, int64_t c_stride, int64_t plane_stride);
  // out [h, w, c], out_stride floats a pixel, from m[36][count][c_stride].
  void (*winograd_output)(const float* m, int64_t c_stride, int64_t plane_stride, int64_t first,
                          int64_t count, const float* bias, bool relu, float* out, int64_t h,
                          int64_t w, int64_t c, int64_t out_stride);

  // out[w / 2][c] = the greatest of 2x2 in two lines of w pixels.
  void (*max_pool)(const float* upper, const float* lower, int64_t stride, int64_t w, int64_t c,
                   float* out);
  // One line of w pixels: out = (1 - fy) * row(upper) + fy * row(lower), each row the linear
  // interpolation between pixels left[j] and right[j] with fraction fraction[j].
  void (*interpolate)(const float* upper, const float* lower, float fy, int64_t stride,
                      const int32_t* left, const int32_t* right, const float* fraction, int64_t w,
                      int64_t c, float* out);
};

// Points of Winograd's transform: 0, +-a, +-b, infinity.
// These two keep the rounding error near that of the direct sum; 1 and 2, the usual ones, cost a
// factor of three. All that is made of them is exact in float32.
constexpr double kWinogradA = 0.75, kWinogradB = 1.5;

extern const Kernels kernels_portable;
#ifdef GAMMANET_X86
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif
#ifdef GAMMANET_BF16
void product_bf16_avx512(const Product& p);
void convert_bf16_avx512(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                         int64_t out_stride, int64_t padded);
void pack_outputs_bf16_avx512(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                              int64_t plane);
void pack_inputs_bf16_avx512(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                             int64_t plane);
void gradient_bf16_avx512(const Bf16Gradient& g);
#endif
#ifdef GAMMANET_AMX
// Lets this process use tiles; false where processor or system do not.
bool enable_amx();
void product_bf16_amx(const Product& p);
void gradient_bf16_amx(const Bf16Gradient& g);
#endif
// The same in plain loops, for tests on any processor.
void product_bf16_scalar(const Product& p);
void convert_bf16_scalar(const float* x, int64_t stride, int64_t rows, int64_t c, uint16_t* out,
                         int64_t out_stride, int64_t padded);
void gradient_bf16_scalar(const Bf16Gradient& g);
void pack_outputs_bf16_scalar(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                              int64_t plane);
void pack_inputs_bf16_scalar(const float* const* rows, int64_t count, int64_t c, uint16_t* out,
                             int64_t plane);

// The set in use.
const Kernels& kernels();
// Chooses a set by name; null or "auto" for the best of this processor. False if there is none.
bool force_instruction_set(const char* name);
// What GAMMANET_INSTRUCTION_SET names, if this processor or build lacks it; otherwise null.
const char* missing_instruction_set();

}  // namespace gammanet
