// Which sruns of a batch script live: each holds the lock of a file in the steps' folder. One that
// was killed can't tell the other nodes, whose tasks of it would go on until the job's end; the
// batch script's process does.
#pragma once

#include <string>
#include <utility>

#include "worker/step/meeting.h"

namespace baton::worker {

// This process' step lives until the object goes, or the process dies.
class AliveFile {
 public:
  // Best effort: without it a kill is not noticed.
  AliveFile(const std::string& folder, int step);
  ~AliveFile();
  AliveFile(const AliveFile&) = delete;
  AliveFile& operator=(const AliveFile&) = delete;

 private:
  const std::string path_;
  int file_ = -1;
};

class SrunWatch {
 public:
  explicit SrunWatch(std::string folder) : folder_(std::move(folder)) {}

  // Tells the other nodes of each srun that has died since (programs.h).
  void Look();

 private:
  void Tell(const std::string& step);

  const std::string folder_;
  Meeting meeting_;
  bool is_open_ = false;
  int told_ = 0;
};

}  // namespace baton::worker
