#include "scheduler/edge/checkpoint_check.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/artifact/manifest.h"
#include "common/status.h"

namespace baton::edge {

absl::Status CheckWhole(artifact::Store& store, const std::string& manifest_digest) {
  BATON_ASSIGN_OR_RETURN(const std::string bytes, store.GetManifest(manifest_digest));
  BATON_ASSIGN_OR_RETURN(const artifact::Manifest manifest, artifact::ParseManifest(bytes));
  std::vector<std::string> chunks;
  for (const artifact::ManifestFile& file : manifest.files) {
    chunks.insert(chunks.end(), file.chunks.begin(), file.chunks.end());
  }
  BATON_ASSIGN_OR_RETURN(const std::vector<std::string> missing, store.MissingChunks(chunks));
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(missing.size(), " of its chunks are not in the store, the first is ",
                   missing.front(), "; upload it again"));
}

}  // namespace baton::edge
