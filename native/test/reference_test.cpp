/* The reference's gradients against central finite differences, over every option. */
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>

#include "reference.h"

namespace {

using namespace gammanet::reference;

int failures = 0;
double worst = 0;

Values random_values(std::mt19937 &random, int64_t size, double scale, double center) {
  std::uniform_real_distribution<double> uniform(-scale, scale);
  Values values(static_cast<size_t>(size));
  for (double &value : values) value = center + uniform(random);
  return values;
}

double dot(const Values &a, const Values &b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

/* Compares a gradient with differences of `loss` in one random direction. */
void check(const std::string &name, std::mt19937 &random, Values &values, const Values &gradient,
           const std::function<double()> &loss) {
  if (values.empty()) return;
  if (values.size() != gradient.size()) {
    std::printf("FAILED %s: gradient of %zu elements for %zu\n", name.c_str(), gradient.size(),
                values.size());
    ++failures;
    return;
  }
  Values direction = random_values(random, static_cast<int64_t>(values.size()), 1, 0);
  Values start = values;
  const double h = 1e-6;
  auto moved = [&](double step) {
    for (size_t k = 0; k < values.size(); ++k) values[k] = start[k] + step * direction[k];
    double result = loss();
    values = start;
    return result;
  };
  double numeric = (moved(h) - moved(-h)) / (2 * h);
  double analytic = dot(gradient, direction);
  double error = std::abs(numeric - analytic) /
                 (1e-3 + std::sqrt(dot(gradient, gradient) * dot(direction, direction) /
                                   static_cast<double>(values.size())));
  worst = std::max(worst, error);
  if (!(error < 2e-5)) {
    std::printf("FAILED %s: numeric %.9g, analytic %.9g\n", name.c_str(), numeric, analytic);
    ++failures;
  }
}

void check_cell(std::mt19937 &random, const std::array<int32_t, GAMMANET_CELL_OPTIONS> &options,
                int64_t channels, int64_t kernel, bool zero_states) {
  Cell cell;
  cell.channels = channels;
  cell.kernel = kernel;
  cell.options = options;
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    cell.parameters[static_cast<size_t>(place)] =
        random_values(random, cell.parameter_size(place), 0.6, 0.1);
  }
  Shape shape{2, channels, 4, 3};
  Values x = random_values(random, shape.size(), 1, 0.5);
  Values e = zero_states ? Values() : random_values(random, shape.size(), 1, 0.2);
  Values i = zero_states ? Values() : random_values(random, shape.size(), 1, 0.2);
  Values weight_e = random_values(random, shape.size(), 1, 0);
  Values weight_i = random_values(random, shape.size(), 1, 0);
  auto loss = [&] {
    CellStep step = cell_forward(cell, shape, x, e, i);
    return dot(step.new_e, weight_e) + dot(step.new_i, weight_i);
  };
  CellGradients grads = cell_backward(cell, shape, x, e, i, weight_e, weight_i);
  std::string name = "cell";
  for (int32_t option : options) name += " " + std::to_string(option);
  name += " C=" + std::to_string(channels) + " k=" + std::to_string(kernel);
  check(name + " x", random, x, grads.x, loss);
  check(name + " e", random, e, grads.e, loss);
  check(name + " i", random, i, grads.i, loss);
  for (int place = 0; place < GAMMANET_CELL_PARAMETERS; ++place) {
    size_t at = static_cast<size_t>(place);
    check(name + " parameter " + std::to_string(place), random, cell.parameters[at],
          grads.parameters[at], loss);
  }
}

void check_conv(std::mt19937 &random, int64_t in, int64_t out, int64_t k, bool relu) {
  Shape shape{2, in, 5, 4};
  Values x = random_values(random, shape.size(), 1, 0);
  Values weight = random_values(random, out * in * k * k, 1, 0);
  Values bias = random_values(random, out, 1, 0);
  Values grad = random_values(random, shape.pixels() * out, 1, 0);
  auto loss = [&] { return dot(conv_forward(x, shape, weight, bias, out, k, relu), grad); };
  Values y = relu ? conv_forward(x, shape, weight, bias, out, k, true) : Values();
  ConvGradients grads = conv_backward(x, shape, weight, out, k, y, grad);
  std::string name = "conv k=" + std::to_string(k);
  check(name + " x", random, x, grads.x, loss);
  check(name + " weight", random, weight, grads.weight, loss);
  check(name + " bias", random, bias, grads.bias, loss);
}

}  // namespace

int main() {
  std::mt19937 random(20);
  int cells = 0;
  for (int32_t norm = 0; norm < 4; ++norm) {
    for (int32_t post = 0; post < 2; ++post) {
      for (int32_t dynamic = 0; dynamic < 3; ++dynamic) {
        for (int32_t rest = 0; rest < 4; ++rest) {
          /* Options that do not meet in the formulas are combined in a pattern, not all with all. */
          int32_t force = rest & 1, multiplicative = rest != 3, inputs = (rest + norm) & 1;
          int32_t symmetry = (rest + post + dynamic) % 4;
          int64_t channels = norm == 3 && rest == 2 ? 16 : 3 + rest % 2;
          int64_t kernel = rest == 0 ? 1 : rest == 1 ? 5 : 3;
          check_cell(random,
                     {norm, post, dynamic, force, force, multiplicative, inputs, symmetry, 0, 0},
                     channels, kernel, false);
          ++cells;
        }
        check_cell(random, {norm, post, dynamic, 0, 1, 1, 1, 3, 0, 0}, 4, 3, true);
        ++cells;
      }
    }
  }
  for (int64_t k : {1, 3, 5}) {
    check_conv(random, 3, 5, k, false);
    check_conv(random, 4, 2, k, true);
  }
  std::printf("%d cells, greatest relative error %.2e, %d failures\n", cells, worst, failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
