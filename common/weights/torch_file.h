// What torch.save writes of a state_dict: a zip archive, or the format before PyTorch 1.6.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/file_bytes.h"
#include "common/weights/safetensors.h"

namespace baton::weights {

// Whether the file begins as that of PyTorch before 1.6 does.
bool IsLegacyTorch(absl::string_view head);

// All tensors of the state_dict, which may lie in a checkpoint under "state_dict", "model" or the
// like; views and tensors that share a storage too. A "module." before all names, which
// DataParallel adds, goes. INVALID_ARGUMENT says what is wrong and what to save instead.
absl::StatusOr<Listing> ListTorchZip(const FileBytes& file);
absl::StatusOr<Listing> ListLegacyTorch(const FileBytes& file);

}  // namespace baton::weights
