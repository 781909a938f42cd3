// How far a database was acknowledged, kept beside it. A database that recovers cuts off the end of
// its write-ahead log when that looks torn, as after a crash in mid-write; damage can look the
// same, and then this number, written after each synced commit, shows that more was there. It needs
// no sync: a killed process leaves it in the page cache, and after a power cut it is only too low.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace baton::store {

// Not thread-safe.
class Acknowledged {
 public:
  explicit Acknowledged(std::string path);
  ~Acknowledged();
  Acknowledged(const Acknowledged&) = delete;
  Acknowledged& operator=(const Acknowledged&) = delete;

  // Opens or makes the file. DataLoss when more was acknowledged than `recovered`.
  absl::Status Check(uint64_t recovered);

  // After each commit, with the database's newest sequence number.
  absl::Status Write(uint64_t sequence);

 private:
  const std::string path_;
  int file_ = -1;
};

}  // namespace baton::store
