// The bytes of one log or metric stream between the task and the scheduler's acknowledgement. The
// file's offsets are the stream's; what is acknowledged is given back to the disk.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/core/task.h"

namespace baton::worker {

// Files of a spool are named by their stream: JOB.ATTEMPT.RANK.TOKEN.log, or .metrics.
std::string SpoolName(const TaskKey& key, bool metrics);
// False for a name that is none.
bool ParseSpoolName(const std::string& name, TaskKey& key, bool& metrics);

// Not thread-safe.
class SpoolFile {
 public:
  // `path` need not exist: it is made by the first append. With it lies `path`.acked, 8 bytes, the
  // offset up to which bytes may be gone.
  // `releases`: what is acknowledged is given back to the disk; not for a file that its task may
  // still read.
  struct Options {
    bool releases = true;
  };
  SpoolFile(std::string path, Options options);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Adds bytes at the end; when the disk is full, those that fit, and a marker line takes the place
  // of what was lost as soon as something fits again.
  void Append(absl::string_view bytes);
  // Counts bytes as lost, as if the disk were full.
  void Drop(int64_t bytes) { dropped_ += bytes; }
  // Writes the marker, when one is due and fits.
  void AppendMarker();

  // Up to `bytes_max` bytes from `offset`; fewer, or none, at the end.
  absl::StatusOr<std::string> Read(int64_t offset, size_t bytes_max);

  // All before `offset` is stored elsewhere.
  void Acknowledge(int64_t offset);

  // Takes the size anew from the disk, for a file that the task itself writes.
  void Refresh();
  // Renames the file (same file system), which is the spool's alone from now on.
  absl::Status Move(const std::string& path);
  // Deletes it.
  void Remove();

  int64_t size() const { return size_; }
  int64_t acked() const { return acked_; }
  int64_t dropped() const { return dropped_; }
  const std::string& path() const { return path_; }

 private:
  bool Open(bool create);
  int64_t Write(absl::string_view bytes);

  std::string path_;
  bool releases_;
  int file_ = -1;
  int64_t size_ = 0;
  int64_t acked_ = 0;
  int64_t released_ = 0;  // given back to the disk
  int64_t dropped_ = 0;   // lost since the last marker
};

}  // namespace baton::worker
