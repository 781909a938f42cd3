// The loss of each step as CSV, for who compares two runs: a line `step,loss`, then one for each
// step, nine digits, which is all that a float32 has.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::trainer {

class LossFile {
 public:
  // `resumed`: goes on behind what the file has.
  static absl::StatusOr<std::unique_ptr<LossFile>> Open(const std::string& path, bool resumed);
  ~LossFile();

  void Add(int64_t step, double loss);
  // Whether all of it is in the file.
  absl::Status Finish();

 private:
  LossFile(std::string path, std::FILE* file);
  const std::string path_;
  std::FILE* file_;
};

}  // namespace baton::trainer
