// What tasks of this node run in: made once per content, kept for others, stored as an artifact
// beside the start, and restored from there instead of being made where somebody has made it
// before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/artifact/artifact.h"
#include "worker/core/task.h"
#include "worker/setup/index.h"
#include "worker/task/environment.h"

namespace baton::worker {

struct EnvironmentsOptions {
  std::string root;  // folder; is there
  int64_t idle_bytes_max = int64_t{20} << 30;
  std::vector<std::string> inherited;  // NAME=value, the worker's environment
  std::string cuda, driver;            // of the node's cards; empty: none
};

struct EnvironmentRequest {
  std::shared_ptr<const TaskSpec> spec;
  std::string package;  // folder, not to be written to; empty: no files
  std::string mark;     // TaskMark of the task
  std::function<bool()> cancelled;
  std::function<void(absl::string_view)> output;     // into the task's log
  std::function<void(const std::string& text)> say;  // a line of the worker's own there
};

struct PreparedEnvironment {
  std::string key;     // for Release; empty: nothing is held
  std::string folder;  // with LayOver's files; empty: none
  Surroundings around;
  std::string json;  // facts.h; empty: nothing is known
  std::string text;  // empty where nothing was prepared
};

// Whether there is anything to prepare. Of other programs Prepare only tells what the node has, at
// once.
bool WantsEnvironment(const TaskSpec& spec);

// Thread-safe; calls may take long.
class Environments {
 public:
  // `store` and `index` outlive it.
  Environments(const EnvironmentsOptions& options, artifact::Store& store, EnvironmentIndex& index);
  // Gives up what is being stored; the next worker takes it up.
  ~Environments();
  Environments(const Environments&) = delete;
  Environments& operator=(const Environments&) = delete;

  // Errors as BuildEnvironment's and FindNodeEnvironment's; Cancelled.
  absl::StatusOr<PreparedEnvironment> Prepare(const EnvironmentRequest& request);
  void Release(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
