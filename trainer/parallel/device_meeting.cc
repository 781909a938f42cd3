#include "trainer/parallel/device_meeting.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer {
namespace {

using std::chrono::milliseconds;

// As long as its longest part, so that pieces of all ranks have one size.
constexpr size_t kNameBytes = 64;
constexpr size_t kIdBytes = 256;

struct Address {
  char device[kNameBytes];
  uint64_t version;
};

// Why these devices form no group; empty: they do.
std::string Hindrance(const std::vector<Address>& addresses) {
  std::set<std::string> devices;
  for (const Address& address : addresses) {
    if (address.device[0] == '\0') return "a rank has no NCCL that fits, or is not to use it";
    if (address.version != addresses[0].version) return "ranks have NCCLs of several versions";
    devices.insert(address.device);
  }
  return devices.size() < addresses.size() ? "ranks share a card" : "";
}

absl::StatusOr<std::string> CompareAddresses(Group& group, const DeviceVectors& vectors,
                                             bool direct, milliseconds timeout) {
  std::vector<Address> addresses(static_cast<size_t>(group.size()));
  Address& own = addresses[static_cast<size_t>(group.rank())];
  if (direct) {
    const DeviceAddress address = vectors.address();
    std::strncpy(own.device, address.device.c_str(), kNameBytes - 1);
    own.version = address.version;
  }
  BATON_RETURN_IF_ERROR(AllGather(group, addresses.data(), sizeof(Address), timeout));
  return direct ? Hindrance(addresses) : "as asked for";
}

// Rank 0's on all ranks; empty where it has none, and then `why` has rank 0's reason.
absl::StatusOr<std::string> ShareId(Group& group, DeviceVectors& vectors, milliseconds timeout,
                                    absl::Status* why) {
  std::vector<char> ids(static_cast<size_t>(group.size()) * (1 + kIdBytes));
  if (group.rank() == 0) {
    const absl::StatusOr<std::string> id = vectors.NewGroupId();
    *why = id.status();
    if (id.ok() && id->size() <= kIdBytes) {
      ids[0] = 1;
      std::copy(id->begin(), id->end(), ids.begin() + 1);
    }
  }
  BATON_RETURN_IF_ERROR(AllGather(group, ids.data(), 1 + kIdBytes, timeout));
  return ids[0] == 0 ? std::string() : std::string(&ids[1], kIdBytes);
}

// The first rank that failed, rather than one that waited for another in vain; -1: none.
absl::StatusOr<int> FirstFailure(Group& group, const absl::Status& own, milliseconds timeout) {
  constexpr char kFailed = 1, kWaited = 2;
  std::vector<char> all(static_cast<size_t>(group.size()));
  if (!own.ok()) {
    all[static_cast<size_t>(group.rank())] = absl::IsDeadlineExceeded(own) ? kWaited : kFailed;
  }
  BATON_RETURN_IF_ERROR(AllGather(group, all.data(), 1, timeout));
  for (const char how : {kFailed, kWaited}) {
    const auto first = std::find(all.begin(), all.end(), how);
    if (first != all.end()) return static_cast<int>(first - all.begin());
  }
  return -1;
}

std::string Text(absl::string_view what, int rank, const absl::Status& own) {
  std::string text = absl::StrCat(what, " of rank ", rank);
  if (!own.ok()) absl::StrAppend(&text, " (here: ", own.message(), ")");
  return text;
}

}  // namespace

absl::StatusOr<DeviceMeeting> MeetDevices(Group& group, DeviceVectors& vectors, bool direct,
                                          milliseconds timeout) {
  DeviceMeeting meeting;
  BATON_ASSIGN_OR_RETURN(meeting.hindrance, CompareAddresses(group, vectors, direct, timeout));
  if (!meeting.hindrance.empty()) return meeting;
  DeviceGroupOptions joining;
  absl::Status failure;
  BATON_ASSIGN_OR_RETURN(joining.id, ShareId(group, vectors, timeout, &failure));
  if (joining.id.empty()) {
    meeting.hindrance = Text("NCCL did not start on the node", 0, failure);
    return meeting;
  }
  BATON_ASSIGN_OR_RETURN(meeting.watch, group.WatchPeers());
  joining.rank = group.rank();
  joining.size = group.size();
  joining.timeout = timeout;
  joining.peers = [watch = meeting.watch.get()] { return watch->status(); };
  absl::StatusOr<std::unique_ptr<DeviceGroup>> devices = vectors.JoinGroup(joining);
  // Who failed at once waits for those that waited for it. A dead peer is told by this, too.
  BATON_ASSIGN_OR_RETURN(const int failed, FirstFailure(group, devices.status(), 2 * timeout));
  if (failed < 0) {
    meeting.devices = *std::move(devices);
    return meeting;
  }
  meeting.hindrance = Text("NCCL failed for the card", failed, devices.status());
  devices = absl::CancelledError("");  // which asks the watch
  meeting.watch.reset();
  return meeting;
}

}  // namespace baton::trainer
