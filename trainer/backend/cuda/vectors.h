// The card's part of DeviceVectors.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/backend/device_vectors.h"

namespace baton::trainer::cuda {

absl::StatusOr<std::unique_ptr<DeviceVectors>> CreateVectors(int card);

}  // namespace baton::trainer::cuda
