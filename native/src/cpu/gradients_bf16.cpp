// Gradients of weights from factors in bfloat16.
#include <algorithm>

#include "conv.h"
#include "gradients.h"
#include "threads.h"

namespace gammanet {
namespace {

// Numbers in 16 channels of 32 pixels.
constexpr int64_t kBlock = 32 * 16;

// At most the second-level cache: 1 MB or 2 where there is bfloat16.
constexpr int64_t kChunkBytes = 1 << 20;

// Lines of pixels one after the other, with zeros between them that the k x k kernel reaches at the
// edges: a tap is a shift of the whole sequence. `width` is even, so that a shift by an even number
// of columns keeps the pairs of pixels.
struct Sequence {
  Sequence(const float* data_, int64_t n, int64_t h_, int64_t w_, int64_t c_, int64_t pad_)
      : data(data_),
        h(h_),
        w(w_),
        c(c_),
        pad(pad_),
        width(pad_ == 0 ? w_ : round_up(w_ + pad_, 2)),
        lines(n * (h_ + pad_)) {}

  // The rows of pixels from `first` on; null between the lines.
  void rows(int64_t first, int64_t count, const float** out) const {
    int64_t line = first / width, x = first % width;
    if (x < 0) {
      --line;
      x += width;
    }
    while (count > 0) {
      const int64_t sample = line / (h + pad), y = line % (h + pad);
      const bool inside = line >= 0 && line < lines && y < h;
      const float* from = inside ? data + (sample * h + y) * w * c : nullptr;
      for (; x < width && count > 0; ++x, --count) {
        *out++ = inside && x < w ? from + x * c : nullptr;
      }
      x = 0;
      ++line;
    }
  }

  const float* data;
  int64_t h, w, c, pad, width, lines;
};

}  // namespace

void sum_weight_gradient_bf16(const Kernels& kernels, const float* grad, int64_t outputs,
                              const float* x, int64_t inputs, int64_t n, int64_t h, int64_t w,
                              int64_t k, float* sums) {
  const int64_t pad = k / 2, co = round_up(outputs, 16), ci = round_up(inputs, 16);
  const Sequence to(grad, n, h, w, outputs, pad), from(x, n, h, w, inputs, pad);
  const int64_t width = to.width, parities = pad == 0 ? 1 : 2;
  const int64_t fit = kChunkBytes / (2 * width * (co + parities * ci));
  const int64_t chunks = (to.lines + std::max<int64_t>(fit, 1) - 1) / std::max<int64_t>(fit, 1);
  const int64_t lines = (to.lines + chunks - 1) / chunks;
  // Pixels of the gradient, and of the input with what the taps at the edges reach.
  const int64_t length = round_up(lines * width, 32), lead = round_up(pad, 2);
  const int64_t reach = round_up(lead + 2 * pad * width + pad + length + 2, 32);
  const int64_t grad_plane = length * 16, in_plane = reach * 16;
  uint16_t* packed_grad = reinterpret_cast<uint16_t*>(
      scratch(kConvScratch, static_cast<size_t>((co * length + parities * ci * reach) / 2)));
  uint16_t* packed_in[2] = {packed_grad + co * length, packed_grad + co * length + ci * reach};
  const int64_t grad_blocks = length / 32, in_blocks = reach / 32;
  constexpr int64_t kOutputs = 64;
  const int64_t groups = (co + kOutputs - 1) / kOutputs;
  for (int64_t first = 0; first < to.lines; first += lines) {
    const int64_t start = first * width;
    const int64_t end = std::min(start + lines * width, to.lines * width);
    const int64_t pixels = round_up(end - start, 32);
    parallel_for(grad_blocks + in_blocks, 4, [&](int64_t begin, int64_t stop) {
      const float* rows[33];
      for (int64_t block = begin; block < stop; ++block) {
        if (block < grad_blocks) {
          const int64_t at = block * 32;
          to.rows(start + at, 32, rows);
          // Not those of the next chunk.
          for (int64_t p = std::max<int64_t>(0, end - start - at); p < 32; ++p) {
            rows[p] = nullptr;
          }
          kernels.pack_outputs_bf16(rows, 32, outputs, packed_grad + block * kBlock, grad_plane);
          continue;
        }
        // Pairs that begin at even pixels, and those that begin at odd ones.
        const int64_t at = (block - grad_blocks) * 32;
        from.rows(start - pad * width - lead + at - 1, 33, rows);
        const int64_t offset = at * 16;
        kernels.pack_inputs_bf16(rows + 1, 32, inputs, packed_in[0] + offset, in_plane);
        if (parities == 2) {
          kernels.pack_inputs_bf16(rows, 32, inputs, packed_in[1] + offset, in_plane);
        }
      }
    });
    parallel_for(k * k * groups, 1, [&](int64_t begin, int64_t stop) {
      for (int64_t task = begin; task < stop; ++task) {
        const int64_t o = task % groups * kOutputs, tap = task / groups;
        const int64_t shift = lead + tap / k * width + tap % k - pad;
        const int64_t odd = shift % 2;
        kernels.gradient_bf16({packed_grad + o / 16 * grad_plane,
                               packed_in[odd] + (shift + odd) * 16, grad_plane, in_plane, pixels,
                               std::min(kOutputs, co - o), ci, sums + (tap * co + o) * ci, ci,
                               first == 0});
      }
    });
  }
}

}  // namespace gammanet
