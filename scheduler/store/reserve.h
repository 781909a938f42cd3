// A file that only takes up room, so that there is some to give up when the disk is nearly full.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace baton::store {

// Not thread-safe.
class Reserve {
 public:
  // Nothing happens before the first Adjust. `bytes` 0: there is never a file.
  Reserve(std::string path, int64_t bytes);

  // Gives the file up when less than its size is free beside it, makes it anew when four times its
  // size is free. Says so in the log. A failure to make it is no error: it is tried again.
  absl::Status Adjust();

 private:
  void Make();

  const std::string path_;
  int64_t bytes_;
  bool held_ = false;
};

}  // namespace baton::store
