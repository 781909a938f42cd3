#include "trainer/backend/device_vectors.h"

namespace baton::trainer {

absl::StatusOr<std::string> DeviceVectors::NewGroupId() {
  return absl::UnimplementedError("this device forms no groups");
}

absl::StatusOr<std::unique_ptr<DeviceGroup>> DeviceVectors::JoinGroup(
    const DeviceGroupOptions& /*options*/) {
  return absl::UnimplementedError("this device forms no groups");
}

}  // namespace baton::trainer
