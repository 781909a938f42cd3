#include "worker/preparer.h"

#include <unistd.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/file_tree.h"
#include "common/status.h"
#include "worker/blame.h"
#include "worker/container_launch.h"
#include "worker/crew.h"
#include "worker/disk.h"
#include "worker/inventory.h"
#include "worker/no_throw.h"
#include "worker/prepare_environment.h"
#include "worker/task/package.h"

namespace baton::worker {
namespace {

struct Job {
  Wanted wanted;
  std::atomic<bool> cancelled{false};
  std::atomic<bool> given_up{false};            // another part has failed
  std::atomic<bool> environment_failed{false};  // and it was its environment
  std::vector<std::string> acquired;            // digests in use
  std::string environment;                      // key in use; empty: none
  bool has_log = false;                         // its preparing prints into the task's log
  std::shared_ptr<const PreparedTask> prepared;
};

// A part that failed, and whose fault it is.
struct Failure {
  std::string error;
  bool infrastructure = false;
  std::string bad_checkpoint;
};

Failure FailureOf(Part part, const std::string& what, const absl::Status& status) {
  return {absl::StrCat(what, ": ", status.message()), !IsJobsFault(part, status), ""};
}

std::string Parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool IsInnerPath(const std::string& path) {
  if (path.empty() || path[0] == '/') return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

struct Preparer::State {
  PreparerOptions options;
  ArtifactCache& cache;
  const Clock& clock;
  std::function<void(Event)> emit;

  std::mutex mutex;  // protects what follows
  std::map<TaskKey, std::shared_ptr<Job>> jobs;

  Crew crew{{}};  // last: it ends before what its threads use

  State(const PreparerOptions& o, ArtifactCache& c, const Clock& k, std::function<void(Event)> e)
      : options(o), cache(c), clock(k), emit(std::move(e)) {}

  absl::StatusOr<std::string> Acquire(Job& job, const std::string& digest) {
    if (digest.empty()) return std::string();
    BATON_ASSIGN_OR_RETURN(std::string folder,
                           cache.Acquire(digest, [&job] { return job.cancelled || job.given_up; }));
    job.acquired.push_back(digest);
    return folder;
  }

  // The checkpoint under its own name: programs and people look at it.
  absl::Status LinkResume(const Resume& resume, const std::string& fetched, PreparedTask& task) {
    task.resume_folder = absl::StrCat(task.places.folder, "/resume");
    if (symlink(fetched.c_str(), task.resume_folder.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("the link to checkpoint ", resume.name));
    }
    return absl::OkStatus();
  }

  // What it asks for is not there: another node may have it.
  bool LacksDisk(const Job& job, const PreparedTask& task, Failure& failure) const {
    const std::string folder = Parent(task.places.folder);
    failure.error = DiskMissing(job.wanted.disk_bytes, FreeDiskBytes(folder), folder);
    return failure.infrastructure = !failure.error.empty();
  }

  // The same of a job that does not say, by what was fetched for it.
  bool LacksDiskFor(const Job& job, const PreparedTask& task, Failure& failure) const {
    if (job.wanted.disk_bytes > 0) return false;
    int64_t data_bytes = 0;
    int64_t checkpoint_bytes = 0;
    for (const std::string& digest : job.acquired) {
      const bool checkpoint = digest == job.wanted.resume.manifest_digest;
      (checkpoint ? checkpoint_bytes : data_bytes) += cache.BytesOf(digest);
    }
    const std::string folder = Parent(task.places.folder);
    failure.error = DefaultDiskMissing(data_bytes, checkpoint_bytes, FreeDiskBytes(folder), folder);
    return failure.infrastructure = !failure.error.empty();
  }

  // True when `task` and `done` are complete.
  bool Make(Job& job, PreparedTask& task, TaskPrepared& done, Failure& failure) {
    const TaskSpec& spec = *job.wanted.spec;
    if (job.cancelled) return failure.error = "given up", false;
    const int64_t start_ms = clock.MonotonicMillis();
    task.places.folder = options.task_folder(job.wanted.key);
    task.address = options.address;
    if (spec.command.empty() && !IsInnerPath(spec.spec_file)) {
      failure = {"the job has neither a command nor a spec file in its package", false, ""};
      return false;
    }
    if (LacksDisk(job, task, failure)) return false;
    if (!spec.secrets_error.empty()) {
      failure = {spec.secrets_error, false, ""};
      return false;
    }
    const absl::Status folders = MakeTaskFolders(task.places);
    if (!folders.ok())
      return failure = FailureOf(Part::kFolder, "the task's folder", folders), false;
    // Beside all else, since it is often the longest part.
    DataPreparation sets(options.data, cache, spec, task.places.data(),
                         [&job] { return job.cancelled || job.given_up; });
    const auto package = Acquire(job, spec.package_digest);
    if (!package.ok())
      return failure = FailureOf(Part::kPackage, "the job's package", package.status()), false;
    const absl::Status copied = CopyPackage(*package, task.places.work());
    if (!copied.ok()) return failure = FailureOf(Part::kFolder, "the job's package", copied), false;
    std::future<absl::StatusOr<PreparedEnvironment>> environment =
        BeginEnvironment(job, task, *package);
    // What is found wrong first gives the rest up, thrown or not: the future waits for its thread.
    bool fetched = false;
    const absl::Status fetching = WithoutThrow([&] {
      fetched = Fetch(job, task, sets, done, failure);
      return absl::OkStatus();
    });
    if (!fetching.ok()) failure = FailureOf(Part::kData, "fetching", fetching);
    if (!fetched) job.given_up = true;
    auto prepared = environment.get();
    if (prepared.ok()) job.environment = prepared->key;
    if (!fetched && !job.environment_failed) return false;
    if (prepared.ok()) {
      const bool has_files = absl::StartsWith(job.wanted.resume.name, contract::kFilesCheckpoint);
      const absl::Status placed = PlaceEnvironment(*prepared, job.wanted.key, task.places,
                                                   has_files ? task.resume_folder : "");
      if (!placed.ok()) prepared = placed;
    }
    if (!prepared.ok())
      return failure = FailureOf(Part::kEnvironment, "its environment", prepared.status()), false;
    task.surroundings = prepared->around;
    done.environment_json = prepared->json;
    done.setup_ms = clock.MonotonicMillis() - start_ms - done.restore_ms;
    const auto port = FreePort(options.address);
    if (!port.ok()) {
      failure = {std::string(port.status().message()), true, ""};
      return false;
    }
    done.address = options.address;
    done.port = *port;
    return true;
  }

  bool Fetch(Job& job, PreparedTask& task, DataPreparation& sets, TaskPrepared& done,
             Failure& failure) {
    const auto data = Acquire(job, job.wanted.spec->data_digest);
    if (!data.ok()) return failure = FailureOf(Part::kData, "the job's data", data.status()), false;
    task.data_folder = *data;
    auto prepared = sets.Take();
    if (!prepared.ok())
      return failure = FailureOf(Part::kData, "the job", prepared.status()), false;
    job.acquired.insert(job.acquired.end(), prepared->acquired.begin(), prepared->acquired.end());
    if (!prepared->folder.empty()) task.data_folder = prepared->folder;
    done.data = std::move(prepared->fetched);
    const int64_t start_ms = clock.MonotonicMillis();
    if (!Restore(job, task, failure) || LacksDiskFor(job, task, failure)) return false;
    done.restore_ms = clock.MonotonicMillis() - start_ms;
    return true;
  }

  // Beside the fetching of data and checkpoint, since both may take long.
  std::future<absl::StatusOr<PreparedEnvironment>> BeginEnvironment(Job& job,
                                                                    const PreparedTask& task,
                                                                    const std::string& package) {
    if (options.environments == nullptr) {
      return std::async(std::launch::deferred,
                        [] { return absl::StatusOr<PreparedEnvironment>(PreparedEnvironment()); });
    }
    if (!WantsEnvironment(*job.wanted.spec)) {
      EnvironmentRequest request;
      request.spec = job.wanted.spec;
      return std::async(std::launch::deferred,
                        [this, request] { return options.environments->Prepare(request); });
    }
    job.has_log = true;
    EnvironmentOrder order{job.wanted, task.places, package,
                           [&job] { return job.cancelled || job.given_up; }};
    return std::async(std::launch::async, [this, order, &job] {
      auto prepared = PrepareEnvironment(*options.environments, options.log, order);
      if (!prepared.ok() && !absl::IsCancelled(prepared.status())) {
        job.environment_failed = true;
        job.given_up = true;
      }
      return prepared;
    });
  }

  bool Restore(Job& job, PreparedTask& task, Failure& failure) {
    const Resume& resume = job.wanted.resume;
    if (resume.manifest_digest.empty()) return true;
    const auto fetched = Acquire(job, resume.manifest_digest);
    absl::Status status = fetched.status();
    if (status.ok()) status = LinkResume(resume, *fetched, task);
    // The files of a program that looks for them where it has written them.
    if (status.ok() && absl::StartsWith(resume.name, contract::kFilesCheckpoint)) {
      status = CopyPackage(*fetched, task.places.work());
    }
    if (status.ok()) return true;
    failure = FailureOf(Part::kCheckpoint, absl::StrCat("checkpoint ", resume.name), status);
    if (!failure.infrastructure) failure.bad_checkpoint = resume.name;
    failure.infrastructure = true;  // never the program's fault
    return false;
  }

  void Serve(const std::shared_ptr<Job>& job) {
    auto task = std::make_shared<PreparedTask>();
    TaskPrepared done;
    done.key = job->wanted.key;
    Failure failure;
    bool made = false;
    const absl::Status making = WithoutThrow([&] {
      made = Make(*job, *task, done, failure);
      return absl::OkStatus();
    });
    if (!making.ok()) failure = FailureOf(Part::kFolder, "preparing the task", making);
    if (made) {
      {
        std::lock_guard<std::mutex> lock(mutex);
        job->prepared = std::move(task);
      }
      emit(done);
    } else {
      const int64_t log_bytes = job->has_log ? options.log.finish(done.key) : 0;
      emit(TaskFailed{done.key, failure.error, failure.infrastructure, failure.bad_checkpoint,
                      log_bytes});
    }
  }
};

Preparer::Preparer(const PreparerOptions& options, ArtifactCache& cache, const Clock& clock,
                   std::function<void(Event)> emit)
    : state_(std::make_unique<State>(options, cache, clock, std::move(emit))) {}

Preparer::~Preparer() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  for (auto& [key, job] : state_->jobs) job->cancelled = true;
}

void Preparer::Prepare(const Wanted& task) {
  auto job = std::make_shared<Job>();
  job->wanted = task;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->jobs[task.key] = job;
  }
  State* const state = state_.get();
  state->crew.Run([state, job] { state->Serve(job); });
}

void Preparer::Cancel(const TaskKey& key) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->jobs.find(key);
  if (at != state_->jobs.end()) at->second->cancelled = true;
}

std::shared_ptr<const PreparedTask> Preparer::Find(const TaskKey& key) const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->jobs.find(key);
  return at == state_->jobs.end() ? nullptr : at->second->prepared;
}

void Preparer::Remove(const TaskKey& key) {
  std::shared_ptr<Job> job;
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const auto at = state_->jobs.find(key);
    if (at == state_->jobs.end()) return;
    job = at->second;
    state_->jobs.erase(at);
  }
  State* const state = state_.get();
  state->crew.Run([state, job] {
    for (const std::string& digest : job->acquired) state->cache.Release(digest);
    // Of one that was prepared and never started.
    if (job->prepared != nullptr) RemoveContainer(job->wanted.key, job->prepared->surroundings);
    if (job->has_log) (void)state->options.log.finish(job->wanted.key);
    if (!job->environment.empty()) state->options.environments->Release(job->environment);
    RemoveTree(state->options.task_folder(job->wanted.key));
  });
}

}  // namespace baton::worker
