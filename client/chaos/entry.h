// A job of a game day: what is submitted again and again, and the digest of what it leaves.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace baton::client::chaos {

// Writes a small training of the game's own, spec and data (a seeded generator's), into `folder`;
// the spec's path. Some 20 seconds on one core.
absl::StatusOr<std::string> WriteOwnEntry(const std::string& folder);

// Submits `entry` (a spec or a script, with its words) under `name`; the job's id. Asks again while
// the scheduler is away.
absl::StatusOr<std::string> Submit(const std::string& address, const std::string& name,
                                   const std::vector<std::string>& entry);

// The SHA-256 of the job's outputs, fetched into `folder`: of the model's file where it is one,
// else of all files with their names. NotFound: it has left none.
absl::StatusOr<std::string> DigestOfOutputs(const std::string& address, const std::string& job,
                                            const std::string& folder);

}  // namespace baton::client::chaos
