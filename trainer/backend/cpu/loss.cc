#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/numeric/portable_math.h"
#include "trainer/numeric/wide.h"

namespace baton::trainer::cpu {

namespace {

// powers[c] = e^(x[c] - largest)
void Powers(const float* x, double largest, int64_t classes, double* powers) {
  for (int64_t c = 0; c < classes; ++c) powers[c] = Exponential(double{x[c]} - largest);
}

void Scale(const double* from, double factor, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i] * factor);
}

// Rows of logits; the gradient is written where it is wanted.
void CrossEntropy(const LossArguments& arguments, const float* logits, int64_t classes,
                  float* dlogits, LossResult* result) {
  std::vector<double> powers(static_cast<size_t>(classes));
  for (int64_t r = 0; r < arguments.count * arguments.rows; ++r) {
    const float* x = logits + r * classes;
    const int32_t label = arguments.labels[r];
    const float* largest = std::max_element(x, x + classes);  // the first of equals
    Powers(x, *largest, classes, powers.data());
    double sum = 0;
    for (const double power : powers) sum += power;
    // One row without class weights has a share of exactly 1, which changes no bits.
    const double weight =
        arguments.class_weights == nullptr ? 1.0 : double{arguments.class_weights[label]};
    const double share = weight / static_cast<double>(arguments.rows);
    result->loss_sum += share * (Logarithm(sum) - (double{x[label]} - double{*largest}));
    result->correct += largest - x == label;
    if (dlogits == nullptr) continue;
    const double scale = double{arguments.scale} * share;
    float* dx = dlogits + r * classes;
    Scale(powers.data(), scale / sum, classes, dx);
    dx[label] = static_cast<float>(scale * (powers[label] / sum - 1));
  }
}

// The loss of one output, and its derivative.
struct Term {
  double loss = 0;
  double slope = 0;
};

template <Loss loss>
inline Term TermOf(double x, double target) {
  const double difference = x - target;
  if constexpr (loss == Loss::kBinaryCrossEntropy) {
    const double power = Exponential(-std::abs(x));
    const double sigmoid = (x >= 0 ? 1 : power) / (1 + power);
    return {std::max(x, 0.0) - x * target + Logarithm(1 + power), sigmoid - target};
  } else if constexpr (loss == Loss::kSquaredError) {
    return {difference * difference, 2 * difference};
  } else {
    static_assert(loss == Loss::kAbsoluteError);
    return {std::abs(difference), difference > 0 ? 1.0 : difference < 0 ? -1.0 : 0.0};
  }
}

// The losses of `size` outputs, times `share`, and their derivatives times `scale`, too.
template <Loss loss>
inline void Terms(const float* x, const float* target, int64_t size, double share, double scale,
                  double* losses, float* slopes) {
  for (int64_t i = 0; i < size; ++i) {
    const Term term = TermOf<loss>(double{x[i]}, double{target[i]});
    losses[i] = term.loss * share;
    slopes[i] = static_cast<float>(scale * term.slope * share);
  }
}

// The one with much to compute (templates have no wide form).
BATON_WIDE void BinaryTerms(const float* x, const float* target, int64_t size, double share,
                            double scale, double* losses, float* slopes) {
  Terms<Loss::kBinaryCrossEntropy>(x, target, size, share, scale, losses, slopes);
}

// Of outputs that each have a target. By blocks: what is made of each output becomes vectors, and
// the sum keeps its order.
template <Loss loss>
void Elementwise(const LossArguments& arguments, const float* output, int64_t outputs,
                 float* doutput, LossResult* result) {
  constexpr int64_t kBlock = 64;
  const double share = 1 / static_cast<double>(outputs);
  const double scale{arguments.scale};
  const int64_t count = arguments.count * outputs;
  double losses[kBlock];
  float slopes[kBlock];
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t size = std::min(kBlock, count - begin);
    const float* x = output + begin;
    const float* target = arguments.targets + begin;
    if constexpr (loss == Loss::kBinaryCrossEntropy) {
      BinaryTerms(x, target, size, share, scale, losses, slopes);
    } else {
      Terms<loss>(x, target, size, share, scale, losses, slopes);
    }
    for (int64_t i = 0; i < size; ++i) result->loss_sum += losses[i];
    if (loss == Loss::kBinaryCrossEntropy) {
      for (int64_t i = 0; i < size; ++i) result->correct += (x[i] > 0) == (target[i] > 0.5f);
    }
    if (doutput != nullptr) std::copy_n(slopes, size, doutput + begin);
  }
}

}  // namespace

LossResult ComputeLoss(const LossArguments& arguments, const float* output, int64_t outputs,
                       float* doutput) {
  LossResult result;
  switch (arguments.loss) {
    case Loss::kSoftmaxCrossEntropy:
      CrossEntropy(arguments, output, outputs / arguments.rows, doutput, &result);
      break;
    case Loss::kBinaryCrossEntropy:
      Elementwise<Loss::kBinaryCrossEntropy>(arguments, output, outputs, doutput, &result);
      break;
    case Loss::kSquaredError:
      Elementwise<Loss::kSquaredError>(arguments, output, outputs, doutput, &result);
      break;
    case Loss::kAbsoluteError:
      Elementwise<Loss::kAbsoluteError>(arguments, output, outputs, doutput, &result);
      break;
  }
  return result;
}

}  // namespace baton::trainer::cpu
