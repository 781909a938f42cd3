#include "trainer/optim/optimizer.h"

#include <array>
#include <cmath>
#include <utility>

#include "common/check.h"
#include "trainer/optim/adam.h"
#include "trainer/optim/rmsprop.h"
#include "trainer/optim/sgd.h"

namespace baton::trainer {

namespace {

// As torch.nn.utils.clip_grad_norm_ has it.
constexpr double kNormOffset = 1e-6;

}  // namespace

std::unique_ptr<Optimizer> Optimizer::Create(const spec::Optimizer& options,
                                             size_t parameter_count) {
  switch (options.kind) {
    case spec::Optimizer::Kind::kSgd:
      return std::make_unique<Sgd>(options, parameter_count);
    case spec::Optimizer::Kind::kAdam:
    case spec::Optimizer::Kind::kAdamW:
      return std::make_unique<Adam>(options, parameter_count);
    case spec::Optimizer::Kind::kRmsProp:
      return std::make_unique<RmsProp>(options, parameter_count);
  }
  BATON_CHECK(false, "unknown optimizer");
}

// Eight sums side by side, so that vectors of any width add in one order.
double Optimizer::GradientNorm(absl::Span<const float> gradient) const {
  std::array<double, 8> sums = {};
  for (const Range& range : trained_) {
    size_t i = range.begin;
    for (; i + sums.size() <= range.end; i += sums.size()) {
      for (size_t k = 0; k < sums.size(); ++k) {
        sums[k] += double{gradient[i + k]} * double{gradient[i + k]};
      }
    }
    for (; i < range.end; ++i) sums[0] += double{gradient[i]} * double{gradient[i]};
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  return std::sqrt(sum);
}

void Optimizer::AddState(std::string name) {
  state_.push_back({std::move(name), std::vector<float>(parameter_count_, 0.0f)});
}

void Optimizer::Apply(absl::Span<float> weights, absl::Span<const float> gradient, int64_t step,
                      double lr) {
  BATON_CHECK(step >= 1, "steps count from 1");
  BATON_CHECK(weights.size() == parameter_count_ && gradient.size() == parameter_count_,
              "weights or gradient of another model");
  for (const StateVector& vector : state_) {
    BATON_CHECK(vector.values.size() == parameter_count_, "optimizer state of another model");
  }
  const float* source = gradient.data();
  if (clip_norm_ > 0) {
    const double factor = clip_norm_ / (GradientNorm(gradient) + kNormOffset);
    if (factor < 1) {
      clipped_.resize(gradient.size());
      const auto rounded = static_cast<float>(factor);
      for (size_t i = 0; i < gradient.size(); ++i) clipped_[i] = gradient[i] * rounded;
      source = clipped_.data();
    }
  }
  for (const Range& range : trained_) ApplyTo(range, weights.data(), source, step, lr);
}

}  // namespace baton::trainer
