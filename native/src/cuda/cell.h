// The fGRU cell on CUDA.
#pragma once

#include <array>

#include "cuda.h"
#include "torch_ops.h"

namespace gammanet::cuda {

struct Cell {
  CellSpec spec;
  // As convolutions read them; W_INH and W_EXC are S(W), static parameters are forced.
  std::array<Tensor, GAMMANET_CELL_PARAMETERS> parameters;
  // Static parameters as stored.
  Tensor alpha, omega;

  const Tensor& parameter(int index) const { return parameters[static_cast<size_t>(index)]; }
};

// One step: what its forward and backward passes share. A member without a tensor was not needed.
class Step {
 public:
  Step(const Cell& cell, const CellInputs& inputs)
      : cell_(cell),
        queue_(cell.spec.device),
        x_(inputs.x),
        e_(inputs.e.data),
        i_(inputs.i.data),
        e_handle_(inputs.e.handle),
        c_(cell.spec.channels),
        half_(cell.spec.bf16()),
        pre_(!cell.spec.gate_norm_post()),
        spatial_(cell.spec.over_pixels()),
        group_(cell.spec.groups() ? c_ / cell.spec.groups() : 1),
        norm_(cell.spec.normalization() == GAMMANET_NORMALIZATION_NONE ? kIdentity
              : spatial_                                              ? kGiven
                                                                      : kOverChannels) {}

  // Writes i'.
  void inhibition(float* new_i);

  // Makes the candidate from i'.
  void candidate(AtenTensorHandle new_i_handle, const float* new_i);

  void excitation(float* new_e, float* sum);

  // Frees what only the backward pass needs again.
  void forget_inhibition();

  struct Gradients {
    const float *grad_new_e, *grad_new_i;
    // Null where not needed.
    float *x, *e, *i;
    CellParameters parameters;
  };

  void backward(const Gradients& needed);

 private:
  struct Gate {
    Tensor inputs;         // [.., 3C], as multiplied
    Tensor product;        // [.., C]
    Moments of_inputs[3];  // of instance and group norms before the product
    Moments of_product;    // and after it
  };

  Extent extent(int parts) const { return extent_of(x_, c_, parts); }
  Tensor new_map() const { return empty_map(x_.n, c_, x_.h, x_.w, queue_.device, false); }
  Tensor new_half_map(int64_t parts) const {
    return empty_map(x_.n, parts * c_, x_.h, x_.w, queue_.device, half_);
  }
  float* vector(int number) const { return cell_.parameter(number).floats(); }

  Tensor assembled(const Source* sources, int parts, NormKind norm, const Statistics& statistics,
                   const float* weight, const float* bias) const;

  Tensor product(const Tensor& inputs, int weight) const {
    return convolution(inputs.get(), cell_.parameter(weight), 1, queue_.device, half_);
  }

  static Statistics statistics(const Moments* moments, int parts);

  // u = W * N(state); n and m are what N makes, if there is one.
  void horizontal(AtenTensorHandle handle, const float* state, int weight, int norm_weight,
                  Tensor& n, Moments& m, Tensor& u) const;

  // Adds to the gradient of the state.
  void horizontal_backward(const Tensor& grad_u, AtenTensorHandle handle, const Source& state,
                           int weight, int norm_weight, const Tensor& n, const Moments& m,
                           const CellParameters& parameters, float* grad_state) const;

  Moments reduce_gradient(const NormBackward& a, int part) const;

  Gate gate(const Source* sources, int weight) const;

  GateProduct gate_product(const Gate& g, int bias) const;

  // From the gradient of the sigmoid's argument to those of the inputs, which are added to.
  void gate_backward(const Gate& g, const Tensor& grad_gate, int weight, int bias,
                     const CellParameters& parameters, const std::array<Source, 3>& sources,
                     const std::array<float*, 3>& out) const;

  Circuit circuit(const Tensor& product, int bias, int first, int second) const;
  Circuit circuit1() const {
    return circuit(product1_, GAMMANET_CELL_D_INH_BIAS, GAMMANET_CELL_ALPHA, GAMMANET_CELL_MU);
  }
  Circuit circuit2() const {
    return circuit(product2_, GAMMANET_CELL_D_EXC_BIAS, GAMMANET_CELL_KAPPA, GAMMANET_CELL_OMEGA);
  }

  // From the gradient of the network's product, or of static parameters at each pixel.
  void circuit_backward(const Tensor& inputs, const Tensor& grad, int weight, int bias,
                        const std::array<int, 2>& fixed,
                        const std::array<const Tensor*, 2>& stored,
                        const std::array<int32_t, 2>& forcing, const CellParameters& parameters,
                        const std::array<float*, 3>& out, int parts) const;

  const Cell& cell_;
  const Queue queue_;
  const FeatureMap& x_;
  const float *e_, *i_, *new_i_ = nullptr;
  const AtenTensorHandle e_handle_;
  AtenTensorHandle new_i_handle_ = nullptr;
  const int64_t c_;
  const bool half_, pre_, spatial_;
  const int64_t group_;
  const NormKind norm_;

  Tensor n1_, u1_, network1_, product1_, n2_, u2_, network2_, product2_, q_;
  Moments m1_, m2_;
  Gate gain_, mix_;
};

}  // namespace gammanet::cuda
