#include "client/model_cache.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/collect.h"
#include "common/atomic_file.h"
#include "common/contract.h"
#include "common/status.h"

namespace baton::client {
namespace {

namespace fs = std::filesystem;

std::string CacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return absl::StrCat(cache, "/baton/models");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.cache/baton/models");
}

bool HasModel(const std::string& folder) {
  std::error_code error;
  return fs::exists(fs::path(folder) / contract::kModelFile, error);
}

}  // namespace

absl::StatusOr<std::string> FetchModel(Api& api, const v1::Job& job,
                                       const std::atomic<bool>& stop) {
  if (job.output_digest().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job.name(), " has no output yet; `baton wait ", job.name(),
                     "` ends when it has, `baton why ", job.name(), "` says what it waits for"));
  }
  const std::string folder = absl::StrCat(CacheFolder(), "/", job.output_digest());
  if (HasModel(folder)) return folder;
  // Under its name when it is whole: another `baton predict` may look at the same moment.
  const std::string partial = absl::StrCat(folder, ".", ::getpid());
  std::error_code error;
  const absl::StatusOr<Collected> collected = Collect(api, job, partial, stop);
  absl::Status status = collected.status();
  if (status.ok() && !collected->losses.empty()) {
    status = absl::DataLossError(collected->losses.front());
  }
  if (status.ok() && !HasModel(partial)) {
    status = absl::FailedPreconditionError(
        absl::StrCat(job.name(), " left no ", contract::kModelFile,
                     ", so there is no model to predict with; `baton collect ", job.name(),
                     "` fetches what it left"));
  }
  if (status.ok()) {
    fs::rename(partial, folder, error);
    if (error && !HasModel(folder)) status = ErrnoStatus(error.value(), folder);
  }
  fs::remove_all(partial, error);
  if (!status.ok()) return status;
  return folder;
}

}  // namespace baton::client
