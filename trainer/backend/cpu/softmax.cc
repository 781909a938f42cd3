#include <algorithm>
#include <vector>

#include "trainer/backend/cpu/operations.h"
#include "trainer/backend/cpu/portable_math.h"

namespace baton::trainer::cpu {

LossResult SoftmaxCrossEntropy(const float* logits, const int32_t* labels, int64_t count,
                               int64_t classes, float scale, float* dlogits) {
  LossResult result;
  std::vector<double> powers(classes);
  for (int64_t n = 0; n < count; ++n) {
    const float* x = logits + n * classes;
    const float* largest = std::max_element(x, x + classes);  // the first of equals
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) {
      powers[c] = Exponential(double{x[c]} - double{*largest});
      sum += powers[c];
    }
    result.loss_sum += Logarithm(sum) - (double{x[labels[n]]} - double{*largest});
    result.correct += largest - x == labels[n];
    if (dlogits == nullptr) continue;
    for (int64_t c = 0; c < classes; ++c) {
      const double hit = c == labels[n] ? 1 : 0;
      dlogits[n * classes + c] = static_cast<float>(scale * (powers[c] / sum - hit));
    }
  }
  return result;
}

}  // namespace baton::trainer::cpu
