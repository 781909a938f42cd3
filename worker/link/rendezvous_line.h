// One line of the rendezvous protocol (common/contract.h), in both directions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "baton/v1/worker.pb.h"

namespace baton::worker {

// A value of 64 KiB, each byte escaped, and the rest of a line.
inline constexpr size_t kRendezvousLineBytesMax = 6 * (64 << 10) + 4096;

struct RendezvousLine {
  uint64_t id = 0;  // the client's
  bool has_generation = false;
  v1::RendezvousRequest request;  // without task and id
};

// InvalidArgument says what is wrong; `id` is set as soon as it could be read.
absl::Status ParseRendezvousLine(absl::string_view line, RendezvousLine& parsed);

// With the newline. `id` is the client's.
std::string RendezvousOk(uint64_t id);
std::string RendezvousError(uint64_t id, absl::string_view what);
std::string RendezvousStale(uint64_t id, uint64_t generation);
std::string RendezvousReply(uint64_t id, const v1::RendezvousAnswer& answer);

}  // namespace baton::worker
