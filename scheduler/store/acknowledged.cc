#include "scheduler/store/acknowledged.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/hash.h"
#include "scheduler/store/keys.h"

namespace baton::store {
namespace {

// Number and checksum.
constexpr size_t kBytes = 16;

std::string Encode(uint64_t sequence) {
  const std::string number = NumberKey(sequence);
  return number + NumberKey(Xxh3(number.data(), number.size()));
}

}  // namespace

Acknowledged::Acknowledged(std::string path) : path_(std::move(path)) {}

Acknowledged::~Acknowledged() {
  if (file_ >= 0) close(file_);
}

absl::Status Acknowledged::Check(uint64_t recovered) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return ErrnoStatus(errno, absl::StrCat("opening ", path_));
  std::string bytes(kBytes, '\0');
  const ssize_t size = pread(file_, bytes.data(), bytes.size(), 0);
  if (size < 0) return ErrnoStatus(errno, absl::StrCat("reading ", path_));
  const uint64_t acknowledged = NumberOfKey(bytes);
  // Empty, or cut off by a crash: it says nothing.
  if (size != static_cast<ssize_t>(kBytes) || bytes != Encode(acknowledged)) {
    return absl::OkStatus();
  }
  if (acknowledged <= recovered) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "changes that were acknowledged are missing from the state (the last was number ",
      acknowledged, ", the last one found is ", recovered,
      "): its newest log file is damaged. Restore the folder from a backup, or delete ", path_,
      " to go on without them"));
}

absl::Status Acknowledged::Write(uint64_t sequence) {
  const std::string bytes = Encode(sequence);
  if (pwrite(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("writing ", path_));
}

}  // namespace baton::store
