// The fGRU cell on CUDA: packing and the forward pass.
#include <algorithm>
#include <memory>

#include "cell.h"

namespace gammanet::cuda {

void Delete::operator()(const Cell* cell) const { delete cell; }

const Cell* new_cell(const CellSpec& spec, const CellParameters& parameters) {
  const NoGrad no_grad;
  auto cell = std::make_unique<Cell>();
  cell->spec = spec;
  const Queue queue(spec.device);
  for (int index = 0; index < GAMMANET_CELL_PARAMETERS; ++index) {
    const CellSpec::Shape shape = spec.shape(index);
    const float* data = parameters[static_cast<size_t>(index)];
    Tensor& to = cell->parameters[static_cast<size_t>(index)];
    if (!shape) {
      continue;
    }
    if (shape.inputs != 0) {
      const bool horizontal = index == GAMMANET_CELL_W_INH || index == GAMMANET_CELL_W_EXC;
      to = weight_copy(queue, data, shape.outputs, shape.inputs, shape.k,
                       horizontal ? spec.symmetry() : GAMMANET_SYMMETRY_NONE, spec.bf16());
      continue;
    }
    int32_t forcing = 0;
    if (index == GAMMANET_CELL_ALPHA && spec.option(GAMMANET_CELL_FORCE_ALPHA) == 1) {
      forcing = 1;
      cell->alpha = vector_copy(queue, data, shape.outputs, 0);
    }
    if (index == GAMMANET_CELL_OMEGA && spec.option(GAMMANET_CELL_FORCE_OMEGA) == 1) {
      forcing = 2;
      cell->omega = vector_copy(queue, data, shape.outputs, 0);
    }
    to = vector_copy(queue, data, shape.outputs, forcing);
  }
  return cell.release();
}

void Step::inhibition(float* new_i) {
  horizontal(e_handle_, e_, GAMMANET_CELL_W_INH, GAMMANET_CELL_N1_WEIGHT, n1_, m1_, u1_);
  const Source sources[3] = {source(e_), source(i_), source(x_.data)};
  gain_ = gate(sources, GAMMANET_CELL_W_GAIN);
  if (cell_.spec.dynamic()) {
    const Source inputs[3] = {source(i_), source(u1_.data(), half_, true), source(x_.data)};
    network1_ = assembled(inputs, 3, kIdentity, {}, nullptr, nullptr);
    product1_ = product(network1_, GAMMANET_CELL_D_INH);
  }
  UpdateInhibition a{};
  a.extent = extent(1);
  a.half = half_;
  a.x = x_.data;
  a.i = i_;
  a.u1 = u1_.data();
  a.gain = gate_product(gain_, GAMMANET_CELL_B_GAIN);
  a.circuit = circuit1();
  a.new_i = new_i;
  queue_(functions().kernels->update_inhibition, a);
}

void Step::candidate(AtenTensorHandle new_i_handle, const float* new_i) {
  new_i_ = new_i;
  new_i_handle_ = new_i_handle;
  horizontal(new_i_handle, new_i, GAMMANET_CELL_W_EXC, GAMMANET_CELL_N2_WEIGHT, n2_, m2_, u2_);
  if (cell_.spec.dynamic() && cell_.spec.multiplicative()) {
    const Source inputs[2] = {source(new_i), source(e_)};
    network2_ = assembled(inputs, 2, kIdentity, {}, nullptr, nullptr);
    product2_ = product(network2_, GAMMANET_CELL_D_EXC);
  }
  q_ = new_map();
  Candidate a{};
  a.extent = extent(1);
  a.half = half_;
  a.multiplicative = cell_.spec.multiplicative();
  a.new_i = new_i;
  a.u2 = u2_.data();
  a.circuit = circuit2();
  a.q = q_.floats();
  queue_(functions().kernels->candidate, a);
  const Source sources[3] = {source(e_), source(q_.data()), source(new_i)};
  mix_ = gate(sources, GAMMANET_CELL_W_MIX);
}

void Step::excitation(float* new_e, float* sum) {
  UpdateExcitation a{};
  a.extent = extent(1);
  a.half = half_;
  a.e = e_;
  a.q = q_.floats();
  a.mix = gate_product(mix_, GAMMANET_CELL_B_MIX);
  a.new_e = new_e;
  a.sum = sum;
  queue_(functions().kernels->update_excitation, a);
}

void Step::forget_inhibition() {
  n1_ = Tensor();
  u1_ = Tensor();
  network1_ = Tensor();
  product1_ = Tensor();
  gain_ = Gate();
}

Tensor Step::assembled(const Source* sources, int parts, NormKind norm, const Statistics& statistics,
                 const float* weight, const float* bias) const {
  Tensor result = new_half_map(parts);
  Assemble a{};
  a.extent = extent(parts);
  std::copy_n(sources, parts, a.sources);
  a.norm = norm;
  a.statistics = statistics;
  a.weight = weight;
  a.bias = bias;
  a.out = result.data();
  a.half = half_;
  queue_(functions().kernels->assemble, a);
  return result;
}

Statistics Step::statistics(const Moments* moments, int parts) {
  Statistics result{};
  for (int part = 0; part < parts; ++part) {
    result.mean[part] = moments[part].mean.floats();
    result.r[part] = moments[part].r.floats();
  }
  return result;
}

void Step::horizontal(AtenTensorHandle handle, const float* state, int weight, int norm_weight,
                Tensor& n, Moments& m, Tensor& u) const {
  if (cell_.spec.normalizes_inputs()) {
    const Source from = source(state);
    if (spatial_) {
      m = reduce(queue_, extent(1), from, group_);
    }
    n = assembled(&from, 1, norm_, statistics(&m, 1), vector(norm_weight),
                  vector(norm_weight + 1));
  } else if (state == nullptr) {
    return;
  } else if (half_) {
    const Source from = source(state);
    n = assembled(&from, 1, kIdentity, {}, nullptr, nullptr);
  }
  u = convolution(n ? n.get() : handle, cell_.parameter(weight), cell_.spec.k, queue_.device, half_);
}

Step::Gate Step::gate(const Source* sources, int weight) const {
  Gate g;
  const bool normalized = pre_ && norm_ != kIdentity;
  for (int part = 0; normalized && spatial_ && part < 3; ++part) {
    g.of_inputs[part] = reduce(queue_, extent(1), sources[part], group_);
  }
  g.inputs = assembled(sources, 3, pre_ ? norm_ : kIdentity, statistics(g.of_inputs, 3), nullptr,
                       nullptr);
  g.product = product(g.inputs, weight);
  if (!pre_ && spatial_) {
    g.of_product = reduce(queue_, extent(1), source(g.product.data(), half_), group_);
  }
  return g;
}

GateProduct Step::gate_product(const Gate& g, int bias) const {
  GateProduct result{};
  result.product = g.product.data();
  result.norm = pre_ ? kIdentity : norm_;
  result.statistics = statistics(&g.of_product, 1);
  result.bias = vector(bias);
  return result;
}

Circuit Step::circuit(const Tensor& product, int bias, int first, int second) const {
  Circuit result{};
  result.softplus = cell_.spec.option(GAMMANET_CELL_CIRCUIT) == GAMMANET_CIRCUIT_SOFTPLUS;
  if (cell_.spec.dynamic()) {
    result.product = product.data();
    result.bias = vector(bias);
  } else {
    result.first = vector(first);
    result.second = vector(second);
  }
  return result;
}

void cell_forward(const Cell& cell, const CellForward& a) {
  const NoGrad no_grad;
  Step step(cell, a);
  step.inhibition(a.new_i.data);
  step.forget_inhibition();
  step.candidate(a.new_i.handle, a.new_i.data);
  step.excitation(a.new_e.data, a.sum.data);
}

}  // namespace gammanet::cuda
