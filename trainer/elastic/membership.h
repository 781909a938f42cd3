// Who the members of a generation are, as the membership file has it (common/contract.h).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace baton::trainer {

struct Membership {
  int64_t generation = 0;
  int world_size = 1;
  int rank = 0;         // of this process in this generation; -1: it is no member
  std::string address;  // of this node, as its peers reach it

  bool member() const { return rank >= 0; }
};

// The file that BATON_MEMBERSHIP_FILE names, as seen by the process with that task number.
// INVALID_ARGUMENT names what is wrong in it.
absl::StatusOr<Membership> ReadMembership(const std::string& path, int task);

}  // namespace baton::trainer
