#include "trainer/checkpoint/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/check.h"
#include "common/contract.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/status.h"
#include "trainer/checkpoint/format.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

absl::string_view Bytes(absl::Span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// A new file that is on disk once it is closed without an error.
class SyncedFile {
 public:
  explicit SyncedFile(std::string path) : path_(std::move(path)) {
    fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) status_ = ErrnoStatus(errno, path_);
  }
  ~SyncedFile() {
    if (fd_ >= 0) close(fd_);
  }
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;

  // After an error nothing more is written.
  void Write(absl::string_view bytes, size_t offset) {
    while (!bytes.empty() && status_.ok()) {
      const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) status_ = ErrnoStatus(errno, path_);
      if (n <= 0) continue;
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<size_t>(n);
    }
  }
  bool ok() const { return status_.ok(); }

  absl::Status Close() {
    if (status_.ok() && fsync(fd_) != 0) status_ = ErrnoStatus(errno, path_);
    if (fd_ >= 0 && close(fd_) != 0 && status_.ok()) status_ = ErrnoStatus(errno, path_);
    fd_ = -1;
    return status_;
  }

 private:
  const std::string path_;
  int fd_ = -1;
  absl::Status status_;
};

// One pass over the state, which may be larger than memory: the header comes before it in the file,
// but holds its digests, so it is written last. Their length is known, and with it the header's.
// Returns the root of the weights.
absl::StatusOr<std::string> WriteState(const CheckpointOptions& options, const Snapshot& snapshot,
                                       const std::string& path) {
  Header header;
  header.step = snapshot.step;
  header.loss = snapshot.loss;
  header.definition = DefinitionJson(options.definition);
  header.identity = options.identity;
  header.chain = snapshot.chain;
  header.table_trail = snapshot.table_trail;
  header.weights_root = header.payload_sha256 = Sha256Hex("");
  const std::vector<Snapshot::Part> parts = snapshot.Parts();
  for (const Snapshot::Part& part : parts) {
    header.vectors.push_back({part.name, part.values.size()});
    header.payload_bytes += part.values.size() * sizeof(float);
  }
  header.best = snapshot.best;
  const size_t header_bytes = EncodeHeader(header).size();
  SyncedFile file(path);
  Sha256 digest;
  RootSum root;
  size_t offset = header_bytes;
  for (size_t i = 0; i < parts.size(); ++i) {
    const absl::string_view bytes = Bytes(parts[i].values);
    for (size_t start = 0; start < bytes.size() && file.ok(); start += kChainChunkBytes) {
      const absl::string_view chunk = bytes.substr(start, kChainChunkBytes);
      if (i == 0) root.Add(chunk);
      digest.Update(chunk);
      file.Write(chunk, offset);
      offset += chunk.size();
    }
  }
  header.weights_root = root.Finish();
  header.payload_sha256 = digest.FinishHex();
  const std::string encoded = EncodeHeader(header);
  BATON_CHECK(encoded.size() == header_bytes, "a header whose length depends on its digests");
  file.Write(encoded, 0);
  BATON_RETURN_IF_ERROR(file.Close());
  return header.weights_root;
}

// Gives `from` the name `to`, which may be taken by an older folder: names of steps come again
// when a run is started anew in the same folder.
absl::Status Publish(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  if (errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("rename to ", to));
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    return ErrnoStatus(errno, absl::StrCat("rename to ", to));
  }
  std::error_code error;
  fs::remove_all(from, error);
  return absl::OkStatus();
}

// Takes the name away before the contents, so that no reader finds half a checkpoint under it.
void RemoveCheckpoint(const fs::path& path) {
  const fs::path doomed = path.string() + contract::kCheckpointTmpSuffix;
  std::error_code error;
  fs::remove_all(doomed, error);
  fs::rename(path, doomed, error);
  fs::remove_all(doomed, error);
}

// Only names up to `step`: a later one is of an older run, and not ours to judge.
void Prune(const CheckpointOptions& options, int64_t step) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options.folder, error)) {
    const int64_t found = CheckpointStep(entry.path().filename().string());
    if (found >= 0 && found <= step) steps.push_back(found);
  }
  std::sort(steps.rbegin(), steps.rend());
  for (size_t i = static_cast<size_t>(options.keep); i < steps.size(); ++i) {
    RemoveCheckpoint(fs::path(options.folder) / CheckpointName(steps[i]));
  }
}

void RemoveHalfWritten(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (absl::StartsWith(name, "step-") && absl::EndsWith(name, contract::kCheckpointTmpSuffix)) {
      fs::remove_all(entry.path(), error);
    }
  }
}

}  // namespace

absl::Status WriteCheckpoint(const CheckpointOptions& options, const Snapshot& snapshot) {
  const std::string path = absl::StrCat(options.folder, "/", CheckpointName(snapshot.step));
  const std::string unfinished = path + contract::kCheckpointTmpSuffix;
  std::error_code error;
  fs::create_directories(options.folder, error);
  fs::remove_all(unfinished, error);
  if (mkdir(unfinished.c_str(), 0755) != 0) return ErrnoStatus(errno, unfinished);
  absl::Cleanup clean_up = [&] { fs::remove_all(unfinished, error); };
  BATON_ASSIGN_OR_RETURN(const std::string root,
                         WriteState(options, snapshot, absl::StrCat(unfinished, "/", kStateFile)));
  const nlohmann::ordered_json meta = {
      {"step", snapshot.step},
      {"world_size", snapshot.world_size},
      {"metrics", {{"loss", snapshot.loss}}},
      {"weights_root", root},
      {"chain", {{"head", snapshot.chain.head()}, {"step", snapshot.chain.step()}}}};
  SyncedFile meta_file(absl::StrCat(unfinished, "/", contract::kCheckpointMeta));
  meta_file.Write(meta.dump() + "\n", 0);
  BATON_RETURN_IF_ERROR(meta_file.Close());
  BATON_RETURN_IF_ERROR(SyncFolder(unfinished));
  BATON_RETURN_IF_ERROR(Publish(unfinished, path));
  std::move(clean_up).Cancel();
  BATON_RETURN_IF_ERROR(SyncFolder(options.folder));
  Prune(options, snapshot.step);
  return absl::OkStatus();
}

CheckpointWriter::CheckpointWriter(CheckpointOptions options) : options_(std::move(options)) {
  RemoveHalfWritten(options_.folder);
  thread_ = std::thread([this] { Run(); });
}

CheckpointWriter::~CheckpointWriter() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool CheckpointWriter::idle() {
  std::lock_guard<std::mutex> lock(mutex_);
  return !busy_;
}

void CheckpointWriter::Start() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    busy_ = true;
  }
  changed_.notify_all();
}

bool CheckpointWriter::Wait(std::chrono::milliseconds timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return !busy_; });
}

CheckpointWriter::Result CheckpointWriter::result() {
  std::lock_guard<std::mutex> lock(mutex_);
  return result_;
}

void CheckpointWriter::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return busy_ || stop_; });
    if (!busy_) return;
    lock.unlock();
    const auto begin = std::chrono::steady_clock::now();
    const absl::Status status = WriteCheckpoint(options_, snapshot_);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!status.ok()) {
      LogWarning(absl::StrCat("checkpoint of step ", snapshot_.step, " was not saved: ",
                              status.message(), "; training goes on, the next one is tried later"));
    }
    lock.lock();
    result_.status = status;
    result_.write_s = took.count();
    ++result_.attempts;
    if (status.ok()) result_.step = snapshot_.step;
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace baton::trainer
