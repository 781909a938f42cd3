// LSTM and GRU over the whole micro-batch. Within this file values lie position by position, the
// samples of each one behind the other: so what all positions have in common is one matrix product,
// and what a position adds is one more.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "trainer/backend/cpu/gates.h"
#include "trainer/backend/cpu/matrix.h"
#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/plain.h"

namespace baton::trainer::cpu {

namespace {

// (a, b, width) -> (b, a, width)
void SwapOuter(const float* from, int64_t a, int64_t b, int64_t width, float* to) {
  for (int64_t j = 0; j < b; ++j) {
    for (int64_t i = 0; i < a; ++i) {
      to = std::copy_n(from + (i * b + j) * width, width, to);
    }
  }
}

class Recurrent : public Operation {
 public:
  Recurrent(const RecurrentOperation& shape, Context& context)
      : lstm_(shape.cell == Cell::kLstm),
        positions_(shape.in[0]),
        in_(shape.in[1]),
        hidden_(shape.hidden),
        gates_((lstm_ ? 4 : 3) * hidden_),
        context_(context),
        values_(context) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    return Guarded("recurrence", [&] {
      const int64_t count = arguments.count;
      const Matrices w = Weights(arguments.weights);
      Reserve(count);
      SwapOuter(values_.Read(0, arguments.x[0], count), count, positions_, in_, x_);
      Linear{positions_ * count, in_, gates_}.Forward(w.ih, x_, from_input_);
      // h and c before the first position.
      std::fill_n(h_, count * hidden_, 0.0f);
      if (lstm_) std::fill_n(cell_, count * hidden_, 0.0f);
      if (!lstm_) std::fill_n(from_state_, count * gates_, 0.0f);
      for (int64_t t = 0; t < positions_; ++t) {
        // The LSTM's gates are functions of the sum of both, the GRU needs them apart.
        float* sums = (lstm_ ? from_input_ : from_state_) + t * count * gates_;
        if (t > 0) {
          Multiply(count, gates_, hidden_, 1, {H(t, count), hidden_}, {w.hh, hidden_, true},
                   lstm_ ? 1 : 0, sums, gates_);
        }
        if (lstm_) Lstm(t, count).Forward(w.bias_ih, w.bias_hh);
        if (!lstm_) Gru(t, count).Forward(w.bias_ih, w.bias_hh);
      }
      SwapOuter(H(1, count), positions_, count, hidden_, values_.Write(arguments.y, count));
    });
  }

  // Once after a Forward: gates become their gradients in place.
  absl::Status Backward(const BackwardArguments& arguments) override {
    return Guarded("recurrence", [&] {
      const int64_t count = arguments.count;
      const Matrices w = Weights(arguments.weights);
      float* dh = context_.scratch.TakeFloats(positions_ * count * hidden_);
      SwapOuter(values_.Read(1, arguments.dy, count), count, positions_, hidden_, dh);
      BackThroughPositions(w, count, dh);
      WriteGradient(count, arguments.weights_gradient);
      if (arguments.dx[0] == nullptr) return;
      // x is needed no more.
      Linear{positions_ * count, in_, gates_}.BackwardData(w.ih, from_input_, x_);
      SwapOuter(x_, positions_, count, in_, values_.Write(arguments.dx[0], count));
    });
  }

 private:
  struct Matrices {
    const float *ih, *hh, *bias_ih, *bias_hh;
  };
  Matrices Weights(const float* w) const {
    const float* hh = w + gates_ * in_;
    const float* bias = hh + gates_ * hidden_;
    return {w, hh, bias, bias + gates_};
  }

  static float* Floats(Buffer& buffer, int64_t count) {
    return static_cast<float*>(buffer.Reserve(count * sizeof(float)));
  }
  void Reserve(int64_t count) {
    const int64_t rows = positions_ * count;
    x_ = Floats(x_buffer_, rows * in_);
    from_input_ = Floats(input_buffer_, rows * gates_);
    h_ = Floats(h_buffer_, (rows + count) * hidden_);
    if (lstm_) cell_ = Floats(cell_buffer_, (rows + count) * hidden_);
    if (lstm_) squashed_ = Floats(squashed_buffer_, rows * hidden_);
    if (!lstm_) from_state_ = Floats(state_buffer_, rows * gates_);
  }

  // The state before position t.
  float* H(int64_t t, int64_t count) const { return h_ + t * count * hidden_; }
  LstmStep Lstm(int64_t t, int64_t count) const {
    const int64_t at = t * count * hidden_, next = at + count * hidden_;
    return {count,          hidden_,  from_input_ + 4 * at, cell_ + at, cell_ + next,
            squashed_ + at, h_ + next};
  }
  GruStep Gru(int64_t t, int64_t count) const {
    const int64_t at = t * count * hidden_;
    return {count,
            hidden_,
            from_input_ + 3 * at,
            from_state_ + 3 * at,
            h_ + at,
            h_ + at + count * hidden_};
  }

  void BackThroughPositions(const Matrices& w, int64_t count, float* dh) {
    float* dcell = context_.scratch.TakeFloats(count * hidden_);
    std::fill_n(dcell, count * hidden_, 0.0f);
    for (int64_t t = positions_ - 1; t >= 0; --t) {
      float* here = dh + t * count * hidden_;
      float* before = t > 0 ? here - count * hidden_ : nullptr;
      if (lstm_) Lstm(t, count).Backward(here, dcell);
      if (!lstm_) Gru(t, count).Backward(here, before);
      if (before == nullptr) return;
      const float* sums = (lstm_ ? from_input_ : from_state_) + t * count * gates_;
      Multiply(count, hidden_, gates_, 1, {sums, gates_}, {w.hh, hidden_}, 1, before, hidden_);
    }
  }

  void WriteGradient(int64_t count, float* gradient) const {
    const int64_t rows = positions_ * count;
    const float* from_state = lstm_ ? from_input_ : from_state_;
    float* hh = gradient + gates_ * in_;
    float* bias = hh + gates_ * hidden_;
    Linear{rows, in_, gates_}.BackwardWeights(x_, from_input_, gradient);
    Linear{rows, hidden_, gates_}.BackwardWeights(h_, from_state, hh);
    SumColumns(from_input_, rows, gates_, bias);
    SumColumns(from_state, rows, gates_, bias + gates_);
  }

  bool lstm_;
  int64_t positions_, in_, hidden_;
  int64_t gates_;  // rows of the weights
  Context& context_;
  PlainValues values_;
  // Of the last Forward; h and cell begin with those before the first position.
  float *x_ = nullptr, *from_input_ = nullptr, *from_state_ = nullptr, *h_ = nullptr,
        *cell_ = nullptr, *squashed_ = nullptr;
  Buffer x_buffer_, input_buffer_, state_buffer_, h_buffer_, cell_buffer_, squashed_buffer_;
};

}  // namespace

std::unique_ptr<Operation> Make(const RecurrentOperation& shape, Context& context) {
  return std::make_unique<Recurrent>(shape, context);
}

}  // namespace baton::trainer::cpu
