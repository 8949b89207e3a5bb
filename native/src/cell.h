// The cell as both CPU and CUDA see it: its options and shapes from gammanet_cell.def, and the
// arguments of a step, checked.
#pragma once

#include <array>
#include <cstdint>

#include "gammanet_native.h"
#include "torch.h"

namespace gammanet {

// Channels, kernel size and options of a cell.
struct CellSpec {
  std::array<int32_t, GAMMANET_CELL_OPTIONS> options{};
  int64_t channels = 0, k = 0;
  Device device;

  // [outputs, inputs, k, k] of weights; inputs are 0 for a vector, all 0 for an absent parameter.
  struct Shape {
    int64_t outputs = 0, inputs = 0, k = 0;
    explicit operator bool() const { return outputs != 0; }
    int64_t elements() const { return outputs * (inputs == 0 ? 1 : inputs * k * k); }
  };
  Shape shape(int parameter) const;

  int32_t option(int index) const { return options[static_cast<size_t>(index)]; }
  int32_t normalization() const { return option(GAMMANET_CELL_NORMALIZATION); }
  int32_t symmetry() const { return option(GAMMANET_CELL_SYMMETRY); }
  bool dynamic() const { return option(GAMMANET_CELL_CIRCUIT) != GAMMANET_CIRCUIT_STATIC; }
  bool multiplicative() const { return option(GAMMANET_CELL_MULTIPLICATIVE) == 1; }
  bool bf16() const { return option(GAMMANET_CELL_PRECISION) == GAMMANET_PRECISION_BFLOAT16; }
  // Whether normalization has statistics over the pixels of a sample.
  bool over_pixels() const { return normalization() >= GAMMANET_NORMALIZATION_INSTANCE; }
  // Whether the gates' inputs, or their products, are normalized.
  bool gate_norm_pre() const;
  bool gate_norm_post() const;
  bool normalizes_inputs() const;
  // The number of groups of group normalization; 0 for other kinds.
  int64_t groups() const;
};

// The parameter's symbol in messages.
const char* parameter_symbol(int parameter);

// Throws a Failure unless the value is among the option's in gammanet_cell.def.
void check_option(int option, int32_t value);

// A cell's parameters as data pointers; null where the options leave one out.
using CellParameters = std::array<float*, GAMMANET_CELL_PARAMETERS>;

// Checks options and parameters. `data` is filled.
CellSpec check_cell(const AtenTensorHandle* parameters, const int32_t* options,
                    CellParameters& data);

// Arguments of a step; feature maps without data are left out.
struct CellInputs {
  FeatureMap x, e, i;
};
struct CellForward : CellInputs {
  FeatureMap new_e, new_i, sum;
  // What the backward pass will need, left here if it is a map.
  FeatureMap kept;
};
struct CellBackward : CellInputs {
  FeatureMap grad_new_e, grad_new_i, grad_x, grad_e, grad_i;
  CellParameters grad_parameters{};
  // What the forward pass has left; its contents are lost.
  FeatureMap kept;
};

// Check shapes, devices and aliasing.
CellForward check_forward(const CellSpec& cell, AtenTensorHandle x, AtenTensorHandle e,
                          AtenTensorHandle i, AtenTensorHandle new_e, AtenTensorHandle new_i,
                          AtenTensorHandle sum);
CellBackward check_backward(const CellSpec& cell, AtenTensorHandle x, AtenTensorHandle e,
                            AtenTensorHandle i, AtenTensorHandle grad_new_e,
                            AtenTensorHandle grad_new_i, AtenTensorHandle grad_x,
                            AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                            const AtenTensorHandle* grad_parameters);

}  // namespace gammanet
