// How the members of one generation come together: the board of the generation and a mesh of
// connections, made by a thread that can be left behind. Gloo's mesh blocks on a peer that died
// after it had published its address, and a newer generation must not wait for that.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/comm/group.h"
#include "trainer/comm/rendezvous.h"
#include "trainer/elastic/membership.h"

namespace baton::trainer {

struct Meeting {
  std::shared_ptr<const void> alive;  // what the board points to
  std::unique_ptr<Rendezvous> board;  // null for a single rank
  std::unique_ptr<Group> group;       // null: it failed
  absl::Status failure;
  std::vector<int> missing;  // the ranks that did not come, where that is known
};

struct MeetOptions {
  Membership membership;
  std::string rendezvous;  // BATON_RENDEZVOUS; not needed by a single rank
  std::chrono::milliseconds timeout{60000};
  // Asked every few milliseconds; an error ends the meeting with it.
  std::function<absl::Status()> interrupted;
};

// INVALID_ARGUMENT for an unusable rendezvous, FAILED_PRECONDITION for an address that is not this
// node's; any other error means that a peer was lost or never came, or is that of `interrupted`.
Meeting Meet(const MeetOptions& options);

}  // namespace baton::trainer
