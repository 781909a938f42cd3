// Weights as a .safetensors file (github.com/huggingface/safetensors, "Format"): an 8-byte
// little-endian length, a JSON header padded with spaces, the tensors. common/weights reads them.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "trainer/layer/network.h"

namespace baton::trainer {

// float32 tensors in the order of `parameters`, named and shaped as they are. A pure function of
// its arguments: equal weights are equal files.
std::string EncodeSafetensors(const std::vector<Parameter>& parameters,
                              absl::Span<const float> weights);

// The same into a file, by rename, without a copy of the weights.
absl::Status WriteSafetensors(const std::string& path, const std::vector<Parameter>& parameters,
                              absl::Span<const float> weights);

}  // namespace baton::trainer
