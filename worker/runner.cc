#include "worker/runner.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/task/environment.h"
#include "worker/task/package.h"
#include "worker/task/progress.h"

namespace baton::worker {
namespace {

constexpr int64_t kProgressEveryMs = 100;

struct Running {
  uint64_t launch = 0;
  TaskPlaces places;
  bool is_native = false;
  std::string program;
  bool uploads_checkpoints = true;
  std::optional<ProgressReader> progress;
  std::optional<CheckpointWatcher> watcher;
  int64_t polled_ms = 0;
  bool ended = false;
  std::string committed;  // newest checkpoint that is, by name
  // Of the collection; told once both are there.
  std::optional<StreamEnds> ends;
  std::optional<UploadedOutput> output;
  bool collecting = false;
};

}  // namespace

struct Runner::State {
  RunnerOptions options;
  RunnerParts parts;
  std::function<void(Event)> emit;
  std::unique_ptr<Launcher> launcher;

  std::mutex mutex;  // protects what follows
  uint64_t launches = 0;
  std::map<TaskKey, Running> tasks;
  std::map<uint64_t, TaskKey> by_launch;

  State(const RunnerOptions& o, const RunnerParts& p, std::function<void(Event)> e)
      : options(o), parts(p), emit(std::move(e)) {}

  LaunchEvents Events() {
    return {[this](uint64_t id, int32_t pid) { OnStarted(id, pid); },
            [this](uint64_t id, int error, const std::string& what) { OnFailed(id, error, what); },
            [this](uint64_t id, int32_t code) {
              OnExited(id, {{}, code, "", false});
            },
            [this](const std::vector<uint64_t>& ids) {
              for (const uint64_t id : ids) {
                OnExited(id, {{}, -9, "the worker's keeper died, and the task with it", true});
              }
            }};
  }

  std::optional<TaskKey> KeyOf(uint64_t launch) {
    const auto at = by_launch.find(launch);
    if (at == by_launch.end()) return std::nullopt;
    return at->second;
  }

  void OnStarted(uint64_t launch, int32_t pid) {
    std::optional<TaskKey> key;
    {
      std::lock_guard<std::mutex> lock(mutex);
      key = KeyOf(launch);
    }
    if (key.has_value()) emit(TaskStarted{*key, pid});
  }

  void OnExited(uint64_t launch, TaskExited exited) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      const std::optional<TaskKey> key = KeyOf(launch);
      if (!key.has_value()) return;
      exited.key = *key;
      by_launch.erase(launch);
    }
    // The last steps are told before the end.
    LookAt(exited.key, true);
    emit(exited);
  }

  void OnFailed(uint64_t launch, int error, const std::string& what) {
    TaskFailed failed;
    {
      std::lock_guard<std::mutex> lock(mutex);
      const std::optional<TaskKey> key = KeyOf(launch);
      if (!key.has_value()) return;
      failed.key = *key;
      const Running& task = tasks[*key];
      by_launch.erase(launch);
      failed.infrastructure = task.is_native || what != "exec" || error == ENOMEM;
      failed.error = absl::StrCat("cannot start ", task.program, ": ", what, ": ", strerror(error));
      if (what == "exec" && error == ENOENT && !task.is_native) {
        failed.error = absl::StrCat("the program '", task.program,
                                    "' was not found, neither in the package nor on the PATH of "
                                    "the node (a script also needs the interpreter that its "
                                    "first line names)");
      }
    }
    emit(failed);
    parts.spool.Finish(failed.key, [](StreamEnds) {});
  }

  // Steps and checkpoints of one task.
  void LookAt(const TaskKey& key, bool last) {
    std::optional<TaskProgressed> progressed;
    std::vector<FoundCheckpoint> found;
    bool uploads = false;
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto at = tasks.find(key);
      if (at == tasks.end() || at->second.ended) return;
      Running& task = at->second;
      const int64_t now_ms = parts.clock.UnixMillis();
      const int64_t steady_ms = parts.clock.MonotonicMillis();
      if (last || steady_ms - task.polled_ms >= kProgressEveryMs) {
        task.polled_ms = steady_ms;
        const TaskSteps steps = task.progress->Poll(now_ms);
        if (steps.step > 0) {
          progressed = TaskProgressed{{key, steps.step, steps.at_ms, steps.save_ms}};
        }
      }
      found = task.watcher->Look(now_ms);
      uploads = task.uploads_checkpoints;
      task.ended = last;
    }
    if (progressed.has_value()) emit(*progressed);
    if (!uploads) return;
    for (const FoundCheckpoint& checkpoint : found) parts.uploader.Add(key, checkpoint);
  }

  absl::Status Launch(const Wanted& task, const PreparedTask& prepared) {
    BATON_RETURN_IF_ERROR(WriteTaskFiles(task, prepared.places));
    BATON_ASSIGN_OR_RETURN(const std::string socket,
                           parts.rendezvous.Add(task.key, task.generation));
    BATON_ASSIGN_OR_RETURN(const int log, parts.spool.Add(task.key, prepared.places.metrics()));
    EnvironmentInput input;
    input.task = &task;
    input.places = prepared.places;
    input.address = prepared.address;
    input.data_folder = prepared.data_folder;
    input.resume_folder = prepared.resume_folder;
    input.rendezvous_socket = socket;
    input.inherited = options.inherited;
    struct Launch launch;
    launch.argv = task.spec->command;
    if (launch.argv.empty()) launch.argv = {options.trainer};
    launch.environment = TaskEnvironment(input);
    launch.folder = prepared.places.work();
    launch.mark = TaskMark(prepared.places);
    launch.log = log;
    {
      std::lock_guard<std::mutex> lock(mutex);
      launch.id = ++launches;
      by_launch[launch.id] = task.key;
      Running& running = tasks[task.key];
      running.launch = launch.id;
      running.places = prepared.places;
      running.is_native = task.spec->command.empty();
      running.program = launch.argv[0];
      running.uploads_checkpoints = !task.spec->checkpoints_of_rank0_only || task.key.rank == 0;
      running.progress.emplace(prepared.places.progress(), prepared.places.metrics());
      running.watcher.emplace(prepared.places.checkpoints());
    }
    launcher->Start(launch);
    close(log);
    return absl::OkStatus();
  }

  void CollectIfComplete(const TaskKey& key) {
    TaskCollected collected;
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto at = tasks.find(key);
      if (at == tasks.end() || !at->second.ends || !at->second.output) return;
      const Running& task = at->second;
      collected = {key,
                   task.output->digest,
                   task.output->bytes,
                   task.ends->log_bytes,
                   task.ends->metrics_bytes,
                   task.output->error};
    }
    emit(collected);
  }

  // Null when the task does not run. Caller holds the mutex.
  Running* Find(const TaskKey& key) {
    const auto at = tasks.find(key);
    return at == tasks.end() ? nullptr : &at->second;
  }

  std::optional<TaskPlaces> PlacesOf(const TaskKey& key) {
    std::lock_guard<std::mutex> lock(mutex);
    const Running* task = Find(key);
    if (task == nullptr) return std::nullopt;
    return task->places;
  }

  uint64_t LaunchOf(const TaskKey& key) {
    std::lock_guard<std::mutex> lock(mutex);
    const Running* task = Find(key);
    return task == nullptr ? 0 : task->launch;
  }
};

absl::StatusOr<std::unique_ptr<Runner>> Runner::Create(const RunnerOptions& options,
                                                       const RunnerParts& parts,
                                                       std::function<void(Event)> emit) {
  auto state = std::make_unique<State>(options, parts, std::move(emit));
  BATON_ASSIGN_OR_RETURN(state->launcher, Launcher::Create(options.keeper, state->Events()));
  return std::unique_ptr<Runner>(new Runner(std::move(state)));
}

Runner::Runner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Runner::~Runner() = default;

void Runner::Start(const Wanted& task) {
  const auto prepared = state_->parts.preparer.Find(task.key);
  const absl::Status launched = prepared == nullptr
                                    ? absl::InternalError("started before it was prepared")
                                    : state_->Launch(task, *prepared);
  if (!launched.ok()) state_->emit(TaskFailed{task.key, std::string(launched.message()), true, ""});
}

void Runner::WriteDeadline(const TaskKey& key, int64_t deadline_ms, const std::string& reason) {
  const auto places = state_->PlacesOf(key);
  if (!places.has_value()) return;
  const absl::Status written = WriteDeadlineFile(*places, deadline_ms, reason);
  if (!written.ok()) LogWarning(std::string(written.message()));
}

void Runner::RemoveDeadline(const TaskKey& key) {
  const auto places = state_->PlacesOf(key);
  if (places.has_value()) RemoveDeadlineFile(*places);
}

void Runner::Terminate(const TaskKey& key) {
  if (const uint64_t launch = state_->LaunchOf(key)) state_->launcher->Terminate(launch);
}

void Runner::Kill(const TaskKey& key) {
  if (const uint64_t launch = state_->LaunchOf(key)) state_->launcher->Kill(launch);
}

void Runner::Collect(const struct Collect& collect) {
  FinishUploads finish;
  bool first;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    Running* task = state_->Find(collect.key);
    if (task == nullptr) return;
    first = !std::exchange(task->collecting, true);
    finish = {task->places.output(), collect.deadline_ms, collect.upload};
  }
  state_->parts.uploader.Finish(collect.key, finish);
  if (!first) return;
  State* const state = state_.get();
  state_->parts.spool.Finish(collect.key, [state, key = collect.key](StreamEnds ends) {
    {
      std::lock_guard<std::mutex> lock(state->mutex);
      if (Running* task = state->Find(key)) task->ends = ends;
    }
    state->CollectIfComplete(key);
  });
}

void Runner::OnUploaded(const TaskKey& key, const UploadedOutput& output) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (Running* task = state_->Find(key)) task->output = output;
  }
  state_->CollectIfComplete(key);
}

void Runner::CheckpointDone(const TaskKey& key, const std::string& name, bool committed) {
  std::string gone;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    Running* task = state_->Find(key);
    if (task == nullptr) return;
    const std::string old = committed ? std::exchange(task->committed, name) : name;
    if (old.empty() || (committed && old == name)) return;
    gone = absl::StrCat(task->places.checkpoints(), "/", old);
  }
  RemoveTree(gone);
}

void Runner::Remove(const TaskKey& key) {
  state_->parts.uploader.Remove(key);
  state_->parts.rendezvous.Remove(key);
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->tasks.erase(key);
}

void Runner::Poll() {
  std::vector<TaskKey> keys;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    for (const auto& [key, task] : state_->tasks) {
      if (!task.ended) keys.push_back(key);
    }
  }
  for (const TaskKey& key : keys) state_->LookAt(key, false);
}

}  // namespace baton::worker
