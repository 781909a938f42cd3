// A whole scheduler on its folders: opens and recovers the store, wires the parts, serves until it
// is told to end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::edge {

struct SchedulerOptions {
  std::string data_dir;     // state, journal, lock, address
  std::string blob_dir;     // artifacts
  std::string secrets_key;  // file with the key of the jobs' secrets; made when it is missing
  std::string listen;  // "host:port"; port 0: the one of the run before if it is free, else any
  bool tls = false;    // on loopback too; off it always
  int64_t lease_ms = 10'000;
  int64_t log_segment_bytes = int64_t{64} << 20;
  int64_t log_bytes = int64_t{1} << 30;
  int64_t log_age_ms = int64_t{7} * 24 * 3'600'000;
};

class Scheduler {
 public:
  // Errors in words for the user. A commit that fails later ends the process with exit code 6.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Start(const SchedulerOptions& options);
  ~Scheduler();

  // "host:port", also in the file DATA_DIR/address.
  const std::string& address() const;

  // Answers what is under way, stores it and ends. Tasks go on; workers wait for the next start.
  void Shutdown();

 private:
  struct State;
  explicit Scheduler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::edge
