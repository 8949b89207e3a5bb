// Normalization and parameters in the cell's backward pass.
#include <algorithm>
#include <cmath>

#include "cell_backward.h"
#include "gradients.h"

namespace gammanet {

// ---- Normalization ----

namespace {

// Replaces sums over the pixels of a sample by means over these and the channels of a group.
void to_means(std::vector<double>& sums, int64_t group, int64_t area) {
  for (size_t first = 0; first < sums.size(); first += static_cast<size_t>(group)) {
    double total = 0;
    for (int64_t c = 0; c < group; ++c) {
      total += sums[first + static_cast<size_t>(c)];
    }
    for (int64_t c = 0; c < group; ++c) {
      sums[first + static_cast<size_t>(c)] = total / static_cast<double>(group * area);
    }
  }
}

}  // namespace

// Of a feature map, or null for zeros.
Moments CellGradient::moments(const float* data) const {
  Moments result(samples_, c_);
  for (int64_t b = 0; data != nullptr && b < samples_; ++b) {
    channel_moments(kernels_, data + b * area_ * c_, c_, area_, c_, cell_.spec.groups(),
                    result.mean.data() + b * c_, result.r.data() + b * c_);
  }
  return result;
}

CellGradient::GradientMeans CellGradient::gradient_means(const float* grad, int64_t stride,
                                                         const float* y, int64_t y_stride) const {
  GradientMeans result;
  const int64_t group = cell_.spec.groups() ? c_ / cell_.spec.groups() : 1;
  for (int64_t b = 0; b < samples_; ++b) {
    for (auto* to : {&result.grad, &result.product}) {
      const float* factor = to == &result.grad ? nullptr : y + b * area_ * y_stride;
      auto means = sum_over_pixels(area_, c_, [&](int64_t begin, int64_t end, float* sums) {
        k_.column_sums(grad + (b * area_ + begin) * stride, stride,
                       factor ? factor + begin * y_stride : nullptr, y_stride, end - begin, c_,
                       sums);
      });
      to_means(means, group, area_);
      to->insert(to->end(), means.begin(), means.end());
    }
  }
  return result;
}

// body(sample, first row, rows) for the pixels of a tile, which may belong to several samples.
template <class Body>
void CellGradient::for_each_sample(const Tile& t, const Body& body) const {
  for (int64_t p = t.first; p < t.first + t.rows;) {
    const int64_t sample = p / area_;
    const int64_t end = std::min((sample + 1) * area_, t.first + t.rows);
    body(sample, p - t.first, end - p);
    p = end;
  }
}

void CellGradient::normalize(const Tile& t, const Moments& m, const float* data, int64_t stride, float* out,
               int64_t out_stride) const {
  for_each_sample(t, [&](int64_t sample, int64_t row, int64_t count) {
    k_.normalize_columns(data + row * stride, stride, m.mean.data() + sample * c_,
                         m.r.data() + sample * c_, count, c_, out + row * out_stride,
                         out_stride);
  });
}

void CellGradient::normalize_backward(const Tile& t, const Moments& m, const GradientMeans& means, float* grad,
                        int64_t stride, const float* y, int64_t y_stride) const {
  for_each_sample(t, [&](int64_t sample, int64_t row, int64_t count) {
    k_.normalize_columns_backward(grad + row * stride, stride, y + row * y_stride, y_stride,
                                  m.r.data() + sample * c_, means.grad.data() + sample * c_,
                                  means.product.data() + sample * c_, count, c_);
  });
}

// Turns the gradient of N1's or N2's output, a feature map, into that of its input.
void CellGradient::normalize_input_backward(const float* data, int weight_index, int bias_index,
                              float* grad) const {
  const float* weight = cell_.parameter(weight_index);
  Buffer<float> y = rows(pixels_, 1);
  Buffer<float> r(static_cast<size_t>(pixels_));
  const Moments m = over_pixels_ ? moments(data) : Moments(0, 0);
  for_each_tile(0, tiles_, [&](const Tile& t) {
    float* to = y.get() + t.first * padded_;
    k_.load_rows(data ? data + t.first * c_ : nullptr, c_, t.rows, to, padded_, padded_);
    if (over_pixels_) {
      normalize(t, m, to, padded_, to, padded_);
    } else {
      k_.normalize_rows(to, t.rows, 1, c_, padded_, r.get() + t.first);
    }
  });
  for (int index : {weight_index, bias_index}) {
    float* to = gradient_of(index);
    if (to == nullptr) {
      continue;
    }
    auto sums = sum_over_pixels(pixels_, c_, [&](int64_t begin, int64_t end, float* part) {
      k_.column_sums(grad + begin * c_, c_,
                     index == weight_index ? y.get() + begin * padded_ : nullptr, padded_,
                     end - begin, c_, part);
    });
    for (int64_t c = 0; c < c_; ++c) {
      to[c] += static_cast<float>(sums[static_cast<size_t>(c)]);
    }
  }
  if (over_pixels_) {
    for_each_tile(0, tiles_, [&](const Tile& t) {
      k_.scale_columns(grad + t.first * c_, c_, weight, nullptr, t.rows, c_);
    });
    const GradientMeans means = gradient_means(grad, c_, y.get(), padded_);
    for_each_tile(0, tiles_, [&](const Tile& t) {
      normalize_backward(t, m, means, grad + t.first * c_, c_,
                         y.get() + t.first * padded_, padded_);
    });
    return;
  }
  for_each_tile(0, tiles_, [&](const Tile& t) {
    float* g = scratch(kThreadScratch, static_cast<size_t>(t.rows * padded_));
    k_.load_rows(grad + t.first * c_, c_, t.rows, g, padded_, padded_);
    k_.scale_columns(g, padded_, weight, nullptr, t.rows, c_);
    k_.normalize_rows_backward(g, y.get() + t.first * padded_, r.get() + t.first, t.rows, 1, c_,
                               padded_);
    k_.store_rows(g, padded_, t.rows, c_, grad + t.first * c_);
  });
}

// ---- Gradients of parameters ----

double CellGradient::TileSums::total(int64_t c) const {
  double sum = 0;
  for (size_t at = static_cast<size_t>(c); at < parts.size(); at += static_cast<size_t>(count)) {
    sum += parts[at];
  }
  return sum;
}

// Adds a block of C sums to a parameter's gradient.
void CellGradient::add_sums(const TileSums& sums, int64_t block, float* to) const {
  for (int64_t c = 0; to != nullptr && c < c_; ++c) {
    to[c] += static_cast<float>(sums.total(block * padded_ + c));
  }
}

CellGradient::WeightGradient CellGradient::weight_gradient(int index, const float* grad, int64_t blocks, const float* in,
                               int64_t parts) const {
  WeightGradient result{grad, blocks, in, parts, {}, gradient_of(index)};
  if (result.to != nullptr) {
    const size_t size = static_cast<size_t>(blocks * parts * padded_ * padded_);
    result.sums = Buffer<float>(size);
    std::fill_n(result.sums.get(), size, 0.0f);
  }
  return result;
}

// Adds what `count` rows contribute; the weights' rows are spread over the threads.
void CellGradient::accumulate(const std::array<WeightGradient, 2>& gradients, int64_t count) const {
  const int64_t kRowsOfTask = 24, kStretchRows = 128;
  auto tasks_of = [&](const WeightGradient& g) {
    const int64_t outputs = g.blocks * padded_, columns = g.parts * padded_;
    return g.to == nullptr ? 0
                           : (outputs + kRowsOfTask - 1) / kRowsOfTask *
                                 ((columns + k_.panel - 1) / k_.panel);
  };
  const int64_t first_tasks = tasks_of(gradients[0]);
  parallel_for(first_tasks + tasks_of(gradients[1]), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < count; p += kStretchRows) {
      for (int64_t t = begin; t < end; ++t) {
        const WeightGradient& g = gradients[t < first_tasks ? 0 : 1];
        const int64_t task = t < first_tasks ? t : t - first_tasks;
        const int64_t outputs = g.blocks * padded_, columns = g.parts * padded_;
        const int64_t groups = (outputs + kRowsOfTask - 1) / kRowsOfTask;
        const int64_t o = task % groups * kRowsOfTask, j = task / groups * k_.panel;
        k_.weight_gradient(g.grad + p * outputs + o, outputs, 0, g.in + p * columns + j,
                           columns, 0, 1, std::min(kStretchRows, count - p),
                           std::min(kRowsOfTask, outputs - o), std::min(k_.panel, columns - j),
                           g.sums.get() + o * columns + j, columns);
      }
    }
  });
}

// Adds the sums to the parameter's gradient, [blocks * c, parts * c].
void CellGradient::finish(const WeightGradient& g) const {
  for (int64_t o = 0; g.to != nullptr && o < g.blocks * c_; ++o) {
    const float* row = g.sums.get() + (o / c_ * padded_ + o % c_) * g.parts * padded_;
    for (int64_t j = 0; j < g.parts * c_; ++j) {
      g.to[o * g.parts * c_ + j] += row[j / c_ * padded_ + j % c_];
    }
  }
}

// The gradient of W_INH or W_EXC.
void CellGradient::add_horizontal(int index, const float* grad, const float* in) const {
  float* to = gradient_of(index);
  if (to == nullptr || in == nullptr) {
    return;
  }
  const int64_t taps = cell_.spec.k * cell_.spec.k, size = c_ * c_;
  std::vector<float> sums(static_cast<size_t>(taps * size), 0.0f);
  add_weight_gradient(kernels_, grad, c_, in, c_, samples_, a_.x.h, a_.x.w, cell_.spec.k,
                      sums.data());
  std::vector<float> weight(sums.size());
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t o = 0; o < size; ++o) {
      weight[static_cast<size_t>(o * taps + t)] = sums[static_cast<size_t>(t * size + o)];
    }
  }
  const int32_t symmetry = cell_.spec.symmetry();
  if (symmetry != GAMMANET_SYMMETRY_NONE) {
    weight = symmetrized(weight.data(), c_, cell_.spec.k, symmetry);
  }
  for (size_t o = 0; o < weight.size(); ++o) {
    to[o] += weight[o];
  }
}

}  // namespace gammanet
