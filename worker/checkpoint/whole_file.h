// Whether a file that a user's program writes has reached its end: by the structure of its kind,
// where it has one that tells. Whoever is killed while saving leaves half a file behind.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace baton::worker {

enum class Wholeness : uint8_t {
  kWhole,
  kPartial,
  kUnknown,  // its kind does not tell: whoever asks goes by size and time
};

struct FileCheck {
  Wholeness wholeness = Wholeness::kUnknown;
  std::string problem;  // of a partial file, going on from its name
};

// The kinds: zip (torch.save, npz, keras), safetensors, HDF5, gzip and xz (saveRDS), a single
// pickle. `name` decides where the first bytes of a file do not. `file` is open for reading and has
// `bytes` bytes; nobody writes to it.
FileCheck CheckWhole(int file, int64_t bytes, absl::string_view name);

// Whether files of this name usually are of a kind that tells: a program that has one open saves.
bool HasKnownEnd(absl::string_view name);

}  // namespace baton::worker
