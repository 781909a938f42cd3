#include "worker/metrics/event_watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/glob.h"
#include "common/metrics_line.h"
#include "common/printable.h"
#include "worker/checkpoint/file_walk.h"
#include "worker/metrics/event_file.h"

namespace baton::worker {
namespace {

constexpr int64_t kLookEveryMs = 500;
constexpr int64_t kLookEveryCosts = 50;  // or less often, where a look takes long
constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kTagBytesMax = 256;
constexpr int kProblemsMax = 4;
constexpr char kEventFiles[] = "**/*tfevents*";

using Line = nlohmann::ordered_json;

std::string FolderOf(const std::string& path) {
  const size_t end = path.rfind('/');
  return end == std::string::npos ? "" : path.substr(0, end);
}

// Folders that Keras and others have beside each other, for the same tags.
bool IsSplit(absl::string_view name) {
  for (const absl::string_view split :
       {"train", "training", "validation", "valid", "val", "test", "eval", "evaluation"}) {
    if (name == split) return true;
  }
  return false;
}

// What is put before a tag of the files in `folder`.
std::string PrefixOf(const std::string& folder, const std::set<std::string>& with_events) {
  for (std::string above = folder; !above.empty();) {
    above = FolderOf(above);
    if (with_events.count(above) == 0) continue;
    return absl::StrCat(folder.substr(above.empty() ? 0 : above.size() + 1), "/");
  }
  const std::string name = folder.substr(folder.rfind('/') + 1);  // npos + 1 is 0
  return IsSplit(name) ? absl::StrCat(name, "/") : "";
}

std::string NameOf(const std::string& prefix, const std::string& tag) {
  const std::string name = absl::StrCat(prefix, tag);
  for (const char* taken : {"step", "time", "attempt", "rank"}) {
    if (name == taken) return absl::StrCat("scalar/", name);
  }
  return name.substr(0, kTagBytesMax);
}

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)), globs_({Glob(kEventFiles)}) {
    for (const auto& [name, version] : WalkFiles(path_, globs_).files) {
      files_[name].offset = version.bytes;
    }
  }

  // Lines of what was written since. `problem` is called with a sentence.
  std::string Look(const std::function<void(const std::string&)>& problem) {
    const SeenFiles seen = WalkFiles(path_, globs_).files;
    std::set<std::string> with_events;
    for (const auto& [name, version] : seen) with_events.insert(FolderOf(name));
    std::string lines;
    for (const auto& [name, version] : seen) {
      File& file = files_[name];
      if (file.is_bad || version.bytes <= file.offset) continue;
      std::vector<Scalar> scalars;
      const absl::Status status = Read(name, &file, &scalars);
      AddLines(PrefixOf(FolderOf(name), with_events), scalars, &lines);
      if (status.ok()) continue;
      file.is_bad = true;
      problem(absl::StrCat("metrics: ", Printable(name),
                           " is not read any further: ", status.message()));
    }
    return lines;
  }

 private:
  struct File {
    int64_t offset = 0;
    EventReader reader;
    bool is_bad = false;
  };

  absl::Status Read(const std::string& name, File* file, std::vector<Scalar>* scalars) const {
    const int opened = OpenInFolder(path_, name);
    if (opened < 0) return absl::OkStatus();
    std::string bytes(kReadBytes, '\0');
    absl::Status status;
    while (status.ok()) {
      const ssize_t n = pread(opened, bytes.data(), bytes.size(), file->offset);
      if (n <= 0) break;
      file->offset += n;
      status = file->reader.Take(absl::string_view(bytes.data(), static_cast<size_t>(n)), scalars);
    }
    close(opened);
    return status;
  }

  // One for each row of scalars of the same step.
  static void AddLines(const std::string& prefix, const std::vector<Scalar>& scalars,
                       std::string* lines) {
    Line line;
    int64_t step = 0;
    const auto flush = [&] {
      if (line.empty()) return;
      absl::StrAppend(lines, line.dump(-1, ' ', false, Line::error_handler_t::replace), "\n");
      line = Line();
    };
    for (const Scalar& scalar : scalars) {
      if (!line.empty() && scalar.step != step) flush();
      if (line.empty()) {
        step = scalar.step;
        if (StepOfNumber(static_cast<double>(step)).has_value()) line["step"] = step;
        line["time"] = scalar.wall_time;
      }
      line[NameOf(prefix, scalar.tag)] = scalar.value;
    }
    flush();
  }

  const std::string path_;
  const std::vector<Glob> globs_;
  std::map<std::string, File> files_;
};

}  // namespace

struct EventWatch::State {
  const EventWatchOptions options;
  const Clock& clock;
  std::vector<Folder> folders;
  int problems = 0;
  bool passed_over = false;  // the program writes its metrics itself
  std::thread thread;

  std::mutex mutex;
  std::condition_variable wake;
  bool ending = false;  // guarded by mutex

  State(EventWatchOptions o, const Clock& c) : options(std::move(o)), clock(c) {
    for (const std::string& folder : options.folders) folders.emplace_back(folder);
  }

  void Look() {
    passed_over = passed_over || options.program->HasBegun();
    if (passed_over) return;
    for (Folder& folder : folders) {
      const std::string lines = folder.Look([this](const std::string& text) {
        if (problems++ < kProblemsMax) options.problem(text);
      });
      if (!lines.empty()) options.metrics->Append(lines);
    }
  }

  void Stop() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      ending = true;
    }
    wake.notify_all();
    if (thread.joinable()) thread.join();
  }

  void Run() {
    std::unique_lock<std::mutex> lock(mutex);
    int64_t pause_ms = kLookEveryMs;
    while (!wake.wait_for(lock, std::chrono::milliseconds(pause_ms), [this] { return ending; })) {
      lock.unlock();
      const int64_t start_ms = clock.MonotonicMillis();
      Look();
      pause_ms = std::max(kLookEveryMs, kLookEveryCosts * (clock.MonotonicMillis() - start_ms));
      lock.lock();
    }
  }
};

EventWatch::EventWatch(EventWatchOptions options, const Clock& clock)
    : state_(std::make_unique<State>(std::move(options), clock)) {
  State* const state = state_.get();
  state_->thread = std::thread([state] { state->Run(); });
}

EventWatch::~EventWatch() { state_->Stop(); }

void EventWatch::End() {
  state_->Stop();
  state_->Look();
}

}  // namespace baton::worker
