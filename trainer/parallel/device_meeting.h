// How the ranks of a group find out whether their devices can exchange directly, and form a group
// of devices where they can. All ranks come to the same answer.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/backend/device_group.h"
#include "trainer/backend/device_vectors.h"
#include "trainer/comm/group.h"

namespace baton::trainer {

struct DeviceMeeting {
  std::string hindrance;                 // in words; empty: the devices are a group
  std::unique_ptr<PeerWatch> watch;      // for the devices, which ask it
  std::unique_ptr<DeviceGroup> devices;  // null: there is a hindrance
};

// Called by all ranks at the same place. `direct`: whether this one wants it. Devices that can't
// come together within `timeout` are a hindrance; a peer's end is UNAVAILABLE.
absl::StatusOr<DeviceMeeting> MeetDevices(Group& group, DeviceVectors& vectors, bool direct,
                                          std::chrono::milliseconds timeout);

}  // namespace baton::trainer
