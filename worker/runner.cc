#include "worker/runner.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/contract.h"
#include "common/file_tree.h"
#include "common/log.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/checkpoint/file_checkpoints.h"
#include "worker/container_launch.h"
#include "worker/end_cause.h"
#include "worker/files_to_watch.h"
#include "worker/kept_output.h"
#include "worker/metrics/task_metrics.h"
#include "worker/no_throw.h"
#include "worker/task/environment.h"
#include "worker/task/memory.h"
#include "worker/task/process_tree.h"
#include "worker/task/progress.h"
#include "worker/task/start_error.h"
#include "worker/task_launch.h"

namespace baton::worker {
namespace {

constexpr int64_t kProgressEveryMs = 100;
constexpr int64_t kMemoryEveryMs = 1'000;
constexpr int kComplaintsMax = 16;
constexpr size_t kLastWordsBytesMax = 500;

struct Running {
  uint64_t launch = 0;
  TaskPlaces places;
  bool is_native = false;
  std::vector<int32_t> gpus;
  int64_t step = 0;      // last finished
  uint64_t awaited = 0;  // generation whose first step is looked for at each turn
  std::string program;
  std::string runtime;  // of its container; empty: none
  bool uploads_checkpoints = true;
  std::optional<ProgressReader> progress;
  std::optional<CheckpointWatcher> watcher;
  std::shared_ptr<FileCheckpoints> files;  // where the spec names some
  std::shared_ptr<TaskMetrics> metrics;
  int32_t pid = 0;
  MemoryEnd memory;  // until it ends `oom_kills` counts from the machine's start on
  int64_t polled_ms = 0;
  bool ended = false;
  std::string committed;  // newest checkpoint that is, by name
  int complaints = 0;     // about its checkpoints, told
  UploadedOutput output;
};

}  // namespace

struct Runner::State {
  RunnerOptions options;
  RunnerParts parts;
  std::function<void(Event)> emit;
  std::unique_ptr<Launcher> launcher;
  int64_t memory_seen_ms = 0;  // of Poll's thread

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
              OnExited(id, {{}, code, "", false, ""});
            },
            [this](const std::vector<uint64_t>& ids) {
              for (const uint64_t id : ids) {
                OnExited(id, {{}, -9, "the worker's keeper died, and the task with it", true, ""});
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
      if (key.has_value()) tasks[*key].pid = pid;
    }
    if (key.has_value()) emit(TaskStarted{*key, pid});
  }

  void OnExited(uint64_t launch, TaskExited exited) {
    std::shared_ptr<FileCheckpoints> files;
    std::shared_ptr<TaskMetrics> metrics;
    std::string deadline;
    {
      std::lock_guard<std::mutex> lock(mutex);
      const std::optional<TaskKey> key = KeyOf(launch);
      if (!key.has_value()) return;
      exited.key = *key;
      by_launch.erase(launch);
      files = tasks[*key].files;
      metrics = tasks[*key].metrics;
      deadline = tasks[*key].places.deadline();
      MemoryEnd& memory = tasks[*key].memory;
      const MemoryFacts facts = ReadMemoryFacts();
      memory.code = exited.code;
      memory.limit_bytes = facts.limit_bytes;
      memory.oom_kills = facts.oom_kills - memory.oom_kills;
      FindEndCause(tasks[*key].places.folder, options.disk_bytes_min, &exited);
    }
    const auto tell = [this, exited, metrics] {
      // The last steps are told before the end.
      metrics->End();
      LookAt(exited.key, true);
      emit(exited);
    };
    if (files == nullptr) return tell();
    // Where it was asked to end there is a deadline file, and what it has saved last counts.
    const bool failed = exited.code > 0 && access(deadline.c_str(), F_OK) != 0;
    files->End(exited.code < 0 ? TaskEnd::kKilled
               : failed        ? TaskEnd::kFailed
                               : TaskEnd::kByItself,
               tell);
  }

  // Looks from before the program starts on.
  std::shared_ptr<FileCheckpoints> WatchFiles(const Wanted& task, const PreparedTask& prepared) {
    const TaskKey key = task.key;
    const auto watch = FilesToWatch(task, prepared.places, prepared.resume_folder);
    if (!watch.has_value()) return nullptr;
    return std::make_shared<FileCheckpoints>(
        *watch, parts.clock,
        FileCheckpointEvents{[this, key](const FoundCheckpoint& found) { Offer(key, found); },
                             [this, key](const std::string& text) {
                               if (MayComplain(key)) Complain(key, text);
                             },
                             [this, key, mark = TaskMark(prepared.places)] {
                               return InodesWritten(PidOf(key), mark);
                             }});
  }

  int32_t PidOf(const TaskKey& key) {
    std::lock_guard<std::mutex> lock(mutex);
    const Running* task = Find(key);
    return task == nullptr ? 0 : task->pid;
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
      failed.error = StartError(task.program, task.is_native, what, error);
    }
    FailWithLog(std::move(failed));
  }

  // What its preparation has printed is part of its log.
  void FailWithLog(TaskFailed failed) {
    const TaskKey key = failed.key;
    parts.spool.Finish(key, [this, failed = std::move(failed)](const StreamEnds& ends) mutable {
      failed.log_bytes = ends.log_bytes;
      emit(std::move(failed));
    });
  }

  // Steps and checkpoints of one task.
  void LookAt(const TaskKey& key, bool last) {
    std::optional<TaskProgressed> progressed;
    std::vector<FoundCheckpoint> found;
    bool uploads = false;
    std::string step_problem, metrics_problem;
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto at = tasks.find(key);
      if (at == tasks.end() || at->second.ended) return;
      Running& task = at->second;
      const int64_t now_ms = parts.clock.UnixMillis();
      const int64_t steady_ms = parts.clock.MonotonicMillis();
      // How long a gang took to go on is measured in tens of milliseconds.
      const int64_t every_ms = task.awaited == 0 ? kProgressEveryMs : 0;
      if (last || steady_ms - task.polled_ms >= every_ms) {
        task.polled_ms = steady_ms;
        task.metrics->Gather();
        const TaskSteps steps = last ? task.progress->Finish(now_ms) : task.progress->Poll(now_ms);
        step_problem = task.progress->TakeProblem();
        metrics_problem = task.metrics->TakeProblem();
        task.step = steps.step;
        if (steps.step > 0 || steps.touched_ms > 0) {
          progressed = TaskProgressed{{key, steps.step, steps.at_ms, steps.save_ms,
                                       steps.generation, steps.generation_step},
                                      steps.touched_ms};
        }
        if (steps.generation >= task.awaited && steps.step > steps.generation_step)
          task.awaited = 0;
      }
      found = task.watcher->Look(now_ms);
      uploads = task.uploads_checkpoints;
      task.ended = last;
    }
    if (progressed.has_value()) emit(*progressed);
    if (!step_problem.empty()) Complain(key, step_problem);
    if (!metrics_problem.empty()) Complain(key, metrics_problem);
    if (!uploads) return;
    for (const FoundCheckpoint& checkpoint : found) Offer(key, checkpoint);
  }

  void Offer(const TaskKey& key, const FoundCheckpoint& checkpoint) {
    if (!checkpoint.problem.empty() && MayComplain(key)) {
      Complain(key,
               absl::StrCat("checkpoint '", Printable(checkpoint.name),
                            checkpoint.refused ? "' is not kept: it " : "' ", checkpoint.problem));
    }
    if (!checkpoint.refused) parts.uploader.Add(key, checkpoint);
  }

  // A program may put any number of odd names there.
  bool MayComplain(const TaskKey& key) {
    std::lock_guard<std::mutex> lock(mutex);
    Running* task = Find(key);
    return task != nullptr && task->complaints++ < kComplaintsMax;
  }

  void Complain(const TaskKey& key, const std::string& text) {
    parts.spool.Say(key, text);
    emit(TaskComplained{key, text});
  }

  absl::Status Launch(const Wanted& task, const PreparedTask& prepared) {
    BATON_RETURN_IF_ERROR(WriteTaskFiles(task, prepared.places, options.step_program));
    BATON_ASSIGN_OR_RETURN(const std::string socket,
                           parts.rendezvous.Add(task.key, task.generation));
    auto metrics = std::make_shared<TaskMetrics>(*task.spec, prepared.places, parts.clock,
                                                 [this, key = task.key](const std::string& text) {
                                                   if (MayComplain(key)) Complain(key, text);
                                                 });
    BATON_ASSIGN_OR_RETURN(const int log,
                           parts.spool.Add(task.key, prepared.places.metrics(),
                                           SecretValues(*task.spec), metrics->Listener()));
    struct Launch launch = TaskLaunch(task, prepared, socket, options.trainer, options.inherited);
    launch.log = log;
    std::shared_ptr<FileCheckpoints> files = WatchFiles(task, prepared);
    {
      std::lock_guard<std::mutex> lock(mutex);
      launch.id = ++launches;
      by_launch[launch.id] = task.key;
      Running& running = tasks[task.key];
      running.launch = launch.id;
      running.places = prepared.places;
      running.memory.oom_kills = ReadMemoryFacts().oom_kills;
      running.files = std::move(files);
      running.metrics = std::move(metrics);
      running.is_native = task.spec->command.empty();
      running.gpus = task.gpus;
      running.program = launch.argv[0];
      running.runtime = prepared.surroundings.runtime;
      running.uploads_checkpoints = !task.spec->checkpoints_of_rank0_only || task.key.rank == 0;
      running.progress.emplace(ProgressOf(prepared.places, *task.spec), prepared.places.metrics());
      running.watcher.emplace(prepared.places.checkpoints());
    }
    launcher->Start(launch);
    close(log);
    return absl::OkStatus();
  }

  void OnStreamsEnded(const TaskKey& key, const StreamEnds& ends) {
    TaskCollected collected;
    collected.last_words = Printable(ends.last_line, kLastWordsBytesMax);
    {
      std::lock_guard<std::mutex> lock(mutex);
      Running* task = Find(key);
      if (task == nullptr) return;
      task->memory.last_words = collected.last_words;
      collected.out_of_memory = OutOfMemory(task->memory);
      collected.runtime_failed =
          RuntimeFailed(task->runtime, task->memory.code, collected.last_words);
      collected.output_digest = task->output.digest;
      collected.output_bytes = task->output.bytes;
      collected.error = task->output.error;
      collected.output_missing = task->output.missing;
    }
    collected.key = key;
    collected.log_bytes = ends.log_bytes;
    collected.metrics_bytes = ends.metrics_bytes;
    emit(collected);
  }

  // How much memory tasks use, now and then.
  void LookAtMemory() {
    const int64_t now_ms = parts.clock.MonotonicMillis();
    if (now_ms - memory_seen_ms < kMemoryEveryMs) return;
    memory_seen_ms = now_ms;
    std::map<TaskKey, int32_t> pids;
    {
      std::lock_guard<std::mutex> lock(mutex);
      for (const auto& [key, task] : tasks) {
        if (!task.ended && task.pid != 0) pids[key] = task.pid;
      }
    }
    if (pids.empty()) return;
    const std::vector<Process> all = AllProcesses();
    for (const auto& [key, pid] : pids) {
      const int64_t bytes = ResidentBytes(pid, all);
      std::lock_guard<std::mutex> lock(mutex);
      if (Running* task = Find(key)) {
        task->memory.peak_bytes = std::max(task->memory.peak_bytes, bytes);
      }
    }
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
// No task ends any more while what belongs to tasks goes.
Runner::~Runner() {
  if (state_ == nullptr) return;
  state_->launcher.reset();
  // Their threads may ask for the mutex as they end.
  std::map<TaskKey, Running> tasks;
  std::lock_guard<std::mutex> lock(state_->mutex);
  tasks.swap(state_->tasks);
}

void Runner::Start(const Wanted& task) {
  const auto prepared = state_->parts.preparer.Find(task.key);
  const absl::Status launched = prepared == nullptr
                                    ? absl::InternalError("started before it was prepared")
                                    : WithoutThrow([&] { return state_->Launch(task, *prepared); });
  if (!launched.ok()) {
    state_->FailWithLog(TaskFailed{task.key, std::string(launched.message()), true, ""});
  }
}

// The file first: who hears that its generation is stale reads the next one there. A task that
// can't hear of it would hold up its whole gang.
void Runner::Regroup(const Wanted& task) {
  const auto places = state_->PlacesOf(task.key);
  if (!places.has_value()) return;
  const absl::Status written = WriteMembershipFile(task, *places);
  if (!written.ok()) {
    LogWarning(std::string(written.message()));
    return Kill(task.key);
  }
  state_->parts.rendezvous.Advance(task.key, task.generation);
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (Running* running = state_->Find(task.key)) running->awaited = task.generation;
}

void Runner::WriteNotice(const TaskKey& key, TaskNotice notice, int64_t unix_ms,
                         const std::string& reason) {
  const auto places = state_->PlacesOf(key);
  if (!places.has_value()) return;
  const absl::Status written = WriteTaskNotice(*places, notice, unix_ms, reason);
  if (!written.ok()) LogWarning(std::string(written.message()));
}

void Runner::RemoveDeadline(const TaskKey& key) {
  const auto places = state_->PlacesOf(key);
  if (places.has_value()) RemoveDeadlineFile(*places);
}

void Runner::Terminate(const struct Terminate& terminate) {
  const uint64_t launch = state_->LaunchOf(terminate.key);
  if (launch != 0) state_->launcher->Terminate(launch, terminate.all, terminate.signal);
}

void Runner::Kill(const TaskKey& key) {
  if (const uint64_t launch = state_->LaunchOf(key)) state_->launcher->Kill(launch);
}

void Runner::Collect(const struct Collect& collect) {
  const auto places = state_->PlacesOf(collect.key);
  if (!places.has_value()) return;
  state_->parts.uploader.Finish(
      collect.key, {places->output(), collect.deadline_ms, collect.upload, collect.patient});
}

// The log ends after the uploads, for what is to be said of them stands in it.
void Runner::OnUploaded(const TaskKey& key, const UploadedOutput& uploaded) {
  UploadedOutput output = uploaded;
  if (output.keep) {
    const auto places = state_->PlacesOf(key);
    const std::string kept =
        places.has_value() ? KeepOutput(state_->options.kept, key, places->output()) : "";
    if (!kept.empty()) absl::StrAppend(&output.error, "; they are kept on this node in ", kept);
  }
  if (output.missing) state_->parts.spool.Say(key, output.error);
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    Running* task = state_->Find(key);
    if (task == nullptr) return;
    task->output = output;
  }
  State* const state = state_.get();
  state_->parts.spool.Finish(key,
                             [state, key](StreamEnds ends) { state->OnStreamsEnded(key, ends); });
}

void Runner::Complain(const TaskKey& key, const std::string& text) { state_->Complain(key, text); }

void Runner::CheckpointDone(const TaskKey& key, const std::string& name, bool committed) {
  std::string gone;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    Running* task = state_->Find(key);
    if (task == nullptr) return;
    const std::string old = committed ? std::exchange(task->committed, name) : name;
    if (old.empty() || (committed && old == name)) return;
    const bool is_copy = absl::StartsWith(old, contract::kFilesCheckpoint);
    gone = absl::StrCat(is_copy ? task->places.copies() : task->places.checkpoints(), "/", old);
  }
  RemoveTree(gone);
}

void Runner::Remove(const TaskKey& key) {
  state_->parts.uploader.Remove(key);
  state_->parts.rendezvous.Remove(key);
  std::map<TaskKey, Running>::node_type task;  // its threads may ask for the mutex as they end
  std::lock_guard<std::mutex> lock(state_->mutex);
  task = state_->tasks.extract(key);
}

std::vector<CardTask> Runner::CardTasks() const {
  std::vector<CardTask> tasks;
  std::lock_guard<std::mutex> lock(state_->mutex);
  for (const auto& [key, task] : state_->tasks) {
    if (task.ended || task.gpus.empty() || (task.is_native && task.step == 0)) continue;
    tasks.push_back({key, task.metrics->appender(), task.gpus, task.step, TaskMark(task.places)});
  }
  return tasks;
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
  state_->LookAtMemory();
}

}  // namespace baton::worker
