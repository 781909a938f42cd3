#include "scheduler/sim/expected_probes.h"

namespace baton::sim {

std::vector<std::string> ExpectedProbes() {
  return {
      "broken connection taken for a death",
      "checkpoint committed",
      "checkpoint refused",
      "crash after the disk, before the answer",
      "crash with uncommitted events",
      "failed commit",
      "failed commit that is on disk",
      "former scheduler refused",
      "host gone in silence",
      "job deleted",
      "lease ran out",
      "message doubled",
      "message lost",
      "message slow",
      "network parted",
      "node gone before its notice ran out",
      "note: checkpoint-given-up",
      "note: continues",
      "note: ended",
      "note: held",
      "note: no-more-trials",
      "note: paused",
      "note: resumed",
      "notice withdrawn",
      "older wanted set ignored",
      "pair of nodes cut off",
      "probe failed",
      "question about a sweep answered twice",
      "request id used twice",
      "session superseded",
      "slow commit",
      "start failed for the node's sake",
      "submit refused at a full disk",
      "submit sent again",
      "sweep deleted",
      "unwanted task killed",
      "worker cut off",
      "worker killed, and the host says so",
      "worker said goodbye",
  };
}

}  // namespace baton::sim
