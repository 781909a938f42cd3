// Groups of cards by NCCL, whose library is loaded when a group is formed: one card needs none.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/backend/device_group.h"

namespace baton::trainer::cuda {

// Without NCCL, or where it is too old, the device is empty.
DeviceAddress NcclAddress(int card);

absl::StatusOr<std::string> NewNcclId();

// As DeviceVectors::JoinGroup. Work is queued on `stream`, which must outlive the group.
absl::StatusOr<std::unique_ptr<DeviceGroup>> JoinNccl(int card, cudaStream_t stream,
                                                      const DeviceGroupOptions& options);

}  // namespace baton::trainer::cuda
