#include "client/collect.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/metrics.h"
#include "client/render/json.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? ErrnoStatus(error.value(), absl::StrCat("create ", path)) : absl::OkStatus();
}

// Fetches an artifact beside its place and moves its files in: a reader never finds half a file.
absl::StatusOr<int64_t> Fetch(Api& api, const std::string& digest, const std::string& into,
                              const std::atomic<bool>& stop) {
  const std::string staging = absl::StrCat(into, "/.fetch-", digest.substr(0, 16));
  std::error_code error;
  fs::remove_all(staging, error);
  artifact::TransferOptions options;
  options.cancelled = [&stop] { return stop.load(); };
  BATON_ASSIGN_OR_RETURN(const artifact::Progress progress,
                         artifact::Download(api.blobs(), digest, staging, options));
  for (const auto& entry : fs::recursive_directory_iterator(staging)) {
    if (!entry.is_regular_file()) continue;
    const fs::path to = fs::path(into) / entry.path().lexically_relative(staging);
    BATON_RETURN_IF_ERROR(MakeFolder(to.parent_path().string()));
    fs::rename(entry.path(), to, error);
    if (error) return ErrnoStatus(error.value(), absl::StrCat("write ", to.string()));
  }
  fs::remove_all(staging, error);
  return progress.files;
}

absl::Status SaveLogs(Api& api, const std::string& id, const std::string& folder,
                      const std::atomic<bool>& stop) {
  BATON_RETURN_IF_ERROR(MakeFolder(folder));
  std::map<std::string, std::ofstream> files;
  bool written = true;
  BATON_RETURN_IF_ERROR(api.Read(id, {v1::LOG, false}, stop, [&](const auto& piece) {
    const std::string path =
        absl::StrCat(folder, "/attempt-", piece.attempt(), "-rank-", piece.rank(), ".log");
    auto [file, is_new] = files.try_emplace(path);
    if (is_new) file->second.open(path, std::ios::binary | std::ios::trunc);
    file->second.write(piece.data().data(), static_cast<std::streamsize>(piece.data().size()));
    written &= file->second.good();
  }));
  for (auto& [path, file] : files) {
    file.close();
    written &= file.good();
  }
  if (written) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("could not write the logs to ", folder, "; is the disk full?"));
}

absl::Status SaveMetrics(Api& api, const std::string& id, const std::string& folder,
                         const std::atomic<bool>& stop) {
  MetricLines metrics;
  BATON_RETURN_IF_ERROR(api.Read(id, {v1::METRICS, false}, stop, [&](const auto& piece) {
    metrics.Add(piece.attempt(), piece.rank(), piece.data());
  }));
  std::string lines;
  for (const auto& row : metrics.Rows()) absl::StrAppend(&lines, row.dump(), "\n");
  BATON_RETURN_IF_ERROR(WriteFileAtomically(folder + "/metrics.jsonl", lines));
  return WriteFileAtomically(folder + "/metrics.csv", metrics.Csv());
}

}  // namespace

absl::StatusOr<Collected> Collect(Api& api, const v1::Job& job, const std::string& folder,
                                  const std::atomic<bool>& stop) {
  Collected collected;
  collected.folder = folder;
  BATON_RETURN_IF_ERROR(MakeFolder(folder));
  BATON_RETURN_IF_ERROR(SaveLogs(api, job.id(), folder + "/logs", stop));
  BATON_RETURN_IF_ERROR(SaveMetrics(api, job.id(), folder, stop));
  BATON_RETURN_IF_ERROR(WriteFileAtomically(folder + "/job.json", Pretty(JobJson(job))));
  if (!job.output_digest().empty()) {
    BATON_ASSIGN_OR_RETURN(collected.output_files, Fetch(api, job.output_digest(), folder, stop));
  } else if (job.checkpoints_size() > 0) {
    const v1::Checkpoint& newest = job.checkpoints(job.checkpoints_size() - 1);
    const std::string into = folder + "/checkpoint";
    BATON_RETURN_IF_ERROR(MakeFolder(into));
    BATON_RETURN_IF_ERROR(Fetch(api, newest.sha256(), into, stop).status());
    collected.checkpoint = newest.name();
  }
  return collected;
}

}  // namespace baton::client
