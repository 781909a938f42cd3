#include "trainer/layer/memory_plan.h"

#include <algorithm>
#include <cstdint>

namespace baton::trainer {
namespace {

class Places {
 public:
  size_t Take(int64_t size) {
    const auto better = [&](size_t a, size_t b) {
      if (sizes_[a] < size || sizes_[b] < size) return sizes_[a] > sizes_[b];
      return sizes_[a] < sizes_[b];
    };
    const auto best = std::min_element(free_.begin(), free_.end(), better);
    if (best == free_.end()) {
      sizes_.push_back(size);
      return sizes_.size() - 1;
    }
    const size_t place = *best;
    free_.erase(best);
    sizes_[place] = std::max(sizes_[place], size);
    return place;
  }
  void Free(size_t place) { free_.push_back(place); }

 private:
  std::vector<int64_t> sizes_;  // by place, the largest that lay there
  std::vector<size_t> free_;
};

class GradientPlanner {
 public:
  explicit GradientPlanner(const Plan& plan) : plan_(plan) {
    gradients_.of_value.resize(plan.values.size());
    gradients_.of_inputs.resize(plan.operations.size());
  }

  GradientPlan Run() {
    gradients_.of_value[plan_.output] = Add(plan_.output);
    for (size_t i = plan_.operations.size(); i-- > 0;) {
      const PlannedOperation& operation = plan_.operations[i];
      const std::optional<size_t> output = gradients_.of_value[operation.output];
      std::vector<std::optional<size_t>>& inputs = gradients_.of_inputs[i];
      inputs.resize(operation.inputs.size());
      if (!output) continue;  // frozen, and all that comes before it
      std::vector<size_t> shares;
      for (size_t k = 0; k < inputs.size(); ++k) {
        const size_t input = operation.inputs[k];
        if (!plan_.values[input].needs_gradient) continue;
        inputs[k] = Add(input);
        std::optional<size_t>& whole = gradients_.of_value[input];
        if (whole) shares.push_back(*inputs[k]);
        if (!whole) whole = inputs[k];
      }
      for (const size_t share : shares) Free(share);
      Free(*output);
    }
    return std::move(gradients_);
  }

 private:
  size_t Add(size_t value) {
    const SampleShape& shape = plan_.values[value].shape;
    gradients_.gradients.push_back({shape, places_.Take(ElementCount(shape))});
    return gradients_.gradients.size() - 1;
  }
  void Free(size_t gradient) { places_.Free(gradients_.gradients[gradient].place); }

  const Plan& plan_;
  GradientPlan gradients_;
  Places places_;
};

}  // namespace

GradientPlan PlanGradients(const Plan& plan) { return GradientPlanner(plan).Run(); }

std::vector<PlacedShape> PlanValues(const Plan& plan) {
  std::vector<size_t> readers(plan.values.size());
  for (const PlannedOperation& operation : plan.operations) {
    for (const size_t input : operation.inputs) ++readers[input];
  }
  for (size_t i = 0; i < plan.inputs; ++i) ++readers[i];
  for (const size_t output : plan.outputs) ++readers[output];
  Places places;
  std::vector<PlacedShape> values(plan.values.size());
  const auto take = [&](size_t value) {
    const SampleShape& shape = plan.values[value].shape;
    values[value] = {shape, places.Take(ElementCount(shape))};
  };
  for (size_t i = 0; i < plan.inputs; ++i) take(i);
  for (const PlannedOperation& operation : plan.operations) {
    take(operation.output);
    for (const size_t input : operation.inputs) {
      if (--readers[input] == 0) places.Free(values[input].place);
    }
    if (readers[operation.output] == 0) places.Free(values[operation.output].place);
  }
  return values;
}

}  // namespace baton::trainer
