#include <algorithm>
#include <cmath>

#include "trainer/backend/reference/tensor.h"

namespace baton::trainer::reference {

LossResult SoftmaxCrossEntropy(const HostTensor& logits, const int32_t* labels, int64_t count,
                               float scale, HostTensor* dlogits) {
  LossResult result;
  const int64_t classes = logits.sample_size;
  for (int64_t n = 0; n < count; ++n) {
    const float* x = logits.sample(n);
    const float* largest = std::max_element(x, x + classes);  // the first of equals
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(double{x[c]} - double{*largest});
    result.loss_sum += std::log(sum) - (double{x[labels[n]]} - double{*largest});
    result.correct += largest - x == labels[n];
    if (dlogits == nullptr) continue;
    for (int64_t c = 0; c < classes; ++c) {
      const double probability = std::exp(double{x[c]} - double{*largest}) / sum;
      dlogits->sample(n)[c] = static_cast<float>(scale * (probability - (c == labels[n])));
    }
  }
  return result;
}

}  // namespace baton::trainer::reference
