// Convolutions and the layers around the cells on CUDA.
#include "cuda.h"
#include "torch_ops.h"

namespace gammanet::cuda {

struct Conv {
  Device device;
  int64_t outputs, inputs, k;
  bool half;
  Tensor weight, bias;
};

void Delete::operator()(const Conv* conv) const { delete conv; }

const Conv* new_conv(Device device, const float* weight, const float* bias, int64_t outputs,
                     int64_t inputs, int64_t k, int32_t precision) {
  const Queue queue(device);
  const bool half = precision == GAMMANET_PRECISION_BFLOAT16;
  Tensor copy = weight_copy(queue, weight, outputs, inputs, k, GAMMANET_SYMMETRY_NONE, half);
  return new Conv{device, outputs, inputs, k, half, std::move(copy),
                  bias == nullptr ? Tensor() : vector_copy(queue, bias, outputs, 0)};
}

namespace {

// weight * x, without the bias.
Tensor apply(const Queue& queue, const Conv& conv, const FeatureMap& x) {
  const Tensor half = converted(queue, x, conv.half);
  return convolution(half ? half.get() : x.handle, conv.weight, conv.k, conv.device, conv.half);
}

}  // namespace

void conv_forward(const Conv& conv, const FeatureMap& x, bool relu, const FeatureMap& out) {
  const NoGrad no_grad;
  const Queue queue(conv.device);
  const Tensor product = apply(queue, conv, x);
  queue(functions().kernels->bias_relu,
        BiasRelu{extent_of(x, conv.outputs, 1), source(product.data(), conv.half),
                 conv.bias.floats(), relu, out.data, 0});
}

void conv_backward(const Conv& conv, const FeatureMap& x, const FeatureMap& out,
                   const FeatureMap& grad_out, const FeatureMap& grad_x, float* grad_weight,
                   float* grad_bias) {
  const NoGrad no_grad;
  const Queue queue(conv.device);
  Tensor g;
  if (out || conv.half) {
    g = empty_map(x.n, conv.outputs, x.h, x.w, conv.device, conv.half);
    const Source from = source(grad_out.data);
    if (out) {
      queue(functions().kernels->mask, Mask{grad_out.pixels() * grad_out.c, from,
                                            source(out.data), g.data(), conv.half});
    } else {
      queue(functions().kernels->bias_relu,
            BiasRelu{extent_of(x, conv.outputs, 1), from, nullptr, 0, g.data(), conv.half});
    }
  }
  add_column_sums(queue, extent_of(x, conv.outputs, 1),
                  g ? source(g.data(), conv.half) : source(grad_out.data), {}, grad_bias);
  const Tensor half = converted(queue, x, conv.half);
  const ConvolutionGradients grads = convolution_backward(
      g ? g.get() : grad_out.handle, half ? half.get() : x.handle, conv.weight, conv.k,
      bool(grad_x), grad_weight != nullptr, conv.device, conv.half);
  if (grad_x) {
    queue(functions().kernels->bias_relu,
          BiasRelu{extent_of(x, conv.inputs, 1), source(grads.x.data(), conv.half), nullptr, 0,
                   grad_x.data, 0});
  }
  if (grad_weight != nullptr) {
    add_weight(queue, grads.weight, conv.half, conv.outputs, conv.inputs, conv.k,
               GAMMANET_SYMMETRY_NONE, grad_weight);
  }
}

void align_pool_forward(const Conv* conv, const FeatureMap& x, const FeatureMap& out) {
  const NoGrad no_grad;
  const Queue queue(x.device);
  Tensor product, bias;
  if (conv != nullptr) {
    product = apply(queue, *conv, x);
    bias = conv->bias ? Tensor() : zeros(out.c, x.device);
  }
  queue(functions().kernels->pool,
        Pool{x.n, x.h, x.w, static_cast<int32_t>(out.c),
             conv ? source(product.data(), conv->half) : source(x.data),
             conv ? (conv->bias ? conv->bias : bias).floats() : nullptr, out.data});
}

void project_up_forward(const Conv& conv, const FeatureMap& x, const FeatureMap& out) {
  const NoGrad no_grad;
  const Queue queue(conv.device);
  // The bias cancels in the normalization.
  const Tensor product = apply(queue, conv, x);
  const Source from = source(product.data(), conv.half);
  const Moments m = reduce(queue, extent_of(x, conv.outputs, 1), from, 1);
  queue(functions().kernels->norm_elu_resize,
        NormEluResize{x.n, x.h, x.w, out.h, out.w, static_cast<int32_t>(conv.outputs), from,
                      {{m.mean.floats()}, {m.r.floats()}}, out.data});
}

void channel_layer_norm_forward(const FeatureMap& x, const float* weight, const float* bias,
                                const FeatureMap& out) {
  Assemble a{};
  a.extent = extent_of(x, x.c, 1);
  a.sources[0] = source(x.data);
  a.norm = kOverChannels;
  a.weight = weight;
  a.bias = bias;
  a.out = out.data;
  Queue(x.device)(functions().kernels->assemble, a);
}

}  // namespace gammanet::cuda
