// Weights as .safetensors files (github.com/huggingface/safetensors, "Format"): an 8-byte
// little-endian length, a JSON header padded with spaces, the tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

struct NamedTensor {
  std::string name;
  std::vector<int64_t> shape;
  absl::Span<const float> values;  // row-major; point into the bytes that were read
};

// The float32 tensors of a file, by name, and the names of those of other types. INVALID_ARGUMENT
// says what is wrong with the bytes: a header that is no JSON, a tensor that lies outside of the
// file, is not as long as its shape says or overlaps another. `bytes` must outlive the result, and
// begin at an address that is a multiple of 4.
struct SafetensorsContent {
  std::vector<NamedTensor> tensors;
  std::vector<std::string> others;
};
absl::StatusOr<SafetensorsContent> DecodeSafetensors(absl::string_view bytes);

// Fills `weights` from a file that has a tensor of the same name and shape for each parameter; what
// else the file has is listed in `*unused`. INVALID_ARGUMENT lists all parameters that have none,
// and all whose shapes differ; `weights` is then as before. NOT_FOUND: no such file.
absl::Status LoadWeights(const std::string& path, const std::vector<Parameter>& parameters,
                         absl::Span<float> weights, std::vector<std::string>* unused);

}  // namespace baton::trainer
