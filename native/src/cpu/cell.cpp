// Packing of a cell's weights.
#include "cell.h"

#include <algorithm>
#include <cmath>

namespace gammanet {

Cell::Cell(const CellSpec& cell, const CellParameters& parameters)
    : spec(cell),
      kernels(&gammanet::kernels()),
      inhibition(parameters[GAMMANET_CELL_W_INH], nullptr, cell.channels, cell.channels, cell.k,
                 cell.option(GAMMANET_CELL_ALGORITHM), cell.option(GAMMANET_CELL_PRECISION),
                 cell.symmetry()),
      excitation(parameters[GAMMANET_CELL_W_EXC], nullptr, cell.channels, cell.channels, cell.k,
                 cell.option(GAMMANET_CELL_ALGORITHM), cell.option(GAMMANET_CELL_PRECISION),
                 cell.symmetry()) {
  for (int index = 0; index < GAMMANET_CELL_PARAMETERS; ++index) {
    const CellSpec::Shape shape = spec.shape(index);
    const float*& data = data_[static_cast<size_t>(index)];
    data = shape ? parameters[static_cast<size_t>(index)] : nullptr;
    if (shape && shape.inputs == 0) {
      std::vector<float>& copy = vectors_[index];
      copy.assign(static_cast<size_t>(round_up(shape.outputs, 16)), 0.0f);
      std::copy_n(data, shape.outputs, copy.begin());
      data = copy.data();
    }
  }
  gain = pack_matrix(GAMMANET_CELL_W_GAIN);
  mix = pack_matrix(GAMMANET_CELL_W_MIX);
  gain_sums = row_sums(GAMMANET_CELL_W_GAIN);
  mix_sums = row_sums(GAMMANET_CELL_W_MIX);
  inhibition_net = pack_matrix(GAMMANET_CELL_D_INH);
  inhibition_net_bias = grouped_bias(GAMMANET_CELL_D_INH_BIAS);
  excitation_net = pack_matrix(GAMMANET_CELL_D_EXC);
  excitation_net_bias = grouped_bias(GAMMANET_CELL_D_EXC_BIAS);
  alpha = vectors_[GAMMANET_CELL_ALPHA];
  if (spec.option(GAMMANET_CELL_FORCE_ALPHA) == 1) {
    for (float& a : alpha) {
      a = 1.0f / (1.0f + std::exp(-a));
    }
  }
  omega = vectors_[GAMMANET_CELL_OMEGA];
  if (spec.option(GAMMANET_CELL_FORCE_OMEGA) == 1) {
    for (float& o : omega) {
      o = o < 0.0f ? 0.0f : o;
    }
  }
}

Cell::~Cell() = default;

// A matrix whose inputs and outputs come in groups of C: outputs are padded to whole vectors,
// inputs to an even number in bfloat16.
Panels Cell::pack_matrix(int index) const {
  const CellSpec::Shape shape = spec.shape(index);
  if (!shape) {
    return {};
  }
  const int64_t c = spec.channels, groups = shape.outputs / c, parts = shape.inputs / c;
  const int64_t padded = round_up(c, kernels->width);
  const int64_t part = spec.bf16() ? round_up(c, kernels->depth_bf16) : c;
  std::vector<int64_t> rows, columns;
  for (int64_t o = 0; o < groups * padded; ++o) {
    const int64_t row = o % padded;
    rows.push_back(row < c ? (o / padded * c + row) * parts * c : -1);
  }
  for (int64_t k = 0; k < parts * part; ++k) {
    const int64_t column = k % part;
    columns.push_back(column < c ? k / part * c + column : -1);
  }
  return pack_panels(*kernels, parameter(index), rows, columns, spec.bf16());
}

std::vector<float> Cell::grouped_bias(int index) const {
  const int64_t c = spec.channels, padded = round_up(c, kernels->width);
  const int64_t groups = spec.shape(index).outputs / c;
  std::vector<float> bias(static_cast<size_t>(round_up(groups * padded, 16)), 0.0f);
  for (int64_t g = 0; g < groups; ++g) {
    std::copy_n(parameter(index) + g * c, c, bias.begin() + g * padded);
  }
  return bias;
}

// Sums of each output's weights as they are multiplied: rounded in bfloat16.
std::vector<float> Cell::row_sums(int index) const {
  const int64_t c = spec.channels, inputs = spec.shape(index).inputs;
  std::vector<float> sums(static_cast<size_t>(round_up(c, 16)), 0.0f);
  for (int64_t o = 0; o < c; ++o) {
    double total = 0;
    for (int64_t k = 0; k < inputs; ++k) {
      const float w = parameter(index)[o * inputs + k];
      total += spec.bf16() ? from_bf16(to_bf16(w)) : w;
    }
    sums[static_cast<size_t>(o)] = static_cast<float>(total);
  }
  return sums;
}

const BackwardWeights& Cell::backward_weights() const {
  std::call_once(backward_once_, [this] {
    const int64_t c = spec.channels, padded = round_up(c, kernels->width);
    auto transposed = [&](int index) {
      const CellSpec::Shape shape = spec.shape(index);
      if (!shape) {
        return Panels();
      }
      const float* weight = parameter(index);
      std::vector<int64_t> rows, columns;
      for (int64_t o = 0; o < shape.inputs / c * padded; ++o) {
        rows.push_back(o % padded < c ? o / padded * c + o % padded : -1);
      }
      // Each part of the outputs is an operand.
      const bool bf16 = spec.bf16();
      const int64_t part = bf16 ? round_up(c, kernels->depth_bf16) : c;
      for (int64_t k = 0; k < shape.outputs / c * part; ++k) {
        columns.push_back(k % part < c ? (k / part * c + k % part) * shape.inputs : -1);
      }
      return pack_panels(*kernels, weight, rows, columns, bf16);
    };
    auto result = std::make_unique<BackwardWeights>();
    result->gain = transposed(GAMMANET_CELL_W_GAIN);
    result->mix = transposed(GAMMANET_CELL_W_MIX);
    result->inhibition_net = transposed(GAMMANET_CELL_D_INH);
    result->excitation_net = transposed(GAMMANET_CELL_D_EXC);
    backward_ = std::move(result);
  });
  return *backward_;
}

}  // namespace gammanet
