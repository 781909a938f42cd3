// One step of an LSTM or a GRU over the rows of a micro-batch: what follows the matrix products.
// All values are rows of `hidden`, the gates of a row one behind the other (backend/operation.h).
#pragma once

#include <cstdint>

namespace baton::trainer::cpu {

struct LstmStep {
  int64_t rows, hidden;
  float* gates;         // 4: in, without biases; out, after their functions
  const float* before;  // c of the position before
  float* cell;          // c
  float* squashed;      // tanh(c)
  float* h;

  void Forward(const float* bias_ih, const float* bias_hh) const;
  // `dh` and `dcell` are those of this position; `dcell` leaves as that of the one before, `gates`
  // as the gradient of the sums that they are functions of.
  void Backward(const float* dh, float* dcell) const;
};

struct GruStep {
  int64_t rows, hidden;
  float* from_input;    // 3: in, without biases; out, the gates after their functions
  float* from_state;    // 3: in, without biases; the third leaves with its own
  const float* before;  // h of the position before
  float* h;

  void Forward(const float* bias_ih, const float* bias_hh) const;
  // `dbefore` (null: there is no position before) takes in what h passes on by itself;
  // `from_input` and `from_state` leave as their gradients.
  void Backward(const float* dh, float* dbefore) const;
};

}  // namespace baton::trainer::cpu
