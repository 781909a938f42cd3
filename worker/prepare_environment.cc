#include "worker/prepare_environment.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/setup/layout.h"

namespace baton::worker {
namespace {

constexpr size_t kLineBytesMax = 2'000;

// The end of the log that its preparing writes to.
class LogEnd {
 public:
  explicit LogEnd(int fd) : fd_(fd) {}
  ~LogEnd() { close(fd_); }
  LogEnd(const LogEnd&) = delete;
  LogEnd& operator=(const LogEnd&) = delete;

  void Write(absl::string_view bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!bytes.empty()) in_line_ = bytes.back() != '\n';
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  void Say(const std::string& text) {
    const bool in_line = in_line_;
    Write(absl::StrCat(in_line ? "\n" : "", "[baton: ", Printable(text, kLineBytesMax), "]\n"));
  }

 private:
  const int fd_;
  std::mutex mutex_;
  bool in_line_ = false;
};

}  // namespace

absl::Status OpenEnvironmentsFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("making the folder ", folder));
  // Never closed: it ends with the process.
  const int lock = open(absl::StrCat(folder, "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return ErrnoStatus(errno, absl::StrCat("opening ", folder, "/lock"));
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  close(lock);
  return absl::FailedPreconditionError(absl::StrCat("another worker keeps its environments in ",
                                                    folder, "; give each its own --environments"));
}

absl::StatusOr<PreparedEnvironment> PrepareEnvironment(Environments& environments,
                                                       const PreparingLog& log,
                                                       const EnvironmentOrder& order) {
  BATON_ASSIGN_OR_RETURN(const int fd, log.open(order.wanted.key, order.places.metrics()));
  LogEnd end(fd);
  EnvironmentRequest request;
  request.spec = order.wanted.spec;
  request.package = order.package;
  request.mark = TaskMark(order.places);
  request.cancelled = order.cancelled;
  request.output = [&end](absl::string_view bytes) { end.Write(bytes); };
  request.say = [&end](const std::string& text) { end.Say(text); };
  auto prepared = environments.Prepare(request);
  if (!prepared.ok() && !absl::IsCancelled(prepared.status())) {
    end.Say(absl::StrCat("setup: ", prepared.status().message()));
  }
  return prepared;
}

absl::Status PlaceEnvironment(const PreparedEnvironment& prepared, const TaskKey& key,
                              const TaskPlaces& places, const std::string& kept) {
  if (!prepared.folder.empty()) {
    BATON_RETURN_IF_ERROR(LayOver(prepared.folder, places.work(), kept));
  }
  if (prepared.text.empty() || key.rank != 0) return absl::OkStatus();
  const std::string folder = absl::StrCat(places.output(), "/.baton");
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("making the folder ", folder));
  }
  return WriteFileAtomically(absl::StrCat(folder, "/environment.txt"), prepared.text);
}

}  // namespace baton::worker
