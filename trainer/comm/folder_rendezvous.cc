#include "trainer/comm/folder_rendezvous.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/ids.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{2};
constexpr char kLostKey[] = "lost";

// Open-file-description locks: unlike flock's they can be asked about without being taken.
struct flock WholeFile(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// The text of a file that a living process holds; empty when nobody does.
std::string LivingText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char text[64];
  ssize_t size = 0;
  struct flock lock = WholeFile(F_RDLCK);
  const bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  if (held) size = pread(fd, text, sizeof(text), 0);
  close(fd);
  return std::string(text, static_cast<size_t>(size > 0 ? size : 0));
}

// A file that this process holds while the object lives. It gets its name when it is already
// locked and whole, so nobody takes what a dead process left there for ours.
class HeldFile {
 public:
  static absl::StatusOr<std::unique_ptr<HeldFile>> Create(const std::string& path,
                                                          const std::string& text) {
    if (!LivingText(path).empty()) {
      return absl::AlreadyExistsError(
          absl::StrCat(path,
                       " is held by a living process: this rank already runs; give each "
                       "process another --rank, or each run another folder"));
    }
    const std::string unnamed = absl::StrCat(path, ".", text);
    const int fd = open(unnamed.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, unnamed);
    auto file = std::unique_ptr<HeldFile>(new HeldFile(fd));
    struct flock lock = WholeFile(F_WRLCK);
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0 ||
        pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        rename(unnamed.c_str(), path.c_str()) != 0) {
      const absl::Status status = ErrnoStatus(errno, path);
      unlink(unnamed.c_str());
      return status;
    }
    return file;
  }
  ~HeldFile() { close(fd_); }

 private:
  explicit HeldFile(int fd) : fd_(fd) {}
  const int fd_;
};

class FolderRendezvous : public Rendezvous {
 public:
  FolderRendezvous(const std::string& path, const RendezvousOptions& options)
      : path_(path), options_(options), nonce_(RandomId()) {}

  absl::Status Join() {
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) return absl::UnavailableError(absl::StrCat(path_, ": ", error.message()));
    BATON_ASSIGN_OR_RETURN(member_, HeldFile::Create(MemberPath(options_.rank), nonce_));
    const auto deadline = SteadyClock::now() + options_.join_timeout;
    if (options_.rank == 0) BATON_RETURN_IF_ERROR(Gather(deadline));
    return FindRun(deadline);
  }

  absl::Status Set(const std::string& key, absl::string_view value) override {
    return WriteFileAtomically(KeyPath(key), value);
  }

  absl::StatusOr<std::string> Wait(const std::string& key,
                                   std::chrono::milliseconds timeout) override {
    const auto deadline = SteadyClock::now() + timeout;
    while (true) {
      absl::StatusOr<std::string> value = ReadFile(KeyPath(key));
      if (value.ok() || !absl::IsNotFound(value.status())) return value;
      absl::StatusOr<std::string> lost = ReadFile(KeyPath(kLostKey));
      if (lost.ok()) return absl::AbortedError(absl::StrCat("rank ", *lost, " was lost"));
      for (int rank = 0; rank < options_.world_size; ++rank) {
        if (rank != options_.rank && LivingText(MemberPath(rank)) != NonceOf(rank)) {
          return absl::AbortedError(absl::StrCat("rank ", rank, " has ended"));
        }
      }
      BATON_RETURN_IF_ERROR(Pause(deadline, absl::StrCat("nobody set ", key)));
    }
  }

  absl::Status ReportLost(int rank) override { return Set(kLostKey, absl::StrCat(rank)); }

  absl::Status Done() override { return absl::OkStatus(); }

  absl::Status Ready() override {
    return absl::UnimplementedError("ranks that meet in a folder form one generation");
  }

  int64_t newer() const override { return 0; }

 private:
  std::string MemberPath(int rank) const { return absl::StrCat(path_, "/member-", rank); }
  std::string RunPath() const { return path_ + "/run.json"; }
  std::string KeyPath(const std::string& key) const {
    return absl::StrCat(path_, "/run-", run_["name"].get<std::string>(), "/", key);
  }
  std::string NonceOf(int rank) const {
    return run_["nonces"][static_cast<size_t>(rank)].get<std::string>();
  }

  absl::Status Pause(SteadyClock::time_point deadline, absl::string_view what) const {
    if (options_.stop != nullptr && *options_.stop) return absl::CancelledError("asked to leave");
    if (SteadyClock::now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat("rendezvous ", path_, ": ", what));
    }
    std::this_thread::sleep_for(kPoll);
    return absl::OkStatus();
  }

  // Rank 0: waits for a living member of each rank and names the run.
  absl::Status Gather(SteadyClock::time_point deadline) {
    std::vector<std::string> nonces;
    for (int rank = 0; rank < options_.world_size; ++rank) {
      std::string nonce = rank == 0 ? nonce_ : LivingText(MemberPath(rank));
      while (nonce.size() != nonce_.size()) {
        BATON_RETURN_IF_ERROR(
            Pause(deadline, absl::StrCat("rank ", rank, " of ", options_.world_size,
                                         " did not come; start one process for each --rank")));
        nonce = LivingText(MemberPath(rank));
      }
      nonces.push_back(nonce);
    }
    RemoveOldRuns();
    const std::string name = RandomId();
    std::error_code error;
    std::filesystem::create_directories(absl::StrCat(path_, "/run-", name), error);
    if (error) return absl::UnavailableError(absl::StrCat(path_, ": ", error.message()));
    return WriteFileAtomically(RunPath(), Json{{"name", name}, {"nonces", nonces}}.dump());
  }

  void RemoveOldRuns() const {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
      const std::string name = entry.path().filename();
      if (entry.is_directory(error) && name.rfind("run-", 0) == 0) {
        std::filesystem::remove_all(entry.path(), error);
      }
    }
  }

  // Waits until rank 0 has named a run with this process in it.
  absl::Status FindRun(SteadyClock::time_point deadline) {
    while (true) {
      absl::StatusOr<std::string> text = ReadFile(RunPath());
      if (text.ok()) {
        Json run = Json::parse(*text, nullptr, false);
        if (Holds(run)) {
          run_ = std::move(run);
          return absl::OkStatus();
        }
      }
      BATON_RETURN_IF_ERROR(
          Pause(deadline, absl::StrCat("rank 0 did not form a run of ", options_.world_size,
                                       " ranks; start all with the same --world-size and folder")));
    }
  }

  bool Holds(const Json& run) const {
    if (!run.is_object() || !run.contains("name") || !run["name"].is_string()) return false;
    const auto nonces = run.find("nonces");
    if (nonces == run.end() || !nonces->is_array()) return false;
    if (nonces->size() != static_cast<size_t>(options_.world_size)) return false;
    for (const Json& nonce : *nonces) {
      if (!nonce.is_string()) return false;
    }
    return (*nonces)[static_cast<size_t>(options_.rank)] == nonce_;
  }

  const std::string path_;
  const RendezvousOptions options_;
  const std::string nonce_;
  std::unique_ptr<HeldFile> member_;
  Json run_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rendezvous>> OpenFolderRendezvous(const std::string& path,
                                                                 const RendezvousOptions& options) {
  auto rendezvous = std::make_unique<FolderRendezvous>(path, options);
  BATON_RETURN_IF_ERROR(rendezvous->Join());
  return rendezvous;
}

}  // namespace baton::trainer
