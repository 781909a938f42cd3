// Whether all workers of this machine are empty: a cloud ends the machine and not one of them.
#pragma once

#include <string>
#include <utility>

namespace baton::worker {

inline constexpr char kMachineFile[] = "/tmp/baton-worker.busy";

// For one thread at a time.
class MachineIdle {
 public:
  // A file that all of them know: each that is not empty holds a shared lock of it. Nobody writes
  // it.
  explicit MachineIdle(std::string file) : file_(std::move(file)) {}
  ~MachineIdle();
  MachineIdle(const MachineIdle&) = delete;
  MachineIdle& operator=(const MachineIdle&) = delete;

  // True when this worker is and no other one holds the lock. Where the file can't be had nobody
  // knows: false.
  bool Set(bool idle);

 private:
  const std::string file_;
  int descriptor_ = -1;
  bool is_held_ = false;
};

}  // namespace baton::worker
