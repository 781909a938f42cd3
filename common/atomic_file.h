// Whole files, or none: what a reader finds under a name was written to the end and is on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton {

// The whole file. NotFound when it does not exist; other errors name path and cause.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes PATH.tmp, syncs it, renames it over `path` and syncs the folder.
// ResourceExhausted when the disk is full; the old file is then untouched.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);
// The same for pieces, one behind the other.
absl::Status WriteFileAtomically(const std::string& path,
                                 const std::vector<absl::string_view>& pieces);

// Makes a rename or a new name in `folder` survive a power cut.
absl::Status SyncFolder(const std::string& folder);

// The status for a failed system call: the message is "what: strerror"; ENOSPC and EDQUOT become
// ResourceExhausted ("the disk is full"), ENOENT NotFound, EACCES PermissionDenied, what names the
// wrong thing (ENOTDIR, EISDIR, EROFS, ..) FailedPrecondition, and Unavailable only what another
// try may mend (EAGAIN, EMFILE, a connection). The rest, EIO among it, is Internal.
absl::Status ErrnoStatus(int error_number, absl::string_view what);

// Whether it is from ErrnoStatus in this process: a system call of this machine failed. Not one
// that came over a wire.
bool IsOwnMachines(const absl::Status& status);
// The same, for a full disk.
bool IsOwnDiskFull(const absl::Status& status);

}  // namespace baton
