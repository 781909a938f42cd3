#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One sample at a time, position after position. Of each it keeps what the way back needs: the
// gates after their functions, the LSTM's cell, and for the GRU what the candidate takes of h.
class Recurrent : public Operation {
 public:
  explicit Recurrent(const RecurrentOperation& shape)
      : lstm_(shape.cell == Cell::kLstm),
        positions_(shape.in[0]),
        in_(shape.in[1]),
        hidden_(shape.hidden),
        rows_((lstm_ ? 4 : 3) * hidden_) {}

  absl::Status Forward(const ForwardArguments& arguments) override {
    steps_.assign(arguments.count * positions_, Step());
    for (int64_t n = 0; n < arguments.count; ++n) {
      for (int64_t t = 0; t < positions_; ++t) {
        const double* h = t > 0 ? Host(arguments.y).sample(n) + (t - 1) * hidden_ : nullptr;
        Forward(Weights(arguments.weights), Host(arguments.x[0]).sample(n) + t * in_, h, n, t,
                Host(arguments.y).sample(n) + t * hidden_);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Backward(const BackwardArguments& arguments) override {
    GradientSums sums(rows_ * (in_ + hidden_ + 2));
    HostTensor* dx = Wanted(arguments.dx[0], arguments.count);
    for (int64_t n = 0; n < arguments.count; ++n) {
      std::vector<double> dh(hidden_, 0.0), dc(hidden_, 0.0);
      for (int64_t t = positions_ - 1; t >= 0; --t) {
        for (int64_t k = 0; k < hidden_; ++k) {
          dh[k] += Host(arguments.dy).sample(n)[t * hidden_ + k];
        }
        const double* h = t > 0 ? Host(arguments.y).sample(n) + (t - 1) * hidden_ : nullptr;
        Backward(Weights(arguments.weights), Host(arguments.x[0]).sample(n) + t * in_, h, n, t, &dh,
                 &dc, sums.data(), dx == nullptr ? nullptr : dx->sample(n) + t * in_);
      }
    }
    sums.Store(arguments.weights_gradient);
    return absl::OkStatus();
  }

 private:
  struct Step {
    std::vector<double> gates;       // rows, after their functions
    std::vector<double> cell;        // LSTM: c
    std::vector<double> from_state;  // GRU: w_hn h + b_hn
  };
  struct Matrices {
    const float *ih, *hh, *bias_ih, *bias_hh;
  };
  Matrices Weights(const float* w) const {
    const float* hh = w + rows_ * in_;
    return {w, hh, hh + rows_ * hidden_, hh + rows_ * hidden_ + rows_};
  }
  Step& At(int64_t n, int64_t t) { return steps_[n * positions_ + t]; }

  // One row of w_hh h + b_hh; h null: zero.
  double FromState(const Matrices& w, const double* h, int64_t row) const {
    double sum = w.bias_hh[row];
    for (int64_t k = 0; k < hidden_ && h != nullptr; ++k) {
      sum += double{w.hh[row * hidden_ + k]} * h[k];
    }
    return sum;
  }
  double FromInput(const Matrices& w, const double* x, int64_t row) const {
    double sum = w.bias_ih[row];
    for (int64_t i = 0; i < in_; ++i) sum += double{w.ih[row * in_ + i]} * x[i];
    return sum;
  }

  void Forward(const Matrices& w, const double* x, const double* h, int64_t n, int64_t t,
               double* y) {
    Step& step = At(n, t);
    step.gates.resize(rows_);
    step.cell.resize(hidden_);
    step.from_state.resize(hidden_);
    for (int64_t k = 0; k < hidden_; ++k) {
      double* gates = step.gates.data() + k;
      if (lstm_) {
        for (int64_t g = 0; g < 4; ++g) {
          const double sum = FromInput(w, x, g * hidden_ + k) + FromState(w, h, g * hidden_ + k);
          gates[g * hidden_] = g == 2 ? std::tanh(sum) : Sigmoid(sum);
        }
        const double before = t > 0 ? At(n, t - 1).cell[k] : 0;
        step.cell[k] = gates[hidden_] * before + gates[0] * gates[2 * hidden_];
        y[k] = gates[3 * hidden_] * std::tanh(step.cell[k]);
        continue;
      }
      for (int64_t g = 0; g < 2; ++g) {
        gates[g * hidden_] =
            Sigmoid(FromInput(w, x, g * hidden_ + k) + FromState(w, h, g * hidden_ + k));
      }
      step.from_state[k] = FromState(w, h, 2 * hidden_ + k);
      gates[2 * hidden_] =
          std::tanh(FromInput(w, x, 2 * hidden_ + k) + gates[0] * step.from_state[k]);
      const double before = h == nullptr ? 0 : h[k];
      y[k] = (1 - gates[hidden_]) * gates[2 * hidden_] + gates[hidden_] * before;
    }
  }

  // `dh` and `dc` come as those of this position's h and c, and leave as those of the one before.
  void Backward(const Matrices& w, const double* x, const double* h, int64_t n, int64_t t,
                std::vector<double>* dh, std::vector<double>* dc, double* dw, double* dx) {
    std::vector<double> from_input(rows_), from_state(rows_), before(hidden_, 0.0);
    for (int64_t k = 0; k < hidden_; ++k) {
      if (lstm_) {
        LstmGates(n, t, k, (*dh)[k], &(*dc)[k], from_input.data());
        for (int64_t g = 0; g < 4; ++g) from_state[g * hidden_ + k] = from_input[g * hidden_ + k];
      } else {
        GruGates(At(n, t), k, h == nullptr ? 0 : h[k], (*dh)[k], from_input.data(),
                 from_state.data());
        before[k] = (*dh)[k] * At(n, t).gates[hidden_ + k];
      }
    }
    double* dw_hh = dw + rows_ * in_;
    double* db_ih = dw_hh + rows_ * hidden_;
    for (int64_t row = 0; row < rows_; ++row) {
      db_ih[row] += from_input[row];
      db_ih[rows_ + row] += from_state[row];
      for (int64_t i = 0; i < in_; ++i) {
        dw[row * in_ + i] += from_input[row] * x[i];
        if (dx != nullptr) dx[i] += double{w.ih[row * in_ + i]} * from_input[row];
      }
      for (int64_t k = 0; k < hidden_ && h != nullptr; ++k) {
        dw_hh[row * hidden_ + k] += from_state[row] * h[k];
        before[k] += double{w.hh[row * hidden_ + k]} * from_state[row];
      }
    }
    *dh = before;
  }

  // Gradients of the sums that the four gates are functions of.
  void LstmGates(int64_t n, int64_t t, int64_t k, double dh, double* dc, double* sums) {
    const double* gates = At(n, t).gates.data() + k;
    const double i = gates[0], f = gates[hidden_], g = gates[2 * hidden_], o = gates[3 * hidden_];
    const double out = std::tanh(At(n, t).cell[k]);
    const double before = t > 0 ? At(n, t - 1).cell[k] : 0;
    *dc += dh * o * (1 - out * out);
    sums[k] = *dc * g * i * (1 - i);
    sums[hidden_ + k] = *dc * before * f * (1 - f);
    sums[2 * hidden_ + k] = *dc * i * (1 - g * g);
    sums[3 * hidden_ + k] = dh * out * o * (1 - o);
    *dc *= f;
  }

  void GruGates(const Step& step, int64_t k, double before, double dh, double* from_input,
                double* from_state) const {
    const double r = step.gates[k], z = step.gates[hidden_ + k], c = step.gates[2 * hidden_ + k];
    const double dc = dh * (1 - z) * (1 - c * c);
    from_input[k] = from_state[k] = dc * step.from_state[k] * r * (1 - r);
    from_input[hidden_ + k] = from_state[hidden_ + k] = dh * (before - c) * z * (1 - z);
    from_input[2 * hidden_ + k] = dc;
    from_state[2 * hidden_ + k] = dc * r;
  }

  bool lstm_;
  int64_t positions_, in_, hidden_, rows_;
  std::vector<Step> steps_;  // of the last Forward, by sample and position
};

}  // namespace

std::unique_ptr<Operation> Make(const RecurrentOperation& shape) {
  return std::make_unique<Recurrent>(shape);
}

}  // namespace baton::trainer::reference
