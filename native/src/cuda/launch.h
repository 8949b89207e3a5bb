// How the kernels are launched. The kernels use neither shared memory nor barriers, so the same
// source also runs on the host, one thread after the other, which is how it is tested where there
// is no GPU (GAMMANET_CUDA_ON_HOST).
#pragma once

#include <cstdint>

#ifdef GAMMANET_CUDA_ON_HOST

#include <cmath>
#include <cstring>

#define __global__
#define __device__
#define __forceinline__ inline

namespace gammanet::cuda {

struct Index {
  unsigned x;
};
inline thread_local Index blockIdx{0}, threadIdx{0}, blockDim{1}, gridDim{1};

// One lane does the work of a warp.
constexpr int kWarp = 1;
template <class Number>
inline Number warp_sum(Number value) {
  return value;
}

inline float bits_to_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

template <class Argument>
const char* launch(void (*kernel)(Argument), int64_t blocks, unsigned threads,
                   const Argument& argument, int, void*) {
  // Few blocks, so that the loops over the grid are run, too.
  gridDim.x = static_cast<unsigned>(blocks > 3 ? 3 : blocks);
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {
    for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) {
      kernel(argument);
    }
  }
  return nullptr;
}

}  // namespace gammanet::cuda

#else

#include <cuda_runtime.h>

namespace gammanet::cuda {

constexpr int kWarp = 32;

template <class Number>
__device__ __forceinline__ Number warp_sum(Number value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

__device__ __forceinline__ float bits_to_float(uint32_t bits) { return __uint_as_float(bits); }
__device__ __forceinline__ uint32_t float_to_bits(float value) { return __float_as_uint(value); }

// Makes a device current for the time of a launch.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    error_ = cudaGetDevice(&before_);
    if (error_ == cudaSuccess && before_ != device) {
      error_ = cudaSetDevice(device);
      changed_ = error_ == cudaSuccess;
    }
  }
  ~DeviceScope() {
    if (changed_) {
      cudaSetDevice(before_);
    }
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;
  cudaError_t error() const { return error_; }

 private:
  int before_ = 0;
  bool changed_ = false;
  cudaError_t error_;
};

template <class Argument>
const char* launch(void (*kernel)(Argument), int64_t blocks, unsigned threads,
                   const Argument& argument, int device, void* stream) {
  DeviceScope scope(device);
  if (scope.error() != cudaSuccess) {
    return cudaGetErrorString(scope.error());
  }
  // The kernels go over what is left in strides of the grid.
  const int64_t most = 1 << 16;
  kernel<<<static_cast<unsigned>(blocks < most ? blocks : most), threads, 0,
           static_cast<cudaStream_t>(stream)>>>(argument);
  cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace gammanet::cuda

#endif
