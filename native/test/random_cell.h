// A cell with random parameters, both as the reference and as the library take it.
#pragma once

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "reference.h"
#include "testing.h"

using gammanet::reference::Cell;
using gammanet::reference::Shape;
using gammanet::reference::Values;

using CellOptions = std::array<int32_t, GAMMANET_CELL_OPTIONS>;

inline Values doubles(const TestTensor& tensor) {
  return Values(tensor.data(), tensor.data() + tensor.elements());
}

// The greatest difference in units of the greatest expected value (of 1, if that is smaller).
inline double relative_difference(const Values& expected, const TestTensor& actual) {
  double greatest = 1;
  for (double value : expected) {
    greatest = std::fmax(greatest, std::fabs(value));
  }
  return greatest_difference(expected, actual) / greatest;
}

inline std::string option_text(const CellOptions& options) {
  std::string text;
  for (int32_t option : options) {
    text += (text.empty() ? "" : " ") + std::to_string(option);
  }
  return text;
}

// Sizes of a parameter's tensor.
inline std::vector<int64_t> parameter_sizes(const Cell& cell, int place) {
  const int64_t c = cell.channels, k = cell.kernel;
  switch (place) {
    case GAMMANET_CELL_W_INH:
    case GAMMANET_CELL_W_EXC:
      return {c, c, k, k};
    case GAMMANET_CELL_W_GAIN:
    case GAMMANET_CELL_W_MIX:
      return {c, 3 * c, 1, 1};
    case GAMMANET_CELL_D_INH:
      return {2 * c, 3 * c, 1, 1};
    case GAMMANET_CELL_D_EXC:
      return {2 * c, 2 * c, 1, 1};
    case GAMMANET_CELL_D_INH_BIAS:
    case GAMMANET_CELL_D_EXC_BIAS:
      return {2 * c};
    default:
      return {c};
  }
}

struct RandomCell {
  Cell cell;
  std::vector<std::unique_ptr<TestTensor>> tensors{GAMMANET_CELL_PARAMETERS};

  RandomCell(Random& random, const CellOptions& options, int64_t channels, int64_t kernel) {
    cell.channels = channels;
    cell.kernel = kernel;
    cell.options = options;
    for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
      const size_t at = static_cast<size_t>(place);
      if (cell.parameter_size(place) == 0) {
        continue;
      }
      tensors[at] = std::make_unique<TestTensor>(parameter_sizes(cell, place));
      const std::vector<int64_t>& sizes = tensors[at]->sizes();
      float bound = 0.3f;
      for (size_t d = 1; d < sizes.size(); ++d) {
        bound = d == 1 ? 3.0f / static_cast<float>(sizes[1]) : bound / static_cast<float>(sizes[d]);
      }
      bound = sizes.size() > 1 ? std::sqrt(bound) : 0.6f;
      tensors[at]->fill(random, -bound, bound + (sizes.size() > 1 ? 0.0f : 0.3f));
      cell.parameters[at] = doubles(*tensors[at]);
    }
  }

  std::vector<AtenTensorHandle> handles() const {
    std::vector<AtenTensorHandle> result;
    for (const auto& tensor : tensors) {
      result.push_back(tensor ? tensor->handle() : nullptr);
    }
    return result;
  }

  GammanetCell pack() const {
    GammanetCell packed = nullptr;
    CHECK_OK(gammanet_cell_pack(handles().data(), cell.options.data(), &packed));
    return packed;
  }
};

// Gradients of all parameters, zero at first.
inline std::vector<std::unique_ptr<TestTensor>> zero_gradients(const Cell& cell) {
  std::vector<std::unique_ptr<TestTensor>> result(GAMMANET_CELL_PARAMETERS);
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    if (cell.parameter_size(place) != 0) {
      result[static_cast<size_t>(place)] =
          std::make_unique<TestTensor>(parameter_sizes(cell, place));
      result[static_cast<size_t>(place)]->fill(0);
    }
  }
  return result;
}

inline std::vector<AtenTensorHandle> handles_of(
    const std::vector<std::unique_ptr<TestTensor>>& tensors) {
  std::vector<AtenTensorHandle> result;
  for (const auto& tensor : tensors) {
    result.push_back(tensor ? tensor->handle() : nullptr);
  }
  return result;
}

// Inputs of a step and gradients of its outputs.
struct StepMaps {
  TestTensor x, e, i, grad_e, grad_i;

  StepMaps(Random& random, Shape s)
      : x(of(s)), e(of(s)), i(of(s)), grad_e(of(s)), grad_i(of(s)) {
    x.fill(random, -0.5f, 1.5f);
    e.fill(random, -0.3f, 1.0f);
    i.fill(random, -0.3f, 1.0f);
    grad_e.fill(random, -1.0f, 1.0f);
    grad_i.fill(random, -1.0f, 1.0f);
  }
  static TestTensor of(Shape s) { return TestTensor::map(s.n, s.c, s.h, s.w); }
};

// Options in a pattern that meets all pairs that the formulas combine: normalization, its place,
// kind of parameters; the rest by `number`.
inline CellOptions pattern_options(int32_t norm, int32_t post, int32_t dynamic, int32_t number) {
  CellOptions options{};
  options[GAMMANET_CELL_NORMALIZATION] = norm;
  options[GAMMANET_CELL_GATE_NORM_POST] = post;
  options[GAMMANET_CELL_CIRCUIT] = dynamic;
  options[GAMMANET_CELL_FORCE_ALPHA] = number & 1;
  options[GAMMANET_CELL_FORCE_OMEGA] = number >> 1 & 1;
  options[GAMMANET_CELL_MULTIPLICATIVE] = number % 3 != 2;
  options[GAMMANET_CELL_NORMALIZE_INPUTS] = (number + norm) & 1;
  options[GAMMANET_CELL_SYMMETRY] = (number + post + dynamic) % 4;
  return options;
}
