// The board as a folder, for ranks that somebody starts by hand on one machine or on a shared file
// system with locks:
//   member-<rank>       a nonce, under an exclusive lock for as long as that rank lives
//   run.json            rank 0's list of the nonces that form this run, and the run's own name
//   run-<name>/<key>    the keys
// What a dead run left behind is never mistaken for a peer: its locks are free.
#pragma once

#include "trainer/comm/rendezvous.h"

namespace baton::trainer {

// Returns once all ranks have met. ALREADY_EXISTS when the rank is taken by a living process.
absl::StatusOr<std::unique_ptr<Rendezvous>> OpenFolderRendezvous(const std::string& path,
                                                                 const RendezvousOptions& options);

}  // namespace baton::trainer
