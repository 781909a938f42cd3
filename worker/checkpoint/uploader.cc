#include "worker/checkpoint/uploader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/artifact/transfer.h"
#include "common/log.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/checkpoint/retry.h"

namespace baton::worker {
namespace {

// Checkpoints of one task that wait; more, and the line is too slow for all of them.
constexpr size_t kWaitingMax = 4;

// Between two tries of outputs that the store did not take.
constexpr int64_t kPauseMsMin = 500;
constexpr int64_t kPauseMsMax = 30'000;
constexpr int64_t kPauseSliceMs = 50;
constexpr size_t kNamedMax = 5;  // files that are left out

struct TaskQueue {
  std::deque<FoundCheckpoint> waiting;
  std::optional<FinishUploads> finish;
  bool busy = false;      // a thread works for it
  bool finished = false;  // told
  bool removed = false;
};

// Leaves the newest ones.
void PassOver(TaskQueue& queue, size_t keep) {
  while (queue.waiting.size() > keep) {
    const FoundCheckpoint& old = queue.waiting.front();
    LogWarning(absl::StrCat("checkpoint ", old.name, " is passed over: a newer one waits"));
    std::error_code ignored;
    std::filesystem::remove_all(old.folder, ignored);
    queue.waiting.pop_front();
  }
}

}  // namespace

struct Uploader::State {
  artifact::Store& store;
  const Clock& clock;
  const UploadEvents events;
  std::vector<std::thread> threads;

  std::mutex mutex;  // protects what follows
  std::condition_variable work;
  std::map<TaskKey, TaskQueue> tasks;
  bool ending = false;

  State(artifact::Store& s, const Clock& c, UploadEvents e)
      : store(s), clock(c), events(std::move(e)) {}

  bool IsCut(const TaskKey& key) {
    std::lock_guard<std::mutex> lock(mutex);
    const auto at = tasks.find(key);
    if (ending || at == tasks.end() || at->second.removed) return true;
    const std::optional<FinishUploads>& finish = at->second.finish;
    if (!finish.has_value()) return false;
    return !finish->upload ||
           (finish->deadline_ms > 0 && clock.UnixMillis() >= finish->deadline_ms);
  }

  absl::StatusOr<artifact::Uploaded> UploadFolder(const TaskKey& key, const std::string& folder,
                                                  std::vector<std::string>* left_out = nullptr) {
    const auto cut = [this, &key] { return IsCut(key); };
    artifact::TransferOptions transfer;
    transfer.cancelled = cut;
    transfer.left_out = left_out;
    artifact::Uploaded uploaded;
    const absl::Status status = RetryWhileAway(cut, [&]() -> absl::Status {
      if (left_out != nullptr) left_out->clear();
      BATON_ASSIGN_OR_RETURN(uploaded, artifact::UploadFolder(folder, store, transfer));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return uploaded;
  }

  void UploadCheckpoint(const TaskKey& key, const FoundCheckpoint& found) {
    const int64_t start_ms = clock.MonotonicMillis();
    const auto files = artifact::ListFolder(found.folder);
    if (files.ok() && files->empty()) {
      return Complain(
          key, absl::StrCat("checkpoint ", found.name, " is not kept: it is empty; write into ",
                            found.name, ".tmp and rename it when it is whole"));
    }
    const auto uploaded = files.ok() ? UploadFolder(key, found.folder)
                                     : absl::StatusOr<artifact::Uploaded>(files.status());
    if (absl::IsCancelled(uploaded.status())) {
      LogWarning(absl::StrCat("checkpoint ", found.name, " of job ", key.job, " rank ", key.rank,
                              " is not uploaded: ", uploaded.status().message()));
      return;
    }
    if (!uploaded.ok()) {
      return Complain(key, absl::StrCat("checkpoint ", found.name,
                                        " is not kept: ", uploaded.status().message()));
    }
    LogInfo(absl::StrFormat("checkpoint %s of job %s: %d bytes, %d sent, %d ms", found.name,
                            key.job, uploaded->progress.bytes_total, uploaded->progress.bytes_moved,
                            clock.MonotonicMillis() - start_ms));
    events.checkpoint({key, found.name, found.step, uploaded->progress.bytes_total,
                       uploaded->manifest, found.taken_ms});
  }

  void Complain(const TaskKey& key, const std::string& text) {
    LogWarning(absl::StrCat("job ", key.job, " rank ", key.rank, ": ", text));
    events.complaint(key, text);
  }

  // False when the upload was cut meanwhile.
  bool Pause(const TaskKey& key, int64_t pause_ms) {
    const int64_t end_ms = clock.MonotonicMillis() + pause_ms;
    while (!IsCut(key) && clock.MonotonicMillis() < end_ms) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPauseSliceMs));
    }
    return !IsCut(key);
  }

  // Patient: only what another try can't mend ends it. `failure` is the last one told.
  absl::StatusOr<artifact::Uploaded> UploadOutputFolder(const TaskKey& key,
                                                        const FinishUploads& finish,
                                                        std::vector<std::string>* left_out,
                                                        std::string* failure) {
    for (int64_t pause_ms = kPauseMsMin;; pause_ms = std::min(pause_ms * 2, kPauseMsMax)) {
      const auto uploaded = UploadFolder(key, finish.output_folder, left_out);
      const absl::Status& status = uploaded.status();
      const bool mendable =
          !status.ok() && !absl::IsCancelled(status) && !absl::IsInvalidArgument(status);
      if (!finish.patient || !mendable) return uploaded;
      const std::string message(status.message());
      if (std::exchange(*failure, message) != message) {
        Complain(key,
                 absl::StrCat("the outputs are on this node only, and tried again: ", message));
      }
      if (!Pause(key, pause_ms)) return absl::CancelledError(message);
    }
  }

  UploadedOutput UploadOutput(const TaskKey& key, const FinishUploads& finish) {
    UploadedOutput output;
    if (!finish.upload) return output;
    // One odd file must not cost the others.
    std::vector<std::string> left_out;
    const auto files = artifact::ListFolder(finish.output_folder, &left_out);
    if (files.ok() && files->empty() && left_out.empty()) return output;
    // A program that removed the folder has no outputs.
    if (absl::IsNotFound(files.status())) return output;
    std::string failure;
    const auto uploaded = files.ok() ? UploadOutputFolder(key, finish, &left_out, &failure)
                                     : absl::StatusOr<artifact::Uploaded>(files.status());
    if (uploaded.ok()) {
      output.digest = uploaded->manifest;
      output.bytes = uploaded->progress.bytes_total;
      if (left_out.empty()) return output;
      const size_t all = left_out.size();
      left_out.resize(std::min<size_t>(all, kNamedMax));
      output.error =
          absl::StrCat("left out of the outputs: ", absl::StrJoin(left_out, ", "),
                       all > kNamedMax ? absl::StrCat(" and ", all - kNamedMax, " more") : "");
      Complain(key, output.error);
      return output;
    }
    output.missing = true;
    output.keep = !absl::IsCancelled(uploaded.status()) || !failure.empty();
    output.error = absl::IsCancelled(uploaded.status())
                       ? "the outputs were not uploaded in time"
                       : absl::StrCat("the outputs were not uploaded: ",
                                      Printable(uploaded.status().message(), 500));
    if (absl::IsCancelled(uploaded.status()) && !failure.empty()) {
      absl::StrAppend(&output.error, ": ", Printable(failure, 500));
    }
    return output;
  }

  // A task with something to do that nobody does. Caller holds the mutex.
  std::map<TaskKey, TaskQueue>::iterator Next() {
    auto at = tasks.begin();
    while (at != tasks.end()) {
      TaskQueue& queue = at->second;
      const bool has_work = !queue.waiting.empty() || (queue.finish.has_value() && !queue.finished);
      if (!queue.busy && has_work) break;
      ++at;
    }
    return at;
  }

  // One piece of work: a checkpoint, or the end.
  void Serve(const TaskKey& key, std::optional<FoundCheckpoint> checkpoint,
             const std::optional<FinishUploads>& finish) {
    UploadedOutput output;
    if (checkpoint.has_value()) {
      UploadCheckpoint(key, *checkpoint);
    } else {
      output = UploadOutput(key, *finish);
    }
    bool tell;
    {
      std::lock_guard<std::mutex> lock(mutex);
      TaskQueue& queue = tasks[key];
      queue.busy = false;
      tell = !checkpoint.has_value() && !queue.removed && !ending;
      if (queue.removed) tasks.erase(key);
    }
    work.notify_all();
    if (tell) events.finished(key, output);
  }

  void Run() {
    for (;;) {
      TaskKey key;
      std::optional<FoundCheckpoint> checkpoint;
      std::optional<FinishUploads> finish;
      {
        std::unique_lock<std::mutex> lock(mutex);
        auto at = Next();
        while (!ending && at == tasks.end()) {
          work.wait(lock);
          at = Next();
        }
        if (ending) return;
        key = at->first;
        TaskQueue& queue = at->second;
        queue.busy = true;
        if (queue.waiting.empty()) {
          finish = queue.finish;
          queue.finished = true;
        } else {
          checkpoint = queue.waiting.front();
          queue.waiting.pop_front();
        }
      }
      Serve(key, std::move(checkpoint), finish);
    }
  }
};

Uploader::Uploader(artifact::Store& store, const Clock& clock, UploadEvents events, int threads)
    : state_(std::make_unique<State>(store, clock, std::move(events))) {
  State* const state = state_.get();
  for (int i = 0; i < threads; ++i) state_->threads.emplace_back([state] { state->Run(); });
}

Uploader::~Uploader() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->ending = true;
  }
  state_->work.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void Uploader::Add(const TaskKey& key, const FoundCheckpoint& checkpoint) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    TaskQueue& queue = state_->tasks[key];
    queue.waiting.push_back(checkpoint);
    PassOver(queue, kWaitingMax);
  }
  state_->work.notify_one();
}

void Uploader::Finish(const TaskKey& key, const FinishUploads& finish) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    TaskQueue& queue = state_->tasks[key];
    queue.finish = finish;
    if (finish.deadline_ms > 0) PassOver(queue, 1);
  }
  state_->work.notify_one();
}

void Uploader::Remove(const TaskKey& key) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  const auto at = state_->tasks.find(key);
  if (at == state_->tasks.end()) return;
  if (at->second.busy) {
    at->second.removed = true;
    at->second.waiting.clear();
  } else {
    state_->tasks.erase(at);
  }
}

}  // namespace baton::worker
