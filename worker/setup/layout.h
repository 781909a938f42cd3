// The files of an environment's folder (folders.h) that are about it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/setup/facts.h"
#include "worker/setup/relocate.h"

namespace baton::worker {

std::string PrefixOf(const std::string& folder);     // BATON_ENVIRONMENT_DIR
std::string SetupWorkOf(const std::string& folder);  // where its setup ran
std::string CacheOf(const std::string& folder);      // of installers, while it is made

// What lies in SetupWorkOf and is to lie in each task's working folder, relative paths.
absl::Status WriteOverlay(const std::string& folder, const std::vector<std::string>& paths);
// Copies it there. What the package has is replaced, what `kept` has is not: files of a checkpoint
// are newer. `kept` empty: nothing.
absl::Status LayOver(const std::string& folder, const std::string& work, const std::string& kept);

absl::Status WriteFacts(const std::string& folder, const EnvironmentFacts& facts);
absl::StatusOr<EnvironmentFacts> ReadFacts(const std::string& folder);

absl::Status WriteNaming(const std::string& folder, const NamingFiles& naming);
absl::StatusOr<NamingFiles> ReadNaming(const std::string& folder);

}  // namespace baton::worker
