// Carries checkpoints and outputs to the artifact store, in the background: each task's in order,
// several tasks at a time. Waits while the scheduler is away, and goes on where it was cut off.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/artifact/artifact.h"
#include "common/clock.h"
#include "worker/checkpoint/watcher.h"
#include "worker/core/task.h"

namespace baton::worker {

struct UploadedOutput {
  std::string digest;  // empty: nothing was written, or not uploaded
  int64_t bytes = 0;
  std::string error;  // what could not be uploaded, and why; empty: nothing
  // There are outputs, and all of them are still in the output folder alone.
  bool missing = false;
  // They stay there for whoever wants them, since they could not be uploaded while there was time.
  bool keep = false;
};

// Called on the uploader's threads.
struct UploadEvents {
  std::function<void(const UploadedCheckpoint&)> checkpoint;
  std::function<void(const TaskKey&, const UploadedOutput&)> finished;  // once per Finish
  // Something that the job's owner has to know now: one sentence, printable.
  std::function<void(const TaskKey&, const std::string&)> complaint;
};

struct FinishUploads {
  std::string output_folder;
  int64_t deadline_ms = 0;  // unix; what is not up by then is left; 0: as long as it takes
  bool upload = true;       // false: nothing more is wanted
  // The outputs are worth waiting for: whatever else the store answers, they are tried again until
  // the deadline, or until nothing more is wanted.
  bool patient = false;
};

// Thread-safe.
class Uploader {
 public:
  // `store` and `clock` outlive it.
  Uploader(artifact::Store& store, const Clock& clock, UploadEvents events, int threads = 4);
  // Cuts what is under way; calls no event any more.
  ~Uploader();
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;

  // Queues a checkpoint. When the line is so slow that several wait, or a deadline is near, the
  // older of those that wait are passed over, and deleted.
  void Add(const TaskKey& key, const FoundCheckpoint& checkpoint);
  // The task has ended: the rest of its checkpoints, then its outputs. Again: another deadline.
  void Finish(const TaskKey& key, const FinishUploads& finish);
  // Forgets the task and cuts what is under way for it.
  void Remove(const TaskKey& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
