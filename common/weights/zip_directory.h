// The members of a zip archive as torch.save writes them: stored, aligned, Zip64 where it likes
// (PKWARE's APPNOTE, sections 4.3 to 4.5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/weights/file_bytes.h"

namespace baton::weights {

struct ZipMember {
  std::string name;
  uint64_t offset = 0;  // of its bytes in the file
  uint64_t bytes = 0;
};

// Whether the file begins as a zip archive does.
bool IsZip(absl::string_view head);

// All members, in the order of the directory. INVALID_ARGUMENT for what is damaged, packed or
// encrypted: a member's bytes lie in the file as they are.
absl::StatusOr<std::vector<ZipMember>> ListZip(const FileBytes& file);

}  // namespace baton::weights
