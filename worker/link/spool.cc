#include "worker/link/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/link/mask.h"
#include "worker/link/spool_file.h"

namespace baton::worker {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr int kMetricsPollMs = 100;
constexpr int kReadsPerTurn = 16;
// A process that holds a finished task's pipe open and prints on is not listened to for ever.
constexpr int kReadsAtEndMax = 256;
constexpr size_t kTailBytes = 4 << 10;
constexpr int64_t kKeepSeconds = 7 * 24 * 3600;

using StreamId = std::pair<TaskKey, bool>;  // true: metrics

struct Stream {
  std::unique_ptr<SpoolFile> file;
  int pipe = -1;
  bool listening = false;  // the pipe is registered
  bool finished = false;   // nothing is added any more
  int64_t sent = 0;
  std::string tail;          // of a log: the end of what the task printed
  Spool::Listener listener;  // of a log; may be null
  Mask mask;                 // of a log: the task's secrets

  int64_t unacked() const { return file->size() - file->acked(); }
};

// The last line that is not blank, and that says something: R ends with the same words always.
std::string LastLine(absl::string_view tail) {
  while (!tail.empty()) {
    const size_t end = tail.find_last_of('\n');
    const absl::string_view line = end == absl::string_view::npos ? tail : tail.substr(end + 1);
    const absl::string_view bare = absl::StripAsciiWhitespace(line);
    if (!bare.empty() && bare != "Execution halted") return std::string(bare);
    tail = end == absl::string_view::npos ? absl::string_view() : tail.substr(0, end);
  }
  return "";
}

}  // namespace

struct Spool::State {
  SpoolOptions options;
  std::function<bool(Chunk)> send;
  int epoll = -1;
  int wake = -1;
  std::thread thread;
  std::atomic<bool> ending{false};

  std::mutex mutex;  // protects what follows
  std::map<StreamId, Stream> streams;
  std::map<int, StreamId> by_pipe;
  std::vector<std::pair<TaskKey, std::function<void(StreamEnds)>>> finishing;
  bool connected = false;
  bool warned_full = false;

  ~State() {
    for (auto& [id, stream] : streams) {
      if (stream.pipe >= 0) close(stream.pipe);
    }
    if (epoll >= 0) close(epoll);
    if (wake >= 0) close(wake);
  }

  void Knock() {
    const uint64_t one = 1;
    (void)!write(wake, &one, sizeof(one));
  }

  int64_t TotalUnacked() const {
    int64_t total = 0;
    for (const auto& [id, stream] : streams) total += stream.unacked();
    return total;
  }

  void Listen(Stream& stream, bool on) {
    if (stream.pipe < 0 || stream.listening == on) return;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = stream.pipe;
    epoll_ctl(epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, stream.pipe, &event);
    stream.listening = on;
  }

  // A task that prints faster than the line waits; without a line nobody waits.
  bool MustWait(const Stream& stream) const {
    return connected && stream.unacked() >= options.stream_bytes_max;
  }

  void CloseInput(Stream& stream) {
    if (stream.pipe < 0) return;
    Listen(stream, false);
    by_pipe.erase(stream.pipe);
    close(stream.pipe);
    stream.pipe = -1;
    const std::string rest = stream.mask.Rest();
    if (!rest.empty()) Take(stream, rest);
  }

  void Take(Stream& stream, absl::string_view bytes) {
    stream.tail.append(bytes.data(), bytes.size());
    if (stream.tail.size() > kTailBytes) stream.tail.erase(0, stream.tail.size() - kTailBytes);
    Store(stream, bytes);
    if (stream.listener != nullptr) stream.listener(bytes);
  }

  void Store(Stream& stream, absl::string_view bytes) {
    if (TotalUnacked() + static_cast<int64_t>(bytes.size()) > options.bytes_max) {
      stream.file->Drop(static_cast<int64_t>(bytes.size()));
    } else {
      stream.file->Append(bytes);
    }
    if (stream.file->dropped() > 0 && !std::exchange(warned_full, true)) {
      LogWarning(absl::StrCat("the spool ", options.folder,
                              " is full: output of tasks is lost until there is room"));
    }
  }

  // False at the end of the pipe.
  bool ReadPipe(Stream& stream, int reads) {
    char buffer[kChunkBytes];
    while (reads-- > 0) {
      const ssize_t n = read(stream.pipe, buffer, sizeof(buffer));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno == EAGAIN;
      if (n == 0) return false;
      const absl::string_view bytes(buffer, static_cast<size_t>(n));
      if (stream.mask.empty()) {
        Take(stream, bytes);
      } else {
        const std::string known = stream.mask.Feed(bytes);
        if (!known.empty()) Take(stream, known);
      }
    }
    return true;
  }

  void ReadReady(int pipe) {
    const auto at = by_pipe.find(pipe);
    if (at == by_pipe.end()) return;
    Stream& stream = streams[at->second];
    if (MustWait(stream)) return Listen(stream, false);
    if (!ReadPipe(stream, kReadsPerTurn)) CloseInput(stream);
  }

  void FinishTask(const TaskKey& key, const std::function<void(StreamEnds)>& done) {
    StreamEnds ends;
    if (const auto at = streams.find({key, false}); at != streams.end()) {
      Stream& log = at->second;
      if (log.pipe >= 0) (void)ReadPipe(log, kReadsAtEndMax);
      CloseInput(log);
      if (log.listener != nullptr) log.listener("");
      if (!log.finished) log.file->AppendMarker();
      log.finished = true;
      ends.log_bytes = log.file->size();
      ends.last_line = LastLine(log.tail);
    }
    if (const auto at = streams.find({key, true}); at != streams.end()) {
      Stream& metrics = at->second;
      const bool again = std::exchange(metrics.finished, true);
      if (!again) metrics.file->Refresh();
      ends.metrics_bytes = metrics.file->size();
      if (ends.metrics_bytes > 0 && !again) {
        const absl::Status moved =
            metrics.file->Move(absl::StrCat(options.folder, "/", SpoolName(key, true)));
        if (!moved.ok()) LogWarning(std::string(moved.message()));
      }
    }
    done(ends);
  }

  // One chunk of each stream in turn, until nothing is left or the line is full.
  void SendAll() {
    for (bool more = connected; more;) {
      more = false;
      for (auto& [id, stream] : streams) {
        stream.sent = std::max(stream.sent, stream.file->acked());
        if (stream.sent >= stream.file->size() ||
            stream.sent - stream.file->acked() >= options.window_bytes) {
          continue;
        }
        absl::StatusOr<std::string> bytes = stream.file->Read(stream.sent, kChunkBytes);
        if (!bytes.ok() || bytes->empty()) continue;
        const int64_t size = static_cast<int64_t>(bytes->size());
        if (!send({id.first, id.second, stream.sent, *std::move(bytes)})) return;
        stream.sent += size;
        more = true;
      }
    }
  }

  void DropDelivered() {
    for (auto at = streams.begin(); at != streams.end();) {
      Stream& stream = at->second;
      if (!stream.finished || stream.unacked() > 0) {
        ++at;
        continue;
      }
      stream.file->Remove();
      at = streams.erase(at);
    }
  }

  // Milliseconds until metrics files are to be looked at; -1: never, none is written.
  int PollTime() {
    std::lock_guard<std::mutex> lock(mutex);
    for (const auto& [id, stream] : streams) {
      if (id.second && !stream.finished) return kMetricsPollMs;
    }
    return -1;
  }

  void Turn(const epoll_event* events, int count) {
    std::lock_guard<std::mutex> lock(mutex);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != wake) {
        ReadReady(events[i].data.fd);
        continue;
      }
      uint64_t knocks;
      (void)!read(wake, &knocks, sizeof(knocks));
    }
    for (auto& [id, stream] : streams) {
      if (id.second && !stream.finished) stream.file->Refresh();
      if (!stream.listening && !MustWait(stream)) Listen(stream, true);
    }
    for (const auto& [key, done] : std::exchange(finishing, {})) FinishTask(key, done);
    SendAll();
    DropDelivered();
  }

  void Run() {
    epoll_event events[64];
    while (!ending) {
      const int count = epoll_wait(epoll, events, 64, PollTime());
      if (count < 0 && errno != EINTR) return;
      Turn(events, std::max(count, 0));
    }
  }

  // What an earlier worker left.
  void Recover() {
    DIR* folder = opendir(options.folder.c_str());
    if (folder == nullptr) return;
    const time_t now = time(nullptr);
    while (const dirent* entry = readdir(folder)) {
      const std::string path = absl::StrCat(options.folder, "/", entry->d_name);
      TaskKey key;
      bool metrics = false;
      struct stat info {};
      if (!ParseSpoolName(entry->d_name, key, metrics) || stat(path.c_str(), &info) != 0) continue;
      Stream stream;
      stream.file = std::make_unique<SpoolFile>(path, SpoolFile::Options{.releases = true});
      stream.finished = true;
      if (now - info.st_mtime > kKeepSeconds) {
        LogWarning(absl::StrCat("giving up ", path, ": no scheduler has taken it for a week"));
        stream.file->Remove();
        continue;
      }
      streams[{key, metrics}] = std::move(stream);
    }
    closedir(folder);
  }
};

absl::StatusOr<std::unique_ptr<Spool>> Spool::Create(const SpoolOptions& options,
                                                     std::function<bool(Chunk)> send) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->send = std::move(send);
  state->epoll = epoll_create1(EPOLL_CLOEXEC);
  state->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (state->epoll < 0 || state->wake < 0) return ErrnoStatus(errno, "the spool's descriptors");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = state->wake;
  epoll_ctl(state->epoll, EPOLL_CTL_ADD, state->wake, &event);
  state->Recover();
  State* const running = state.get();
  state->thread = std::thread([running] { running->Run(); });
  return std::unique_ptr<Spool>(new Spool(std::move(state)));
}

Spool::Spool(std::unique_ptr<State> state) : state_(std::move(state)) {}

Spool::~Spool() {
  state_->ending = true;
  state_->Knock();
  state_->thread.join();
  // What was acknowledged just now is not sent again by the next worker.
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->DropDelivered();
}

absl::StatusOr<int> Spool::Add(const TaskKey& key, const std::string& metrics_file,
                               const std::vector<std::string>& secrets, Listener listener) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "a pipe for the task's log");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    Stream& log = state_->streams[{key, false}];
    if (log.file == nullptr) {
      log.file = std::make_unique<SpoolFile>(
          absl::StrCat(state_->options.folder, "/", SpoolName(key, false)),
          SpoolFile::Options{.releases = true});
    } else {
      if (log.pipe >= 0) (void)state_->ReadPipe(log, kReadsAtEndMax);
      state_->CloseInput(log);
    }
    log.pipe = ends[0];
    log.listener = std::move(listener);
    log.mask = Mask(secrets);
    state_->by_pipe[ends[0]] = {key, false};
    state_->Listen(log, true);
    Stream& metrics = state_->streams[{key, true}];
    metrics.file = std::make_unique<SpoolFile>(metrics_file, SpoolFile::Options{.releases = false});
  }
  state_->Knock();
  return ends[1];
}

void Spool::Say(const TaskKey& key, const std::string& text) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const auto at = state_->streams.find({key, false});
    if (at == state_->streams.end() || at->second.finished) return;
    Stream& log = at->second;
    if (log.pipe >= 0 && !state_->MustWait(log)) (void)state_->ReadPipe(log, kReadsPerTurn);
    const bool in_line = !log.tail.empty() && log.tail.back() != '\n';
    state_->Store(log, absl::StrCat(in_line ? "\n" : "", "[baton: ", text, "]\n"));
  }
  state_->Knock();
}

void Spool::Finish(const TaskKey& key, std::function<void(StreamEnds)> done) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->finishing.emplace_back(key, std::move(done));
  }
  state_->Knock();
}

void Spool::SetConnected(bool connected) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->connected = connected;
    // What was under way when the line broke goes again.
    for (auto& [id, stream] : state_->streams) stream.sent = stream.file->acked();
  }
  state_->Knock();
}

void Spool::Acknowledge(const TaskKey& key, bool metrics, int64_t offset) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    const auto at = state_->streams.find({key, metrics});
    if (at == state_->streams.end()) return;
    at->second.file->Acknowledge(offset);
    state_->warned_full = false;
  }
  state_->Knock();
}

int64_t Spool::Unacked() const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->TotalUnacked();
}

void Spool::Wake() { state_->Knock(); }

}  // namespace baton::worker
