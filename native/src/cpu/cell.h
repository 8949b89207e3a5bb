// The fGRU cell on the CPU.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../cell.h"
#include "conv.h"

namespace gammanet {

struct BackwardWeights;

// A cell's weights, packed.
struct Cell {
  // The parameters' memory has to outlive this.
  Cell(const CellSpec& spec, const CellParameters& parameters);
  ~Cell();

  const CellSpec spec;
  const Kernels* kernels;
  // Matrices as the tensors have them, vectors as copies padded with zeros to a multiple of 16; null
  // where the options leave a parameter out.
  const float* parameter(int index) const { return data_[static_cast<size_t>(index)]; }

  // With W_inh and W_exc made symmetric; no bias.
  Conv inhibition, excitation;
  // Static parameters as they are used: forced.
  std::vector<float> alpha, omega;
  // Outputs alpha and mu (kappa and omega), each padded to whole vectors; inputs i, c1, x (i', e).
  Panels inhibition_net, excitation_net;
  std::vector<float> inhibition_net_bias, excitation_net_bias;
  // Inputs e, i, x (e, q, i').
  Panels gain, mix;
  // Sums of the gates' weights over their 3C inputs, padded as a vector.
  std::vector<float> gain_sums, mix_sums;

  // Packed by the first backward pass.
  const BackwardWeights& backward_weights() const;

 private:
  Panels pack_matrix(int index) const;
  std::vector<float> grouped_bias(int index) const;
  std::vector<float> row_sums(int index) const;

  std::vector<float> vectors_[GAMMANET_CELL_PARAMETERS];
  std::array<const float*, GAMMANET_CELL_PARAMETERS> data_{};
  mutable std::once_flag backward_once_;
  mutable std::unique_ptr<const BackwardWeights> backward_;
};

// From the gradients of products to those of their inputs, whose parts are padded to vectors.
struct BackwardWeights {
  Panels gain, mix, inhibition_net, excitation_net;
};

// Channels of the map that a step can leave for its backward pass; 0: none.
int64_t cell_kept_channels(const Cell& cell);
void cell_forward(const Cell& cell, const CellForward& arguments);
void cell_backward(const Cell& cell, const CellBackward& arguments);

}  // namespace gammanet
