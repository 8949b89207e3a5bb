/*
 * The kernels' formulas in plain loops and double precision: what every other version is held to.
 *
 * Maps are arrays in channels-last order, [N][H][W][C]; weights are ordered as their tensors are.
 */
#ifndef GAMMANET_TEST_REFERENCE_H
#define GAMMANET_TEST_REFERENCE_H

#include <array>
#include <cstdint>
#include <vector>

#include "gammanet_native.h"

namespace gammanet::reference {

/* Elements of a map, a vector or a weight; empty where there is none. */
using Values = std::vector<double>;

struct Shape {
  int64_t n, c, h, w;

  int64_t pixels() const { return n * h * w; }
  int64_t size() const { return pixels() * c; }
};

/* weight [out, in, k, k]. */
Values conv_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                    int64_t out, int64_t k, bool relu);

struct ConvGradients {
  Values x, weight, bias;
};

/* `out` is the result of conv_forward if that rectified, else empty. */
ConvGradients conv_backward(const Values &x, Shape in, const Values &weight, int64_t out_channels,
                            int64_t k, const Values &out, const Values &grad_out);

/* Layer normalization over channels; weight and bias may be empty. */
Values channel_layer_norm(const Values &x, Shape shape, const Values &weight, const Values &bias);

Values align_pool_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                          int64_t out, bool pool_only);

Values project_up_forward(const Values &x, Shape in, const Values &weight, const Values &bias,
                          int64_t out, int64_t height, int64_t width);

/* S(W) of the specification for a weight [c, c, k, k]; its own adjoint. */
Values symmetric(const Values &weight, int64_t c, int64_t k, int32_t symmetry);

struct Cell {
  int64_t channels = 0;
  int64_t kernel = 1;
  std::array<int32_t, GAMMANET_CELL_OPTIONS> options{};
  /* Empty where the options leave a parameter out. */
  std::array<Values, GAMMANET_CELL_PARAMETERS> parameters;

  int32_t option(int place) const { return options[static_cast<size_t>(place)]; }
  const Values &parameter(int place) const { return parameters[static_cast<size_t>(place)]; }
  /* Elements that a parameter has under these options; 0 where it is left out. */
  int64_t parameter_size(int place) const;
};

/* All that one step computes; the results are new_e and new_i. */
struct CellStep {
  Values n1, c1, alpha, mu, rectified_input, s, g1, new_i;
  Values n2, c2, kappa, omega, q_input, q, g2, new_e;
};

/* e and i may be empty: zeros. */
CellStep cell_forward(const Cell &cell, Shape shape, const Values &x, const Values &e,
                      const Values &i);

struct CellGradients {
  Values x, e, i;
  std::array<Values, GAMMANET_CELL_PARAMETERS> parameters;
};

/* The gradients of the outputs may be empty: zeros. */
CellGradients cell_backward(const Cell &cell, Shape shape, const Values &x, const Values &e,
                            const Values &i, const Values &grad_new_e, const Values &grad_new_i);

}  // namespace gammanet::reference

#endif
