#include "trainer/optim/optimizer.h"

#include <utility>

#include "common/check.h"
#include "trainer/optim/adam.h"
#include "trainer/optim/sgd.h"

namespace baton::trainer {

std::unique_ptr<Optimizer> Optimizer::Create(const spec::Optimizer& options,
                                             size_t parameter_count) {
  switch (options.kind) {
    case spec::Optimizer::Kind::kSgd:
      return std::make_unique<Sgd>(options, parameter_count);
    case spec::Optimizer::Kind::kAdam:
      return std::make_unique<Adam>(options, parameter_count);
  }
  BATON_CHECK(false, "unknown optimizer");
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
  for (const Range& range : trained_) ApplyTo(range, weights.data(), gradient.data(), step, lr);
}

}  // namespace baton::trainer
