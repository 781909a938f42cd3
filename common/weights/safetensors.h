// The header of a .safetensors file: an 8-byte little-endian length, JSON padded with spaces, then
// the tensors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/weights/file_bytes.h"
#include "common/weights/tensor.h"

namespace baton::weights {

struct Listing {
  std::vector<Tensor> tensors;
  std::vector<std::string> others;  // of types that no weight has
};

// INVALID_ARGUMENT says what is wrong with the bytes: a header that is no JSON, a tensor that lies
// outside of the file or is not as long as its shape says.
absl::StatusOr<Listing> ListSafetensors(const FileBytes& file);

}  // namespace baton::weights
