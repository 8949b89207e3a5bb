// The fGRU cell on CUDA, backward.
#include <algorithm>

#include "cell.h"

namespace gammanet::cuda {

void Step::backward(const Gradients& needed) {
  const auto& parameters = needed.parameters;
  Tensor own[3];
  float* grads[3] = {needed.x, needed.e, needed.i};
  for (int k = 0; k < 3; ++k) {
    if (grads[k] == nullptr) {
      own[k] = new_map();
      grads[k] = own[k].floats();
    }
  }
  float *const grad_x = grads[0], *const grad_e = grads[1], *const grad_i = grads[2];

  // The excitatory half.
  Tensor grad_gate = new_map(), grad_q = new_map(), grad_new_i = new_map();
  {
    BiasRelu copy{};
    copy.extent = extent(1);
    copy.a = source(needed.grad_new_i);
    copy.out = grad_new_i.data();
    queue_(functions().kernels->bias_relu, copy);
    MixBackward a{};
    a.extent = extent(1);
    a.half = half_;
    a.e = e_;
    a.q = q_.floats();
    a.mix = gate_product(mix_, GAMMANET_CELL_B_MIX);
    a.grad_new_e = needed.grad_new_e;
    a.grad_e = grad_e;
    a.grad_q = grad_q.floats();
    a.grad_gate = grad_gate.floats();
    queue_(functions().kernels->mix_backward, a);
  }
  gate_backward(mix_, grad_gate, GAMMANET_CELL_W_MIX, GAMMANET_CELL_B_MIX, parameters,
                {source(e_), source(q_.data()), source(new_i_)},
                {grad_e, grad_q.floats(), grad_new_i.floats()});
  Tensor grad_u = new_half_map(1), grad_product;
  {
    CandidateBackward a{};
    a.extent = extent(1);
    a.half = half_;
    a.multiplicative = cell_.spec.multiplicative();
    a.new_i = new_i_;
    a.u2 = u2_.data();
    a.circuit = circuit2();
    a.grad_q = grad_q.floats();
    a.grad_new_i = grad_new_i.floats();
    a.grad_u2 = grad_u.data();
    if (cell_.spec.multiplicative()) {
      grad_product = new_half_map(2);
      a.grad_product = grad_product.data();
    }
    queue_(functions().kernels->candidate_backward, a);
  }
  if (cell_.spec.multiplicative()) {
    circuit_backward(network2_, grad_product, GAMMANET_CELL_D_EXC, GAMMANET_CELL_D_EXC_BIAS,
                     {GAMMANET_CELL_KAPPA, GAMMANET_CELL_OMEGA}, {nullptr, &cell_.omega}, {0, 2},
                     parameters, {grad_new_i.floats(), grad_e}, 2);
  }
  horizontal_backward(grad_u, new_i_handle_, source(new_i_), GAMMANET_CELL_W_EXC,
                      GAMMANET_CELL_N2_WEIGHT, n2_, m2_, parameters, grad_new_i.floats());

  // The inhibitory half.
  Tensor& grad_c1 = grad_q;
  grad_product = new_half_map(2);
  {
    InhibitionBackward a{};
    a.extent = extent(1);
    a.half = half_;
    a.x = x_.data;
    a.i = i_;
    a.u1 = u1_.data();
    a.gain = gate_product(gain_, GAMMANET_CELL_B_GAIN);
    a.circuit = circuit1();
    a.grad_new_i = grad_new_i.floats();
    a.grad_x = grad_x;
    a.grad_i = grad_i;
    a.grad_c1 = grad_c1.floats();
    a.grad_gate = grad_gate.floats();
    a.grad_product = grad_product.data();
    queue_(functions().kernels->inhibition_backward, a);
  }
  gate_backward(gain_, grad_gate, GAMMANET_CELL_W_GAIN, GAMMANET_CELL_B_GAIN, parameters,
                {source(e_), source(i_), source(x_.data)}, {grad_e, grad_i, grad_x});
  circuit_backward(network1_, grad_product, GAMMANET_CELL_D_INH, GAMMANET_CELL_D_INH_BIAS,
                   {GAMMANET_CELL_ALPHA, GAMMANET_CELL_MU}, {&cell_.alpha, nullptr}, {1, 0},
                   parameters, {grad_i, grad_c1.floats(), grad_x}, 3);
  // Without u1, c1 is 0 and does not change with e.
  if (u1_) {
    queue_(functions().kernels->mask,
           Mask{x_.pixels() * c_, source(grad_c1.data()), source(u1_.data(), half_),
                grad_u.data(), half_});
    horizontal_backward(grad_u, e_handle_, source(e_), GAMMANET_CELL_W_INH,
                        GAMMANET_CELL_N1_WEIGHT, n1_, m1_, parameters, grad_e);
  }
}

void Step::horizontal_backward(const Tensor& grad_u, AtenTensorHandle handle, const Source& state,
                         int weight, int norm_weight, const Tensor& n, const Moments& m,
                         const CellParameters& parameters, float* grad_state) const {
  float* grad_weight = parameters[static_cast<size_t>(weight)];
  const ConvolutionGradients grads =
      convolution_backward(grad_u.get(), n ? n.get() : handle, cell_.parameter(weight), cell_.spec.k, true,
                           grad_weight != nullptr, queue_.device, half_);
  if (grad_weight != nullptr) {
    add_weight(queue_, grads.weight, half_, c_, c_, cell_.spec.k,
               cell_.spec.symmetry(), grad_weight);
  }
  NormBackward a{};
  a.extent = extent(1);
  a.grad = source(grads.x.data(), half_);
  a.sources[0] = state;
  a.out[0] = grad_state;
  Moments of_gradient;
  if (cell_.spec.normalizes_inputs()) {
    float* grad_scale = parameters[static_cast<size_t>(norm_weight)];
    float* grad_shift = parameters[static_cast<size_t>(norm_weight + 1)];
    if (grad_scale != nullptr) {
      const Tensor y = assembled(&state, 1, norm_, statistics(&m, 1), nullptr, nullptr);
      add_column_sums(queue_, extent(1), a.grad, source(y.data(), half_), grad_scale);
    }
    add_column_sums(queue_, extent(1), a.grad, {}, grad_shift);
    a.norm = norm_;
    a.weight = vector(norm_weight);
    a.statistics = statistics(&m, 1);
    if (spatial_) {
      of_gradient = reduce_gradient(a, 0);
      a.gradient_statistics = statistics(&of_gradient, 1);
    }
  }
  queue_(functions().kernels->norm_backward, a);
}

Moments Step::reduce_gradient(const NormBackward& a, int part) const {
  const int64_t size = a.extent.samples * a.extent.channels;
  Moments result{empty_vector(size, queue_.device), empty_vector(size, queue_.device)};
  Tensor scratch = empty_vector(reduce_scratch(a.extent), queue_.device);
  GradientReduce r{};
  r.extent = a.extent;
  r.grad = a.grad;
  r.source = a.sources[part];
  r.part = part;
  r.group = static_cast<int32_t>(group_);
  r.statistics = a.statistics;
  r.weight = a.weight;
  r.scratch = scratch.floats();
  r.mean_grad = result.mean.floats();
  r.mean_product = result.r.floats();
  queue_(functions().kernels->gradient_reduce, r);
  return result;
}

void Step::gate_backward(const Gate& g, const Tensor& grad_gate, int weight, int bias,
                   const CellParameters& parameters, const std::array<Source, 3>& sources,
                   const std::array<float*, 3>& out) const {
  add_column_sums(queue_, extent(1), source(grad_gate.data()), {},
                  parameters[static_cast<size_t>(bias)]);
  Tensor own;
  if (half_ || (!pre_ && norm_ != kIdentity)) {
    own = new_half_map(1);
    NormBackward a{};
    a.extent = extent(1);
    a.grad = source(grad_gate.data());
    a.sources[0] = source(g.product.data(), half_);
    a.norm = pre_ ? kIdentity : norm_;
    a.statistics = statistics(&g.of_product, 1);
    Moments of_gradient;
    if (a.norm == kGiven) {
      of_gradient = reduce_gradient(a, 0);
      a.gradient_statistics = statistics(&of_gradient, 1);
    }
    a.replace = own.data();
    a.half = half_;
    queue_(functions().kernels->norm_backward, a);
  }
  float* grad_weight = parameters[static_cast<size_t>(weight)];
  const ConvolutionGradients grads =
      convolution_backward((own ? own : grad_gate).get(), g.inputs.get(), cell_.parameter(weight), 1,
                           true, grad_weight != nullptr, queue_.device, half_);
  if (grad_weight != nullptr) {
    add_weight(queue_, grads.weight, half_, c_, 3 * c_, 1, 0, grad_weight);
  }
  NormBackward a{};
  a.extent = extent(3);
  a.grad = source(grads.x.data(), half_);
  std::copy(sources.begin(), sources.end(), a.sources);
  a.norm = pre_ ? norm_ : kIdentity;
  a.statistics = statistics(g.of_inputs, 3);
  Moments of_gradient[3];
  for (int part = 0; a.norm == kGiven && part < 3; ++part) {
    of_gradient[part] = reduce_gradient(a, part);
  }
  a.gradient_statistics = statistics(of_gradient, 3);
  std::copy(out.begin(), out.end(), a.out);
  queue_(functions().kernels->norm_backward, a);
}

void Step::circuit_backward(const Tensor& inputs, const Tensor& grad, int weight, int bias,
                      const std::array<int, 2>& fixed,
                      const std::array<const Tensor*, 2>& stored,
                      const std::array<int32_t, 2>& forcing, const CellParameters& parameters,
                      const std::array<float*, 3>& out, int parts) const {
  if (!cell_.spec.dynamic()) {
    const Tensor sums = zeros(2 * c_, queue_.device);
    add_column_sums(queue_, extent_of(x_, 2 * c_, 1), source(grad.data(), half_), {},
                    sums.floats());
    for (size_t k = 0; k < 2; ++k) {
      float* to = parameters[static_cast<size_t>(fixed[k])];
      if (to != nullptr) {
        const bool forced = stored[k] != nullptr && *stored[k];
        queue_(functions().kernels->add_forced,
               AddForced{static_cast<int32_t>(c_),
                         sums.floats() + static_cast<int64_t>(k) * c_,
                         forced ? stored[k]->floats() : nullptr, forced ? forcing[k] : 0, to});
      }
    }
    return;
  }
  add_column_sums(queue_, extent_of(x_, 2 * c_, 1), source(grad.data(), half_), {},
                  parameters[static_cast<size_t>(bias)]);
  float* grad_weight = parameters[static_cast<size_t>(weight)];
  const ConvolutionGradients grads =
      convolution_backward(grad.get(), inputs.get(), cell_.parameter(weight), 1, true,
                           grad_weight != nullptr, queue_.device, half_);
  if (grad_weight != nullptr) {
    add_weight(queue_, grads.weight, half_, 2 * c_, parts * c_, 1, 0, grad_weight);
  }
  NormBackward a{};
  a.extent = extent(parts);
  a.grad = source(grads.x.data(), half_);
  std::copy(out.begin(), out.end(), a.out);
  queue_(functions().kernels->norm_backward, a);
}

void cell_backward(const Cell& cell, const CellBackward& a) {
  const NoGrad no_grad;
  Step step(cell, a);
  const Tensor new_i = empty_map(a.x.n, a.x.c, a.x.h, a.x.w, cell.spec.device, false);
  step.inhibition(new_i.floats());
  step.candidate(new_i.get(), new_i.floats());
  step.backward({a.grad_new_e.data, a.grad_new_i.data, a.grad_x.data, a.grad_e.data,
                 a.grad_i.data, a.grad_parameters});
}

}  // namespace gammanet::cuda
