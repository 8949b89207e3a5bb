/*
 * The part of LibTorch's stable C ABI that GammaNet uses (LibTorch 2.11 or newer).
 *
 * LibTorch exports these functions from libtorch_cpu.so and keeps them compatible across releases,
 * so neither the Java bindings nor the native library needs a LibTorch header. All functions that return
 * int32_t give 0 for success; after a failure torch_exception_get_what_without_backtrace() holds
 * the reason (2.13 or newer).
 *
 * Ownership: a function that fills an `AtenTensorHandle *ret` hands over a new handle, to be
 * released once with aoti_torch_delete_tensor_object. Arguments are borrowed, except where a slot
 * of torch_call_dispatcher or of a list says "consumed".
 *
 * bindings/src/generated is generated from this file by its regenerate.sh; a test compares both.
 */
#ifndef GAMMANET_LIBTORCH_STABLE_H
#define GAMMANET_LIBTORCH_STABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handle is a pointer to an at::Tensor that LibTorch allocated. */
typedef struct AtenTensorOpaque *AtenTensorHandle;
/* A list argument of an operator. */
typedef struct StableListOpaque *StableListHandle;
/* A string argument of an operator. */
typedef struct StableStringOpaque *StableStringHandle;

/* ---- Version and errors ---- */

/* major<<56 | minor<<48 | patch<<40 of the loaded LibTorch. */
uint64_t aoti_torch_abi_version(void);

/* Text of this thread's last failure; borrowed, valid until the next one. Since 2.13. */
const char *torch_exception_get_what_without_backtrace(void);

/* ---- Operators ---- */

/*
 * Calls any ATen operator through the dispatcher, autograd included.
 *
 * op, overload: as in "aten::add", "Tensor" ("" for none).
 * stack: one slot for each argument of the schema, defaults included; results replace the front.
 *   Tensor: a handle, consumed. int: int64. float: bits of the double. bool: 0 or 1.
 *   Optional: 0, or a pointer from torch_new_stable_ivalue to a slot with the value, consumed.
 *   List: a StableListHandle, consumed. String: a StableStringHandle, consumed.
 *   ScalarType, MemoryFormat: the numbers below. Device: type << 32 | index.
 * abi_version: the LibTorch version that the caller was written for.
 */
int32_t torch_call_dispatcher(const char *op, const char *overload, uint64_t *stack,
                              uint64_t abi_version);

int32_t torch_new_list_reserve_size(size_t size, StableListHandle *ret);
/* element: a slot value; a tensor handle is consumed. */
int32_t torch_list_push_back(StableListHandle list, uint64_t element);
int32_t torch_list_size(StableListHandle list, size_t *size);
int32_t torch_list_get_item(StableListHandle list, size_t index, uint64_t *element);
int32_t torch_delete_list(StableListHandle list);

int32_t torch_new_string_handle(const char *data, size_t length, StableStringHandle *ret);

/* A heap slot for an optional argument. Since 2.13; before that, malloc(8). */
int32_t torch_new_stable_ivalue(uint64_t **ret);
/* Deletes the slot, not what its value refers to. Since 2.13; before that, free. */
int32_t torch_delete_stable_ivalue(uint64_t *value);

/* a - alpha * b, differentiable: the way to add that needs no Scalar argument. */
int32_t aoti_torch_aten_subtract_Tensor(AtenTensorHandle a, AtenTensorHandle b, double alpha,
                                        AtenTensorHandle *ret);

/* ---- Tensors ---- */

/* Uninitialized memory. sizes, strides: ndim elements each. */
int32_t aoti_torch_empty_strided(int64_t ndim, const int64_t *sizes, const int64_t *strides,
                                 int32_t dtype, int32_t device_type, int32_t device_index,
                                 AtenTensorHandle *ret);
/*
 * A tensor on memory of the caller. deleter(data, deleter_context) is called when the last tensor on
 * it is gone. layout: 0 for strided; opaque_metadata: null.
 */
int32_t torch_from_blob(void *data, int64_t ndim, const int64_t *sizes, const int64_t *strides,
                        int64_t storage_offset, int32_t dtype, int32_t device_type,
                        int32_t device_index, AtenTensorHandle *ret, int32_t layout,
                        const uint8_t *opaque_metadata, int64_t opaque_metadata_size,
                        void (*deleter)(void *data, void *context), void *deleter_context);

/* A 0-dimensional CPU tensor. */
int32_t aoti_torch_scalar_to_tensor_float32(float value, AtenTensorHandle *ret);
int32_t aoti_torch_scalar_to_tensor_float64(double value, AtenTensorHandle *ret);
int32_t aoti_torch_scalar_to_tensor_int64(int64_t value, AtenTensorHandle *ret);

/* A second handle to the same tensor. */
int32_t aoti_torch_new_tensor_handle(AtenTensorHandle tensor, AtenTensorHandle *ret);
int32_t aoti_torch_delete_tensor_object(AtenTensorHandle tensor);

/* First element's address, storage offset included; borrowed. */
int32_t aoti_torch_get_data_ptr(AtenTensorHandle tensor, void **ret);
int32_t aoti_torch_get_dim(AtenTensorHandle tensor, int64_t *ret);
int32_t aoti_torch_get_numel(AtenTensorHandle tensor, int64_t *ret);
/* Arrays of get_dim elements that belong to the tensor. */
int32_t aoti_torch_get_sizes(AtenTensorHandle tensor, int64_t **ret);
int32_t aoti_torch_get_strides(AtenTensorHandle tensor, int64_t **ret);
int32_t aoti_torch_get_dtype(AtenTensorHandle tensor, int32_t *ret);
int32_t aoti_torch_get_device_type(AtenTensorHandle tensor, int32_t *ret);
int32_t aoti_torch_get_device_index(AtenTensorHandle tensor, int32_t *ret);
int32_t aoti_torch_is_contiguous(AtenTensorHandle tensor, bool *ret);
int32_t aoti_torch_is_defined(AtenTensorHandle tensor, bool *ret);

int32_t aoti_torch_copy_(AtenTensorHandle self, AtenTensorHandle src, int32_t non_blocking);
int32_t aoti_torch_zero_(AtenTensorHandle self);

int32_t aoti_torch_dtype_uint8(void);
int32_t aoti_torch_dtype_int8(void);
int32_t aoti_torch_dtype_int32(void);
int32_t aoti_torch_dtype_int64(void);
int32_t aoti_torch_dtype_float16(void);
int32_t aoti_torch_dtype_bfloat16(void);
int32_t aoti_torch_dtype_float32(void);
int32_t aoti_torch_dtype_float64(void);
int32_t aoti_torch_dtype_bool(void);
int32_t aoti_torch_device_type_cpu(void);
int32_t aoti_torch_device_type_cuda(void);
int32_t aoti_torch_memory_format_contiguous_format(void);
int32_t aoti_torch_memory_format_channels_last(void);

/* ---- Autograd: the mode belongs to the calling thread ---- */

bool aoti_torch_grad_mode_is_enabled(void);
void aoti_torch_grad_mode_set_enabled(bool enabled);
int32_t torch_set_requires_grad(AtenTensorHandle tensor, bool requires_grad);

/* ---- Threads ---- */

/* func(begin, end, ctx) on disjoint ranges, on LibTorch's own threads. */
int32_t torch_parallel_for(int64_t begin, int64_t end, int64_t grain_size,
                           void (*func)(int64_t begin, int64_t end, void *ctx), void *ctx);
int32_t torch_get_num_threads(uint32_t *ret);

/* ---- CUDA: only in libraries built with it ---- */

/* The device's current cudaStream_t. */
int32_t aoti_torch_get_current_cuda_stream(int32_t device_index, void **ret);

#ifdef __cplusplus
}
#endif

#endif
