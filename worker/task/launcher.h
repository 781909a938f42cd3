// The worker's end of the keeper: starts it, hands it tasks, tells what became of them, and starts
// a new one when it dies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/core/task.h"

namespace baton::worker {

struct Launch {
  uint64_t id = 0;  // never used twice with one launcher
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // NAME=value, complete
  std::string folder;                    // working folder, exists
  std::string mark;                      // a variable of `environment` that no other task has
  int log = -1;                          // becomes stdout and stderr; the caller keeps its own copy
};

// Called on the launcher's thread (`keeper_lost` also on one that calls Start), and must not wait.
// Of each task handed to Start is told: `start_failed`, or `started` and then `exited`, or at any
// point instead, last, `keeper_lost`.
struct LaunchEvents {
  std::function<void(uint64_t id, int32_t pid)> started;
  std::function<void(uint64_t id, int error_number, const std::string& what)> start_failed;
  std::function<void(uint64_t id, int32_t code)> exited;  // -N: killed by signal N
  // The keeper died and with it these tasks.
  std::function<void(const std::vector<uint64_t>& ids)> keeper_lost;
};

// Thread-safe. The calling process becomes a subreaper and must have no other children.
class Launcher {
 public:
  // `keeper`: path of the baton-keeper program.
  static absl::StatusOr<std::unique_ptr<Launcher>> Create(const std::string& keeper,
                                                          LaunchEvents events);
  // Ends all tasks and waits for the keeper; calls no event any more.
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  void Start(const Launch& launch);
  // The signal to each process of the task that catches it and was not sent it before. `all`: where
  // nobody catches it, to everybody.
  void Terminate(uint64_t id, bool all = false, int signal = kSigTerm);
  // SIGKILL to all of its processes.
  void Kill(uint64_t id);

  int32_t keeper_pid() const;

 private:
  struct State;
  explicit Launcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
