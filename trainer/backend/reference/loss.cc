#include <algorithm>
#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

namespace {

// One row of logits; the gradient is added where it is wanted.
void CrossEntropy(const LossArguments& arguments, const double* x, int64_t classes, int32_t label,
                  double* dx, LossResult* result) {
  const double* largest = std::max_element(x, x + classes);  // the first of equals
  const double weight =
      arguments.class_weights == nullptr ? 1.0 : double{arguments.class_weights[label]};
  const double share = weight / static_cast<double>(arguments.rows);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - *largest);
  result->loss_sum += share * (std::log(sum) - (x[label] - *largest));
  result->correct += largest - x == label;
  for (int64_t c = 0; c < classes && dx != nullptr; ++c) {
    const double probability = std::exp(x[c] - *largest) / sum;
    dx[c] = double{arguments.scale} * share * (probability - (c == label));
  }
}

// The loss of one output, and its derivative.
struct Term {
  double loss = 0;
  double slope = 0;
};

Term TermOf(Loss loss, double x, double target) {
  switch (loss) {
    case Loss::kBinaryCrossEntropy:
      return {std::max(x, 0.0) - x * target + std::log1p(std::exp(-std::abs(x))),
              1 / (1 + std::exp(-x)) - target};
    case Loss::kSquaredError:
      return {(x - target) * (x - target), 2 * (x - target)};
    case Loss::kAbsoluteError:
      return {std::abs(x - target), x > target ? 1.0 : x < target ? -1.0 : 0.0};
    case Loss::kSoftmaxCrossEntropy:
      break;
  }
  return {};
}

}  // namespace

LossResult ComputeLoss(const LossArguments& arguments, const HostTensor& output,
                       HostTensor* doutput) {
  LossResult result;
  if (arguments.loss == Loss::kSoftmaxCrossEntropy) {
    const int64_t classes = output.sample_size / arguments.rows;
    for (int64_t r = 0; r < arguments.count * arguments.rows; ++r) {
      double* dx = doutput == nullptr ? nullptr : doutput->values.data() + r * classes;
      CrossEntropy(arguments, output.values.data() + r * classes, classes, arguments.labels[r], dx,
                   &result);
    }
    return result;
  }
  const auto outputs = static_cast<double>(output.sample_size);
  for (int64_t at = 0; at < arguments.count * output.sample_size; ++at) {
    const double target = arguments.targets[at];
    const Term term = TermOf(arguments.loss, output.values[at], target);
    result.loss_sum += term.loss / outputs;
    result.correct +=
        arguments.loss == Loss::kBinaryCrossEntropy && (output.values[at] > 0) == (target > 0.5);
    if (doutput != nullptr) {
      doutput->values[at] = double{arguments.scale} * term.slope / outputs;
    }
  }
  return result;
}

}  // namespace baton::trainer::reference
