#include "worker/setup/storing.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/checkpoint/retry.h"
#include "worker/setup/archive.h"
#include "worker/setup/key.h"
#include "worker/setup/layout.h"
#include "worker/setup/relocate.h"

namespace baton::worker {
namespace {

constexpr int kNice = 10;
constexpr int kTriesMax = 3;  // of one that changed while it was packed

}  // namespace

struct Storing::State {
  EnvironmentFolders& folders;
  artifact::Store& store;
  EnvironmentIndex& index;
  std::atomic<bool> ending{false};
  std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  std::deque<std::string> keys;
  std::string current;
  std::thread thread;

  State(EnvironmentFolders& f, artifact::Store& s, EnvironmentIndex& i)
      : folders(f), store(s), index(i) {}

  absl::Status Store(const std::string& key, const std::string& folder) {
    const auto cancelled = [this] { return ending.load(); };
    BATON_ASSIGN_OR_RETURN(const NamingFiles naming, FindNaming(folder, folder));
    BATON_RETURN_IF_ERROR(WriteNaming(folder, naming));
    if (!naming.binary.empty()) {
      LogInfo(absl::StrCat("the environment ", folder,
                           " works in this folder only: ", naming.binary, " names it"));
    }
    StoredArchive stored;
    int tries = 0;
    BATON_RETURN_IF_ERROR(RetryWhileAway(cancelled, [&]() -> absl::Status {
      const auto archive = StoreArchive(folder, store, cancelled);
      if (absl::IsAborted(archive.status()) && ++tries == kTriesMax) {
        return absl::FailedPreconditionError(archive.status().message());
      }
      if (archive.ok()) stored = *archive;
      return archive.status();
    }));
    const std::string name = naming.binary.empty() ? key : KeyAt(key, folder);
    BATON_RETURN_IF_ERROR(
        RetryWhileAway(cancelled, [&] { return index.Register(name, stored.manifest); }));
    folders.SetStored(key);
    LogInfo(absl::StrCat("stored the environment ", folder, ": ", stored.bytes >> 20, " MiB, ",
                         stored.bytes_sent >> 20, " MiB sent"));
    return absl::OkStatus();
  }

  void Serve(const std::string& key) {
    const absl::Status status =
        folders.IsStored(key) ? absl::OkStatus() : Store(key, folders.FolderOf(key));
    if (!status.ok() && !absl::IsCancelled(status)) {
      LogWarning(
          absl::StrCat("the environment ", folders.FolderOf(key),
                       " is not stored, so that other nodes make it too: ", status.message()));
    }
    folders.Release(key);
  }

  void Run() {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ending || !keys.empty(); });
      if (ending) return;
      current = keys.front();
      keys.pop_front();
      lock.unlock();
      Serve(current);
      lock.lock();
      current.clear();
    }
  }
};

Storing::Storing(EnvironmentFolders& folders, artifact::Store& store, EnvironmentIndex& index)
    : state_(std::make_unique<State>(folders, store, index)) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

Storing::~Storing() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void Storing::Add(const std::string& key) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const bool waits = state_->current == key || std::find(state_->keys.begin(), state_->keys.end(),
                                                           key) != state_->keys.end();
    if (waits) return;
    // It is whole, so that this does not wait.
    const auto held = state_->folders.Take(
        key, [] { return true; }, nullptr);
    if (!held.ok()) return;
    if (!held->is_made) return state_->folders.Failed(key);
    state_->keys.push_back(key);
  }
  state_->changed.notify_all();
}

}  // namespace baton::worker
