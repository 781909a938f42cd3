// One generation of a gang: who its members are and how this one is connected with them.
//
// Today a generation lives as long as the process: a lost rank ends it, and the next attempt forms
// another. Whoever re-forms without a restart calls Form again with the next generation's
// membership; nothing outside a Gang keeps a connection, a rank or a number of ranks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/comm/group.h"
#include "trainer/comm/rendezvous.h"

namespace baton::trainer {

struct Membership {
  int64_t generation = 0;
  int world_size = 1;
  int rank = 0;
  std::string address;  // of this node, as its peers reach it
};

// The file that BATON_MEMBERSHIP_FILE names (common/contract.h), as seen by `rank`.
// INVALID_ARGUMENT names what is wrong in it.
absl::StatusOr<Membership> ReadMembership(const std::string& path, int rank);

// What all members must agree on before the first step; texts of any length.
struct Agreement {
  std::string build;       // of the trainer
  std::string backend;     // library, version, instruction set
  std::string definition;  // of the training
  std::string state;       // of the weights and the step they start from
};

struct FormOptions {
  Membership membership;
  std::string rendezvous;  // BATON_RENDEZVOUS; not needed by a single rank
  Agreement agreement;
  std::chrono::milliseconds form_timeout{60000};
  const std::atomic<bool>* stop = nullptr;  // ends the waits with CANCELLED
};

struct Gang {
  Membership membership;
  std::unique_ptr<Rendezvous> rendezvous;  // null for a single rank
  std::unique_ptr<Group> group;
};

// Meets the other members and compares the agreements. FAILED_PRECONDITION names the rank and what
// differs (a person has to act); INVALID_ARGUMENT for an unusable rendezvous; any other error means
// that a peer was lost or never came.
absl::StatusOr<Gang> Form(const FormOptions& options);

}  // namespace baton::trainer
