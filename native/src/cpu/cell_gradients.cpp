// Normalization and parameters in the cell's backward pass.
#include <algorithm>
#include <cmath>

#include "cell_backward.h"
#include "gradients.h"
#include "threads.h"

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

// Computes the moments of a feature map; null stands for zeros.
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
    const Rows from = rows_of(data, t);
    k_.gather_rows(&from, 1, nullptr, nullptr, t.rows, c_, padded_, to);
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
    const Rows from = rows_of(grad, t);
    k_.gather_rows(&from, 1, nullptr, nullptr, t.rows, c_, padded_, g);
    k_.scale_columns(g, padded_, weight, nullptr, t.rows, c_);
    const RowSum to{{}, grad + t.first * c_, c_};
    k_.normalize_rows_backward(g, y.get() + t.first * padded_, r.get() + t.first, t.rows, 1, c_,
                               padded_, &to);
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

CellGradient::WeightGradient CellGradient::weight_gradient(int index, const float* grad,
                                                           int64_t blocks, int64_t parts) const {
  const int64_t outputs = blocks * padded_;
  WeightGradient result{grad,    outputs, {}, parts, bf16_ ? round_up(c_, 16) : padded_,
                        bf16_ ? round_up(outputs, 16) : outputs, {}, gradient_of(index)};
  if (result.to != nullptr) {
    const size_t size = static_cast<size_t>(result.height * result.width());
    result.sums = Buffer<float>(size);
    std::fill_n(result.sums.get(), size, 0.0f);
  }
  return result;
}

void CellGradient::set_parts(WeightGradient& gradient, const float* rows) const {
  for (int64_t part = 0; part < gradient.part_count; ++part) {
    gradient.parts[part] = {rows + part * padded_, gradient.part_count * padded_};
  }
}

// Adds what `count` rows contribute; the weights' rows are spread over the threads.
void CellGradient::accumulate(const std::array<WeightGradient, 2>& gradients, int64_t count) const {
  if (bf16_) {
    accumulate_bf16(gradients, count);
    return;
  }
  const int64_t kRowsOfTask = 24, kStretchRows = 128;
  const int64_t width = kernels_.width;
  auto tasks_of = [&](const WeightGradient& g) {
    return g.to == nullptr ? 0
                           : (g.outputs + kRowsOfTask - 1) / kRowsOfTask *
                                 ((g.width() + k_.panel - 1) / k_.panel);
  };
  const int64_t first_tasks = tasks_of(gradients[0]);
  const std::vector<float> zeros(static_cast<size_t>(width), 0.0f);
  parallel_for(first_tasks + tasks_of(gradients[1]), 1, [&](int64_t begin, int64_t end) {
    std::vector<Rows> in(static_cast<size_t>(k_.panel / width));
    for (int64_t p = 0; p < count; p += kStretchRows) {
      for (int64_t t = begin; t < end; ++t) {
        const WeightGradient& g = gradients[t < first_tasks ? 0 : 1];
        const int64_t task = t < first_tasks ? t : t - first_tasks;
        const int64_t groups = (g.outputs + kRowsOfTask - 1) / kRowsOfTask;
        const int64_t o = task % groups * kRowsOfTask, j = task / groups * k_.panel;
        const int64_t vectors = std::min(k_.panel, g.width() - j) / width;
        for (int64_t v = 0; v < vectors; ++v) {
          const int64_t column = j + v * width;
          const Rows part = g.parts[column / g.part_columns].from(p);
          in[static_cast<size_t>(v)] =
              part.data ? Rows{part.data + column % g.part_columns, part.stride}
                        : Rows{zeros.data(), 0};
        }
        k_.weight_gradient_of_vectors(g.grad + p * g.outputs + o, g.outputs, in.data(), vectors,
                                      std::min(kStretchRows, count - p),
                                      std::min(kRowsOfTask, g.outputs - o),
                                      g.sums.get() + o * g.width() + j, g.width());
      }
    }
  });
}

void CellGradient::accumulate_bf16(const std::array<WeightGradient, 2>& gradients,
                                   int64_t count) const {
  const int64_t blocks = (count + 31) / 32, pixels = blocks * 32;
  int64_t numbers = 0;
  for (const WeightGradient& g : gradients) {
    numbers += g.to ? (g.height + g.width()) * pixels : 0;
  }
  uint16_t* memory = reinterpret_cast<uint16_t*>(
      scratch(kConvScratch, static_cast<size_t>(numbers / 2)));
  uint16_t* packed[2][2] = {};
  for (int j = 0; j < 2; ++j) {
    const WeightGradient& g = gradients[static_cast<size_t>(j)];
    if (g.to != nullptr) {
      packed[j][0] = memory;
      packed[j][1] = memory + g.height * pixels;
      memory += (g.height + g.width()) * pixels;
    }
  }
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    const float* rows[32];
    for (int64_t b = begin; b < end; ++b) {
      auto rows_of = [&](Rows from) {
        for (int64_t r = 0; r < 32; ++r) {
          rows[r] = b * 32 + r < count ? from.from(b * 32 + r).data : nullptr;
        }
      };
      for (int j = 0; j < 2; ++j) {
        const WeightGradient& g = gradients[static_cast<size_t>(j)];
        if (g.to != nullptr) {
          rows_of({g.grad, g.outputs});
          kernels_.pack_outputs_bf16(rows, 32, g.outputs, packed[j][0] + b * 512, pixels * 16);
          for (int64_t part = 0; part < g.part_count; ++part) {
            rows_of(g.parts[part]);
            kernels_.pack_inputs_bf16(
                rows, 32, c_, packed[j][1] + part * g.part_columns * pixels + b * 512, pixels * 16);
          }
        }
      }
    }
  });
  constexpr int64_t kOutputs = 32;
  auto tasks_of = [&](const WeightGradient& g) {
    return g.to == nullptr ? 0 : (g.height + kOutputs - 1) / kOutputs;
  };
  const int64_t first_tasks = tasks_of(gradients[0]);
  parallel_for(first_tasks + tasks_of(gradients[1]), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int j = t < first_tasks ? 0 : 1;
      const WeightGradient& g = gradients[static_cast<size_t>(j)];
      const int64_t o = (t - (j == 0 ? 0 : first_tasks)) * kOutputs;
      kernels_.gradient_bf16({packed[j][0] + o * pixels, packed[j][1], pixels * 16, pixels * 16,
                              pixels, std::min(kOutputs, g.height - o), g.width(),
                              g.sums.get() + o * g.width(), g.width(), false});
    }
  });
}

// Adds the sums to the parameter's gradient, [blocks * c, parts * c].
void CellGradient::finish(const WeightGradient& g) const {
  if (g.to == nullptr) {
    return;
  }
  parallel_for(g.outputs / padded_ * c_, 1 + 16384 / g.width(), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* row = g.sums.get() + (o / c_ * padded_ + o % c_) * g.width();
      float* to = g.to + o * g.part_count * c_;
      for (int64_t part = 0; part < g.part_count; ++part, row += g.part_columns, to += c_) {
        for (int64_t j = 0; j < c_; ++j) {
          to[j] += row[j];
        }
      }
    }
  });
}

// The gradient of W_INH or W_EXC.
void CellGradient::add_horizontal(int index, const float* grad, const float* in) const {
  float* to = gradient_of(index);
  if (to == nullptr || in == nullptr) {
    return;
  }
  const int32_t symmetry = cell_.spec.symmetry();
  const int64_t k = cell_.spec.k;
  auto add = [&](float* sum) {
    add_weight_gradient(kernels_, grad, c_, in, c_, samples_, a_.x.h, a_.x.w, k, bf16_, sum);
  };
  if (symmetry == GAMMANET_SYMMETRY_NONE) {
    add(to);
    return;
  }
  std::vector<float> weight(static_cast<size_t>(c_ * c_ * k * k), 0.0f);
  add(weight.data());
  weight = symmetrized(weight.data(), c_, k, symmetry);
  for (size_t o = 0; o < weight.size(); ++o) {
    to[o] += weight[o];
  }
}

}  // namespace gammanet
