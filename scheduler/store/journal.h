// The port for bulk appends: log and metric bytes of tasks. Apart from the records, so that a
// chatty job never delays a decision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::store {

struct StreamKey {
  std::string job;
  int32_t attempt = 0;
  int32_t rank = 0;
  bool metrics = false;
  auto operator<=>(const StreamKey&) const = default;
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Appends what of `bytes` lies beyond the stream's end; bytes already stored are skipped, a gap
  // is refused (OutOfRange, nothing stored). Returns the new end. Durable after Sync.
  virtual absl::StatusOr<int64_t> Append(const StreamKey& stream, int64_t offset,
                                         absl::string_view bytes) = 0;
  virtual absl::Status Sync() = 0;

  // Up to `bytes_max` from `offset` on; empty at the end. NotFound: no such stream.
  virtual absl::StatusOr<std::string> Read(const StreamKey& stream, int64_t offset,
                                           int64_t bytes_max) const = 0;

  // All of the job's streams, durable when it returns. Nobody may append to them meanwhile or
  // later. A job without streams costs no more than a look.
  virtual absl::Status Remove(absl::string_view job) = 0;

  // The job's streams with their ends, sorted.
  struct StreamEnd {
    StreamKey stream;
    int64_t end = 0;
  };
  virtual absl::StatusOr<std::vector<StreamEnd>> Streams(absl::string_view job) const = 0;
};

}  // namespace baton::store
