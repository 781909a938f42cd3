#include "client/collect.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/collect_folder.h"
#include "client/folder.h"
#include "client/metrics.h"
#include "client/render/json.h"
#include "common/artifact/transfer.h"
#include "common/atomic_file.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

// What was fetched, beside its place: a reader of the folder never finds half a file.
struct Staged {
  std::string folder;              // "" when there is nothing
  std::vector<std::string> files;  // relative to it
};

absl::StatusOr<Staged> Fetch(Api& api, const std::string& digest, const std::string& into,
                             const std::atomic<bool>& stop) {
  Staged staged;
  staged.folder = absl::StrCat(into, "/.fetch-", digest.substr(0, 16));
  std::error_code error;
  fs::remove_all(staged.folder, error);
  artifact::TransferOptions options;
  options.cancelled = [&stop] { return stop.load(); };
  const absl::Status status =
      artifact::Download(api.blobs(), digest, staged.folder, options).status();
  if (!status.ok()) {
    // What a lost line or Ctrl-C has left is taken up by the next collect.
    const bool again = absl::IsUnavailable(status) || absl::IsCancelled(status);
    if (!again) fs::remove_all(staged.folder + ".tmp", error);
    // NotFound would read as if there were no such job.
    if (absl::IsNotFound(status)) return absl::DataLossError(status.message());
    return status;
  }
  for (const auto& entry : fs::recursive_directory_iterator(staged.folder, error)) {
    if (!entry.is_regular_file(error)) continue;
    staged.files.push_back(entry.path().lexically_relative(staged.folder).string());
  }
  return staged;
}

// The newest checkpoint that is whole; each that is not becomes a loss.
absl::StatusOr<Staged> FetchCheckpoint(Api& api, const v1::Job& job, const std::string& folder,
                                       const std::atomic<bool>& stop, Collected* collected) {
  for (int i = job.checkpoints_size() - 1; i >= 0; --i) {
    const v1::Checkpoint& checkpoint = job.checkpoints(i);
    absl::StatusOr<Staged> staged = Fetch(api, checkpoint.sha256(), folder, stop);
    if (staged.ok()) collected->checkpoint = checkpoint.name();
    if (staged.ok() || !absl::IsDataLoss(staged.status())) return staged;
    collected->losses.push_back(absl::StrCat("checkpoint ", checkpoint.name(), " is damaged (",
                                             std::string(staged.status().message()), ")"));
  }
  return Staged();
}

absl::StatusOr<Staged> FetchResult(Api& api, const v1::Job& job, const std::string& folder,
                                   const std::atomic<bool>& stop, Collected* collected) {
  if (!job.output_digest().empty()) {
    absl::StatusOr<Staged> staged = Fetch(api, job.output_digest(), folder, stop);
    if (staged.ok()) collected->output_files = static_cast<int64_t>(staged->files.size());
    if (staged.ok() || !absl::IsDataLoss(staged.status())) return staged;
    collected->losses.push_back(
        absl::StrCat("the output is damaged (", std::string(staged.status().message()), ")"));
  }
  return FetchCheckpoint(api, job, folder, stop, collected);
}

// Moves what was fetched to its place, and takes away what an earlier collect had there.
absl::Status Place(const v1::Job& job, const Staged& staged, Collected* collected) {
  const std::string& folder = collected->folder;
  const CollectRecord before = ReadCollectRecord(folder);
  CollectRecord now{job.id(), {}};
  for (const std::string& file : staged.files) {
    now.files.push_back(collected->checkpoint.empty() ? PlaceOfOutput(file)
                                                      : absl::StrCat("checkpoint/", file));
    if (collected->checkpoint.empty() && now.files.back() != file) {
      collected->notes.push_back(absl::StrCat("the output's ", file, " is in ", folder, "/",
                                              now.files.back(), ": that name is Baton's own"));
    }
  }
  if (!before.job.empty() && before.job != job.id()) {
    collected->notes.push_back(
        absl::StrCat(folder, " held job ", before.job, "; its files were replaced"));
  }
  BATON_RETURN_IF_ERROR(ReplaceCollected(folder, before, now));
  std::error_code error;
  for (size_t i = 0; i < staged.files.size(); ++i) {
    const fs::path to = fs::path(folder) / now.files[i];
    fs::create_directories(to.parent_path(), error);
    if (!error) fs::rename(fs::path(staged.folder) / staged.files[i], to, error);
    if (error) {
      const int number = error.value();
      fs::remove_all(staged.folder, error);
      return AsUsage(ErrnoStatus(number, absl::StrCat("write ", to.string())), "--to");
    }
  }
  if (!staged.folder.empty()) fs::remove_all(staged.folder, error);
  return absl::OkStatus();
}

absl::Status SaveLogs(Api& api, const std::string& id, const std::string& folder,
                      const std::atomic<bool>& stop) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return AsUsage(ErrnoStatus(error.value(), absl::StrCat("create ", folder)), "--to");
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
  MadeFolders made;
  BATON_RETURN_IF_ERROR(made.Make(folder, "--to"));
  // Baton's own files last: what an output brings can't replace them.
  BATON_ASSIGN_OR_RETURN(const Staged staged, FetchResult(api, job, folder, stop, &collected));
  BATON_RETURN_IF_ERROR(Place(job, staged, &collected));
  BATON_RETURN_IF_ERROR(SaveLogs(api, job.id(), folder + "/logs", stop));
  BATON_RETURN_IF_ERROR(SaveMetrics(api, job.id(), folder, stop));
  BATON_RETURN_IF_ERROR(WriteFileAtomically(folder + "/job.json", Pretty(JobJson(job))));
  return collected;
}

}  // namespace baton::client
