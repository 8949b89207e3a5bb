// One step of the cell in two halves: the first makes i' of e, i and x, the second e' of i' and e.
// The backward pass runs the same halves again and keeps what it needs of them.
#pragma once

#include <vector>

#include "cell.h"
#include "memory.h"
#include "tiles.h"

namespace gammanet {

// Mean and 1/sigma of each channel of each sample; those of zeros at first.
struct Moments {
  Moments(int64_t samples, int64_t channels);
  std::vector<float> mean, r;
};

// What a whole step leaves for the backward pass, in one piece of memory: rows of all pixels.
struct KeptStep {
  static int64_t channels(const Cell& cell);
  KeptStep(const Cell& cell, float* memory, int64_t pixels);
  struct Half {
    float *horizontal, *network, *gate, *mean, *scale;
  };
  Half inhibition, excitation;
  float* new_i;
};

class CellStep {
 public:
  // The first half makes i', the second e'.
  enum Half { kInhibition, kExcitation };

  // Some pixels, and a thread's memory for their intermediate values, in rows of padded() floats.
  struct Tile {
    int64_t first, count;
    // The thread's next tile, whose rows are prefetched; next_count 0: none.
    int64_t next, next_count;
    float *network;    // 2: products of the circuit's network, with bias
    float *candidate;  // 1
    float *gate;       // 1: the gate's product, and its argument without bias after the half
    float *horizontal, *normalized;
    float *mean, *scale;  // of each row, with layer normalization
    float* more;
    uint16_t* halves;
    // What has been converted to bfloat16, in the order of its position in `halves`.
    const float* converted[8];
    int64_t conversions;
    // Whether the gate's argument is wanted.
    bool backward;
    // Whether `network` has the products already.
    bool known;
    void forget(const float* rows);
  };

  // What a whole half leaves for the backward pass; rows of all pixels.
  struct Kept {
    float *network, *candidate, *gate, *mean, *scale;
    // The moments of the gate's three inputs, or [0] those of its product, where these are
    // normalized over pixels.
    std::vector<Moments> moments;
  };

  // new_i: gets i'. tile_rows: at most so many pixels are in a tile.
  CellStep(const Cell& cell, const CellInputs& inputs, float* new_i, int64_t tile_rows);

  // Both halves. sum: e' is added to it; may be null.
  void run(float* new_e, float* sum);

  // Both halves of a step without normalization over pixels or of horizontal inputs, which leave
  // what the backward pass needs.
  void run_keeping(float* new_e, const KeptStep& kept);

  // The first half, of the horizontal term `term`, [.., C]; null for zeros without normalization
  // over pixels, and then without the products of the network.
  void keep_inhibition(const float* term, Kept& kept);
  // The second half, but for e'; only with normalization over pixels.
  void keep_excitation(const float* term, Kept& kept);
  // The second half of one tile, but for e'; without normalization over pixels.
  void keep_excitation(Tile& tile, const float* term) const;
  // q alone, from the kept products of the network.
  void candidate_again(Tile& tile, const float* term) const;

  // N1 or N2 of a state, with rows of C floats.
  Rows normalize(Rows source, Half half, float* out) const;

  int64_t padded() const { return padded_; }
  int64_t tile_rows() const { return tile_rows_; }
  // The calling thread's memory for a tile, and for `more` floats.
  Tile make_tile(int64_t more) const;

 private:
  template <class Body>
  void over_tiles(int64_t start, int64_t pixels, const Kept* kept, const Body& body) const;
  void point_at(Tile& tile, const Kept* kept) const;
  void piecewise_half(Half half, Rows source, const Pieces& pieces) const;
  void local_half(Tile& t, Half half, Rows source, Rows term) const;
  void global_half(Half half, Rows source, Rows term, float* candidates, float* gates,
                   Kept* kept) const;
  Operand operand(Tile& t, Rows rows, int64_t index) const;
  void product(Tile& t, const Panels& panels, int64_t start, int64_t outputs, const float* bias,
               bool relu, const Rows* parts, int64_t part_count, float* out, int64_t out_stride,
               const float* map) const;
  Rows horizontal_term(Tile& t, Half half, Rows source, Rows term) const;
  void make_candidate(Tile& t, Half half, Rows term, float* out) const;
  void gate_inputs(Half half, Rows candidate, Rows (&parts)[3]) const;
  void make_gate(Tile& t, Half half, const Rows (&parts)[3], float* out) const;
  Mix mix_of(const Tile& t, Half half, float* gate, const float* candidate) const;
  const Conv& conv(Half half) const {
    return half == kInhibition ? cell_.inhibition : cell_.excitation;
  }

  const Cell& cell_;
  const Kernels& k_;
  // Rows of buffers have padded_ floats, bfloat16 operands part_ numbers.
  const int64_t c_, padded_, part_, tile_rows_;
  const int32_t normalization_;
  const bool post_;
  const Activation activation_;
  const FeatureMap& shape_;
  const Rows x_, e_, i_, next_i_;
  float* const new_i_;
  float *new_e_ = nullptr, *sum_ = nullptr;
  const std::vector<float> ones_;
};

}  // namespace gammanet
