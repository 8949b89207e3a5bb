// What libgammanet_cuda gives to libgammanet_native: the elementwise, normalizing and reducing
// kernels around LibTorch's convolutions, on bare device pointers.
//
// Maps are dense, channels last: element (n, c, y, x) of a map of C channels is
// data[((n * H + y) * W + x) * C + c]. "Half" data is bfloat16, all other is float32. Every function
// enqueues on the stream given and returns null, or the text of CUDA's error. A null pointer to the
// data of an input stands for zeros, a null output is not wanted.
#pragma once

#include <cstdint>

namespace gammanet::cuda {

constexpr uint32_t kKernelsVersion = 1;

// How normalized values come about.
enum NormKind {
  kIdentity = 0,
  // Every pixel on its own, over all channels of all parts.
  kOverChannels = 1,
  // With a mean and a 1/sigma for each sample and channel, from Statistics.
  kGiven = 2
};

constexpr int kMaxParts = 3;

struct Extent {
  int64_t samples, pixels;  // pixels of one sample
  int32_t channels;         // of one part
  int32_t parts;
};

struct Source {
  const void* data;
  int32_t half;
  int32_t relu;  // the values are max(data, 0)
};

// Forward statistics of kGiven, [samples, channels] for each part.
struct Statistics {
  const float* mean[kMaxParts];
  const float* r[kMaxParts];
};

struct Assemble {
  Extent extent;
  Source sources[kMaxParts];
  NormKind norm;
  Statistics statistics;
  const float* weight;  // [parts * channels], or null for no affine part
  const float* bias;
  void* out;  // [.., parts * channels]
  int32_t half;
};

// Computes the mean and 1/sigma of one map over the pixels of a sample and `group` consecutive
// channels.
struct Reduce {
  Extent extent;  // parts 1
  Source source;
  int32_t group;
  float* scratch;  // reduce_scratch floats
  float* mean;     // [samples, channels]
  float* r;
};

// What a gate reads besides the maps: its product, normalized by `norm` (gate norm "post"), + bias.
struct GateProduct {
  const void* product;  // half as the cell's
  NormKind norm;
  Statistics statistics;  // part 0
  const float* bias;
};

// alpha and mu, or kappa and omega.
struct Circuit {
  const void* product;  // [.., 2C], half as the cell's; null for static parameters
  const float* bias;    // [2C] of the dynamic ones
  int32_t softplus;     // else sigmoid
  const float* first;   // [C] of the static ones
  const float* second;
};

struct UpdateInhibition {
  Extent extent;
  int32_t half;
  const float* x;
  const float* i;
  const void* u1;  // before rectification
  GateProduct gain;
  Circuit circuit;
  float* new_i;
};

struct Candidate {
  Extent extent;
  int32_t half;
  int32_t multiplicative;
  const float* new_i;
  const void* u2;
  Circuit circuit;
  float* q;
};

struct UpdateExcitation {
  Extent extent;
  int32_t half;
  const float* e;
  const float* q;
  GateProduct mix;
  float* new_e;
  float* sum;  // added to
};

struct MixBackward {
  Extent extent;
  int32_t half;
  const float* e;
  const float* q;
  GateProduct mix;
  const float* grad_new_e;
  float* grad_e;
  float* grad_q;
  float* grad_gate;  // of the sigmoid's argument
};

struct CandidateBackward {
  Extent extent;
  int32_t half;
  int32_t multiplicative;
  const float* new_i;
  const void* u2;
  Circuit circuit;
  const float* grad_q;
  float* grad_new_i;   // added to, where not multiplicative
  void* grad_u2;       // half as the cell's
  void* grad_product;  // [.., 2C] of the dynamic network; static: of kappa and omega, per pixel
};

struct InhibitionBackward {
  Extent extent;
  int32_t half;
  const float* x;
  const float* i;
  const void* u1;
  GateProduct gain;
  Circuit circuit;
  const float* grad_new_i;
  float* grad_x;
  float* grad_i;
  float* grad_c1;
  float* grad_gate;
  void* grad_product;  // as in CandidateBackward, of alpha and mu
};

// Turns the gradient of normalized parts into that of the parts.
struct NormBackward {
  Extent extent;
  Source grad;  // [.., parts * channels]
  Source sources[kMaxParts];
  NormKind norm;
  Statistics statistics;
  // For kGiven: the means of the gradient and of the gradient times the normalized value, in the
  // form of Statistics.
  Statistics gradient_statistics;
  const float* weight;  // [parts * channels] of the affine part, or null
  float* out[kMaxParts];  // added to; null where not wanted
  void* replace;          // instead of `out`: overwritten, [.., parts * channels]
  int32_t half;           // of `replace`
};

// Means for NormBackward with kGiven, of part `part`.
struct GradientReduce {
  Extent extent;
  Source grad;
  Source source;
  int32_t part;
  int32_t group;
  Statistics statistics;
  const float* weight;
  float* scratch;
  float* mean_grad;     // [samples, channels]
  float* mean_product;
};

// out[c] += the sum over all pixels of a[.., c] * b[.., c].
struct ColumnSums {
  Extent extent;  // parts 1
  Source a;
  Source b;  // data null: of a alone
  float* scratch;
  float* out;
};

// out = a, or 0 where `mask` is not positive.
struct Mask {
  int64_t size;
  Source a;
  Source mask;
  void* out;
  int32_t half;
};

// out = max(a + bias, 0), the maximum only with relu.
struct BiasRelu {
  Extent extent;
  Source a;
  const float* bias;
  int32_t relu;
  void* out;
  int32_t half;
};

// out[n, y, x] = the maximum over 2x2 of values to which `bias` was added and which were then
// rectified, if bias is not null.
struct Pool {
  int64_t samples, height, width;  // of the input
  int32_t channels;
  Source a;
  const float* bias;
  float* out;
};

// out = bilinear(elu(normalized a)).
struct NormEluResize {
  int64_t samples, height, width, out_height, out_width;
  int32_t channels;
  Source a;
  Statistics statistics;  // part 0
  float* out;
};

// out[o, i, y, x] = S(w), or += where `add`. `last` says that memory is [o, y, x, i].
struct Symmetric {
  int32_t out_channels, in_channels, kernel, symmetry;
  const void* weight;
  int32_t weight_half, weight_last;
  void* out;
  int32_t out_half, out_last;
  int32_t add;
};

// out[c] += grad[c] times the slope of a static parameter's forcing.
struct AddForced {
  int32_t size;
  const float* grad;
  const float* stored;
  int32_t forcing;  // 0 none, 1 sigmoid, 2 relu
  float* out;
};

// out[c] = the forced parameter.
struct Forced {
  int32_t size;
  const float* stored;
  int32_t forcing;
  float* out;
};

struct Kernels {
  uint32_t version;
  const char* (*assemble)(const Assemble&, int device, void* stream);
  const char* (*reduce)(const Reduce&, int device, void* stream);
  const char* (*update_inhibition)(const UpdateInhibition&, int device, void* stream);
  const char* (*candidate)(const Candidate&, int device, void* stream);
  const char* (*update_excitation)(const UpdateExcitation&, int device, void* stream);
  const char* (*mix_backward)(const MixBackward&, int device, void* stream);
  const char* (*candidate_backward)(const CandidateBackward&, int device, void* stream);
  const char* (*inhibition_backward)(const InhibitionBackward&, int device, void* stream);
  const char* (*norm_backward)(const NormBackward&, int device, void* stream);
  const char* (*gradient_reduce)(const GradientReduce&, int device, void* stream);
  const char* (*column_sums)(const ColumnSums&, int device, void* stream);
  const char* (*mask)(const Mask&, int device, void* stream);
  const char* (*bias_relu)(const BiasRelu&, int device, void* stream);
  const char* (*pool)(const Pool&, int device, void* stream);
  const char* (*norm_elu_resize)(const NormEluResize&, int device, void* stream);
  const char* (*symmetric)(const Symmetric&, int device, void* stream);
  const char* (*add_forced)(const AddForced&, int device, void* stream);
  const char* (*forced)(const Forced&, int device, void* stream);
};

// Floats of scratch that a reduction over an extent needs.
constexpr int64_t reduce_chunk(int64_t pixels) {
  // As many chunks as fill a large processor, of no fewer pixels than amortise the second stage.
  int64_t chunk = (pixels + 511) / 512;
  return chunk < 32 ? 32 : chunk;
}
constexpr int64_t reduce_chunks(int64_t pixels) {
  int64_t chunk = reduce_chunk(pixels);
  return (pixels + chunk - 1) / chunk;
}
constexpr int64_t reduce_scratch(const Extent& extent) {
  return 2 * extent.samples * reduce_chunks(extent.pixels) * extent.channels;
}

}  // namespace gammanet::cuda

// The only symbol of libgammanet_cuda.
#ifdef _WIN32
extern "C" __declspec(dllexport) const gammanet::cuda::Kernels* gammanet_cuda_kernels();
#else
extern "C" __attribute__((visibility("default"))) const gammanet::cuda::Kernels*
gammanet_cuda_kernels();
#endif
