// The network of a whole model of which only the head is computed: its samples are what the body
// made of the model's.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/layer/network.h"
#include "trainer/layer/split.h"

namespace baton::trainer {

// Weights, gradients and parameters are those of `whole`, of which `split` is; gradients of the
// body are zero. All in the host's memory. Draws what the whole model's network would. Otherwise as
// Network::Create.
absl::StatusOr<std::unique_ptr<Network>> CreateHead(const spec::Model& whole, const Split& split,
                                                    Backend& backend, int64_t batch_max);

}  // namespace baton::trainer
