#include <cmath>
#include <cstdint>

#include "common/spec/shapes.h"
#include "common/status.h"
#include "trainer/data/counter_random.h"
#include "trainer/layer/network.h"

namespace baton::trainer {

absl::StatusOr<std::vector<Parameter>> ModelParameters(const spec::Model& model) {
  BATON_ASSIGN_OR_RETURN(std::vector<spec::Parameter> described, spec::Parameters(model));
  std::vector<Parameter> parameters;
  size_t offset = 0;
  for (spec::Parameter& parameter : described) {
    const auto count = static_cast<size_t>(spec::ElementCount(parameter.shape));
    parameters.push_back({std::move(parameter.name), std::move(parameter.shape), offset, count});
    offset += count;
  }
  return parameters;
}

// Only integers, exact conversions, one division, square root and product each: IEEE 754 fixes the
// bits of all of them.
absl::Status InitializeParameters(const spec::Model& model, uint64_t seed, float* weights) {
  BATON_ASSIGN_OR_RETURN(const std::vector<spec::Parameter> parameters, spec::Parameters(model));
  const RandomStream stream = RandomStream::Make(seed, RandomPurpose::kInitialize);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const RandomStream own = stream.Derive(i);
    const auto bound =
        static_cast<float>(1.0 / std::sqrt(static_cast<double>(parameters[i].fan_in)));
    const auto count = static_cast<uint64_t>(spec::ElementCount(parameters[i].shape));
    for (uint64_t j = 0; j < count; ++j) {
      // 2 * unit - 1 is exact: a multiple of 2^-23 below 1.
      *weights++ = (2 * RandomStream::ToUnit(own.Bits(j)) - 1) * bound;
    }
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer
