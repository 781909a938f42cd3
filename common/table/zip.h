// One member of a zip archive, as numpy.savez writes them: stored or deflated (PKWARE's APPNOTE,
// sections 4.3 to 4.5), without encryption, parts of archives, or Zip64.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/byte_source.h"

namespace baton::table {

// The member `name` or `name`.npy; without a name the only one there is. Reading it gives the bytes
// that its entry announces and no more, whatever the packed ones unpack to, in a fixed amount of
// memory. NOT_FOUND when the file cannot be opened, INVALID_ARGUMENT when it is no zip archive or
// has no such member, which lists those it has; DATA_LOSS when it is damaged or its checksum fails.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenZipMember(const std::string& path,
                                                          const std::string& name);

}  // namespace baton::table
