// The kernels of libgammanet_cuda. Where a sum over channels is needed a warp does one pixel, its
// lanes neighboring channels; sums over pixels take two stages, always in the same order.
#include "kernels.h"

#include "launch.h"

// Without a name, nvcc would give the kernels one made of the path of this file.
namespace gammanet::cuda {
inline namespace kernels {

constexpr float kEpsilon = 1e-5f;
constexpr unsigned kThreads = 256;

// ---- Elements ----

__device__ __forceinline__ float half_to_float(uint16_t bits) {
  return bits_to_float(static_cast<uint32_t>(bits) << 16);
}

// To the nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ uint16_t float_to_half(float value) {
  uint32_t bits = float_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

__device__ __forceinline__ float load(const void* data, int32_t half, int64_t k) {
  return half ? half_to_float(static_cast<const uint16_t*>(data)[k])
              : static_cast<const float*>(data)[k];
}

__device__ __forceinline__ float load(const Source& source, int64_t k) {
  if (source.data == nullptr) {
    return 0.0f;
  }
  float value = load(source.data, source.half, k);
  // Not fmaxf, which would turn NaN into 0.
  return source.relu && value < 0.0f ? 0.0f : value;
}

__device__ __forceinline__ float load(const float* data, int64_t k) {
  return data == nullptr ? 0.0f : data[k];
}

__device__ __forceinline__ void store(void* data, int32_t half, int64_t k, float value) {
  if (half) {
    static_cast<uint16_t*>(data)[k] = float_to_half(value);
  } else {
    static_cast<float*>(data)[k] = value;
  }
}

__device__ __forceinline__ float relu(float x) { return x < 0.0f ? 0.0f : x; }

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ __forceinline__ float softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }

__device__ __forceinline__ float forced(float stored, int32_t forcing) {
  return forcing == 0 ? stored : forcing == 1 ? sigmoid(stored) : relu(stored);
}

// ---- Who does what ----

// body(pixel, lane) for all pixels of all samples, a warp for each.
template <class Body>
__device__ __forceinline__ void for_each_pixel(const Extent& extent, Body body) {
  int64_t warps = static_cast<int64_t>(gridDim.x) * blockDim.x / kWarp;
  int64_t first = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
  int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t p = first; p < extent.samples * extent.pixels; p += warps) {
    body(p, lane);
  }
}

// body(k) for all k below size, a thread for each.
template <class Body>
__device__ __forceinline__ void for_each_element(int64_t size, Body body) {
  int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; k < size;
       k += threads) {
    body(k);
  }
}

template <class Argument>
const char* launch_pixels(void (*kernel)(Argument), const Argument& a, int device, void* stream) {
  int64_t pixels = a.extent.samples * a.extent.pixels;
  int64_t per_block = kThreads / kWarp;
  return launch(kernel, (pixels + per_block - 1) / per_block, kThreads, a, device, stream);
}

template <class Argument>
const char* launch_elements(void (*kernel)(Argument), int64_t size, const Argument& a, int device,
                            void* stream) {
  return launch(kernel, (size + kThreads - 1) / kThreads, kThreads, a, device, stream);
}

// ---- Normalization ----

struct Moments {
  float mean, r;
};

// Computes the moments of value(k) for k below count, in two passes, since the values come from the
// caches.
template <class Value>
__device__ __forceinline__ Moments moments_over(int count, int lane, Value value) {
  float sum = 0.0f;
  for (int k = lane; k < count; k += kWarp) {
    sum += value(k);
  }
  float mean = warp_sum(sum) / static_cast<float>(count);
  float squares = 0.0f;
  for (int k = lane; k < count; k += kWarp) {
    float d = value(k) - mean;
    squares += d * d;
  }
  return {mean, 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(count) + kEpsilon)};
}

// The parts of a pixel as one row of parts * channels values.
struct Row {
  const Source* sources;
  int64_t pixel;
  int32_t channels;
  __device__ __forceinline__ float operator()(int k) const {
    int part = channels == 0 ? 0 : k / channels;
    return load(sources[part], pixel * channels + (k - part * channels));
  }
};

__device__ __forceinline__ Moments given(const Statistics& statistics, const Extent& extent,
                                         int64_t pixel, int k) {
  int part = k / extent.channels;
  int64_t at = pixel / extent.pixels * extent.channels + (k - part * extent.channels);
  return {statistics.mean[part][at], statistics.r[part][at]};
}

__global__ void assemble_kernel(Assemble a) {
  int count = a.extent.parts * a.extent.channels;
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Row row{a.sources, pixel, a.extent.channels};
    Moments m{0.0f, 1.0f};
    if (a.norm == kOverChannels) {
      m = moments_over(count, lane, row);
    }
    for (int k = lane; k < count; k += kWarp) {
      if (a.norm == kGiven) {
        m = given(a.statistics, a.extent, pixel, k);
      }
      float y = (row(k) - m.mean) * m.r;
      if (a.weight != nullptr) {
        y = y * a.weight[k] + a.bias[k];
      }
      store(a.out, a.half, pixel * count + k, y);
    }
  });
}

// Stage 1 of the sums over pixels: a thread does one channel of one chunk of one sample.
template <class Body>
__device__ __forceinline__ void for_each_chunk(const Extent& extent, Body body) {
  int64_t chunk = reduce_chunk(extent.pixels), chunks = reduce_chunks(extent.pixels);
  for_each_element(extent.samples * chunks * extent.channels, [&](int64_t k) {
    int64_t c = k % extent.channels, sample = k / extent.channels / chunks;
    int64_t begin = k / extent.channels % chunks * chunk;
    int64_t end = begin + chunk < extent.pixels ? begin + chunk : extent.pixels;
    body(k, sample * extent.pixels * extent.channels + c, begin, end);
  });
}

int64_t chunk_elements(const Extent& extent) {
  return extent.samples * reduce_chunks(extent.pixels) * extent.channels;
}

__global__ void reduce_chunks_kernel(Reduce a) {
  int64_t size = a.extent.samples * reduce_chunks(a.extent.pixels) * a.extent.channels;
  for_each_chunk(a.extent, [&](int64_t k, int64_t first, int64_t begin, int64_t end) {
    float sum = 0.0f;
    for (int64_t p = begin; p < end; ++p) {
      sum += load(a.source, first + p * a.extent.channels);
    }
    float mean = sum / static_cast<float>(end - begin), squares = 0.0f;
    for (int64_t p = begin; p < end; ++p) {
      float d = load(a.source, first + p * a.extent.channels) - mean;
      squares += d * d;
    }
    a.scratch[k] = mean;
    a.scratch[size + k] = squares;
  });
}

// Stage 2: a warp for each of `size` sums.
template <class Body>
__device__ __forceinline__ void for_each_sum(int64_t size, Body body) {
  for_each_pixel({1, size, 1, 1}, body);
}

__global__ void reduce_kernel(Reduce a) {
  int64_t chunk = reduce_chunk(a.extent.pixels), chunks = reduce_chunks(a.extent.pixels);
  int32_t channels = a.extent.channels;
  int64_t size = a.extent.samples * chunks * channels;
  double count = static_cast<double>(a.group) * static_cast<double>(a.extent.pixels);
  for_each_sum(a.extent.samples * channels, [&](int64_t k, int lane) {
    int64_t sample = k / channels, first = k % channels / a.group * a.group;
    auto sum_of = [&](auto value) {
      double sum = 0;
      for (int64_t part = lane; part < chunks * a.group; part += kWarp) {
        int64_t left = a.extent.pixels - part / a.group * chunk;
        int64_t at = (sample * chunks + part / a.group) * channels + first + part % a.group;
        sum += value(at, static_cast<double>(left < chunk ? left : chunk));
      }
      return warp_sum(sum);
    };
    double mean = sum_of([&](int64_t at, double n) { return n * a.scratch[at]; }) / count;
    double squares = sum_of([&](int64_t at, double n) {
      double d = a.scratch[at] - mean;
      return a.scratch[size + at] + n * d * d;
    });
    if (lane == 0) {
      a.mean[k] = static_cast<float>(mean);
      a.r[k] = static_cast<float>(1.0 / sqrt(squares / count + static_cast<double>(kEpsilon)));
    }
  });
}

__global__ void gradient_chunks_kernel(GradientReduce a) {
  int32_t channels = a.extent.channels;
  int64_t row = static_cast<int64_t>(a.extent.parts) * channels;
  Extent one = a.extent;
  one.parts = 1;
  int64_t size = one.samples * reduce_chunks(one.pixels) * channels;
  for_each_chunk(one, [&](int64_t k, int64_t first, int64_t begin, int64_t end) {
    int64_t c = k % channels, sample = first / (one.pixels * channels);
    float mean = a.statistics.mean[a.part][sample * channels + c];
    float r = a.statistics.r[a.part][sample * channels + c];
    float weight = a.weight == nullptr ? 1.0f : a.weight[a.part * channels + c];
    float sum = 0.0f, product = 0.0f;
    for (int64_t p = begin; p < end; ++p) {
      int64_t pixel = sample * one.pixels + p;
      float g = weight * load(a.grad, pixel * row + a.part * channels + c);
      sum += g;
      product += g * (load(a.source, pixel * channels + c) - mean) * r;
    }
    a.scratch[k] = sum;
    a.scratch[size + k] = product;
  });
}

__global__ void gradient_reduce_kernel(GradientReduce a) {
  int32_t channels = a.extent.channels;
  int64_t chunks = reduce_chunks(a.extent.pixels);
  int64_t size = a.extent.samples * chunks * channels;
  double count = static_cast<double>(a.group) * static_cast<double>(a.extent.pixels);
  for_each_sum(a.extent.samples * channels, [&](int64_t k, int lane) {
    int64_t sample = k / channels, first = k % channels / a.group * a.group;
    double sum = 0, product = 0;
    for (int64_t part = lane; part < chunks * a.group; part += kWarp) {
      int64_t at = (sample * chunks + part / a.group) * channels + first + part % a.group;
      sum += a.scratch[at];
      product += a.scratch[size + at];
    }
    sum = warp_sum(sum);
    product = warp_sum(product);
    if (lane == 0) {
      a.mean_grad[k] = static_cast<float>(sum / count);
      a.mean_product[k] = static_cast<float>(product / count);
    }
  });
}

__global__ void norm_backward_kernel(NormBackward a) {
  int count = a.extent.parts * a.extent.channels;
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Row row{a.sources, pixel, a.extent.channels};
    auto grad = [&](int k) {
      float g = load(a.grad, pixel * count + k);
      return a.weight == nullptr ? g : g * a.weight[k];
    };
    Moments m{0.0f, 1.0f};
    float mean_grad = 0.0f, mean_product = 0.0f;
    if (a.norm == kOverChannels) {
      m = moments_over(count, lane, row);
      for (int k = lane; k < count; k += kWarp) {
        float g = grad(k);
        mean_grad += g;
        mean_product += g * (row(k) - m.mean) * m.r;
      }
      mean_grad = warp_sum(mean_grad) / static_cast<float>(count);
      mean_product = warp_sum(mean_product) / static_cast<float>(count);
    }
    for (int k = lane; k < count; k += kWarp) {
      float g = grad(k);
      if (a.norm != kIdentity) {
        if (a.norm == kGiven) {
          m = given(a.statistics, a.extent, pixel, k);
          Moments of_gradient = given(a.gradient_statistics, a.extent, pixel, k);
          mean_grad = of_gradient.mean;
          mean_product = of_gradient.r;
        }
        g = m.r * (g - mean_grad - (row(k) - m.mean) * m.r * mean_product);
      }
      if (a.replace != nullptr) {
        store(a.replace, a.half, pixel * count + k, g);
      } else {
        int part = k / a.extent.channels;
        if (a.out[part] != nullptr) {
          a.out[part][pixel * a.extent.channels + (k - part * a.extent.channels)] += g;
        }
      }
    }
  });
}

// ---- The cell ----

// A gate's value at one pixel, channel by channel.
class Gate {
 public:
  __device__ __forceinline__ Gate(const GateProduct& gate, const Extent& extent, int32_t half,
                                  int64_t pixel, int lane)
      : gate_(gate), extent_(extent), half_(half), pixel_(pixel) {
    if (gate.norm == kOverChannels) {
      moments_ = moments_over(extent.channels, lane, [&](int c) { return product(c); });
    }
  }

  __device__ __forceinline__ float operator()(int c) const {
    Moments m = gate_.norm == kGiven ? given(gate_.statistics, extent_, pixel_, c) : moments_;
    return sigmoid((product(c) - m.mean) * m.r + gate_.bias[c]);
  }

 private:
  __device__ __forceinline__ float product(int c) const {
    return load(gate_.product, half_, pixel_ * extent_.channels + c);
  }

  const GateProduct& gate_;
  const Extent& extent_;
  int32_t half_;
  int64_t pixel_;
  Moments moments_{0.0f, 1.0f};
};

// alpha and mu, or kappa and omega, at one pixel.
struct Parameters {
  const Circuit& circuit;
  int32_t channels, half;
  int64_t pixel;

  __device__ __forceinline__ float argument(int k) const {
    return load(circuit.product, half, pixel * 2 * channels + k) + circuit.bias[k];
  }
  __device__ __forceinline__ float first(int c) const {
    return circuit.product == nullptr ? circuit.first[c] : activation(argument(c));
  }
  __device__ __forceinline__ float second(int c) const {
    return circuit.product == nullptr ? circuit.second[c] : activation(argument(channels + c));
  }
  __device__ __forceinline__ float activation(float x) const {
    return circuit.softplus ? softplus(x) : sigmoid(x);
  }
  // Derivative of the activation at argument k; 1 for static parameters.
  __device__ __forceinline__ float slope(int k) const {
    if (circuit.product == nullptr) {
      return 1.0f;
    }
    float x = argument(k);
    float y = sigmoid(x);
    return !circuit.softplus ? y * (1.0f - y) : x > 20.0f ? 1.0f : y;
  }
};

__device__ __forceinline__ float rectified(const void* u, int32_t half, int64_t k) {
  return u == nullptr ? 0.0f : relu(load(u, half, k));
}

__global__ void update_inhibition_kernel(UpdateInhibition a) {
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Gate gate(a.gain, a.extent, a.half, pixel, lane);
    Parameters parameters{a.circuit, a.extent.channels, a.half, pixel};
    for (int c = lane; c < a.extent.channels; c += kWarp) {
      int64_t k = pixel * a.extent.channels + c;
      float i = load(a.i, k), c1 = rectified(a.u1, a.half, k);
      float s = relu(a.x[k] - (parameters.first(c) * i + parameters.second(c)) * c1);
      a.new_i[k] = i + gate(c) * (s - i);
    }
  });
}

__global__ void candidate_kernel(Candidate a) {
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Parameters parameters{a.circuit, a.extent.channels, a.half, pixel};
    for (int c = lane; c < a.extent.channels; c += kWarp) {
      int64_t k = pixel * a.extent.channels + c;
      float c2 = rectified(a.u2, a.half, k);
      a.q[k] = a.multiplicative ? parameters.second(c) * c2 + parameters.first(c)
                                : relu(a.new_i[k] + c2);
    }
  });
}

__global__ void update_excitation_kernel(UpdateExcitation a) {
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Gate gate(a.mix, a.extent, a.half, pixel, lane);
    for (int c = lane; c < a.extent.channels; c += kWarp) {
      int64_t k = pixel * a.extent.channels + c;
      float e = load(a.e, k);
      float new_e = e + gate(c) * (a.q[k] - e);
      a.new_e[k] = new_e;
      if (a.sum != nullptr) {
        a.sum[k] += new_e;
      }
    }
  });
}

__global__ void mix_backward_kernel(MixBackward a) {
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Gate gate(a.mix, a.extent, a.half, pixel, lane);
    for (int c = lane; c < a.extent.channels; c += kWarp) {
      int64_t k = pixel * a.extent.channels + c;
      float g = gate(c), grad = load(a.grad_new_e, k);
      float difference = a.q[k] - load(a.e, k);
      a.grad_gate[k] = grad * difference * g * (1.0f - g);
      a.grad_q[k] = grad * g;
      a.grad_e[k] = grad * (1.0f - g);
    }
  });
}

__global__ void candidate_backward_kernel(CandidateBackward a) {
  int32_t channels = a.extent.channels;
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Parameters parameters{a.circuit, channels, a.half, pixel};
    for (int c = lane; c < channels; c += kWarp) {
      int64_t k = pixel * channels + c;
      float c2 = rectified(a.u2, a.half, k), grad = a.grad_q[k];
      float grad_c2;
      if (a.multiplicative) {
        grad_c2 = grad * parameters.second(c);
        store(a.grad_product, a.half, pixel * 2 * channels + c, grad * parameters.slope(c));
        store(a.grad_product, a.half, (pixel * 2 + 1) * channels + c,
              grad * c2 * parameters.slope(channels + c));
      } else {
        grad_c2 = a.new_i[k] + c2 > 0.0f ? grad : 0.0f;
        a.grad_new_i[k] += grad_c2;
      }
      store(a.grad_u2, a.half, k, c2 > 0.0f ? grad_c2 : 0.0f);
    }
  });
}

__global__ void inhibition_backward_kernel(InhibitionBackward a) {
  int32_t channels = a.extent.channels;
  for_each_pixel(a.extent, [&](int64_t pixel, int lane) {
    Gate gate(a.gain, a.extent, a.half, pixel, lane);
    Parameters parameters{a.circuit, channels, a.half, pixel};
    for (int c = lane; c < channels; c += kWarp) {
      int64_t k = pixel * channels + c;
      float g = gate(c), grad = a.grad_new_i[k];
      float i = load(a.i, k), c1 = rectified(a.u1, a.half, k);
      float alpha = parameters.first(c);
      float strength = alpha * i + parameters.second(c);
      float s = a.x[k] - strength * c1;
      float grad_s = s > 0.0f ? grad * g : 0.0f;
      a.grad_gate[k] = grad * (relu(s) - i) * g * (1.0f - g);
      a.grad_x[k] = grad_s;
      a.grad_i[k] = grad * (1.0f - g) - grad_s * alpha * c1;
      a.grad_c1[k] = -grad_s * strength;
      store(a.grad_product, a.half, pixel * 2 * channels + c,
            -grad_s * i * c1 * parameters.slope(c));
      store(a.grad_product, a.half, (pixel * 2 + 1) * channels + c,
            -grad_s * c1 * parameters.slope(channels + c));
    }
  });
}

}  // namespace kernels
}  // namespace gammanet::cuda

#include "layers.h"

namespace gammanet::cuda {
inline namespace kernels {

// ---- The table ----

template <class Argument, void (*kernel)(Argument)>
const char* on_pixels(const Argument& a, int device, void* stream) {
  return launch_pixels(kernel, a, device, stream);
}

const char* reduce(const Reduce& a, int device, void* stream) {
  const char* error =
      launch_elements(reduce_chunks_kernel, chunk_elements(a.extent), a, device, stream);
  return error ? error
               : launch_elements(reduce_kernel, a.extent.samples * a.extent.channels * kWarp, a,
                                 device, stream);
}

const char* gradient_reduce(const GradientReduce& a, int device, void* stream) {
  const char* error =
      launch_elements(gradient_chunks_kernel, chunk_elements(a.extent), a, device, stream);
  return error ? error
               : launch_elements(gradient_reduce_kernel,
                                 a.extent.samples * a.extent.channels * kWarp, a, device, stream);
}

const char* column_sums(const ColumnSums& a, int device, void* stream) {
  const char* error =
      launch_elements(column_chunks_kernel, chunk_elements(a.extent), a, device, stream);
  return error ? error
               : launch_elements(column_sums_kernel, a.extent.channels * kWarp, a, device, stream);
}

const char* mask(const Mask& a, int device, void* stream) {
  return launch_elements(mask_kernel, a.size, a, device, stream);
}

const char* bias_relu(const BiasRelu& a, int device, void* stream) {
  return launch_elements(bias_relu_kernel,
                         a.extent.samples * a.extent.pixels * a.extent.channels, a, device,
                         stream);
}

const char* pool(const Pool& a, int device, void* stream) {
  return launch_elements(pool_kernel, a.samples * (a.height / 2) * (a.width / 2) * a.channels, a,
                         device, stream);
}

const char* norm_elu_resize(const NormEluResize& a, int device, void* stream) {
  return launch_elements(norm_elu_resize_kernel,
                         a.samples * a.out_height * a.out_width * a.channels, a, device, stream);
}

const char* symmetric(const Symmetric& a, int device, void* stream) {
  int64_t size = static_cast<int64_t>(a.out_channels) * a.in_channels * a.kernel * a.kernel;
  return launch_elements(symmetric_kernel, size, a, device, stream);
}

const char* add_forced(const AddForced& a, int device, void* stream) {
  return launch_elements(add_forced_kernel, a.size, a, device, stream);
}

const char* forced_values(const Forced& a, int device, void* stream) {
  return launch_elements(forced_kernel, a.size, a, device, stream);
}

constexpr Kernels kTable = {kKernelsVersion,
                            on_pixels<Assemble, assemble_kernel>,
                            reduce,
                            on_pixels<UpdateInhibition, update_inhibition_kernel>,
                            on_pixels<Candidate, candidate_kernel>,
                            on_pixels<UpdateExcitation, update_excitation_kernel>,
                            on_pixels<MixBackward, mix_backward_kernel>,
                            on_pixels<CandidateBackward, candidate_backward_kernel>,
                            on_pixels<InhibitionBackward, inhibition_backward_kernel>,
                            on_pixels<NormBackward, norm_backward_kernel>,
                            gradient_reduce,
                            column_sums,
                            mask,
                            bias_relu,
                            pool,
                            norm_elu_resize,
                            symmetric,
                            add_forced,
                            forced_values};

}  // namespace kernels
}  // namespace gammanet::cuda

const gammanet::cuda::Kernels* gammanet_cuda_kernels() {
  return &gammanet::cuda::kTable;
}
