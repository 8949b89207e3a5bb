/*
 * GammaNet's own native kernels: the fGRU cell and what surrounds it, each as one call.
 *
 * The kernels are an addition: everything here can also be computed, more slowly, operator by
 * operator through LibTorch.
 *
 * Status. Every function that can fail returns GAMMANET_OK (0) or one of the codes below, and
 * then gammanet_last_error() tells the calling thread why. A failed call leaves its output tensors
 * with unspecified contents but valid. No C++ exception leaves the library.
 *
 * Tensors. An AtenTensorHandle is borrowed for the duration of the call; nothing is consumed or
 * recorded by autograd, and only the weights that are packed are kept. A "feature map" is a float32
 * tensor of shape [N, C, H, W], none of them 0, in channels-last memory without gaps: strides
 * (H*W*C, 1, W*C, C), where the stride of a dimension of size 1 does not matter. (aten::contiguous
 * with the memory format aoti_torch_memory_format_channels_last() makes one.) A "vector" is a contiguous float32 tensor of
 * C elements, whatever its number of dimensions. Weights are contiguous, float32, shaped as their
 * comment says. All tensors of a call live on the same device as the packed weights: the CPU, or
 * one CUDA device after gammanet_native_init_cuda.
 *
 * Outputs are feature maps or vectors of the right shape allocated by the caller, and are overwritten unless the
 * comment says "added to". An output may be the same tensor as an input only where that is stated;
 * partly overlapping memory is never allowed.
 *
 * Packed weights (GammanetConv, GammanetCell) are copies in the order in which the kernels read
 * them. They keep the memory of the tensors and may read it again later, for an algorithm or a
 * gradient that is requested for the first time: after a change of a tensor, free what was packed
 * from it and pack again. They may be used by any number of threads at once; they are freed once, by the caller,
 * when no call is using them.
 *
 * Threads. Work is spread over threads of the library's own, as many as LibTorch may use. While one
 * call uses them, others use LibTorch's (torch_parallel_for).
 */
#ifndef GAMMANET_NATIVE_H
#define GAMMANET_NATIVE_H

#include <stdint.h>

#include "libtorch_stable.h"

#if defined(GAMMANET_BUILDING) && defined(_WIN32)
#define GAMMANET_API __declspec(dllexport)
#elif defined(GAMMANET_BUILDING)
#define GAMMANET_API __attribute__((visibility("default")))
#else
#define GAMMANET_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Incremented with every change of this header or the cell's table; a library of another version is refused. */
#define GAMMANET_NATIVE_ABI_VERSION 3

/* Status codes. */
#define GAMMANET_OK 0
/* An argument is null, has a wrong shape, dtype, memory layout or device, or is out of range. */
#define GAMMANET_INVALID_ARGUMENT 1
/* A function of LibTorch failed. */
#define GAMMANET_TORCH_ERROR 2
#define GAMMANET_OUT_OF_MEMORY 3
/* Not initialized, or this machine or build lacks what was requested. */
#define GAMMANET_UNAVAILABLE 4
/* Anything else: a defect of this library. */
#define GAMMANET_INTERNAL_ERROR 5

/* Weights of a convolution, packed. */
typedef struct GammanetConvOpaque *GammanetConv;
/* Weights and options of a cell, packed. */
typedef struct GammanetCellOpaque *GammanetCell;

/* ---- Numbers of the cell's parameters and options, all from gammanet_cell.def ---- */

/* Indices into the array of a cell's parameters, and into that of their gradients. */
enum {
#define CELL_PARAMETER(name, symbol, outputs, inputs, kernel, present) GAMMANET_CELL_##name,
#include "gammanet_cell.def"
  GAMMANET_CELL_PARAMETERS
};

/* Indices into the array of a cell's options. */
enum {
#define CELL_OPTION(name, description) GAMMANET_CELL_##name,
#include "gammanet_cell.def"
  GAMMANET_CELL_OPTIONS
};

/* Values of the options; GAMMANET_ALGORITHM_* and GAMMANET_PRECISION_* also of convolutions. */
enum {
#define CELL_VALUE(option, name, number) GAMMANET_##option##_##name = number,
#include "gammanet_cell.def"
};

/* ---- The library ---- */

/* GAMMANET_NATIVE_ABI_VERSION of the binary; compare before anything else is called. */
GAMMANET_API uint32_t gammanet_native_abi_version(void);

/*
 * Finds LibTorch's functions; to be called before any function that takes a tensor. Calling it
 * again does nothing. GAMMANET_UNAVAILABLE when they are not there, or when the environment variable
 * GAMMANET_INSTRUCTION_SET names a set that the processor or the build lacks.
 *
 * libtorch_cpu_path: the file name under which this process has loaded libtorch_cpu (it need not
 *   have been loaded with global symbols); null when its symbols are global.
 */
GAMMANET_API int32_t gammanet_native_init(const char *libtorch_cpu_path);

/*
 * Adds CUDA: loads libgammanet_cuda and connects it. Fails with GAMMANET_UNAVAILABLE when
 * it cannot be loaded. Needs gammanet_native_init.
 *
 * gammanet_cuda_path: file name of the library.
 */
GAMMANET_API int32_t gammanet_native_init_cuda(const char *gammanet_cuda_path);

/*
 * Text of this thread's last failure: UTF-8, one sentence of at most 1,023 bytes and a NUL; "" when
 * there was none. Belongs to the library and is valid until this thread's next failure.
 */
GAMMANET_API const char *gammanet_last_error(void);

/*
 * Name of the instruction set in use: "portable", "avx2" (with FMA), "avx512", "avx512-bf16", "amx", or
 * "tiles" (plain loops in the order of "amx", for tests). Never fails.
 */
GAMMANET_API const char *gammanet_instruction_set(void);

/*
 * Chooses the instruction set by name, for tests and measurements; null or "auto" for the best of
 * this processor. Weights that are packed already keep theirs. GAMMANET_UNAVAILABLE when the
 * processor or the build lacks it. The environment variable GAMMANET_INSTRUCTION_SET chooses at
 * start (see gammanet_native_init).
 */
GAMMANET_API int32_t gammanet_force_instruction_set(const char *name);

/*
 * Frees the scratch memory that is kept between calls (a few MB a thread), and the memory of
 * deleted feature maps. Not while another call is running.
 */
GAMMANET_API int32_t gammanet_release_scratch(void);

/*
 * To be called when the process is about to end by exit(): the destructors of static objects are
 * left out, because threads may still be running LibTorch's operators, which use such objects. glibc
 * only; does nothing elsewhere, and in a build with sanitizers, which report at exit.
 */
GAMMANET_API int32_t gammanet_skip_destructors(void);

/* ---- Functions of LibTorch that its C ABI lacks ---- */

/* Sets the number of threads of an operator, at least 1. */
GAMMANET_API int32_t gammanet_torch_set_num_threads(int32_t threads);

/* ret: 1 when autograd stores the gradient of this leaf, or a graph leads to this result; else 0. */
GAMMANET_API int32_t gammanet_torch_requires_grad(AtenTensorHandle tensor, int32_t *ret);

/* ret: a new handle of the gradient of a leaf, to be deleted by the caller; null when it has none. */
GAMMANET_API int32_t gammanet_torch_grad(AtenTensorHandle tensor, AtenTensorHandle *ret);

/* Adds one to the version counter of a tensor, after a change of its elements that LibTorch did not see. */
GAMMANET_API int32_t gammanet_torch_bump_version(AtenTensorHandle tensor);

/* ---- Memory ---- */

/*
 * Allocates a feature map on the CPU, its contents unspecified. It is deleted like any tensor
 * (aoti_torch_delete_tensor_object); its memory is then kept for later feature maps.
 *
 * ret: the feature map; untouched on failure.
 */
GAMMANET_API int32_t gammanet_map_new(int64_t n, int64_t c, int64_t h, int64_t w,
                                      AtenTensorHandle *ret);

/*
 * Sets how many bytes of deleted feature maps are kept at most, apart from gaps between living
 * ones; 2 GiB by default.
 */
GAMMANET_API int32_t gammanet_keep_map_memory(int64_t bytes);

/* ---- Convolutions: k x k, k odd, stride 1, zero padding (k-1)/2 ---- */

/*
 * Packs a convolution.
 *
 * weight: [O, I, k, k].
 * bias: vector of O, or null.
 * algorithm: one of GAMMANET_ALGORITHM_*.
 * precision: one of GAMMANET_PRECISION_*; bfloat16 is GAMMANET_UNAVAILABLE on processors without
 *   instructions for it.
 * ret: the new packed convolution, to be freed by the caller; untouched on failure.
 */
GAMMANET_API int32_t gammanet_conv_pack(AtenTensorHandle weight, AtenTensorHandle bias,
                                        int32_t algorithm, int32_t precision, GammanetConv *ret);

/* Null is allowed and does nothing. */
GAMMANET_API int32_t gammanet_conv_free(GammanetConv conv);

/*
 * out = weight * x + bias, then max(out, 0) if relu is 1 (0: not).
 *
 * x: feature map [N, I, H, W]. out: feature map [N, O, H, W], not x.
 */
GAMMANET_API int32_t gammanet_conv_forward(GammanetConv conv, AtenTensorHandle x, int32_t relu,
                                           AtenTensorHandle out);

/*
 * Gradients of gammanet_conv_forward.
 *
 * x: the input, [N, I, H, W].
 * out: the output when relu was 1 (gradients pass where it is positive), else null; [N, O, H, W].
 * grad_out: gradient of the output, [N, O, H, W].
 * grad_x: gets the gradient of x, [N, I, H, W]; null if not needed.
 * grad_weight: contiguous [O, I, k, k], added to; null if not needed.
 * grad_bias: vector of O, added to; null if not needed.
 */
GAMMANET_API int32_t gammanet_conv_backward(GammanetConv conv, AtenTensorHandle x,
                                            AtenTensorHandle out, AtenTensorHandle grad_out,
                                            AtenTensorHandle grad_x, AtenTensorHandle grad_weight,
                                            AtenTensorHandle grad_bias);

/*
 * out = maxpool2x2(max(weight * x + bias, 0)): distribution alignment, rectification and pooling
 * (stride 2, an odd last row or column dropped).
 *
 * conv: 1x1, or null for the pooling of x alone, without rectification.
 * x: feature map [N, I, H, W] with H, W >= 2. out: feature map [N, O, H/2, W/2] (rounded down).
 */
GAMMANET_API int32_t gammanet_align_pool_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out);

/*
 * out = bilinear(elu(instance_norm(weight * x + bias))): feedback from the level above. Resizing is
 * that of align_corners = false; the normalization has epsilon 1e-5 and no affine part.
 *
 * conv: 1x1. x: feature map [N, I, h, w]. out: feature map [N, O, H, W] of any size; equal sizes copy.
 */
GAMMANET_API int32_t gammanet_project_up_forward(GammanetConv conv, AtenTensorHandle x,
                                                 AtenTensorHandle out);

/*
 * Gradients of the two above; intermediate values are recomputed. Tensors on the CPU only.
 *
 * x: the input. grad_out: gradient of the output.
 * grad_x: gets the gradient of x; null if not needed, unless conv is.
 * grad_weight: contiguous [O, I, 1, 1], added to; null if not needed or without conv.
 * grad_bias: vector of O, added to; null if not needed or without conv.
 */
GAMMANET_API int32_t gammanet_align_pool_backward(GammanetConv conv, AtenTensorHandle x,
                                                  AtenTensorHandle grad_out,
                                                  AtenTensorHandle grad_x,
                                                  AtenTensorHandle grad_weight,
                                                  AtenTensorHandle grad_bias);
GAMMANET_API int32_t gammanet_project_up_backward(GammanetConv conv, AtenTensorHandle x,
                                                  AtenTensorHandle grad_out,
                                                  AtenTensorHandle grad_x,
                                                  AtenTensorHandle grad_weight,
                                                  AtenTensorHandle grad_bias);

/* ---- Layer normalization over channels, each pixel on its own, epsilon 1e-5 ---- */

/*
 * x, out: feature maps [N, C, H, W]; out may be x. weight, bias: vectors of C, or both null.
 */
GAMMANET_API int32_t gammanet_channel_layer_norm_forward(AtenTensorHandle x,
                                                         AtenTensorHandle weight,
                                                         AtenTensorHandle bias,
                                                         AtenTensorHandle out);

/* ---- The fGRU cell with excitatory and inhibitory states ---- */

/*
 * With drive x, excitatory state e, inhibitory state i; * is a convolution, N a normalization:
 *
 *   c1 = relu(W_inh * N1(e))
 *   [alpha; mu] = a(D_inh * [i; c1; x] + d_inh)           or vectors of C
 *   s  = relu(x - (alpha i + mu) c1)
 *   g1 = sigmoid(W_gain * N[e; i; x] + b_gain)            or sigmoid(N(W_gain * [e; i; x]) + b_gain)
 *   i' = (1 - g1) i + g1 s
 *   c2 = relu(W_exc * N2(i'))
 *   [kappa; omega] = a(D_exc * [i'; e] + d_exc)           or vectors of C
 *   q  = omega c2 + kappa                                 or relu(i' + c2)
 *   g2 = sigmoid(W_mix * N[e; q; i'] + b_mix)             or sigmoid(N(W_mix * [e; q; i']) + b_mix)
 *   e' = (1 - g2) e + g2 q
 */

/*
 * Packs a cell.
 *
 * parameters: GAMMANET_CELL_PARAMETERS handles, null where the options leave a parameter out
 *   (one that is present then is ignored).
 * options: GAMMANET_CELL_OPTIONS numbers.
 * ret: the new packed cell, to be freed by the caller; untouched on failure.
 */
GAMMANET_API int32_t gammanet_cell_pack(const AtenTensorHandle *parameters, const int32_t *options,
                                        GammanetCell *ret);

/* Null is allowed and does nothing. */
GAMMANET_API int32_t gammanet_cell_free(GammanetCell cell);

/*
 * One step of the cell. All tensors are feature maps [N, C, H, W].
 *
 * x: drive.
 * e, i: states; null for a state of zeros, which saves work. i may be e.
 * new_e: gets e'; may be e, unless i is e, too.
 * new_i: gets i'; may be i, unless that is e.
 * sum: e' is added to it (the skip connection of a feedback cell); null if there is none. Not any
 *   of the other tensors.
 */
GAMMANET_API int32_t gammanet_cell_forward(GammanetCell cell, AtenTensorHandle x,
                                           AtenTensorHandle e, AtenTensorHandle i,
                                           AtenTensorHandle new_e, AtenTensorHandle new_i,
                                           AtenTensorHandle sum);

/*
 * ret: channels of the map that gammanet_cell_forward_keeping fills; 0 where it does not apply, which
 *   is on CUDA and with normalization over pixels or of horizontal inputs.
 */
GAMMANET_API int32_t gammanet_cell_kept_channels(GammanetCell cell, int64_t *ret);

/*
 * The same as gammanet_cell_forward for new_e and new_i that are none of the inputs; also leaves what
 * gammanet_cell_backward can use.
 *
 * kept: feature map [N, K, H, W] with gammanet_cell_kept_channels; not any of the other tensors.
 */
GAMMANET_API int32_t gammanet_cell_forward_keeping(GammanetCell cell, AtenTensorHandle x,
                                                   AtenTensorHandle e, AtenTensorHandle i,
                                                   AtenTensorHandle new_e, AtenTensorHandle new_i,
                                                   AtenTensorHandle kept);

/*
 * Gradients of one step. All tensors but the parameters' are feature maps [N, C, H, W].
 *
 * x, e, i: the inputs; e, i null for zeros.
 * kept: what gammanet_cell_forward_keeping left, whose contents are lost; null to compute it again.
 *   Not any of the other tensors.
 * grad_new_e, grad_new_i: gradients of the outputs; null for zeros.
 * grad_x, grad_e, grad_i: get the gradients of the inputs; null if not needed. grad_e may be
 *   grad_new_e and grad_i may be grad_new_i. When i was e, the gradient of that state is the sum.
 * grad_parameters: GAMMANET_CELL_PARAMETERS handles shaped as the parameters and contiguous, added
 *   to; null where a gradient is not needed; null altogether if none is.
 */
GAMMANET_API int32_t gammanet_cell_backward(GammanetCell cell, AtenTensorHandle x,
                                            AtenTensorHandle e, AtenTensorHandle i,
                                            AtenTensorHandle kept, AtenTensorHandle grad_new_e,
                                            AtenTensorHandle grad_new_i, AtenTensorHandle grad_x,
                                            AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                                            const AtenTensorHandle *grad_parameters);

#ifdef __cplusplus
}
#endif

#endif
