#include "cell.h"

#include <algorithm>
#include <string>

namespace gammanet {

bool CellSpec::gate_norm_pre() const {
  return normalization() != GAMMANET_NORMALIZATION_NONE &&
         option(GAMMANET_CELL_GATE_NORM_POST) == 0;
}

bool CellSpec::gate_norm_post() const {
  return normalization() != GAMMANET_NORMALIZATION_NONE &&
         option(GAMMANET_CELL_GATE_NORM_POST) == 1;
}

bool CellSpec::normalizes_inputs() const {
  return normalization() != GAMMANET_NORMALIZATION_NONE &&
         option(GAMMANET_CELL_NORMALIZE_INPUTS) == 1;
}

int64_t CellSpec::groups() const {
  return normalization() == GAMMANET_NORMALIZATION_GROUP ? std::min<int64_t>(8, channels) : 0;
}

CellSpec::Shape CellSpec::shape(int parameter) const {
  const int64_t C = channels, K = k;
  const bool dynamic = this->dynamic(), multiplicative = this->multiplicative();
  const bool normalized_inputs = normalizes_inputs();
  switch (parameter) {
#define CELL_PARAMETER(name, symbol, outputs, inputs, kernel, present) \
  case GAMMANET_CELL_##name:                                           \
    return (present) ? Shape{outputs, inputs, kernel} : Shape{};
#include "gammanet_cell.def"
  }
  return {};
}

const char* parameter_symbol(int parameter) {
  switch (parameter) {
#define CELL_PARAMETER(name, symbol, outputs, inputs, kernel, present) \
  case GAMMANET_CELL_##name:                                           \
    return symbol;
#include "gammanet_cell.def"
  }
  return "";
}

namespace {

const char* option_description(int option) {
  switch (option) {
#define CELL_OPTION(name, description) \
  case GAMMANET_CELL_##name:           \
    return description;
#include "gammanet_cell.def"
  }
  return "";
}

// How many values an option has: 0 ... count - 1.
int32_t count_values(int option) {
  int32_t count = 0;
#define CELL_VALUE(of, name, number) count += GAMMANET_CELL_##of == option;
#define CELL_FLAG(name, description) count += GAMMANET_CELL_##name == option ? 2 : 0;
#include "gammanet_cell.def"
  return count;
}

// Checks a parameter's tensor, or that of its gradient.
float* parameter_data(const CellSpec& cell, int parameter, AtenTensorHandle tensor,
                      const char* what) {
  const CellSpec::Shape shape = cell.shape(parameter);
  if (shape.inputs == 0) {
    return vector_of(tensor, what, shape.outputs, cell.device);
  }
  int64_t sizes[4] = {shape.outputs, shape.inputs, shape.k, shape.k};
  return weights_of(tensor, what, sizes, cell.device);
}

CellInputs check_inputs(const CellSpec& cell, AtenTensorHandle x, AtenTensorHandle e,
                        AtenTensorHandle i) {
  CellInputs inputs;
  const FeatureMap drive = feature_map(x, "x");
  inputs.x = feature_map(x, "x", drive.n, cell.channels, drive.h, drive.w, cell.device);
  auto state = [&](AtenTensorHandle tensor, const char* what) {
    return tensor == nullptr ? FeatureMap()
                             : feature_map(tensor, what, drive.n, cell.channels, drive.h, drive.w,
                                           cell.device);
  };
  inputs.e = state(e, "e");
  inputs.i = state(i, "i");
  return inputs;
}

}  // namespace

void check_option(int option, int32_t value) {
  const int32_t count = count_values(option);
  if (value < 0 || value >= count) {
    invalid("%s must be 0 to %d, not %d", option_description(option), static_cast<int>(count - 1),
            static_cast<int>(value));
  }
}

CellSpec check_cell(const AtenTensorHandle* parameters, const int32_t* options,
                    CellParameters& data) {
  CellSpec cell;
  for (int option = 0; option < GAMMANET_CELL_OPTIONS; ++option) {
    check_option(option, options[option]);
  }
  std::copy_n(options, GAMMANET_CELL_OPTIONS, cell.options.begin());

  const AtenTensorHandle first = parameters[GAMMANET_CELL_W_INH];
  cell.device = device_of(first, parameter_symbol(GAMMANET_CELL_W_INH));
  int64_t sizes[4] = {-1, -1, -1, -1};
  weights_of(first, parameter_symbol(GAMMANET_CELL_W_INH), sizes, cell.device);
  cell.channels = sizes[0];
  cell.k = sizes[2];
  if (sizes[1] != sizes[0] || sizes[3] != sizes[2] || sizes[2] % 2 == 0) {
    invalid("W_inh must be [C, C, k, k] with odd k, not [%lld, %lld, %lld, %lld]",
            static_cast<long long>(sizes[0]), static_cast<long long>(sizes[1]),
            static_cast<long long>(sizes[2]), static_cast<long long>(sizes[3]));
  }
  if (cell.groups() != 0 && cell.channels % cell.groups() != 0) {
    invalid("group normalization needs a multiple of 8 channels, not %lld",
            static_cast<long long>(cell.channels));
  }
  for (int parameter = 0; parameter < GAMMANET_CELL_PARAMETERS; ++parameter) {
    if (cell.shape(parameter)) {
      data[static_cast<size_t>(parameter)] =
          parameter_data(cell, parameter, parameters[parameter], parameter_symbol(parameter));
    }
  }
  return cell;
}

CellForward check_forward(const CellSpec& cell, AtenTensorHandle x, AtenTensorHandle e,
                          AtenTensorHandle i, AtenTensorHandle new_e, AtenTensorHandle new_i,
                          AtenTensorHandle sum) {
  CellForward a{check_inputs(cell, x, e, i), {}, {}, {}, {}};
  auto output = [&](AtenTensorHandle tensor, const char* what) {
    return feature_map(tensor, what, a.x.n, a.x.c, a.x.h, a.x.w, cell.device);
  };
  a.new_e = output(new_e, "new_e");
  a.new_i = output(new_i, "new_i");
  a.sum = sum == nullptr ? FeatureMap() : output(sum, "sum");
  check_disjoint(a.x, "x", a.new_e, "new_e");
  check_disjoint(a.x, "x", a.new_i, "new_i");
  check_disjoint(a.new_e, "new_e", a.new_i, "new_i");
  check_same_or_disjoint(a.e, "e", a.i, "i");
  check_same_or_disjoint(a.e, "e", a.new_e, "new_e");
  check_same_or_disjoint(a.i, "i", a.new_i, "new_i");
  // i' is written while neighbors still need e; e' must not be i, whether or not e is i.
  check_disjoint(a.e, "e", a.new_i, "new_i");
  check_disjoint(a.i, "i", a.new_e, "new_e");
  check_disjoint(a.sum, "sum", a.x, "x");
  check_disjoint(a.sum, "sum", a.e, "e");
  check_disjoint(a.sum, "sum", a.i, "i");
  check_disjoint(a.sum, "sum", a.new_e, "new_e");
  check_disjoint(a.sum, "sum", a.new_i, "new_i");
  return a;
}

CellBackward check_backward(const CellSpec& cell, AtenTensorHandle x, AtenTensorHandle e,
                            AtenTensorHandle i, AtenTensorHandle grad_new_e,
                            AtenTensorHandle grad_new_i, AtenTensorHandle grad_x,
                            AtenTensorHandle grad_e, AtenTensorHandle grad_i,
                            const AtenTensorHandle* grad_parameters) {
  CellBackward a{check_inputs(cell, x, e, i), {}, {}, {}, {}, {}, {}, {}};
  auto optional = [&](AtenTensorHandle tensor, const char* what) {
    return tensor == nullptr
               ? FeatureMap()
               : feature_map(tensor, what, a.x.n, a.x.c, a.x.h, a.x.w, cell.device);
  };
  a.grad_new_e = optional(grad_new_e, "grad_new_e");
  a.grad_new_i = optional(grad_new_i, "grad_new_i");
  a.grad_x = optional(grad_x, "grad_x");
  a.grad_e = optional(grad_e, "grad_e");
  a.grad_i = optional(grad_i, "grad_i");
  struct Named {
    const FeatureMap& map;
    const char* name;
  };
  const Named inputs[] = {{a.x, "x"}, {a.e, "e"}, {a.i, "i"}};
  const Named outputs[] = {{a.grad_x, "grad_x"}, {a.grad_e, "grad_e"}, {a.grad_i, "grad_i"}};
  const Named given[] = {{a.grad_new_e, "grad_new_e"}, {a.grad_new_i, "grad_new_i"}};
  for (int o = 0; o < 3; ++o) {
    const Named& out = outputs[o];
    for (const Named& in : inputs) {
      check_disjoint(out.map, out.name, in.map, in.name);
    }
    for (int other = 0; other < o; ++other) {
      check_disjoint(out.map, out.name, outputs[other].map, outputs[other].name);
    }
    for (int g = 0; g < 2; ++g) {
      // grad_e may be grad_new_e and grad_i may be grad_new_i.
      const auto check = o == g + 1 ? check_same_or_disjoint : check_disjoint;
      check(out.map, out.name, given[g].map, given[g].name);
    }
  }
  for (int parameter = 0; grad_parameters != nullptr && parameter < GAMMANET_CELL_PARAMETERS;
       ++parameter) {
    if (grad_parameters[parameter] != nullptr && cell.shape(parameter)) {
      const std::string what = std::string("the gradient of ") + parameter_symbol(parameter);
      a.grad_parameters[static_cast<size_t>(parameter)] =
          parameter_data(cell, parameter, grad_parameters[parameter], what.c_str());
    }
  }
  return a;
}

}  // namespace gammanet
