// Makes tasks ready to start: fetches package, data and checkpoint, makes the task's folder and
// what its program runs in, chooses a port. In the background, each on a thread of its own
// (crew.h): one that takes an hour holds up no other, and no removal.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "worker/checkpoint/artifact_cache.h"
#include "worker/core/event.h"
#include "worker/core/task.h"
#include "worker/data_sets.h"
#include "worker/setup/environments.h"
#include "worker/task/environment.h"

namespace baton::worker {

struct PreparedTask {
  TaskPlaces places;
  std::string address;  // by which other ranks reach this node
  std::string data_folder;
  std::string resume_folder;
  Surroundings surroundings;
};

// Where a task's log takes what its preparing prints; before its program starts, and behind it what
// the program prints.
struct PreparingLog {
  // A descriptor that the caller closes (Spool::Add).
  std::function<absl::StatusOr<int>(const TaskKey&, const std::string& metrics_file)> open;
  // Nothing more comes for a task that failed or was given up: bytes in all. May wait some seconds.
  std::function<int64_t(const TaskKey&)> finish;
};

struct PreparerOptions {
  std::function<std::string(const TaskKey&)> task_folder;
  std::string address;                   // where ranks of this node are reached
  DataSets& data;                        // outlives the preparer
  Environments* environments = nullptr;  // outlives the preparer; null: programs run as they are
  PreparingLog log;                      // with it
};

// Thread-safe.
class Preparer {
 public:
  // `emit` gets TaskPrepared or TaskFailed on a thread of the preparer's.
  Preparer(const PreparerOptions& options, ArtifactCache& cache, const Clock& clock,
           std::function<void(Event)> emit);
  ~Preparer();
  Preparer(const Preparer&) = delete;
  Preparer& operator=(const Preparer&) = delete;

  void Prepare(const Wanted& task);
  // Gives a preparation up: TaskFailed follows soon. Nothing for one that is done.
  void Cancel(const TaskKey& key);
  // Null when the task is not prepared.
  std::shared_ptr<const PreparedTask> Find(const TaskKey& key) const;
  // Lets go of what was fetched for the task, and deletes its folder.
  void Remove(const TaskKey& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
