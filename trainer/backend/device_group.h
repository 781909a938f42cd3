// Ranks whose devices exchange floats directly, without the hosts' memory (NCCL).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace baton::trainer {

// What a device has for it. Ranks form a device group when all have the same version and no two the
// same device.
struct DeviceAddress {
  std::string device;    // names the device among all of all nodes; empty: no such thing here
  uint64_t version = 0;  // of the library
};

// Floats from or to a peer's device.
struct DeviceMessage {
  int peer = 0;
  float* at = nullptr;  // read of a send, written of a receive
  size_t count = 0;
};

struct DeviceGroupOptions {
  std::string id;  // of the group: the same on all ranks, from one of them
  int rank = 0;
  int size = 1;
  std::chrono::milliseconds timeout{0};  // for all to come together
  // Asked while the group waits, from whatever thread does, for a device does not hear that a peer
  // died; its error ends the wait.
  std::function<absl::Status()> peers;
};

// The members of one generation. Calls as DeviceVectors has it, and its work is done in the order
// in which that of the vectors was queued that it was made from. Destroying it while transfers are
// under way gives them up.
class DeviceGroup {
 public:
  virtual ~DeviceGroup() = default;

  // Queues one pattern of messages, at most one per peer and direction. All ranks queue theirs in
  // the same order. From any thread, one at a time.
  virtual absl::Status Start(absl::Span<const DeviceMessage> sends,
                             absl::Span<const DeviceMessage> receives) = 0;

  // Waits for all that is queued, the vectors' work too; DEADLINE_EXCEEDED after `timeout`. After
  // an error the group is of no more use.
  virtual absl::Status Finish(std::chrono::milliseconds timeout) = 0;
};

}  // namespace baton::trainer
