#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/numeric/portable_math.h"

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

Term TermOf(Loss loss, double x, double target) {
  const double difference = x - target;
  switch (loss) {
    case Loss::kBinaryCrossEntropy: {
      const double power = Exponential(-std::abs(x));
      const double sigmoid = x >= 0 ? 1 / (1 + power) : power / (1 + power);
      return {std::max(x, 0.0) - x * target + Logarithm(1 + power), sigmoid - target};
    }
    case Loss::kSquaredError:
      return {difference * difference, 2 * difference};
    case Loss::kAbsoluteError:
      return {std::abs(difference), difference > 0 ? 1.0 : difference < 0 ? -1.0 : 0.0};
    case Loss::kSoftmaxCrossEntropy:
      break;
  }
  return {};
}

}  // namespace

LossResult ComputeLoss(const LossArguments& arguments, const float* output, int64_t outputs,
                       float* doutput) {
  LossResult result;
  if (arguments.loss == Loss::kSoftmaxCrossEntropy) {
    CrossEntropy(arguments, output, outputs / arguments.rows, doutput, &result);
    return result;
  }
  const double share = 1 / static_cast<double>(outputs);
  for (int64_t at = 0; at < arguments.count * outputs; ++at) {
    const Term term = TermOf(arguments.loss, output[at], arguments.targets[at]);
    result.loss_sum += term.loss * share;
    result.correct += arguments.loss == Loss::kBinaryCrossEntropy &&
                      (output[at] > 0) == (arguments.targets[at] > 0.5f);
    if (doutput == nullptr) continue;
    doutput[at] = static_cast<float>(double{arguments.scale} * term.slope * share);
  }
  return result;
}

}  // namespace baton::trainer::cpu
